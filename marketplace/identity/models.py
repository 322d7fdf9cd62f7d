"""Tables of identity. Personal data lies in ``person`` and ``member``, and in the tables of ``login``."""

from datetime import date, datetime
from enum import StrEnum
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.identity.states import (
    AuthenticationMethod,
    Capacity,
    ClientState,
    MemberRole,
    OrganizationKind,
    OrganizationState,
    PersonState,
    Trust,
)
from marketplace.kit.db import Model

HASH = "~ '^[0-9a-f]{64}$'"


def one_of(column: str, values: type[StrEnum]) -> str:
    """Return the SQL condition that a column holds a value of the enumeration."""
    return f"{column} IN ({', '.join(repr(value.value) for value in values)})"


KNOWN_CAPACITIES = "[" + ", ".join(f'"{capacity.value}"' for capacity in Capacity) + "]"


class Organization(Model):
    """A body that takes part in the exchange."""

    __tablename__ = "organization"
    __table_args__ = (
        CheckConstraint(one_of("state", OrganizationState), "state"),
        CheckConstraint(one_of("kind", OrganizationKind), "kind"),
        CheckConstraint(one_of("trust", Trust), "trust"),
        CheckConstraint("state <> 'verified' OR trust <> 'applied'", "trusted"),
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
            # Strangers' applications hold no number: nobody can keep a city out by naming its number first.
            postgresql_where=text("corporate_number IS NOT NULL AND state <> 'unchecked'"),
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
    trust: Mapped[str]
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


class Person(Model):
    """Somebody who can sign in, for as many organizations as have them as a member."""

    __tablename__ = "person"
    __table_args__ = (
        CheckConstraint(one_of("state", PersonState), "state"),
        CheckConstraint("(password_hash IS NULL) = (password_changed_at IS NULL)", "password"),
        CheckConstraint("locale IN ('ja', 'en')", "locale"),
        Index("uq_person_email", text("lower(email)"), unique=True),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    email: Mapped[str]
    email_checked_at: Mapped[datetime | None]
    password_hash: Mapped[str | None]
    password_changed_at: Mapped[datetime | None]
    state: Mapped[str]
    locale: Mapped[str]
    created_at: Mapped[datetime]


class Member(Model):
    """A person who acts for an organization; ``person_id`` is there once they can sign in."""

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
        UniqueConstraint("person_id", "organization_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    email: Mapped[str | None]
    role: Mapped[str]
    person_id: Mapped[str | None] = mapped_column(ForeignKey("person.id", ondelete="CASCADE"))
    created_at: Mapped[datetime]


class Delegation(Model):
    """One organization lets another do some deeds in its name, until either ends it; one at a time of each pair."""

    __tablename__ = "delegation"
    __table_args__ = (
        CheckConstraint("delegator_id <> delegate_id", "two_sides"),
        CheckConstraint("jsonb_typeof(permissions) = 'array' AND permissions <> '[]'::jsonb", "permissions"),
        CheckConstraint("ended_at >= created_at", "ended_at"),
        Index("ix_delegation_delegate_id", "delegate_id"),
        Index("ix_delegation_delegator_id", "delegator_id"),
        Index(
            "uq_delegation_delegator_id_delegate_id",
            "delegator_id",
            "delegate_id",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    delegator_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    delegate_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    permissions: Mapped[list[str]]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class ApiClient(Model):
    """A program that acts for an organization or for its members; a secret is kept as a hash.

    ``redirect_uris`` are compared to the letter. ``dpop_bound`` and ``par_required`` are asked of this
    client alone; the setting ``security_profile`` asks both of all.
    """

    __tablename__ = "api_client"
    __table_args__ = (
        CheckConstraint(one_of("state", ClientState), "state"),
        CheckConstraint(one_of("authentication_method", AuthenticationMethod), "authentication_method"),
        CheckConstraint(f"secret_sha256 {HASH}", "secret_sha256"),
        CheckConstraint("(authentication_method = 'client_secret_basic') = (secret_sha256 IS NOT NULL)", "secret"),
        CheckConstraint(
            "num_nonnulls(jwks, jwks_uri) = CASE WHEN authentication_method = 'private_key_jwt' THEN 1 ELSE 0 END",
            "keys",
        ),
        CheckConstraint("jsonb_typeof(scopes) = 'array' AND scopes <> '[]'::jsonb", "scopes"),
        CheckConstraint("jsonb_typeof(redirect_uris) = 'array'", "redirect_uris"),
        CheckConstraint("jsonb_typeof(grant_types) = 'array' AND grant_types <> '[]'::jsonb", "grant_types"),
        CheckConstraint(f"registration_token_sha256 {HASH}", "registration_token_sha256"),
        Index("ix_api_client_organization_id_id", "organization_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    name: Mapped[str]
    scopes: Mapped[list[str]]
    authentication_method: Mapped[str]
    secret_sha256: Mapped[str | None]
    jwks: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    jwks_uri: Mapped[str | None]
    redirect_uris: Mapped[list[str]]
    grant_types: Mapped[list[str]]
    dpop_bound: Mapped[bool]
    par_required: Mapped[bool]
    registration_token_sha256: Mapped[str | None]
    state: Mapped[str]
    created_at: Mapped[datetime]
    secret_changed_at: Mapped[datetime]


class TokenFamily(Model):
    """All tokens that came of one consent: they end together (RFC 9700 section 4.14)."""

    __tablename__ = "token_family"
    __table_args__ = (
        CheckConstraint("expires_at > created_at", "lifetime"),
        Index("ix_token_family_client_id", "client_id"),
        Index("ix_token_family_member_id", "member_id"),
        Index("ix_token_family_expires_at", "expires_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.id", ondelete="CASCADE"))
    member_id: Mapped[str] = mapped_column(ForeignKey("member.id", ondelete="CASCADE"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    scope: Mapped[str]
    grant_ids: Mapped[list[str] | None] = mapped_column(JSONB(none_as_null=True))
    dpop_jkt: Mapped[str | None]
    acr: Mapped[str]
    authenticated_at: Mapped[datetime]
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class AccessToken(Model):
    """One issued access token by its ``jti``: what makes revocation bite at once."""

    __tablename__ = "access_token"
    __table_args__ = (
        CheckConstraint("expires_at > issued_at", "lifetime"),
        Index("ix_access_token_client_id", "client_id"),
        Index("ix_access_token_family_id", "family_id"),
        Index("ix_access_token_expires_at", "expires_at"),
    )

    jti: Mapped[str] = mapped_column(primary_key=True)
    client_id: Mapped[str] = mapped_column(ForeignKey("api_client.id"))
    family_id: Mapped[str | None] = mapped_column(ForeignKey("token_family.id", ondelete="CASCADE"))
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
