"""Summing usage up by the hour, each event once: up to the oldest transaction that may still be writing."""

import logging

from sqlalchemy import text

from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
# Ids and instants are given out before a transaction ends, so what is later by them may be kept earlier: a cursor over
# these passes over what slow writers keep afterwards. Below the horizon no transaction runs any more, and none begins.
_LOCK = text("SELECT FROM usage_rollup_cursor FOR UPDATE")
_READ = text("""
SELECT next_xid, CAST(CAST(pg_snapshot_xmin(pg_current_snapshot()) AS text) AS bigint) AS horizon,
       CAST(CAST(pg_snapshot_xmax(pg_current_snapshot()) AS text) AS bigint) < next_xid AS is_foreign
  FROM usage_rollup_cursor
""")
_SUM_UP = text("""
INSERT INTO usage_rollup AS r (grant_id, hour, organization_id, provider_organization_id, dataset_id,
                               bytes_new, bytes_acked, rows_new, requests, deliveries, downloads_new)
SELECT grant_id, date_trunc('hour', occurred_at, 'UTC'), organization_id, provider_organization_id, dataset_id,
       sum(bytes_new), sum(bytes_acked), sum(rows_new), sum(requests),
       count(*) FILTER (WHERE corrects_event_id IS NULL), sum(downloads_new)
  FROM usage_event
 WHERE xid >= :since AND xid < :horizon
 GROUP BY 1, 2, 3, 4, 5
ON CONFLICT (grant_id, hour) DO UPDATE
   SET bytes_new = r.bytes_new + EXCLUDED.bytes_new, bytes_acked = r.bytes_acked + EXCLUDED.bytes_acked,
       rows_new = r.rows_new + EXCLUDED.rows_new, requests = r.requests + EXCLUDED.requests,
       deliveries = r.deliveries + EXCLUDED.deliveries, downloads_new = r.downloads_new + EXCLUDED.downloads_new
""")
_MOVE_ON = text("UPDATE usage_rollup_cursor SET next_xid = :horizon")
# Months that were put aside have no events here any more: their hours stay.
_FORGET = text("""
DELETE FROM usage_rollup
 WHERE hour >= coalesce((SELECT detached_before FROM usage_rollup_cursor), '-infinity')
""")


@jobs.task("metering.roll_up", cron="* * * * *")
def roll_up() -> None:
    """Add to the hours whatever has been kept since the last time. A transaction that runs long only delays it.

    A database that was restored from a dump into another server counts its transactions anew: the hours of it are
    then summed up once more.
    """
    with transaction():
        # Locked before it is read: a horizon from before the wait may lie below where another has moved the cursor.
        db.session.execute(_LOCK)
        cursor = db.session.execute(_READ).one()
        since = cursor.next_xid
        if cursor.is_foreign:
            log.warning("the transactions of this database are counted anew: summing usage up once more")
            db.session.execute(_FORGET)
            since = 0
        if cursor.horizon > since:
            db.session.execute(_SUM_UP, {"since": since, "horizon": cursor.horizon})
            db.session.execute(_MOVE_ON, {"horizon": cursor.horizon})
