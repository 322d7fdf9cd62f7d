"""The table of measured service levels."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Measurement(Model):
    """How much of one month (in Japan, such as 2026-11) a dataset could be had, in basis points, with the evidence."""

    __tablename__ = "service_level_measurement"
    __table_args__ = (
        CheckConstraint("availability_basis_points BETWEEN 0 AND 10000", name="availability"),
        CheckConstraint("month ~ '^[0-9]{4}-[0-9]{2}$'", name="month"),
        CheckConstraint("evidence_sha256 ~ '^[0-9a-f]{64}$'", name="evidence"),
        Index("uq_service_level_measurement_dataset_id_month", "dataset_id", "month", unique=True),
        Index("ix_service_level_measurement_month", "month"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    month: Mapped[str]
    availability_basis_points: Mapped[int] = mapped_column(Integer)
    evidence_reference: Mapped[str]
    evidence_sha256: Mapped[str]
    measured_by: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    created_at: Mapped[datetime]
