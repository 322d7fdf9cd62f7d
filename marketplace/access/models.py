"""Tables of access: grants, the releases that each opens, and what suspends them."""

from datetime import datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Grant(Model):
    """The right of one organization to fetch releases of one dataset under accepted terms.

    Expiry is not a state: it follows from ``expires_at`` and the time (``rules.standing``).
    ``revoked_for`` names the refund or dispute that revoked it, which alone can undo that. With ``policy_sha256``
    the accepted terms give a part of each table alone: no file is opened but as a ``PolicedCopy``.
    """

    __tablename__ = "access_grant"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'suspended', 'revoked')", name="state"),
        CheckConstraint("release_scope IN ('current', 'all')", name="release_scope"),
        CheckConstraint("expires_at > starts_at", name="expires_at"),
        CheckConstraint(
            "num_nonnulls(revoked_at, revoked_reason) = CASE state WHEN 'revoked' THEN 2 ELSE 0 END", name="revoked"
        ),
        CheckConstraint("revoked_for IS NULL OR state = 'revoked'", name="revoked_for"),
        CheckConstraint("policy_sha256 ~ '^[0-9a-f]{64}$'", name="policy_sha256"),
        Index("ix_access_grant_organization_id_id", "organization_id", "id"),
        Index("ix_access_grant_provider_organization_id_id", "provider_organization_id", "id"),
        Index("ix_access_grant_dataset_id_id", "dataset_id", "id"),
        Index("ix_access_grant_revoked_for", "revoked_for", postgresql_where=text("revoked_for IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    provider_organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    order_id: Mapped[str] = mapped_column(ForeignKey("purchase_order.id"), unique=True)
    offer_id: Mapped[str] = mapped_column(ForeignKey("offer.id"))
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    acceptance_id: Mapped[str] = mapped_column(ForeignKey("acceptance.id"))
    terms_sha256: Mapped[str]
    release_scope: Mapped[str]
    state: Mapped[str]
    starts_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    revoked_reason: Mapped[str | None]
    revoked_for: Mapped[str | None]
    policy_sha256: Mapped[str | None]


class GrantSuspension(Model):
    """One cause that suspends a grant, named by what brought it (dispute, overdue invoice, incident), until lifted."""

    __tablename__ = "access_grant_suspension"
    __table_args__ = (
        CheckConstraint("cause IN ('dispute', 'overdue', 'incident')", name="cause"),
        Index(
            "ix_access_grant_suspension_grant_id_open",
            "grant_id",
            postgresql_where=text("lifted_at IS NULL"),
        ),
    )

    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), primary_key=True)
    cause: Mapped[str] = mapped_column(primary_key=True)
    ref: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime]
    lifted_at: Mapped[datetime | None]


class GrantRelease(Model):
    """One release that a grant opens; stays, whatever becomes of the release in the catalogue."""

    __tablename__ = "access_grant_release"
    __table_args__ = (Index("ix_access_grant_release_release_id", "release_id"),)

    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), primary_key=True)


class TracedCopy(Model):
    """A grant's own copy of a content, by which it can be told whose copy has leaked; ordered, then made once.

    ``sha256`` and ``size_bytes`` are those of the copy: the source's own, where that is no table to be marked.
    """

    __tablename__ = "traced_copy"
    __table_args__ = (
        CheckConstraint("method IN ('row_order', 'canary')", name="method"),
        CheckConstraint("num_nonnulls(sha256, size_bytes, made_at) IN (0, 3)", name="made"),
        Index("ix_traced_copy_sha256", "sha256"),
        Index("ix_traced_copy_source_sha256_waiting", "source_sha256", postgresql_where=text("sha256 IS NULL")),
    )

    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), primary_key=True)
    source_sha256: Mapped[str] = mapped_column(primary_key=True)
    method: Mapped[str]
    ordered_at: Mapped[datetime]
    sha256: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    made_at: Mapped[datetime | None]


class PolicedCopy(Model):
    """The part of a content that a grant opens under the data policy of its terms; ordered, then made once.

    ``recipe_sha256`` names what was done: the policy, and the grant where its hashes go in; copies of one recipe are
    one content. ``problem`` says why there is none, and then the grant opens nothing in the file's place.
    """

    __tablename__ = "policed_copy"
    __table_args__ = (
        CheckConstraint("num_nonnulls(sha256, size_bytes, rows, media_type, profile) IN (0, 5)", name="made"),
        CheckConstraint("num_nonnulls(sha256, problem) = CASE WHEN ended_at IS NULL THEN 0 ELSE 1 END", name="ended"),
        Index("ix_policed_copy_source_sha256_recipe_sha256", "source_sha256", "recipe_sha256"),
        Index("ix_policed_copy_sha256", "sha256"),
    )

    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), primary_key=True)
    source_sha256: Mapped[str] = mapped_column(primary_key=True)
    recipe_sha256: Mapped[str]
    ordered_at: Mapped[datetime]
    sha256: Mapped[str | None]
    size_bytes: Mapped[int | None] = mapped_column(BigInteger)
    rows: Mapped[int | None] = mapped_column(BigInteger)
    media_type: Mapped[str | None]
    profile: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    problem: Mapped[str | None]
    ended_at: Mapped[datetime | None]
