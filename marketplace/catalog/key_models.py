"""The table of keys: by what the datasets that everybody sees are joined with others."""

from datetime import date
from typing import Any

from sqlalchemy import CheckConstraint, Date, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.catalog.key_kinds import KeyKind
from marketplace.identity.models import one_of
from marketplace.kit.db import Model


class JoinKey(Model):
    """One key of a publicly listed dataset in one area, with the days that the dataset reaches over.

    ``area`` is ``*`` or a prefecture (``P01``), a primary grid square (``M6441``), the first digits of postal codes
    (``Z06``). ``recency`` is the last day as a number, or that of publication: candidates are taken newest first.
    """

    __tablename__ = "join_key"
    __table_args__ = (
        CheckConstraint(one_of("kind", KeyKind), name="kind"),
        CheckConstraint("time_from <= time_to", name="span"),
        Index("ix_join_key_kind_area_recency", "kind", "area", "recency", "dataset_id"),
        Index("ix_join_key_kind_recency", "kind", "recency", "dataset_id"),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    kind: Mapped[str] = mapped_column(primary_key=True)
    grain: Mapped[str] = mapped_column(primary_key=True)
    area: Mapped[str] = mapped_column(primary_key=True)
    columns: Mapped[list[str]]
    time_from: Mapped[date | None] = mapped_column(Date)
    time_to: Mapped[date | None] = mapped_column(Date)
    recency: Mapped[int] = mapped_column(Integer)


class ColumnSketch(Model):
    """Sketches of the columns of codes in one content: some hashes of their values, which nobody is shown.

    ``columns`` names them; ``made_by`` is what hashed them, and only sketches of the same are compared. A column in
    which the gate found people has none.
    """

    __tablename__ = "column_sketch"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("jsonb_typeof(columns) = 'object'", name="columns"),
    )

    sha256: Mapped[str] = mapped_column(primary_key=True)
    made_by: Mapped[str]
    columns: Mapped[dict[str, Any]]
