"""Tables of identity. Personal data lies in ``member`` and nowhere else."""

from datetime import date, datetime

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.identity.states import Capacity, ClientState, MemberRole, OrganizationKind, OrganizationState
from marketplace.kit.db import Model


def one_of(column: str, values: type[OrganizationState | OrganizationKind | ClientState | MemberRole]) -> str:
    """Return the SQL condition that a column holds a value of the enumeration."""
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


KNOWN_CAPACITIES = "[" + ", ".join(f'"{capacity.value}"' for capacity in Capacity) + "]"


class Organization(Model):
    """A body that takes part in the exchange."""

    __tablename__ = "organization"
    __table_args__ = (
        CheckConstraint(one_of("state", OrganizationState), "state"),
        CheckConstraint(one_of("kind", OrganizationKind), "kind"),
        CheckConstraint(
            f"jsonb_typeof(capacities) = 'array' AND capacities <@ '{KNOWN_CAPACITIES}'::jsonb"
            " AND capacities <> '[]'::jsonb",
            "capacities",
        ),
        CheckConstraint(
            "NOT capacities @> '[\"auditor\"]'::jsonb OR capacities = '[\"auditor\"]'::jsonb", "auditor_alone"
        ),
        CheckConstraint("corporate_number ~ '^[1-9][0-9]{12}$'", "corporate_number"),
        CheckConstraint("invoice_registration_number ~ '^T[0-9]{13}$'", "invoice_registration_number"),
        CheckConstraint("local_government_code ~ '^[0-9]{6}$'", "local_government_code"),
        CheckConstraint("state <> 'verified' OR verified_at IS NOT NULL", "verified_at"),
        CheckConstraint("(state = 'suspended') = (suspended_reason IS NOT NULL)", "suspended_reason"),
        Index(
            "uq_organization_corporate_number",
            "corporate_number",
            unique=True,
            postgresql_where=text("corporate_number IS NOT NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name_ja: Mapped[str]
    name_en: Mapped[str]
    kind: Mapped[str]
    capacities: Mapped[list[str]]
    corporate_number: Mapped[str | None]
    invoice_registration_number: Mapped[str | None]
    local_government_code: Mapped[str | None]
    state: Mapped[str]
    created_at: Mapped[datetime]
    verified_at: Mapped[datetime | None]
    suspended_reason: Mapped[str | None]


class InvoiceRegistration(Model):
    """One stretch of days, both ends included, on which an invoice registration number (登録番号) is valid."""

    __tablename__ = "invoice_registration"
    __table_args__ = (
        CheckConstraint("number ~ '^T[0-9]{13}$'", "number"),
        CheckConstraint("valid_to >= valid_from", "validity"),
    )

    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    valid_from: Mapped[date] = mapped_column(Date, primary_key=True)
    valid_to: Mapped[date | None] = mapped_column(Date)
    number: Mapped[str]
    recorded_at: Mapped[datetime]


class Member(Model):
    """A person who acts for an organization; removing the row erases the person."""

    __tablename__ = "member"
    __table_args__ = (
        CheckConstraint(one_of("role", MemberRole), "role"),
        Index(
            "uq_member_organization_id_email",
            "organization_id",
            text("lower(email)"),
            unique=True,
            postgresql_where=text("email IS NOT NULL"),
        ),
        Index("ix_member_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    email: Mapped[str | None]
    role: Mapped[str]
    created_at: Mapped[datetime]


class ApiClient(Model):
    """A program that acts for an organization; its secret is kept as a hash."""

    __tablename__ = "api_client"
    __table_args__ = (
        CheckConstraint(one_of("state", ClientState), "state"),
        CheckConstraint("secret_sha256 ~ '^[0-9a-f]{64}$'", "secret_sha256"),
        CheckConstraint("jsonb_typeof(scopes) = 'array' AND scopes <> '[]'::jsonb", "scopes"),
        Index("ix_api_client_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    scopes: Mapped[list[str]]
    secret_sha256: Mapped[str]
    state: Mapped[str]
    created_at: Mapped[datetime]
    secret_changed_at: Mapped[datetime]


class AccessToken(Model):
    """One issued access token by its ``jti``: what makes revocation bite at once."""

    __tablename__ = "access_token"
    __table_args__ = (
        CheckConstraint("expires_at > issued_at", "lifetime"),
        Index("ix_access_token_client_id", "client_id"),
        Index("ix_access_token_expires_at", "expires_at"),
    )

    jti: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.id"))
    issued_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class FailedAuthentication(Model):
    """How often one address failed to authenticate as one client within the present window.

    ``key`` is a hash, so that no network address lies here in clear. Unlogged: losing the counts in
    a crash costs nothing, and wrong secrets must not be able to fill the write-ahead log.
    """

    __tablename__ = "failed_authentication"
    __table_args__ = (
        CheckConstraint("failures > 0", "failures"),
        Index("ix_failed_authentication_window_ends_at", "window_ends_at"),
        {"prefixes": ["UNLOGGED"]},
    )

    key: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    window_ends_at: Mapped[datetime]
