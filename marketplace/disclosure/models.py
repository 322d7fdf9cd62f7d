"""Tables of what was published: the register by month, its lines, and the annual reports."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class RegisterMonth(Model):
    """One month in Japan (such as 2026-11) as the public register tells it, once and for good (a trigger holds it).

    Whoever compared two versions of a month could compute what the difference hides. ``sha256`` names the document
    together with its lines.
    """

    __tablename__ = "register_month"
    __table_args__ = (
        CheckConstraint("month ~ '^[0-9]{4}-(0[1-9]|1[0-2])$'", name="month"),
        CheckConstraint("threshold >= 3", name="threshold"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
    )

    month: Mapped[str] = mapped_column(primary_key=True)
    threshold: Mapped[int] = mapped_column(Integer)
    document: Mapped[dict[str, Any]]
    sha256: Mapped[str]
    published_at: Mapped[datetime]


class RegisterLine(Model):
    """What the register tells of one dataset in one month; without a dataset, of all that the catalogue has no more."""

    __tablename__ = "register_line"
    __table_args__ = (Index("ix_register_line_dataset_id_month", "dataset_id", "month"),)

    month: Mapped[str] = mapped_column(ForeignKey("register_month.month"), primary_key=True)
    number: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    document: Mapped[dict[str, Any]]


class AnnualReport(Model):
    """The report on one calendar year in Japan: with every figure, and as the public has it once the year is closed.

    Computed anew until then; afterwards it stays (a trigger holds it).
    """

    __tablename__ = "annual_report"
    __table_args__ = (CheckConstraint("year BETWEEN 2000 AND 9999", name="year"),)

    year: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    document: Mapped[dict[str, Any]]
    published: Mapped[dict[str, Any] | None] = mapped_column(JSONB(none_as_null=True))
    computed_at: Mapped[datetime]
