"""Opening and closing deliveries: what is asked is held, what was acknowledged is charged, once."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, NamedTuple

from sqlalchemy import Row, text
from sqlalchemy.dialects import postgresql

from marketplace.access.rules import Entitlement
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.states import DownloadDue
from marketplace.metering import coverage, quotas
from marketplace.metering.models import Quota
from marketplace.metering.rules import FREE_AGAIN, Allowance, Ending, judge
from marketplace.metering.states import DeliveryState, Meter

SWEEP_SIZE = 100
_COUNTS = (
    "used_bytes", "reserved_bytes", "used_downloads", "used_rows", "reserved_rows", "used_requests", "open_deliveries",
    "due_downloads",
)  # fmt: skip
_SUMMED = ("events", "bytes_new", "rows_new", "requests", "downloads_new")
_RENEWED = ("limit_bytes", "limit_downloads", "limit_rows", "limit_requests")

# One statement keeps the end, the charge and the event, or none of them, and gives back what was held. Coverage is
# locked before the quota, whose growth it decides: closers cannot wait for each other. What is charged was held
# until here, and coverage has only grown since: it fits into the quota. Rows are counted as the share of the content
# that was covered after, less the share before, so parts of it add up to its rows. A request counts when a byte
# was acknowledged, or when there was none to send.
_FINISH = text(f"""
WITH absorbed AS ({coverage.ABSORB}),
closed AS (
  UPDATE delivery SET state = :state, bytes_sent = :sent, bytes_acked = :acked, progress = :acked,
         closed_at = :now, seen_at = :now
   WHERE id = :id AND state = 'open'
  RETURNING *, coalesce((SELECT bytes_added FROM absorbed), 0) AS bytes_new,
            coalesce((SELECT bytes_covered FROM absorbed), 0) AS bytes_covered,
            coalesce((SELECT downloads_added FROM absorbed), 0) AS downloads_new),
content AS (
  SELECT nullif(closed.content_bytes, 0) AS size,
         {quotas.rows_of("closed.content_rows", "closed.file_id")} AS rows
    FROM closed),
counted AS (
  SELECT closed.*,
         CAST(coalesce(floor(rows * bytes_covered / size) - floor(rows * (bytes_covered - bytes_new) / size), 0)
           AS bigint) AS rows_new,
         CASE WHEN :acked > 0 OR (length = 0 AND :state = 'complete') THEN 1 ELSE 0 END AS requests
    FROM closed, content),
charged AS (
  UPDATE quota SET used_bytes = used_bytes + counted.bytes_new,
         reserved_bytes = quota.reserved_bytes - counted.reserved_bytes,
         used_rows = used_rows + counted.rows_new, reserved_rows = quota.reserved_rows - counted.reserved_rows,
         used_requests = used_requests + counted.requests, open_deliveries = open_deliveries - 1,
         due_downloads = due_downloads + counted.downloads_new
    FROM counted WHERE quota.grant_id = counted.grant_id)
INSERT INTO usage_event (id, delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
                         occurred_at, bytes_new, bytes_acked, rows_new, requests, downloads_new)
SELECT :event_id, id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
       :now, bytes_new, :acked, rows_new, requests, downloads_new
  FROM counted
RETURNING bytes_new, rows_new, requests, downloads_new
""")  # noqa: S608 - made of constants
_BEGIN = postgresql.insert(Quota).on_conflict_do_nothing()
# One statement under the row's lock: a download that opens at the same moment counts for one of the two terms.
_RENEW = text("""
UPDATE quota SET limit_bytes = used_bytes + reserved_bytes + CAST(:limit_bytes AS bigint),
       limit_downloads = used_downloads + leased_deliveries + CAST(:limit_downloads AS bigint),
       limit_rows = used_rows + reserved_rows + CAST(:limit_rows AS bigint),
       limit_requests = used_requests + open_deliveries + leased_deliveries + CAST(:limit_requests AS bigint)
 WHERE grant_id = :grant_id
""")
# When its download falls due is said when its quota is opened, and never changes.
_DUE = "(SELECT download_due FROM quota WHERE quota.grant_id = delivery.grant_id) AS download_due"
_LOCK = text(f"SELECT *, {_DUE} FROM delivery WHERE id = :id AND state = 'open' FOR UPDATE")  # noqa: S608 - as above
# In the order of grants, so that two sweepers cannot wait for each other's quotas.
_STALE = text(f"""
SELECT *, {_DUE} FROM delivery
 WHERE state = 'open' AND seen_at < :stale_before
   AND (meter = 'server' OR opened_at < CAST(:edge_before AS timestamptz))
 ORDER BY grant_id, id LIMIT :size FOR UPDATE SKIP LOCKED
""")  # noqa: S608 - as above
_HEARTBEAT = text("""
WITH beat AS (
  SELECT d.id, b.acked
    FROM delivery d JOIN unnest(CAST(:ids AS text[]), CAST(:acked AS bigint[])) AS b (id, acked) ON b.id = d.id
   WHERE d.state = 'open' ORDER BY d.id FOR UPDATE OF d SKIP LOCKED)
