"""Mail: written in the story's own transaction, sent by a job, forgotten a week after it was sent.

Without MARKETPLACE_SMTP_URL nothing is sent: what waits is read on the machine with ``marketplace mail list``.
"""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, Integer, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class Mail(Model):
    """One message to one address."""

    __tablename__ = "mail"
    __table_args__ = (
        CheckConstraint("attempts >= 0", "attempts"),
        Index("ix_mail_id_waiting", "id", postgresql_where=text("sent_at IS NULL")),
        Index("ix_mail_sent_at", "sent_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    recipient: Mapped[str]
    subject: Mapped[str]
    body: Mapped[str]
    created_at: Mapped[datetime]
    attempts: Mapped[int] = mapped_column(Integer)
    last_trouble: Mapped[str | None]
    sent_at: Mapped[datetime | None]
