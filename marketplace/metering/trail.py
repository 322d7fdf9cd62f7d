"""The trail of a trade through metering: its deliveries in pages, with receipts and usage, and who settled them."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Select, Text, and_, any_, func, literal, select, text

from marketplace.audit.verbs import Verb
from marketplace.kit import pages
from marketplace.kit.db import UtcDateTime, db
from marketplace.metering.models import Delivery, UsageClaim, UsageEvent, UsageKey
from marketplace.metering.receipt_models import Receipt

LOOSE_MAX = 20
"""So many links that are missing among the deliveries of a trade are named."""


class Settlement(NamedTuple):
    """What one settlement took of the usage of a grant; of months that were put aside the events are counted alone."""

    id: str
    grant_id: str
    claimed_at: datetime
    events: int
    bytes_new: int
    rows_new: int
    requests: int
    downloads_new: int


class Loose(NamedTuple):
    """A delivery, its receipt or its usage that lacks what each has: one of the others, or an entry of the record."""

    id: str
    what: str
    missing: str


@dataclass(slots=True)
class Used:
    """How a trade was delivered: one page of deliveries, newest first, and what belongs to those; the rest in sums."""

    count: int = 0
    deliveries: Sequence[Delivery] = ()
    next_cursor: str | None = None
    receipts: Sequence[Receipt] = ()
    events: Sequence[UsageEvent] = ()
    claims: Mapping[str, str] = field(default_factory=dict)
    settlements: Sequence[Settlement] = ()
    loose: Sequence[Loose] = ()


# Each closed delivery has one event, whose key outlives its month, and so has each correction of it. Each delivery
# stands in the record when it opens and closes, each receipt when it is signed.
_LOOSE = text("""
WITH mine AS MATERIALIZED (SELECT id, state FROM delivery WHERE grant_id = ANY(:grant_ids)),
     kept AS (SELECT coalesce((SELECT detached_before FROM usage_rollup_cursor), '-infinity') AS since)
SELECT d.id, 'delivery' AS what, 'usage' AS missing FROM mine d
 WHERE d.state <> 'open'
   AND NOT EXISTS (SELECT FROM usage_key k WHERE k.delivery_id = d.id AND k.reference = '')
UNION ALL
SELECT d.id, 'delivery', 'usage' FROM mine d JOIN usage_key k ON k.delivery_id = d.id, kept
 WHERE k.occurred_at >= kept.since
   AND NOT EXISTS (SELECT FROM usage_event e WHERE e.id = k.event_id AND e.occurred_at = k.occurred_at)
UNION ALL
SELECT e.id, 'usage', 'delivery' FROM usage_event e
 WHERE e.grant_id = ANY(:grant_ids) AND NOT EXISTS (SELECT FROM delivery d WHERE d.id = e.delivery_id)
UNION ALL
SELECT d.id, 'delivery', :opened FROM mine d
 WHERE NOT EXISTS (SELECT FROM audit_entry a WHERE a.subject = d.id AND a.verb = :opened)
UNION ALL
SELECT d.id, 'delivery', :closed FROM mine d
 WHERE d.state <> 'open' AND NOT EXISTS (SELECT FROM audit_entry a WHERE a.subject = d.id AND a.verb = :closed)
UNION ALL
SELECT d.id, 'delivery', 'receipt' FROM mine d JOIN audit_entry a ON a.subject = d.id AND a.verb = :signed
 WHERE NOT EXISTS (SELECT FROM receipt r WHERE r.delivery_id = d.id)
UNION ALL
SELECT d.id, 'receipt', :signed FROM mine d JOIN receipt r ON r.delivery_id = d.id
 WHERE NOT EXISTS (SELECT FROM audit_entry a WHERE a.subject = d.id AND a.verb = :signed)
LIMIT :most
""")
# How many events were taken is known by their keys, also of months that were put aside.
_SETTLED = text("""
SELECT c.claimed_by, d.grant_id, min(c.claimed_at) AS claimed_at, count(*), coalesce(sum(e.bytes_new), 0),
       coalesce(sum(e.rows_new), 0), coalesce(sum(e.requests), 0), coalesce(sum(e.downloads_new), 0)
  FROM delivery d JOIN usage_key k ON k.delivery_id = d.id JOIN usage_claim c ON c.event_id = k.event_id
  LEFT JOIN usage_event e ON e.id = k.event_id AND e.occurred_at = k.occurred_at
 WHERE d.grant_id = ANY(:grant_ids)
 GROUP BY c.claimed_by, d.grant_id ORDER BY min(c.claimed_at), c.claimed_by
