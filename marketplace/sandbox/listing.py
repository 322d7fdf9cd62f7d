"""Lists: newest first, cursors by id, Stripe's filters."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, select

from marketplace.kit.db import db
from marketplace.sandbox import events, store, wire
from marketplace.sandbox.models import SandboxDelivery, SandboxEvent, SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

LIMIT_DEFAULT = 10
LIMIT_MAX = 100
TYPES_MAX = 20
EVENTS_LISTED = timedelta(days=30)
_SECONDS_MAX = 2**33
Table = type[SandboxEvent] | type[SandboxObject]


@dataclass(frozen=True, slots=True)
class Window:
    """Which part of a list is wanted; at most one of the cursors is set."""

    limit: int
    starting_after: str | None
    ending_before: str | None


def read_window(query: Reader) -> Window:
    """Read ``limit``, ``starting_after`` and ``ending_before``; raises WireError."""
    window = Window(
        query.integer("limit", 1, LIMIT_MAX) or LIMIT_DEFAULT,
        query.text("starting_after"),
        query.text("ending_before"),
    )
    if window.starting_after and window.ending_before:
        message = "You cannot parameterize ending_before and starting_after at the same time."
        raise WireError(message, param="ending_before")
    return window


def list_events(query: Reader, now: datetime) -> dict[str, Any]:
    """Answer ``GET /v1/events``."""
    window = read_window(query)
    wanted = [SandboxEvent.created_at > now - EVENTS_LISTED, *_created(query, SandboxEvent.created_at)]
    wanted += [*_types(query), *_delivery_success(query)]
    query.finish()
    rows, has_more = _cut(select(SandboxEvent).where(*wanted), SandboxEvent, window, "event")
    pending = _pending([row.id for row in rows])
    data = [events.rendered(row.document, pending.get(row.id, 0)) for row in rows]
    return _list("/v1/events", data, has_more=has_more)


def get_event(event_id: str) -> dict[str, Any]:
    """Answer ``GET /v1/events/{id}``; raises WireError 404."""
    row = db.session.get(SandboxEvent, event_id)
    if row is None:
        raise wire.missing("event", event_id[:100])
    return events.rendered(row.document, _pending([event_id]).get(event_id, 0))


def list_objects(query: Reader, kind: str, url: str, wanted: list[ColumnElement[bool]]) -> dict[str, Any]:
    """Answer a list of one kind: ``wanted`` besides the window, ``created`` and ``expand``, which are read here."""
    window = read_window(query)
    conditions = [SandboxObject.kind == kind, *wanted, *_created(query, SandboxObject.created_at)]
    below = [_below_data(path) for path in query.texts("expand")]
    query.finish()
    rows, has_more = _cut(select(SandboxObject).where(*conditions), SandboxObject, window, kind)
    return _list(url, [store.expanded(row.document, below) for row in rows], has_more=has_more)


def list_sessions(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/checkout/sessions``."""
    wanted: list[ColumnElement[bool]] = []
    status = query.choice("status", ("open", "complete", "expired"))
    if status:
        wanted.append(SandboxObject.status == status)
    wanted += equal(query, "payment_intent", "customer")
    return list_objects(query, "checkout.session", "/v1/checkout/sessions", wanted)


def equal(query: Reader, *names: str) -> list[ColumnElement[bool]]:
    """Return the conditions of the filters that compare a field of the object with a text."""
    given = {name: query.text(name) for name in names}
    return [SandboxObject.document[name].astext == value for name, value in given.items() if value]


def _below_data(path: str) -> str:
    head, _, rest = path.partition(".")
    if head != "data" or not rest:
        raise WireError(f"This property cannot be expanded ({path[:200]}).", param="expand")
    return rest


def _list(url: str, data: list[dict[str, Any]], *, has_more: bool) -> dict[str, Any]:
    return {"object": "list", "url": url, "has_more": has_more, "data": data}


def _cut(statement: Select[Any], table: Table, window: Window, kind: str) -> tuple[list[Any], bool]:
    newest_first = window.ending_before is None
    cursor = window.starting_after or window.ending_before
    if cursor:
        edge = _edge(table, cursor, kind, "starting_after" if newest_first else "ending_before")
        statement = statement.where(table.sequence < edge if newest_first else table.sequence > edge)
    order = table.sequence.desc() if newest_first else table.sequence.asc()
    rows = list(db.session.execute(statement.order_by(order).limit(window.limit + 1)).scalars())
    page = rows[: window.limit]
    return (page if newest_first else page[::-1]), len(rows) > window.limit


def _edge(table: Table, identifier: str, kind: str, param: str) -> int:
    edge = db.session.execute(select(table.sequence).where(table.id == identifier)).scalar_one_or_none()
    if edge is None:
        raise WireError(f"No such {kind}: '{identifier[:100]}'", code="resource_missing", param=param)
    return edge


def _created(query: Reader, column: Any) -> list[ColumnElement[bool]]:
    if not query.is_hash("created"):
        exact = query.integer("created", 0, _SECONDS_MAX)
        return [] if exact is None else _bounds(column, {"gte": exact, "lte": exact})
    created = query.child("created")
    given = {name: created.integer(name, 0, _SECONDS_MAX) for name in ("gt", "gte", "lt", "lte")}
    return _bounds(column, {name: value for name, value in given.items() if value is not None})


def _bounds(column: Any, seconds: dict[str, int]) -> list[ColumnElement[bool]]:
    # Stripe compares whole seconds, so an instant within second n counts as n.
    at = {name: datetime.fromtimestamp(value, UTC) for name, value in seconds.items()}
    second = timedelta(seconds=1)
    compare = {
        "gt": lambda edge: column >= edge + second,
        "gte": lambda edge: column >= edge,
        "lt": lambda edge: column < edge,
        "lte": lambda edge: column < edge + second,
    }
    return [compare[name](edge) for name, edge in at.items()]


def _types(query: Reader) -> list[ColumnElement[bool]]:
    pattern, names = query.text("type"), query.texts("types")
    if pattern and names:
        raise WireError("You may pass either `type` or `types`, but not both.", param="types")
    if len(names) > TYPES_MAX:
        raise WireError(f"`types` takes at most {TYPES_MAX} names.", param="types")
    if names:
        return [SandboxEvent.type.in_(names)]
    if pattern:
        like = pattern.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_").replace("*", "%")
        return [SandboxEvent.type.like(like, escape="\\")]
    return []


def _delivery_success(query: Reader) -> list[ColumnElement[bool]]:
    wanted = query.boolean("delivery_success")
    if wanted is None:
        return []
    owed = exists().where(SandboxDelivery.event_id == SandboxEvent.id, SandboxDelivery.state != "delivered")
    return [~owed if wanted else owed]


def _pending(event_ids: list[str]) -> dict[str, int]:
    counted = (
        select(SandboxDelivery.event_id, func.count())
        .where(SandboxDelivery.event_id.in_(event_ids), SandboxDelivery.state == "pending")
        .group_by(SandboxDelivery.event_id)
    )
    return {row[0]: row[1] for row in db.session.execute(counted)}
