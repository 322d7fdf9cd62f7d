"""How far the gateway's lists have been read: each reading begins a little before where the last one ended."""

import logging
from datetime import datetime, timedelta

from sqlalchemy import func
from sqlalchemy.dialects import postgresql

from marketplace.billing.gateway_models import GatewayCursor
from marketplace.kit.db import db

log = logging.getLogger(__name__)
OVERLAP = timedelta(hours=2)
"""What the gateway writes may become visible out of order; what is read twice is kept once."""


def begin(name: str, now: datetime, at_most: timedelta) -> datetime:
    """Return since when to read a list: the last reading less the overlap, at most so long ago.

    A list that was never read begins there, too.
    """
    cursor = db.session.get(GatewayCursor, name)
    oldest = now - at_most
    if cursor is not None and cursor.seen_until < oldest:
        log.error("the gateway's %s before %s are gone: nothing was read since %s", name, oldest, cursor.seen_until)
    return max(cursor.seen_until - OVERLAP, oldest) if cursor else oldest


def move(name: str, seen_until: datetime) -> None:
    """Note until when a list has been read; a slower reader never moves it back."""
    statement = postgresql.insert(GatewayCursor).values(name=name, seen_until=seen_until)
    later = func.greatest(GatewayCursor.seen_until, statement.excluded.seen_until)
    db.session.execute(statement.on_conflict_do_update(index_elements=["name"], set_={"seen_until": later}))