""").columns(claimed_at=UtcDateTime)

_OF_KEY = and_(UsageKey.event_id == UsageEvent.id, UsageKey.occurred_at == UsageEvent.occurred_at)


def find(grant_ids: Collection[str], wanted: str, cursor: str | None, size: int) -> Used:
    """Return a page of the deliveries of some grants with all that belongs to them, and what is loose among all.

    The delivery of the ``wanted`` id, its own or that of its usage, is among them on whichever page it lies.
    """
    if not grant_ids:
        return Used()
    page = _page(grant_ids, cursor, size)
    deliveries = [*page.items]
    if beside := _wanted(grant_ids, wanted, [one.id for one in deliveries]):
        deliveries.append(beside)
    ids = [one.id for one in deliveries]
    events = db.session.scalars(_events(grant_ids, ids)).all()
    claims = select(UsageClaim).where(UsageClaim.event_id.in_([one.id for one in events]))
    return Used(
        count=db.session.scalar(select(func.count()).where(Delivery.grant_id.in_(grant_ids))) or 0,
        deliveries=deliveries,
        next_cursor=page.next_cursor,
        receipts=db.session.scalars(select(Receipt).where(Receipt.delivery_id.in_(ids))).all(),
        events=events,
        claims={one.event_id: one.claimed_by for one in db.session.scalars(claims)},
        settlements=_settlements(grant_ids),
        loose=_loose(grant_ids),
    )


def _page(grant_ids: Collection[str], cursor: str | None, size: int) -> pages.Page[Delivery]:
    query = select(Delivery).where(Delivery.grant_id.in_(grant_ids)).order_by(Delivery.id.desc()).limit(size + 1)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Delivery.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda delivery: [delivery.id])


def _wanted(grant_ids: Collection[str], wanted: str, there: Collection[str]) -> Delivery | None:
    counted = select(UsageKey.delivery_id).where(UsageKey.event_id == wanted).scalar_subquery()
    named = Delivery.id == func.coalesce(counted, wanted)
    query = select(Delivery).where(named, Delivery.grant_id.in_(grant_ids), Delivery.id.not_in(there))
    return db.session.scalar(query)


def _events(grant_ids: Collection[str], delivery_ids: Collection[str]) -> Select[Any]:
    query = select(UsageEvent).join(UsageKey, _OF_KEY).where(UsageKey.delivery_id.in_(delivery_ids))
    return query.where(UsageEvent.grant_id.in_(grant_ids)).order_by(UsageEvent.id)


def _settlements(grant_ids: Collection[str]) -> list[Settlement]:
    rows = db.session.execute(_SETTLED, {"grant_ids": list(grant_ids)})
    return [Settlement(*row[:3], *map(int, row[3:])) for row in rows]


def _loose(grant_ids: Collection[str]) -> list[Loose]:
    verbs = {
        "opened": Verb.DELIVERY_OPENED.value,
        "closed": Verb.DELIVERY_CLOSED.value,
        "signed": Verb.RECEIPT_SIGNED.value,
    }
    asked = {"grant_ids": list(grant_ids), "most": LOOSE_MAX} | verbs
    return [Loose(*row) for row in db.session.execute(_LOOSE, asked)]


def list_grants_of(prefix: str, ids: Collection[str]) -> set[str]:
    """Return the grants of deliveries, usage events or settlements; of usage also where its delivery is gone."""
    named = any_(literal(list(ids), ARRAY(Text)))
    counted = select(Delivery.grant_id).join(UsageKey, UsageKey.delivery_id == Delivery.id)
    # Events are found by their keys: they lie by months, and have no index of deliveries.
    used = select(UsageEvent.grant_id).join(UsageKey, _OF_KEY)
    questions: dict[str, list[Select[Any]]] = {
        "dlv": [
            select(Delivery.grant_id).where(Delivery.id == named),
            used.where(UsageKey.delivery_id == named).distinct(),
        ],
        "use": [
            counted.where(UsageKey.event_id == named),
            select(UsageEvent.grant_id).where(UsageEvent.id == named),
        ],
        "stl": [
            counted.join(UsageClaim, UsageClaim.event_id == UsageKey.event_id)
            .where(UsageClaim.claimed_by == named)
            .distinct()
        ],
    }
    return {grant_id for question in questions.get(prefix, []) for grant_id in db.session.scalars(question)}
