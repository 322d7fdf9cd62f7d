"""Deliveries begun under a lease, entered many at a time: the rows that opening and closing each would have written."""

import logging
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import orjson
from sqlalchemy import text

from marketplace.access.rules import Entitlement
from marketplace.audit import service as audit
from marketplace.audit import verification
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.metering import leases, quotas, service
from marketplace.metering.rules import Ending
from marketplace.metering.service import OpenedDelivery, Usage
from marketplace.metering.states import DeliveryState, Meter

log = logging.getLogger(__name__)
# An entry that is dated further back than verification lets pass would make the record unsound for good; a minute is
# left for it to be placed.
TOLD_LATE = verification.TOLERANCE - timedelta(minutes=1)
_FOR_ANOTHER = frozenset({DeliveryState.BROKEN, DeliveryState.STALLED, DeliveryState.SWEPT})
# The columns of a delivery and what an entitlement calls two of them.
_NAMES = {"size_bytes": "content_bytes", "rows": "content_rows"}
_COLUMNS = {name: _NAMES.get(name, name) for name in quotas.OF_ENTITLEMENT}
_TYPES = {"content_bytes": "bigint", "content_rows": "bigint"}
_CONTENT = ", ".join(_COLUMNS.values())
_CONTENT_TYPED = ", ".join(f"{name} {_TYPES.get(name, 'text')}" for name in _COLUMNS.values())
# Nothing of a content that was received wholly is new, whoever receives it once more.
_TOUCH = text("""
UPDATE coverage SET bytes_added = 0 WHERE grant_id = :grant_id AND sha256 = :sha256 AND bytes_added <> 0
""")
_KNOWN = text("SELECT id FROM delivery WHERE id = ANY(:ids)")
# Units that another delivery of the first byte takes over, as in ``quotas.hold``, in the order in which it would.
_UNITS_LEFT = text("""
SELECT id FROM delivery
 WHERE grant_id = :grant_id AND sha256 = :sha256 AND unit_taken AND NOT unit_passed_on
   AND (state IN ('broken', 'stalled', 'swept') OR start_byte > 0)
 ORDER BY id LIMIT :wanted FOR UPDATE SKIP LOCKED
""")
_PASS_ON = text("UPDATE delivery SET unit_passed_on = true WHERE id = ANY(:ids)")
_ENTER = text(f"""
WITH told AS MATERIALIZED (
  SELECT * FROM json_to_recordset(CAST(:deliveries AS json)) AS r (
         id text, {_CONTENT_TYPED}, client_id text, start_byte bigint, length bigint, unit_taken boolean,
         unit_passed_on boolean, state text, progress bigint, opened_at timestamptz, bytes_sent bigint,
         bytes_acked bigint, event_id text, requests integer)),
entered AS (
  INSERT INTO delivery (id, {_CONTENT}, client_id, start_byte, length, reserved_bytes, reserved_rows, unit_taken,
                        unit_passed_on, state, progress, opened_at, seen_at, closed_at, bytes_sent, bytes_acked)
  SELECT id, {_CONTENT}, client_id, start_byte, length, 0, 0, unit_taken, unit_passed_on, state, progress, opened_at,
         :now, CASE WHEN state <> 'open' THEN CAST(:now AS timestamptz) END, bytes_sent, bytes_acked
    FROM told)
INSERT INTO usage_event (id, delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
                         occurred_at, bytes_new, bytes_acked, rows_new, requests)
SELECT event_id, id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
       :now, 0, bytes_acked, 0, requests
  FROM told WHERE state <> 'open'
""")  # noqa: S608 - made of constants
_SPEND = text("UPDATE quota_lease SET deliveries_held = deliveries_held - :deliveries WHERE id = :lease_id")
_COUNT = text("""
UPDATE quota SET used_downloads = used_downloads + :units, used_requests = used_requests + :requests,
       open_deliveries = open_deliveries + :running, leased_deliveries = leased_deliveries - :deliveries
 WHERE grant_id = :grant_id
""")
# A lease that was swept meanwhile, since nobody could renew it, holds nothing: what it held is asked for once more.
_HOLD_ANEW = text("""
UPDATE quota SET leased_deliveries = leased_deliveries + :deliveries
 WHERE grant_id = :grant_id
   AND (limit_downloads IS NULL OR used_downloads + leased_deliveries + :deliveries <= limit_downloads)
   AND (limit_requests IS NULL OR used_requests + open_deliveries + leased_deliveries + :deliveries <= limit_requests)
RETURNING grant_id
""")


@dataclass(frozen=True, slots=True)
class Entry:
    """A delivery that began under a lease; ``ending`` is None while it is running."""

    id: str
    entitlement: Entitlement
    client_id: str | None
    start_byte: int
    length: int
    opened_at: datetime
    ending: Ending | None = None


def keep(lease_id: str, entries: Sequence[Entry]) -> int | None:
    """Enter deliveries of one lease, those that have ended with their usage, and refill the lease.

    Returns how many were added to it, None where it is to be given back. However often it is called with an entry, it
    is entered once. What was begun under a lease that was swept, and finds no room in the quota any more, is entered
    nowhere: nobody is charged for it.
    """
    grant_id, sha256 = entries[0].entitlement.grant_id, entries[0].entitlement.sha256
    if any(entry.ending and entry.ending.bytes_acked for entry in entries):
        db.session.connection().execute(_TOUCH, {"grant_id": grant_id, "sha256": sha256})
    quotas.lock(grant_id)
    known = set(db.session.scalars(_KNOWN, {"ids": [entry.id for entry in entries]}))
    fresh = [entry for entry in entries if entry.id not in known]
    held = leases.lock(lease_id)
    if held is None:
        _keep_late(grant_id, lease_id, fresh)
        return None
    _enter(grant_id, sha256, lease_id, fresh)
    return leases.refill(lease_id, grant_id, held - len(fresh))