UPDATE delivery d SET seen_at = :now, progress = greatest(d.progress, least(beat.acked, d.length))
  FROM beat WHERE beat.id = d.id
RETURNING d.id
""")
# Claims are by event: a watermark of ids or of times would pass over what a slower writer keeps later. The grant's
# lock, taken before, lets this statement see all earlier claims; a claim made past it would break the key of claims
# and take everything back. The order lets all be read before the first is claimed: a scan that met its own claims
# would take quadratic time. The sums are made where the rows are, so that no amount of usage fills our memory.
_CLAIM = text("""
WITH fresh AS MATERIALIZED (
  SELECT e.id, e.bytes_new, e.rows_new, e.requests, e.downloads_new,
         CAST(timezone('Asia/Tokyo', e.occurred_at) AS date) AS day,
         coalesce(e.occurred_at >= CAST(:free_until AS timestamptz), true) AS charged
    FROM usage_event e
   WHERE e.grant_id = :grant_id AND e.occurred_at < :until
     AND NOT EXISTS (SELECT FROM usage_claim c WHERE c.event_id = e.id)
   ORDER BY e.id),
claimed AS (
  INSERT INTO usage_claim (event_id, claimed_by, claimed_at) SELECT id, :claimed_by, :now FROM fresh)
SELECT CAST(date_trunc('month', day) AS date), min(day), max(day), count(*),
       coalesce(sum(bytes_new) FILTER (WHERE charged), 0),
       coalesce(sum(rows_new) FILTER (WHERE charged), 0),
       coalesce(sum(requests) FILTER (WHERE charged), 0),
       coalesce(sum(downloads_new) FILTER (WHERE charged), 0)
  FROM fresh GROUP BY 1 ORDER BY 1
""")


@dataclass(frozen=True, slots=True)
class OpenedDelivery:
    """A delivery that may begin: what it holds of the grant's quota."""

    id: str
    start_byte: int
    length: int
    reserved_bytes: int
    unit_taken: bool


@dataclass(frozen=True, slots=True)
class Usage:
    """What a delivery that has just been closed came to: new bytes, the rows in them, 1 or 0 requests.

    ``downloads_new`` is 1 where it made a download due, whose price counts those.
    """

    id: str
    delivery_id: str
    state: DeliveryState
    bytes_new: int
    bytes_acked: int
    rows_new: int
    requests: int
    grant_id: str
    organization_id: str
    downloads_new: int = 0


class Claim(NamedTuple):
    """What one settlement took of a grant's usage in one month in Japan; usage of a trial counts as events alone."""

    month: date
    first_day: date
    last_day: date
    events: int
    bytes_new: int
    rows_new: int
    requests: int
    downloads_new: int


def open_quota(grant_id: str, allowance: Allowance, download_due: DownloadDue | None = None) -> None:
    """Begin the accounting of a grant, once; ``download_due`` says when downloads fall due where they are counted."""
    facts = {"grant_id": grant_id, "download_due": download_due.value if download_due else None}
    db.session.connection().execute(_BEGIN, facts | allowance.limits() | dict.fromkeys(_COUNTS, 0))


def renew_quota(grant_id: str, allowance: Allowance, actor: Actor = SYSTEM) -> None:
    """Give a grant its quota anew for another term; what is left of the term before is not carried over.

    What running downloads hold counts for the term before. How many may run at once stays.
    """
    facts = {"grant_id": grant_id} | {name: limit for name, limit in allowance.limits().items() if name in _RENEWED}
    db.session.connection().execute(_RENEW, facts)
    audit.record(actor, Verb.QUOTA_RENEWED, subject=grant_id, facts=facts)


def open_delivery(entitlement: Entitlement, start: int, length: int, client_id: str | None) -> OpenedDelivery:
    """Hold what sending ``length`` bytes from ``start`` on may cost; nothing is sent before this is kept.

    To be called in the transaction of the grant check. Raises QuotaExhausted; roll back then.
    """
    delivery_id = new_id("dlv")
    held = quotas.hold(entitlement, delivery_id, start, length, client_id)
    opened = OpenedDelivery(delivery_id, start, length, held.reserved_bytes, held.unit_taken)
    audit.record(
        Actor(entitlement.organization_id, client_id),
        Verb.DELIVERY_OPENED,
        subject=opened.id,
        counterparty=entitlement.provider_organization_id,
        dataset=entitlement.dataset_id,
        facts=opening_facts(entitlement, opened),
    )
    return opened


def opening_facts(entitlement: Entitlement, opened: OpenedDelivery) -> dict[str, Any]:
    """Return what the record keeps of a delivery that begins."""
    return {
        "grant_id": entitlement.grant_id,
        "release_id": entitlement.release_id,
        "file_id": entitlement.file_id,
        "sha256": entitlement.sha256,
        "start_byte": opened.start_byte,
        "length": opened.length,
        "reserved_bytes": opened.reserved_bytes,
        "unit_taken": opened.unit_taken,
        "purpose": entitlement.purpose,
    }


