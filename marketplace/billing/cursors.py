"""How far the gateway's lists have been read: each reading begins a little before where the last one ended."""

from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.dialects import postgresql

from marketplace.billing.gateway_models import GatewayCursor
from marketplace.kit.db import db

OVERLAP = timedelta(hours=2)
"""What the gateway writes may become visible out of order; what is read twice is kept once."""


def begin(name: str, now: datetime, at_most: timedelta) -> datetime:
    """Return since when to read a list: the last reading less the overlap, at most so long ago.

    A list that was never read begins there, too.
    """
    cursor = db.session.get(GatewayCursor, name)
    oldest = now - at_most
    return max(cursor.seen_until - OVERLAP, oldest) if cursor else oldest


def move(name: str, seen_until: datetime) -> None:
    """Note until when a list has been read; a slower reader never moves it back."""
    statement = postgresql.insert(GatewayCursor).values(name=name, seen_until=seen_until)
    later = func.greatest(GatewayCursor.seen_until, statement.excluded.seen_until)
    db.session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"seen_until": later}))
