"""The tables of teasers."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import BigInteger, CheckConstraint, Date, ForeignKey, Index, Integer, Text, text
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Teaser(Model):
    """What a provider says of a dataset that it does not have yet: no files, no terms, no offer.

    The price is a range that binds nobody. ``dataset_id`` is what it becomes. ``tokens`` are the words and facets by
    which it is found.
    """

    __tablename__ = "teaser"
    __table_args__ = (
        CheckConstraint("state IN ('announced', 'coming', 'listed', 'withdrawn')", name="state"),
        CheckConstraint("version >= 1", name="version"),
        CheckConstraint("title_ja <> '' OR title_en <> ''", name="title"),
        CheckConstraint("jsonb_typeof(themes) = 'array' AND themes <> '[]'", name="themes"),
        CheckConstraint("jsonb_typeof(columns) = 'array'", name="columns"),
        CheckConstraint("region = 'JP' OR region ~ '^[0-9]{6}$'", name="region"),
        CheckConstraint(
            "num_nonnulls(price_from_yen, price_to_yen) IN (0, 2) AND price_from_yen BETWEEN 0 AND price_to_yen",
            name="price",
        ),
        CheckConstraint("state NOT IN ('coming', 'listed') OR dataset_id IS NOT NULL", name="dataset_id"),
        Index("ix_teaser_organization_id_id", "organization_id", "id"),
        Index("ix_teaser_state_id", "state", "id"),
        Index("ix_teaser_tokens", "tokens", postgresql_using="gin"),
        Index("uq_teaser_dataset_id", "dataset_id", unique=True, postgresql_where=text("dataset_id IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    state: Mapped[str]
    version: Mapped[int] = mapped_column(Integer)
    title_ja: Mapped[str]
    title_en: Mapped[str]
    description_ja: Mapped[str]
    description_en: Mapped[str]
    themes: Mapped[list[str]]
    region: Mapped[str]
    columns: Mapped[list[dict[str, Any]]] = mapped_column(JSONB)
    expected_on: Mapped[date] = mapped_column(Date)
    price_from_yen: Mapped[int | None] = mapped_column(BigInteger)
    price_to_yen: Mapped[int | None] = mapped_column(BigInteger)
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    tokens: Mapped[list[str]] = mapped_column(ARRAY(Text))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class TeaserWatcher(Model):
    """An organization that asked to be told when an announced dataset is listed; told once."""

    __tablename__ = "teaser_watcher"
    __table_args__ = (
        Index("ix_teaser_watcher_organization_id", "organization_id"),
        Index("ix_teaser_watcher_teaser_id_untold", "teaser_id", postgresql_where=text("told_at IS NULL")),
    )

    teaser_id: Mapped[str] = mapped_column(ForeignKey("teaser.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"), primary_key=True)
    asked_at: Mapped[datetime]
    told_at: Mapped[datetime | None]
