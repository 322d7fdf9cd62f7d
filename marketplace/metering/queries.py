"""Reading usage: statements by day, events, quotas, and what settlement has still to claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from sqlalchemy import BigInteger, Date, Row, Select, Text, bindparam, case, cast, func, or_, select, tuple_, union_all

from marketplace.access.rules import is_open_to
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.clock import JST
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page
from marketplace.metering.models import Delivery, Quota, UsageClaim, UsageEvent, UsageKey
from marketplace.metering.rollup_models import RollupCursor, UsageRollup

Q = TypeVar("Q", bound=Select[Any])

_PARTIES = ("grant_id", "dataset_id", "organization_id", "provider_organization_id")
_FIGURES = ("bytes_new", "bytes_acked", "rows_new", "requests", "downloads_new")


def _summed_up_to() -> int | None:
    return db.session.scalar(select(RollupCursor.next_xid))


# Usage as it stands, whatever has been summed up: the hours, and each event that is in none of them yet. The columns
# of both are of the same types, so that PostgreSQL asks the indexes of both for what is wanted alone. The cursor is
# read in the statement, so that nothing is told twice, and before it, so that the planner knows how few they are.
_USAGE = union_all(
    select(
        *(getattr(UsageRollup, name) for name in _PARTIES),
        UsageRollup.hour.label("at"),
        *(getattr(UsageRollup, name) for name in (*_FIGURES, "deliveries")),
    ),
    select(
        *(getattr(UsageEvent, name) for name in _PARTIES),
        UsageEvent.occurred_at.label("at"),
        *(cast(getattr(UsageEvent, name), BigInteger).label(name) for name in _FIGURES),
        cast(case((UsageEvent.corrects_event_id.is_(None), 1), else_=0), BigInteger).label("deliveries"),
    ).where(
        UsageEvent.xid >= bindparam("summed_up_to", type_=BigInteger, callable_=_summed_up_to),
        UsageEvent.xid >= select(RollupCursor.next_xid).scalar_subquery(),
    ),
).subquery("usage")
_DAY = cast(func.timezone(JST.key, _USAGE.c.at), Date)


@dataclass(frozen=True, slots=True)
class UsageFilter:
    """Which usage to tell of; None leaves a field open. Days are Japanese and both included."""

    grant_id: str | None = None
    dataset_id: str | None = None
    organization_id: str | None = None
    provider_organization_id: str | None = None
    from_on: date | None = None
    to_on: date | None = None


@dataclass(frozen=True, slots=True)
class UsageLine:
    """The usage of one grant on one day in Japan: ``bytes_acked`` were received; what is new of them is charged.

    So are the rows in them, the requests, or the downloads that fell due, where the price counts those.
    """

    day: date
    grant_id: str
    dataset_id: str
    organization_id: str
    provider_organization_id: str
    bytes_new: int
    bytes_acked: int
    rows_new: int
    requests: int
    downloads_new: int
    deliveries: int


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """The sum of all lines of a statement."""

    bytes_new: int
    bytes_acked: int
    rows_new: int
    requests: int
    downloads_new: int
    deliveries: int


def statement(
    actor: Actor, wanted: UsageFilter | None = None, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[UsageLine]:
    """List usage by day and grant, newest first: a party's own, everyone's for overseers."""
    usage = _USAGE.c
    grouped = (_DAY.label("day"), *(usage[name] for name in _PARTIES))
    query = _restricted(select(*grouped, *_sums()), usage, actor, wanted).group_by(*grouped)
    if key := pages.decode_cursor(cursor, 2):
        query = query.where(tuple_(cast(_DAY, Text), usage.grant_id) < (str(key[0]), str(key[1])))
    query = query.order_by(_DAY.desc(), usage.grant_id.desc()).limit(size + 1)
    lines = [_line(row) for row in db.session.execute(query)]
    return pages.cut(lines, size, lambda line: [line.day.isoformat(), line.grant_id])


def _line(row: Row[Any]) -> UsageLine:
    return UsageLine(
        row.day,
        row.grant_id,
        row.dataset_id,
        row.organization_id,
        row.provider_organization_id,
        *_figures(row),
    )


def total(actor: Actor, wanted: UsageFilter | None = None) -> UsageTotal:
    """Return the sum of the statement's lines."""
    row = db.session.execute(_restricted(select(*_sums()), _USAGE.c, actor, wanted)).one()
    return UsageTotal(*_figures(row))


def _figures(row: Row[Any]) -> tuple[int, int, int, int, int, int]:
    # Sums of bigint come back as Decimal.
    received = (int(row.bytes_new), int(row.bytes_acked), int(row.rows_new))
    return *received, int(row.requests), int(row.downloads_new), int(row.deliveries)


