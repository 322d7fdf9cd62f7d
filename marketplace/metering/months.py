"""The months of usage events: made ahead, and put aside when their time is over."""

import logging
from datetime import date, datetime, time

from sqlalchemy import text

from marketplace.kit import clock, jobs, settings
from marketplace.kit.clock import JST
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import periods

log = logging.getLogger(__name__)
AHEAD = 3
KEPT_LEAST = 24
"""However few months are to be kept: budgets, corrections and disputes look back on single events."""
# Attaching waits for whoever writes, and whoever comes then waits for it: not for long. The next night is early enough.
_PATIENCE = text("SET LOCAL lock_timeout = '2s'")
_OPEN = text("SELECT open_usage_month(:month)")
_PUT_ASIDE = text("SELECT put_usage_month_aside(:month)")
_MONTHS = text("""
SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
 WHERE i.inhparent = 'usage_event'::regclass AND c.relname ~ '^usage_event_[0-9]{4}_[0-9]{2}$'
 ORDER BY c.relname
""")
# What is not summed up or not settled would be lost to both.
_IS_DONE = text("""
SELECT NOT EXISTS (
  SELECT FROM usage_event e
   WHERE e.occurred_at >= :first AND e.occurred_at < :after
     AND (e.xid >= (SELECT next_xid FROM usage_rollup_cursor)
          OR NOT EXISTS (SELECT FROM usage_claim c WHERE c.event_id = e.id)))
""")
_HOLD_CURSOR = text("SELECT FROM usage_rollup_cursor FOR UPDATE")
_NOTE = text("UPDATE usage_rollup_cursor SET detached_before = greatest(detached_before, :after)")


@jobs.task("metering.months", cron="31 18 * * *")
def look_after() -> None:
    """Make the months ahead, and put aside those that are kept long enough by ``usage_months_kept``."""
    with transaction():
        db.session.execute(_PATIENCE)
        make_ahead()
    if kept := settings.current().usage_months_kept:
        for month in _before(max(kept, KEPT_LEAST)):
            with transaction():
                db.session.execute(_PATIENCE)
                put_aside(month)


def make_ahead() -> None:
    """Make the running month and the next ones where they are missing; what came too early for them moves in."""
    month = periods.month_of(clock.now())
    for _ in range(AHEAD + 1):
        db.session.execute(_OPEN, {"month": month})
        month = periods.following(month)


def put_aside(month: date) -> bool:
    """Take a month out of the usage that is read, if all of it is summed up and settled; its table stays to be kept.

    Its sums by the hour go on to be told, and its keys to refuse what comes twice.
    """
    first, after = _midnight(month), _midnight(periods.following(month))
    db.session.execute(_HOLD_CURSOR)
    if not db.session.scalar(_IS_DONE, {"first": first, "after": after}):
        log.warning("the usage of %s is not put aside: some of it is not settled", f"{month:%Y-%m}")
        return False
    db.session.execute(_PUT_ASIDE, {"month": month})
    db.session.execute(_NOTE, {"after": after})
    log.info("the usage of %s was put aside", f"{month:%Y-%m}")
    return True


def list_months() -> list[date]:
    """Return the months that have a table of their own among what is read."""
    return [date(int(name[-7:-3]), int(name[-2:]), 1) for name in db.session.scalars(_MONTHS)]


def _before(kept: int) -> list[date]:
    this = periods.month_of(clock.now())
    year, month = divmod(this.year * 12 + this.month - 1 - kept, 12)
    oldest = date(year, month + 1, 1)
    with transaction():
        return [one for one in list_months() if one < oldest]


def _midnight(month: date) -> datetime:
    return datetime.combine(month, time.min, JST)
