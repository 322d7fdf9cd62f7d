"""The table of links."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class DatasetLink(Model):
    """Where a file of a foreign record lies; ``digest`` names the address, ``outcome`` the last status or problem."""

    __tablename__ = "dataset_link"
    __table_args__ = (
        CheckConstraint("state IN ('unchecked', 'alive', 'guarded', 'failing', 'dead')", name="state"),
        CheckConstraint("(failures >= 2) = (state = 'dead')", name="failures"),
        Index("ix_dataset_link_next_at", "next_at"),
        Index("ix_dataset_link_dataset_id_dead", "dataset_id", postgresql_where=text("state = 'dead'")),
    )

    dataset_id: Mapped[str] = mapped_column(ForeignKey("dataset.id"), primary_key=True)
    digest: Mapped[str] = mapped_column(primary_key=True)
    url: Mapped[str]
    host: Mapped[str]
    state: Mapped[str]
    failures: Mapped[int] = mapped_column(Integer)
    outcome: Mapped[str]
    checked_at: Mapped[datetime | None]
    next_at: Mapped[datetime]
