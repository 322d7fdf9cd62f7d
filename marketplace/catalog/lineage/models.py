"""The tables of lineage and citations."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class DatasetOrigin(Model):
    """That a dataset was made of another one here, or of something elsewhere; its provider says so."""

    __tablename__ = "dataset_origin"
    __table_args__ = (
        CheckConstraint("num_nonnulls(source_dataset_id, url) = 1", name="source"),
        CheckConstraint("source_dataset_id <> dataset_id", name="itself"),
        CheckConstraint("url IS NULL OR title <> ''", name="title"),
        UniqueConstraint("dataset_id", "source_dataset_id"),
        Index("ix_dataset_origin_source_dataset_id", "source_dataset_id"),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    place: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    source_dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    url: Mapped[str | None]
    title: Mapped[str]
    words: Mapped[str]


class Citation(Model):
    """What somebody made of a dataset, with its address; shown once the provider agrees."""

    __tablename__ = "citation"
    __table_args__ = (
        CheckConstraint("kind IN ('publication', 'application', 'use_case', 'news')", name="kind"),
        CheckConstraint("state IN ('waiting', 'shown', 'declined', 'removed')", name="state"),
        CheckConstraint("(decided_at IS NULL) = (state = 'waiting')", name="decided_at"),
        # Of what waits only whoever cited it may learn: others cite the same address anew, and one of them is shown.
        UniqueConstraint("dataset_id", "organization_id", "url"),
        Index("uq_citation_shown", "dataset_id", "url", unique=True, postgresql_where=text("state = 'shown'")),
        Index("ix_citation_dataset_id_state_id", "dataset_id", "state", "id"),
        Index("ix_citation_organization_id", "organization_id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[str]
    state: Mapped[str]
    title: Mapped[str]
    url: Mapped[str]
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
