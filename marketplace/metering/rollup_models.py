"""Tables of usage by the hour, and of how far it is summed up."""

from datetime import datetime

from sqlalchemy import BigInteger, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class UsageRollup(Model):
    """The usage of one grant in one hour: the sums of its events, corrections in them. It outlives their month."""

    __tablename__ = "usage_rollup"
    __table_args__ = (
        Index("ix_usage_rollup_organization_id_hour", "organization_id", "hour"),
        Index("ix_usage_rollup_provider_organization_id_hour", "provider_organization_id", "hour"),
    )

    grant_id: Mapped[str] = mapped_column(primary_key=True)
    hour: Mapped[datetime] = mapped_column(primary_key=True)
    organization_id: Mapped[str]
    provider_organization_id: Mapped[str]
    dataset_id: Mapped[str]
    bytes_new: Mapped[int] = mapped_column(BigInteger)
    bytes_acked: Mapped[int] = mapped_column(BigInteger)
    rows_new: Mapped[int] = mapped_column(BigInteger)
    requests: Mapped[int] = mapped_column(BigInteger)
    deliveries: Mapped[int] = mapped_column(BigInteger)
    downloads_new: Mapped[int] = mapped_column(BigInteger, server_default=text("0"))


class RollupCursor(Model):
    """Up to which transaction, excluded, events are summed up, and before when their months were put aside."""

    __tablename__ = "usage_rollup_cursor"

    name: Mapped[str] = mapped_column(primary_key=True)
    next_xid: Mapped[int] = mapped_column(BigInteger)
    detached_before: Mapped[datetime | None]