def close_delivery(delivery_id: str, sent: int, acked: int, outcome: str) -> Usage | None:
    """Close an open delivery and charge what is new of the acknowledged bytes; None if it is not open.

    ``outcome`` is ``complete``, ``broken`` or ``stalled``. However often and from however many threads
    it is called, a delivery has one usage event, also when nothing was acknowledged.
    """
    row = db.session.connection().execute(_LOCK, {"id": delivery_id}).one_or_none()
    return None if row is None else _close(row, judge(row.length, sent, acked, outcome))


def _close(row: Row[Any], ending: Ending) -> Usage:
    usage_id, now = new_id("use"), clock.now()
    facts = {"id": row.id, "event_id": usage_id, "now": now, "state": ending.state.value}
    figures = {"sent": ending.bytes_sent, "acked": ending.bytes_acked}
    span = {"first": row.start_byte, "end": row.start_byte + ending.bytes_acked}
    content = {"grant_id": row.grant_id, "sha256": row.sha256, "content_bytes": row.content_bytes}
    due = {"download_due": row.download_due, "opened_at": row.opened_at, "free_until": now + FREE_AGAIN}
    counted = db.session.connection().execute(_FINISH, facts | figures | span | content | due).one()
    news = (counted.rows_new, counted.requests, row.grant_id, row.organization_id, counted.downloads_new)
    usage = Usage(usage_id, row.id, ending.state, counted.bytes_new, ending.bytes_acked, *news)
    _record_closing(row, usage, ending)
    return usage


def _record_closing(row: Row[Any], usage: Usage, ending: Ending) -> None:
    audit.record(
        Actor(row.organization_id, row.client_id),
        Verb.DELIVERY_CLOSED,
        subject=row.id,
        counterparty=row.provider_organization_id,
        dataset=row.dataset_id,
        facts=closing_facts(row, usage, ending),
    )


def closing_facts(row: Any, usage: Usage, ending: Ending) -> dict[str, Any]:
    """Return what the record keeps of the end of a delivery, of which ``row`` has the columns.

    Of one that others carried out, it ends when they tell of it: ``served_at`` is when the buyer was sent to them.
    """
    served = {} if row.meter == Meter.SERVER else {"served_at": clock.text(row.opened_at)}
    return served | {
        "grant_id": row.grant_id,
        "usage_event_id": usage.id,
        "sha256": row.sha256,
        "meter": row.meter,
        "state": ending.state.value,
        "start_byte": row.start_byte,
        "length": row.length,
        "bytes_sent": ending.bytes_sent,
        "bytes_acked": ending.bytes_acked,
        "bytes_new": usage.bytes_new,
        "rows_new": usage.rows_new,
        "requests": usage.requests,
        "downloads_new": usage.downloads_new,
    }


def heartbeat(acked: Mapping[str, int]) -> int:
    """Note the acknowledged bytes of running deliveries, by id; return how many are still open.

    Progress never goes back, nor beyond the delivery's length. It is what a sweep charges.
    """
    if not acked:
        return 0
    facts = {"ids": list(acked), "acked": list(acked.values()), "now": clock.now()}
    return len(db.session.scalars(_HEARTBEAT, facts).all())


def sweep(stale_before: datetime, size: int = SWEEP_SIZE, edge_before: datetime | None = None) -> list[Usage]:
    """Close up to ``size`` open deliveries that were last seen before that instant; return what they came to.

    Charged is the last progress noted: too little perhaps, never too much. A delivery that another
    transaction is closing is left to it. Those that are left to a store's log are closed where they were opened
    before ``edge_before``: no more of the log is waited for then.
    """
    asked = {"stale_before": stale_before, "edge_before": edge_before, "size": size}
    rows = db.session.execute(_STALE, asked).all()
    swept = DeliveryState.SWEPT.value
    return [_close(row, judge(row.length, row.progress, row.progress, swept)) for row in rows]


def claim_unbilled(
    grant_id: str, until: datetime, claimed_by: str, actor: Actor = SYSTEM, *, free_until: datetime | None = None
) -> list[Claim]:
    """Take the grant's usage before ``until`` that nobody has claimed yet, for one settlement, month by month.

    Each event is claimed once, whoever asks; a claim that is rolled back takes nothing. Usage before
    ``free_until`` is claimed and charged nothing. The grant's accounting is locked until the transaction
    ends, so ``queries.claimed_bytes`` is exact after it.
    """
    facts = {"grant_id": grant_id, "until": until, "claimed_by": claimed_by, "now": clock.now()}
    quotas.lock(grant_id)
    rows = db.session.execute(_CLAIM, facts | {"free_until": free_until})
    claims = [Claim(*row[:3], *map(int, row[3:])) for row in rows]
    if claims:
        told = {"claimed_by": claimed_by, "until": clock.text(until)}
        sums = {name: sum(getattr(claim, name) for claim in claims) for name in _SUMMED}
        audit.record(actor, Verb.USAGE_SETTLED, subject=grant_id, facts=told | sums)
    return claims
