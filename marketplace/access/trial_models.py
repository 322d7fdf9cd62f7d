"""The tables of trials: what a provider lets buyers try, and who has tried it."""

from datetime import datetime

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, ForeignKeyConstraint, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class TrialPolicy(Model):
    """What a provider lets each buyer try of a dataset once: for so many days, so many bytes, under these terms."""

    __tablename__ = "trial_policy"
    __table_args__ = (
        CheckConstraint("duration_days BETWEEN 1 AND 366", name="duration_days"),
        CheckConstraint("quota_bytes > 0", name="quota_bytes"),
        ForeignKeyConstraint(["terms_id", "terms_sha256"], ["terms.id", "terms.sha256"]),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    terms_id: Mapped[str]
    terms_sha256: Mapped[str]
    duration_days: Mapped[int] = mapped_column(Integer)
    quota_bytes: Mapped[int] = mapped_column(BigInteger)
    set_at: Mapped[datetime]


class Trial(Model):
    """That an organization has tried a dataset: once, whatever becomes of the trial; ``order_id`` brought the grant."""

    __tablename__ = "trial"
    __table_args__ = (Index("ix_trial_organization_id", "organization_id"),)

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    order_id: Mapped[str | None] = mapped_column(ForeignKey("purchase_order.id"), unique=True)
    taken_at: Mapped[datetime]
