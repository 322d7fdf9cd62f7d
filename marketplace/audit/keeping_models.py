"""Tables of what must stay and of what may be forgotten: legal holds, and the salts of commitments to people."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Index, LargeBinary, text
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.kit.db import Model


class LegalHold(Model):
    """That nothing of one organization, order, document or dataset is deleted, whatever the calendar says.

    Several may stand on one thing, each for a reason of its own. The words stay here; the record has their hash.
    """

    __tablename__ = "legal_hold"
    __table_args__ = (
        CheckConstraint("subject ~ '^(org|ord|doc|ds)_[0-9a-f]{32}$'", name="subject"),
        CheckConstraint("reason <> ''", name="reason"),
        CheckConstraint("num_nonnulls(lifted_at, lifted_by, lifted_reason) IN (0, 3)", name="lifted"),
        Index("ix_legal_hold_subject_standing", "subject", postgresql_where=text("lifted_at IS NULL")),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    subject: Mapped[str]
    reason: Mapped[str]
    placed_by: Mapped[str]
    placed_at: Mapped[datetime]
    lifted_at: Mapped[datetime | None]
    lifted_by: Mapped[str | None]
    lifted_reason: Mapped[str | None]


class Salt(Model):
    """What a commitment to somebody's personal data was keyed with; without it the commitment says nothing more."""

    __tablename__ = "audit_salt"
    __table_args__ = (CheckConstraint("octet_length(salt) = 32", name="salt"),)

    subject: Mapped[str] = mapped_column(primary_key=True)
    salt: Mapped[bytes] = mapped_column(LargeBinary)
    created_at: Mapped[datetime]