def _keep_late(grant_id: str, lease_id: str, fresh: Sequence[Entry]) -> None:
    asked = {"grant_id": grant_id, "deliveries": len(fresh)}
    if fresh and db.session.connection().execute(_HOLD_ANEW, asked).first() is not None:
        _enter(grant_id, fresh[0].entitlement.sha256, None, fresh)
    elif fresh:
        log.error("%d deliveries of the swept lease %s find no room in the quota any more", len(fresh), lease_id)


def _enter(grant_id: str, sha256: str, lease_id: str | None, fresh: Sequence[Entry]) -> None:
    if not fresh:
        return
    now, connection = clock.now(), db.session.connection()
    units = _Units(grant_id, sha256, sum(entry.start_byte == 0 for entry in fresh))
    rows = [_row(entry, units) for entry in fresh]
    for row in rows:
        row["unit_passed_on"] = row["id"] in units.passed_on
    connection.execute(_ENTER, {"deliveries": orjson.dumps(rows).decode(), "now": now})
    units.keep()
    spent = {"grant_id": grant_id, "lease_id": lease_id, "deliveries": len(fresh), "units": units.taken}
    connection.execute(_COUNT, spent | {"requests": _sum(rows, "requests"), "running": _running(rows)})
    if lease_id is not None:
        connection.execute(_SPEND, spent)
    audit.record_all([told for entry, row in zip(fresh, rows, strict=True) for told in _deeds(entry, row, now)])


def _row(entry: Entry, units: "_Units") -> dict[str, Any]:
    ending = entry.ending
    facts = {column: getattr(entry.entitlement, name) for name, column in _COLUMNS.items()}
    facts |= {"id": entry.id, "client_id": entry.client_id, "start_byte": entry.start_byte, "length": entry.length}
    facts |= {"opened_at": entry.opened_at, "unit_taken": entry.start_byte == 0}
    state = DeliveryState.OPEN if ending is None else ending.state
    if entry.start_byte == 0:
        units.take(entry.id, left_over=state in _FOR_ANOTHER)
    if ending is None:
        return facts | {"state": state.value, "progress": 0, "requests": 0}
    figures = {"progress": ending.bytes_acked, "bytes_sent": ending.bytes_sent, "bytes_acked": ending.bytes_acked}
    return facts | figures | {"state": state.value, "event_id": new_id("use"), "requests": int(ending.bytes_acked > 0)}


def _deeds(entry: Entry, row: dict[str, Any], now: datetime) -> list[dict[str, Any]]:
    entitled, ending = entry.entitlement, entry.ending
    opened = OpenedDelivery(entry.id, entry.start_byte, entry.length, 0, row["unit_taken"])
    facts, at = service.opening_facts(entitled, opened), entry.opened_at
    if now - at > TOLD_LATE:
        # Told after the database was away: dated by when it is told, right before its own end.
        facts, at = facts | {"opened_at": clock.text(at)}, now - timedelta.resolution
    deeds = [_told(Verb.DELIVERY_OPENED, entry, facts, at)]
    if ending is not None:
        grant = (entitled.grant_id, entitled.organization_id)
        usage = Usage(row["event_id"], entry.id, ending.state, 0, ending.bytes_acked, 0, row["requests"], *grant)
        delivery = SimpleNamespace(**row, meter=Meter.SERVER.value)
        deeds.append(_told(Verb.DELIVERY_CLOSED, entry, service.closing_facts(delivery, usage, ending), now))
    return deeds


def _told(verb: Verb, entry: Entry, facts: dict[str, Any], at: datetime) -> dict[str, Any]:
    entitled = entry.entitlement
    return audit.entry_of(
        Actor(entitled.organization_id, entry.client_id),
        verb,
        subject=entry.id,
        counterparty=entitled.provider_organization_id,
        dataset=entitled.dataset_id,
        facts=facts,
        occurred_at=at,
    )


def _sum(rows: Sequence[dict[str, Any]], name: str) -> int:
    return sum(row[name] for row in rows)


def _running(rows: Sequence[dict[str, Any]]) -> int:
    return sum(row["state"] == DeliveryState.OPEN for row in rows)


class _Units:
    """The units of the download quota that deliveries of the first byte take, or take over from those that broke."""

    def __init__(self, grant_id: str, sha256: str, wanted: int) -> None:
        asked = {"grant_id": grant_id, "sha256": sha256, "wanted": wanted}
        self._kept = set(db.session.scalars(_UNITS_LEFT, asked)) if wanted else set()
        self._left = deque(sorted(self._kept))
        self.passed_on: set[str] = set()
        self.taken = 0

    def take(self, delivery_id: str, *, left_over: bool) -> None:
        """Give a delivery its unit; with ``left_over`` it leaves it to the next one."""
        if self._left:
            self.passed_on.add(self._left.popleft())
        else:
            self.taken += 1
        if left_over:
            self._left.append(delivery_id)

    def keep(self) -> None:
        """Note which deliveries that were there before have passed theirs on."""
        ids = sorted(self._kept & self.passed_on)
        if ids:
            db.session.connection().execute(_PASS_ON, {"ids": ids})
