"""The table of what was told."""

from datetime import datetime

from sqlalchemy import CheckConstraint
from sqlalchemy.orm import Mapped, mapped_column

from marketplace.identity.models import one_of
from marketplace.kit.db import Model
from marketplace.privacy.reminders.states import Occasion


class GateReminder(Model):
    """That people were told that a release or an assessment waits since then: once, and once it is overdue."""

    __tablename__ = "gate_reminder"
    __table_args__ = (CheckConstraint(one_of("occasion", Occasion), name="occasion"),)

    subject: Mapped[str] = mapped_column(primary_key=True)
    occasion: Mapped[str] = mapped_column(primary_key=True)
    since: Mapped[datetime] = mapped_column(primary_key=True)
    overdue: Mapped[bool] = mapped_column(primary_key=True)
    told_at: Mapped[datetime]