def list_events(
    actor: Actor, wanted: UsageFilter | None = None, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[UsageEvent]:
    """List single usage events, newest first: a party's own, everyone's for overseers."""
    event = UsageEvent
    query = _restricted(select(event), UsageEvent, actor, wanted).order_by(event.id.desc()).limit(size + 1)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(event.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda event: [event.id])


def list_corrections(actor: Actor, delivery_id: str) -> Sequence[UsageEvent]:
    """Return what was added to and taken off the usage of a delivery, oldest first; NotFound as ``get_delivery``."""
    delivery = get_delivery(actor, delivery_id)
    counted = select(UsageKey.occurred_at).where(UsageKey.delivery_id == delivery.id, UsageKey.reference == "")
    at = (UsageEvent.grant_id == delivery.grant_id, UsageEvent.occurred_at == counted.scalar_subquery())
    of_delivery = (*at, UsageEvent.delivery_id == delivery.id)
    query = select(UsageEvent).where(*of_delivery, UsageEvent.corrects_event_id.is_not(None))
    return db.session.scalars(query.order_by(UsageEvent.id)).all()


def _sums() -> tuple[Any, ...]:
    return tuple(func.coalesce(func.sum(_USAGE.c[name]), 0).label(name) for name in (*_FIGURES, "deliveries"))


def _restricted(query: Q, usage: Any, actor: Actor, wanted: UsageFilter | None) -> Q:
    wanted = wanted or UsageFilter()
    at = usage.occurred_at if usage is UsageEvent else usage.at
    if not actor.oversees:
        me = actor.organization_id
        query = query.where(or_(usage.organization_id == me, usage.provider_organization_id == me))
    if actor.grant_ids is not None:
        query = query.where(usage.grant_id.in_(actor.grant_ids))
    for name in _PARTIES:
        if (value := getattr(wanted, name)) is not None:
            query = query.where(getattr(usage, name) == value)
    if wanted.from_on is not None:
        query = query.where(at >= _midnight(wanted.from_on))
    if wanted.to_on is not None and wanted.to_on != date.max:
        query = query.where(at < _midnight(wanted.to_on + timedelta(days=1)))
    return query


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, JST)


def get_quota(grant_id: str) -> Quota:
    """Return what is left of a grant, to a caller that has been shown the grant; NotFound if there is none."""
    quota = db.session.get(Quota, grant_id, populate_existing=True)
    if quota is None:
        raise NotFound
    return quota


def holder_of(delivery_id: str) -> tuple[str, str]:
    """Return the buyer and the grant of a delivery that there is, for the stories of the exchange itself."""
    whose = select(Delivery.organization_id, Delivery.grant_id).where(Delivery.id == delivery_id)
    row = db.session.execute(whose).one()
    return row.organization_id, row.grant_id


def used_since(grant_id: str, since: datetime) -> UsageTotal:
    """Return what a grant has used from an instant on, whoever asks."""
    # Whole hours as they are summed up, and single events of the one in which it lies.
    at, hour = _USAGE.c.at, since.replace(minute=0, second=0, microsecond=0)
    after = hour if hour == since else hour + timedelta(hours=1)
    of_grant = select(*_sums()).where(_USAGE.c.grant_id == grant_id, at >= after)
    rest = _sums_of_events().where(
        UsageEvent.grant_id == grant_id, UsageEvent.occurred_at >= since, UsageEvent.occurred_at < after
    )
    whole, part = (_figures(db.session.execute(query).one()) for query in (of_grant, rest))
    return UsageTotal(*map(sum, zip(whole, part, strict=True)))


def _sums_of_events() -> Select[Any]:
    sums = (func.coalesce(func.sum(getattr(UsageEvent, name)), 0).label(name) for name in _FIGURES)
    return select(*sums, func.count().filter(UsageEvent.corrects_event_id.is_(None)).label("deliveries"))


def list_grants_in_use(organization_id: str, since: datetime) -> Sequence[str]:
    """Return the grants of an organization with usage from an hour on, or with deliveries that still run."""
    used = select(_USAGE.c.grant_id).where(_USAGE.c.organization_id == organization_id, _USAGE.c.at >= since)
    running = select(Delivery.grant_id).where(Delivery.organization_id == organization_id, Delivery.state == "open")
    return sorted(db.session.scalars(used.union(running)))


def get_delivery(actor: Actor, delivery_id: str) -> Delivery:
    """Return a delivery to its two parties and to overseers; NotFound for everyone else."""
    delivery = db.session.get(Delivery, delivery_id, populate_existing=True) if is_id(delivery_id) else None
    if delivery is None or not (_is_party(actor, delivery) and is_open_to(actor, delivery.grant_id)):
        raise NotFound
    return delivery


def _is_party(actor: Actor, delivery: Delivery) -> bool:
    return actor.oversees or actor.organization_id in {delivery.organization_id, delivery.provider_organization_id}


def list_deliveries(
    actor: Actor,
    *,
    grant_id: str | None = None,
    state: str | None = None,
    cursor: str | None = None,
    size: int = pages.SIZE_DEFAULT,
) -> Page[Delivery]:
    """List deliveries, newest first: a party's own, everyone's for overseers."""
    query = select(Delivery).order_by(Delivery.id.desc()).limit(size + 1)
    if not actor.oversees:
        me = actor.organization_id
        query = query.where(or_(Delivery.organization_id == me, Delivery.provider_organization_id == me))
    if actor.grant_ids is not None:
        query = query.where(Delivery.grant_id.in_(actor.grant_ids))
    for column, wanted in ((Delivery.grant_id, grant_id), (Delivery.state, state)):
        if wanted is not None:
            query = query.where(column == wanted)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Delivery.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda delivery: [delivery.id])


def claimed_bytes(grant_id: str) -> int:
    """Return how many bytes of the grant settlements have claimed so far, claims of this transaction included."""
    claimed = select(UsageClaim.event_id).where(UsageClaim.event_id == UsageEvent.id).exists()
    of_grant = select(func.sum(UsageEvent.bytes_new)).where(UsageEvent.grant_id == grant_id, claimed)
    return int(db.session.scalar(of_grant) or 0)


def list_unclaimed_grant_ids(until: datetime) -> Sequence[str]:
    """Return the grants that have usage before ``until`` which no settlement has claimed."""
    unclaimed = ~select(UsageClaim.event_id).where(UsageClaim.event_id == UsageEvent.id).exists()
    query = select(UsageEvent.grant_id).where(UsageEvent.occurred_at < until, unclaimed)
    return db.session.scalars(query.distinct().order_by(UsageEvent.grant_id)).all()
