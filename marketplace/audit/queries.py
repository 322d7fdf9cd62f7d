"""Searching the record by date, amount, counterparty, verb and thing, in any combination."""

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ARRAY, ColumnElement, Select, Text, any_, literal, or_, select, tuple_, union_all

from marketplace.audit.models import Entry, Leaf
from marketplace.kit import clock, pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor


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
    """Return matching entries, newest first."""
    rows = [PlacedEntry(row.Entry, row.position) for row in db.session.execute(_newest(search, cursor, size + 1))]
    return cut(rows, size, lambda row: (clock.text(row.entry.occurred_at), row.entry.id))


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


def _newest(search: Search, cursor: str | None, count: int) -> Select[Entry, int]:
    wanted, party = _wanted(replace(search, counterparty_id=None)), search.counterparty_id
    if key := decode_cursor(cursor, 2):
        wanted.append(tuple_(Entry.occurred_at, Entry.id) < tuple_(_instant(key[0]), str(key[1])))
    if party is not None:
        # No index has both sides of a deed: the newest ones of each side, of which the newest are wanted.
        sides = [
            _newest_ids([*wanted, side == party], count) for side in (Entry.counterparty_id, Entry.organization_id)
        ]
        wanted = [Entry.id.in_(union_all(*sides))]
    return _placed(wanted).order_by(Entry.occurred_at.desc(), Entry.id.desc()).limit(count)


def _newest_ids(wanted: Sequence[ColumnElement[bool]], count: int) -> Select[str]:
    newest = select(Entry.id).where(*wanted).order_by(Entry.occurred_at.desc(), Entry.id.desc()).limit(count)
    return select(newest.subquery().c.id)


def _instant(text: str) -> datetime:
    try:
        return clock.parse(str(text))
    except (ValueError, OverflowError) as error:
        raise pages.broken_cursor() from error


def _matching(search: Search) -> Select[Entry, int]:
    return _placed(_wanted(search))


def _placed(wanted: Sequence[ColumnElement[bool]]) -> Select[Entry, int]:
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
