"""The table of sources."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class ReleaseSource(Model):
    """Where the next releases of a dataset are fetched, when next, and what became of it.

    ``version`` grows with each change by the provider: a fetch that began before it writes nothing.
    ``awaiting_release_id`` is to be published once its file was looked into.
    """

    __tablename__ = "release_source"
    __table_args__ = (
        CheckConstraint("schedule IN ('hourly', 'daily', 'weekly', 'monthly')", name="schedule"),
        CheckConstraint("last_result IN ('fresh', 'unchanged', 'failed')", name="last_result"),
        CheckConstraint("(problem IS NOT NULL) = (failures > 0)", name="problem"),
        CheckConstraint("url LIKE 'https://%'", name="url"),
        Index("ix_release_source_next_at", "next_at"),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    organization_id: Mapped[str] = mapped_column(ForeignKey("organization.id"))
    version: Mapped[int] = mapped_column(Integer)
    url: Mapped[str]
    schedule: Mapped[str]
    file_name: Mapped[str]
    media_type: Mapped[str]
    publish: Mapped[bool]
    etag: Mapped[str | None]
    last_modified: Mapped[str | None]
    sha256: Mapped[str | None]
    last_result: Mapped[str | None]
    problem: Mapped[str | None]
    failures: Mapped[int] = mapped_column(Integer)
    detail: Mapped[str]
    asked_at: Mapped[datetime | None]
    next_at: Mapped[datetime]
    release_id: Mapped[str | None] = mapped_column(ForeignKey("release.id"))
    awaiting_release_id: Mapped[str | None] = mapped_column(ForeignKey("release.id"))
    created_at: Mapped[datetime]
