"""Tables of saved searches: what an organization looks for, what came that matches, and how far one has looked."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class CatalogWatch(Model):
    """A search of the catalogue that an organization wants to hear of; ``fingerprint`` is the hash of what it asks.

    ``member_id`` is who saved it and gets the letters; a program reads what came.
    """

    __tablename__ = "catalog_watch"
    __table_args__ = (
        CheckConstraint("jsonb_typeof(filters) = 'object'", name="filters"),
        Index(
            "uq_catalog_watch_fingerprint",
            "organization_id",
            "fingerprint",
            unique=True,
            postgresql_where=text("ended_at IS NULL"),
        ),
        Index("ix_catalog_watch_organization_id_id", "organization_id", "id"),
        Index("ix_catalog_watch_id_live", "id", postgresql_where=text("ended_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    member_id: Mapped[str | None]
    name: Mapped[str]
    words: Mapped[str]
    filters: Mapped[dict[str, Any]] = mapped_column(JSONB)
    fingerprint: Mapped[str]
    created_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class CatalogWatchHit(Model):
    """A dataset that came after a search was saved and that it finds; told once."""

    __tablename__ = "catalog_watch_hit"
    __table_args__ = (
        Index("ix_catalog_watch_hit_watch_id_found_at", "watch_id", "found_at", "dataset_id"),
        Index("ix_catalog_watch_hit_untold", "watch_id", postgresql_where=text("told_at IS NULL")),
    )

    watch_id: Mapped[str] = mapped_column(ForeignKey("catalog_watch.id"), primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    found_at: Mapped[datetime]
    told_at: Mapped[datetime | None]


class CatalogWatchMark(Model):
    """How far the listings were looked through for saved searches: the one row is held by whoever looks."""

    __tablename__ = "catalog_watch_mark"
    __table_args__ = (CheckConstraint("id = 1", name="one"),)

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    listed_until: Mapped[datetime]
    dataset_id: Mapped[str]
