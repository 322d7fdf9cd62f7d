"""The table of leases: how many deliveries of a content a process may begin before it has told of them."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class QuotaLease(Model):
    """What a serving process holds of a grant's quota: each delivery of it holds a request and a download unit.

    ``deliveries_held`` is what it has not told of yet. A lease ends when it is given back, or is swept when nobody
    has renewed it until ``expires_at``.
    """

    __tablename__ = "quota_lease"
    __table_args__ = (
        CheckConstraint("deliveries_held >= 0 AND (closed_at IS NULL OR deliveries_held = 0)", name="held"),
        Index("ix_quota_lease_expires_at_open", "expires_at", postgresql_where=text("closed_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    grant_id: Mapped[str] = mapped_column(ForeignKey("quota.grant_id"))
    sha256: Mapped[str]
    deliveries_held: Mapped[int] = mapped_column(BigInteger)
    opened_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]
