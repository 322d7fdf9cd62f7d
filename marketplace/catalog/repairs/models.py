"""The table of findings."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class DatasetRepair(Model):
    """One finding on a description, once: what was before, and what is, or would be, after.

    ``digest`` names rule and outcome, so that what was refused is not found again. ``held`` is what the field goes back
    to. A finding without ``field`` changes nothing and only tells.
    """

    __tablename__ = "dataset_repair"
    __table_args__ = (
        CheckConstraint("state IN ('suggested', 'applied', 'accepted', 'refused', 'cleared')", name="state"),
        CheckConstraint("confidence BETWEEN 0 AND 100", name="confidence"),
        CheckConstraint("(decided_at IS NULL) = (state IN ('suggested', 'applied'))", name="decided_at"),
        UniqueConstraint("dataset_id", "digest"),
        Index("ix_dataset_repair_rule_state", "rule", "state"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    rule: Mapped[str]
    field: Mapped[str | None]
    before: Mapped[Any | None] = mapped_column(JSONB)
    held: Mapped[Any | None] = mapped_column(JSONB)
    after: Mapped[Any | None] = mapped_column(JSONB)
    confidence: Mapped[int] = mapped_column(Integer)
    digest: Mapped[str]
    state: Mapped[str]
    found_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
