"""The table of contents that may be nobody's any more."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.catalog.disposals.states import Reason
from marketplace.identity.models import one_of
from marketplace.kit.db import Model


class ContentDisposal(Model):
    """One reason to look whether a content is still wanted, from ``due_at`` on; it goes once somebody has looked.

    ``file_id`` names the file that it was, which may be gone; what arrives has none, and nobody's hold covers it.
    """

    __tablename__ = "content_disposal"
    __table_args__ = (
        CheckConstraint(one_of("reason", Reason), name="reason"),
        CheckConstraint("sha256 ~ '^[0-9a-f]{64}$'", name="sha256"),
        CheckConstraint("num_nonnulls(file_id, dataset_id, organization_id) IN (0, 3)", name="owner"),
        Index("ix_content_disposal_sha256", "sha256"),
        Index("ix_content_disposal_due_at", "due_at"),
        Index("ix_content_disposal_file_id", "file_id", unique=True, postgresql_where=text("file_id IS NOT NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    sha256: Mapped[str]
    reason: Mapped[str]
    file_id: Mapped[str | None]
    dataset_id: Mapped[str | None] = mapped_column(ForeignKey("dataset.id"))
    organization_id: Mapped[str | None] = mapped_column(ForeignKey("organization.id"))
    asked_at: Mapped[datetime]
    due_at: Mapped[datetime]
