"""Searching the record by date, amount, counterparty, verb and thing, in any combination."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Select,
    SQLColumnExpression,
    Text,
    any_,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    tuple_,
    union_all,
)

from marketplace.audit import blocks
from marketplace.audit.models import Entry, Leaf, Waiting
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor

FEW = 2_000
"""Entries that are looked at one by one, rather than asking the blocks: some ten milliseconds."""
TRIED_FIRST, TRIED_MAX = 100, 4_000
"""Places of which the entries are read at a time: most searches need no more than the first of them."""


@dataclass(frozen=True, slots=True)
class Search:
    """What an auditor looks for; every part may be absent. Ranges include their ends."""

    occurred_from: datetime | None = None
    occurred_to: datetime | None = None
    amount_from: int | None = None
    amount_to: int | None = None
    organization_id: str | None = None
    counterparty_id: str | None = None
    verb: str | None = None
    subject: str | None = None
    dataset_id: str | None = None


@dataclass(frozen=True, slots=True)
class PlacedEntry:
    """An entry as auditors see it, with its place in the tree once it has one."""

    entry: Entry
    position: int | None


def search_entries(search: Search, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[PlacedEntry]:
    """Return matching entries in the order of the tree, newest first; those that have no place yet lead."""
    last, count = _last_seen(cursor), size + 1
    rows = _few(search, last, count) if _is_narrow(search) else _found(search, last, count)
    return cut(rows, size, lambda row: [row.entry.id])


def all_entries(search: Search) -> Iterator[PlacedEntry]:
    """Return every matching entry, oldest first, at constant memory."""
    statement = _matching(search).order_by(Entry.occurred_at, Entry.id).execution_options(yield_per=500)
    for row in db.session.execute(statement):
        yield PlacedEntry(row.Entry, row.position)


def get_entry(entry_id: str) -> PlacedEntry:
    """Return one entry or raise NotFound."""
    row = db.session.execute(_matching(Search()).where(Entry.id == entry_id)).first() if is_id(entry_id) else None
    if row is None:
        raise NotFound
    return PlacedEntry(row.Entry, row.position)


@dataclass(frozen=True, slots=True)
class Mention:
    """An entry as a trail names it: which one, what was done to what, and its place once it has one."""

    id: str
    verb: str
    subject: str
    occurred_at: datetime
    facts: dict[str, Any]
    position: int | None


def list_mentions(subjects: Collection[str]) -> list[Mention]:
    """Return the entries about some things, oldest first."""
    # One array: a list of parameters ends at 65,535 of them.
    return _mentions(Entry.subject == any_(literal(list(subjects), ARRAY(Text))))


def find_mention(entry_id: str) -> Mention | None:
    """Return one entry, if there is one with this id."""
    return next(iter(_mentions(Entry.id == entry_id)), None)


def _mentions(condition: ColumnElement[bool]) -> list[Mention]:
    named = (Entry.id, Entry.verb, Entry.subject, Entry.occurred_at, Entry.facts, Leaf.position)
    query = select(*named).outerjoin(Leaf, Leaf.entry_id == Entry.id).where(condition)
    return [Mention(*row) for row in db.session.execute(query.order_by(Entry.occurred_at, Entry.id))]


def _last_seen(cursor: str | None) -> PlacedEntry | None:
    key = decode_cursor(cursor, 1)
    if key is None:
        return None
    try:
        # It may have got its place meanwhile: what followed it then is still behind it.
        return get_entry(str(key[0]))
    except NotFound as error:
        raise pages.broken_cursor() from error


def _is_narrow(search: Search) -> bool:
    """Tell whether an index of one condition finds so few that all of them can be looked at."""
    if search.subject is not None:
        return True
    if search.amount_from is None and search.amount_to is None:
        return False
    amounts = _wanted(Search(amount_from=search.amount_from, amount_to=search.amount_to))
    some = select(literal(1)).select_from(Entry).where(*amounts).limit(FEW + 1).subquery()
    return (db.session.scalar(select(func.count()).select_from(some)) or 0) <= FEW


def _few(search: Search, last: PlacedEntry | None, count: int) -> list[PlacedEntry]:
    return _read(_newest_first(_matching(search), Leaf.position, last), count)


def _found(search: Search, last: PlacedEntry | None, count: int) -> list[PlacedEntry]:
    """Read what the blocks do not know yet, and then what they say may match, until there is enough."""
    known = blocks.known()
    place = None if last is None else last.position
    rows = _read(_behind(search, known, last), count) if place is None or place > known else []
    some, places = TRIED_FIRST, blocks.places(search, known if place is None else min(place, known))
    while len(rows) < count and (tried := list(islice(places, some))):
        at = Leaf.position == any_(literal(tried, ARRAY(BigInteger)))
        rows += _read(_matching(search).where(at).order_by(Leaf.position.desc()), count - len(rows))
        some = min(some * 4, TRIED_MAX)
    return rows


def _behind(search: Search, known: int, last: PlacedEntry | None) -> Select[Entry, int | None]:
    waiting = select(Waiting.entry_id, cast(null(), BigInteger).label("position"))
    placed = select(Leaf.entry_id, Leaf.position).where(Leaf.position >= known)
    behind = union_all(waiting, placed).subquery()
    entries = select(Entry, behind.c.position).join(behind, behind.c.entry_id == Entry.id).where(*_wanted(search))
    return _newest_first(entries, behind.c.position, last)


def _newest_first(
    entries: Select[Entry, int | None], position: SQLColumnExpression[Any], last: PlacedEntry | None
) -> Select[Entry, int | None]:
    moment = tuple_(Entry.occurred_at, Entry.id)
    if last is not None and last.position is None:
        waited = moment < tuple_(last.entry.occurred_at, last.entry.id)
        entries = entries.where(or_(position.is_not(None), waited))
    elif last is not None:
        entries = entries.where(position < last.position)
    return entries.order_by(position.desc().nulls_first(), Entry.occurred_at.desc(), Entry.id.desc())


def _read(entries: Select[Entry, int | None], count: int) -> list[PlacedEntry]:
    return [PlacedEntry(row.Entry, row.position) for row in db.session.execute(entries.limit(count))]


def _matching(search: Search) -> Select[Entry, int | None]:
    return _placed(_wanted(search))


def _placed(wanted: Sequence[ColumnElement[bool]]) -> Select[Entry, int | None]:
    return select(Entry, Leaf.position).outerjoin(Leaf, Leaf.entry_id == Entry.id).where(*wanted)


def _wanted(search: Search) -> list[ColumnElement[bool]]:
    return [condition(value) for name, condition in _CONDITIONS.items() if (value := getattr(search, name)) is not None]


_CONDITIONS: dict[str, Callable[[Any], ColumnElement[bool]]] = {
    "occurred_from": lambda value: Entry.occurred_at >= value,
    "occurred_to": lambda value: Entry.occurred_at <= value,
    "amount_from": lambda value: Entry.amount_minor >= value,
    "amount_to": lambda value: Entry.amount_minor <= value,
    "organization_id": lambda value: Entry.organization_id == value,
    # A party may stand on either side of a deed.
    "counterparty_id": lambda value: or_(Entry.counterparty_id == value, Entry.organization_id == value),
    "verb": lambda value: Entry.verb == value,
    "subject": lambda value: Entry.subject == value,
    "dataset_id": lambda value: Entry.dataset_id == value,
}
