"""Tables of access: grants, and the releases that each opens."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Grant(Model):
    """The right of one organization to fetch releases of one dataset under accepted terms.

    Expiry is not a state: it follows from ``expires_at`` and the time (``rules.standing``).
    """

    __tablename__ = "access_grant"
    __table_args__ = (
        CheckConstraint("state IN ('active', 'revoked')", name="state"),
        CheckConstraint("release_scope IN ('current', 'all')", name="release_scope"),
        CheckConstraint("expires_at > starts_at", name="expires_at"),
        CheckConstraint(
            "num_nonnulls(revoked_at, revoked_reason) = CASE state WHEN 'revoked' THEN 2 ELSE 0 END", name="revoked"
        ),
        Index("ix_access_grant_organization_id_id", "organization_id", "id"),
        Index("ix_access_grant_provider_organization_id_id", "provider_organization_id", "id"),
        Index("ix_access_grant_dataset_id_id", "dataset_id", "id"),
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


class GrantRelease(Model):
    """One release that a grant opens; stays, whatever becomes of the release in the catalogue."""

    __tablename__ = "access_grant_release"
    __table_args__ = (Index("ix_access_grant_release_release_id", "release_id"),)

    grant_id: Mapped[str] = mapped_column(ForeignKey("access_grant.id"), primary_key=True)
    release_id: Mapped[str] = mapped_column(ForeignKey("release.id"), primary_key=True)
