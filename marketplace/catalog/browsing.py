"""Reading all public listings in an order: by id for copies of the whole catalogue, by change for news of it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, literal, select, text, tuple_

from marketplace.catalog.models import Listing, ListingDeparture
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.pages import Page, broken_cursor, cut, decode_cursor
from marketplace.kit.texts import storable
from marketplace.kit.transaction import transaction

BATCH_ROWS = 50
"""How many documents a copy of the whole catalogue has in memory at once; each may have several MiB."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a listing stands: whose it is, and when it last changed."""

    dataset_id: str
    changed_at: datetime


@dataclass(frozen=True, slots=True)
class Change:
    """A listing that came or changed, or that everybody saw once and does not now, and when that was."""

    dataset_id: str
    changed_at: datetime
    is_gone: bool


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of the catalogue: the dataset that it begins with, and when anything in it last changed."""

    first_id: str
    changed_at: datetime


_PARTS = text("""
SELECT min(dataset_id) AS first_id, max(updated_at) AS changed_at
FROM (
  SELECT dataset_id, updated_at, (row_number() OVER (ORDER BY dataset_id) - 1) / :size AS part FROM listing
) AS found
GROUP BY part ORDER BY part
""")


def page_places(cursor: str | None, size: int) -> Page[Place]:
    """Return where listings stand, latest registered dataset first; the documents are read once they are wanted."""
    statement, after = _places().order_by(Listing.dataset_id.desc()), decode_cursor(cursor, 1)
    if after:
        statement = statement.where(Listing.dataset_id < storable(str(after[0])))
    rows = db.session.execute(statement.limit(size + 1)).all()
    page = cut(rows, size, lambda row: [row.dataset_id])
    return Page([Place(*row) for row in page.items], page.next_cursor)


def page_changes(cursor: str | None, size: int) -> Page[Change]:
    """Return what came, changed and left, latest first; each dataset stands in it once."""
    after = decode_cursor(cursor, 2)
    came = select(Listing.dataset_id, Listing.updated_at.label("at"), literal(value=False).label("is_gone"))
    left = select(ListingDeparture.dataset_id, ListingDeparture.left_at, literal(value=True))
    changes = came.union_all(left).subquery()
    statement = select(changes).order_by(changes.c.at.desc(), changes.c.dataset_id.desc())
    if after:
        before = (_instant(str(after[0])), storable(str(after[1])))
        statement = statement.where(tuple_(changes.c.at, changes.c.dataset_id) < before)
    rows = db.session.execute(statement.limit(size + 1)).all()
    page = cut(rows, size, lambda row: [clock.text(row.at), row.dataset_id])
    return Page([Change(*row) for row in page.items], page.next_cursor)


def list_parts(size: int) -> Sequence[Part]:
    """Return the catalogue cut into stretches of so many listings, oldest dataset first.

    Datasets that are registered come into the last one: those before keep where they begin.
    """
    return [Part(*row) for row in db.session.execute(_PARTS, {"size": size})]


def list_places_from(first_id: str, size: int) -> Sequence[Place]:
    """Return where so many listings stand from a dataset on, oldest first."""
    statement = _places().where(Listing.dataset_id >= storable(first_id)).order_by(Listing.dataset_id)
    return [Place(*row) for row in db.session.execute(statement.limit(size))]


def state() -> tuple[int, datetime | None]:
    """Return how many listings there are and when one last changed: one of both moves with every change of any."""
    counted, changed_at = db.session.execute(select(func.count(), func.max(Listing.updated_at))).one()
    return counted, changed_at


def find_documents(places: Sequence[Place]) -> dict[str, dict[str, Any]]:
    """Return the documents of listings as they stand now, by dataset."""
    found = select(Listing.dataset_id, Listing.document).where(
        Listing.dataset_id.in_([one.dataset_id for one in places])
    )
    return {row.dataset_id: row.document for row in db.session.execute(found)}


def batches() -> Iterator[Sequence[tuple[dict[str, Any], datetime]]]:
    """Yield all documents with their last change, in batches, oldest dataset first.

    Each batch is a transaction of its own: who reads slowly holds no connection meanwhile.
    """
    last = ""
    while True:
        with transaction():
            statement = select(Listing.dataset_id, Listing.document, Listing.updated_at)
            after = statement.where(Listing.dataset_id > last).order_by(Listing.dataset_id).limit(BATCH_ROWS)
            rows = db.session.execute(after).all()
        yield [(row.document, row.updated_at) for row in rows]
        if len(rows) < BATCH_ROWS:
            return
        last = rows[-1].dataset_id


def _places() -> Select[str, datetime]:
    return select(Listing.dataset_id, Listing.updated_at)


def _instant(text_of: str) -> datetime:
    try:
        return clock.parse(text_of)
    except ValueError as error:
        raise broken_cursor() from error
