"""The one deed of reminders: noting that people are told, so that they are told once."""

from sqlalchemy.dialects.postgresql import insert

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.privacy.reminders.models import GateReminder
from marketplace.privacy.reminders.queries import Waiting


def note(waiting: Waiting, *, overdue: bool) -> bool:
    """Note that people are told of something that waits; whether nobody has told them before."""
    row = {"subject": waiting.subject, "occasion": waiting.occasion.value, "since": waiting.begun, "overdue": overdue}
    told = insert(GateReminder).values(row | {"told_at": clock.now()}).on_conflict_do_nothing()
    return db.session.scalar(told.returning(GateReminder.subject)) is not None
