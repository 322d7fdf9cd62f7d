"""Reading usage: statements by day, events, quotas, and what settlement has still to claim."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, TypeVar

from sqlalchemy import Date, Row, Select, Text, cast, func, or_, select, tuple_

from marketplace.access.rules import is_open_to
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.clock import JST
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page
from marketplace.metering.models import Delivery, Quota, UsageClaim, UsageEvent

Q = TypeVar("Q", bound=Select[Any])

_DAY = cast(func.timezone(JST.key, UsageEvent.occurred_at), Date)


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

    So are the rows in them, or the requests, where the price counts those.
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
    deliveries: int


@dataclass(frozen=True, slots=True)
class UsageTotal:
    """The sum of all lines of a statement."""

    bytes_new: int
    bytes_acked: int
    rows_new: int
    requests: int
    deliveries: int


def statement(
    actor: Actor, wanted: UsageFilter | None = None, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[UsageLine]:
    """List usage by day and grant, newest first: a party's own, everyone's for overseers."""
    parties = (UsageEvent.grant_id, UsageEvent.dataset_id, UsageEvent.organization_id)
    grouped = (_DAY.label("day"), *parties, UsageEvent.provider_organization_id)
    query = _restricted(select(*grouped, *_sums()), actor, wanted).group_by(*grouped)
    if key := pages.decode_cursor(cursor, 2):
        query = query.where(tuple_(cast(_DAY, Text), UsageEvent.grant_id) < (str(key[0]), str(key[1])))
    query = query.order_by(_DAY.desc(), UsageEvent.grant_id.desc()).limit(size + 1)
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
    row = db.session.execute(_restricted(select(*_sums()), actor, wanted)).one()
    return UsageTotal(*_figures(row))


def _figures(row: Row[Any]) -> tuple[int, int, int, int, int]:
    # Sums of bigint come back as Decimal.
    return int(row.bytes_new), int(row.bytes_acked), int(row.rows_new), int(row.requests), row.deliveries


def list_events(
    actor: Actor, wanted: UsageFilter | None = None, cursor: str | None = None, size: int = pages.SIZE_DEFAULT
) -> Page[UsageEvent]:
    """List single usage events, newest first: a party's own, everyone's for overseers."""
    query = _restricted(select(UsageEvent), actor, wanted).order_by(UsageEvent.id.desc()).limit(size + 1)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(UsageEvent.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda event: [event.id])


def _sums() -> tuple[Any, ...]:
    columns = (UsageEvent.bytes_new, UsageEvent.bytes_acked, UsageEvent.rows_new, UsageEvent.requests)
    return (
        *(func.coalesce(func.sum(column), 0).label(column.key) for column in columns),
        func.count().label("deliveries"),
    )


def _restricted(query: Q, actor: Actor, wanted: UsageFilter | None) -> Q:
    wanted = wanted or UsageFilter()
    event = UsageEvent
    if not actor.oversees:
        me = actor.organization_id
        query = query.where(or_(event.organization_id == me, event.provider_organization_id == me))
    if actor.grant_ids is not None:
        query = query.where(event.grant_id.in_(actor.grant_ids))
    for column in (event.grant_id, event.dataset_id, event.organization_id, event.provider_organization_id):
        if (value := getattr(wanted, column.key)) is not None:
            query = query.where(column == value)
    if wanted.from_on is not None:
        query = query.where(event.occurred_at >= _midnight(wanted.from_on))
    if wanted.to_on is not None and wanted.to_on != date.max:
        query = query.where(event.occurred_at < _midnight(wanted.to_on + timedelta(days=1)))
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
    of_grant = (UsageEvent.grant_id == grant_id, UsageEvent.occurred_at >= since)
    return UsageTotal(*_figures(db.session.execute(select(*_sums()).where(*of_grant)).one()))


def list_grants_in_use(organization_id: str, since: datetime) -> Sequence[str]:
    """Return the grants of an organization with usage from an instant on, or with deliveries that still run."""
    used = select(UsageEvent.grant_id).where(
        UsageEvent.organization_id == organization_id, UsageEvent.occurred_at >= since
    )
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
    claimed = select(func.coalesce(func.sum(UsageEvent.bytes_new), 0)).join(UsageClaim)
    return int(db.session.scalar(claimed.where(UsageEvent.grant_id == grant_id)) or 0)


def list_unclaimed_grant_ids(until: datetime) -> Sequence[str]:
    """Return the grants that have usage before ``until`` which no settlement has claimed."""
    unclaimed = ~select(UsageClaim.event_id).where(UsageClaim.event_id == UsageEvent.id).exists()
    query = select(UsageEvent.grant_id).where(UsageEvent.occurred_at < until, unclaimed)
    return db.session.scalars(query.distinct().order_by(UsageEvent.grant_id)).all()
