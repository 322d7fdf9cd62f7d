"""The tables of harvesting: catalogues, runs over them, their records, and what became of each in each run."""

from datetime import datetime
from typing import Any

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, UniqueConstraint, text
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Harvest(Model):
    """A foreign catalogue that an organization takes over, and when next.

    ``modified_since`` is the newest change that a whole run has seen: only what is newer is asked for next time.
    With ``repairs`` what a machine is sure of is mended as it comes in.
    """

    __tablename__ = "harvest"
    __table_args__ = (
        CheckConstraint("kind IN ('ckan', 'list', 'cadde', 'dcat', 'packages')", name="kind"),
        CheckConstraint("schedule IN ('daily', 'weekly', 'monthly')", name="schedule"),
        CheckConstraint("schedule IS NULL OR address LIKE 'https://%'", name="scheduled_address"),
        CheckConstraint("(next_at IS NULL) = (schedule IS NULL)", name="next_at"),
        UniqueConstraint("organization_id", "address"),
        Index("ix_harvest_next_at", "next_at", postgresql_where=text("next_at IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    kind: Mapped[str]
    address: Mapped[str]
    schedule: Mapped[str | None]
    repairs: Mapped[bool]
    modified_since: Mapped[str | None]
    failures: Mapped[int] = mapped_column(Integer)
    next_at: Mapped[datetime | None]
    created_at: Mapped[datetime]


class HarvestRun(Model):
    """One pass over a catalogue; ``cursor`` says where it goes on, ``position`` how many batches are kept.

    ``comparison`` counts, of the records that were read, how many had what before and have it now.
    """

    __tablename__ = "harvest_run"
    __table_args__ = (
        CheckConstraint("state IN ('running', 'done', 'failed')", name="state"),
        CheckConstraint("(ended_at IS NULL) = (state = 'running')", name="ended_at"),
        CheckConstraint("state <> 'failed' OR problem IS NOT NULL", name="problem"),
        Index("uq_harvest_run_running", "harvest_id", unique=True, postgresql_where=text("state = 'running'")),
        Index("ix_harvest_run_harvest_id_id", "harvest_id", "id"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    harvest_id: Mapped[str] = mapped_column(ForeignKey("harvest.id"))
    state: Mapped[str]
    dry_run: Mapped[bool]
    is_full: Mapped[bool]
    position: Mapped[int] = mapped_column(Integer)
    cursor: Mapped[dict[str, Any]] = mapped_column(JSONB)
    announced: Mapped[int | None] = mapped_column(Integer)
    created: Mapped[int] = mapped_column(Integer)
    changed: Mapped[int] = mapped_column(Integer)
    unchanged: Mapped[int] = mapped_column(Integer)
    refused: Mapped[int] = mapped_column(Integer)
    vanished: Mapped[int] = mapped_column(Integer)
    comparison: Mapped[dict[str, Any]] = mapped_column(JSONB)
    problem: Mapped[str | None]
    detail: Mapped[str]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class HarvestRecord(Model):
    """One record of a foreign catalogue, once; its dataset comes from this record alone."""

    __tablename__ = "harvest_record"
    __table_args__ = (
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        UniqueConstraint("dataset_id"),
    )

    harvest_id: Mapped[str] = mapped_column(ForeignKey("harvest.id"), primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"))
    sha256: Mapped[str]
    vanished_at: Mapped[datetime | None]


class HarvestLine(Model):
    """What became of one record in one run."""

    __tablename__ = "harvest_line"
    __table_args__ = (
        CheckConstraint("outcome IN ('created', 'changed', 'unchanged', 'refused', 'vanished')", name="outcome"),
        CheckConstraint("(reason IS NOT NULL) = (outcome = 'refused')", name="reason"),
        Index("ix_harvest_line_run_id_outcome", "run_id", "outcome", "record_id"),
    )

    run_id: Mapped[str] = mapped_column(ForeignKey("harvest_run.id"), primary_key=True)
    record_id: Mapped[str] = mapped_column(primary_key=True)
    name: Mapped[str]
    title: Mapped[str]
    outcome: Mapped[str]
    reason: Mapped[str | None]
    detail: Mapped[str]
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
