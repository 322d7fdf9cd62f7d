"""The public listings in the orders that foreign catalogues are paged through: by id, by last change, by tag.

Every statement here reads the table of public listings alone: what is listed to a group is not in it.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import text

from marketplace.kit.db import UtcDateTime, db
from marketplace.kit.texts import storable

_BETWEEN = """
       (CAST(:since AS timestamptz) IS NULL OR l.updated_at >= CAST(:since AS timestamptz))
   AND (CAST(:until AS timestamptz) IS NULL OR l.updated_at <= CAST(:until AS timestamptz))
"""
_ORDERS = {
    "id": "l.dataset_id",
    "id desc": "l.dataset_id DESC",
    "changed": "l.updated_at, l.dataset_id",
    "changed desc": "l.updated_at DESC, l.dataset_id DESC",
}
_PAGES = {
    name: text(
        f"SELECT l.dataset_id, l.document, l.updated_at FROM listing l WHERE {_BETWEEN}"  # noqa: S608 - made of constants
        f" ORDER BY {order} OFFSET :start LIMIT :size"
    ).columns(updated_at=UtcDateTime)
    for name, order in _ORDERS.items()
}
_COUNT = text(f"SELECT count(*) FROM listing l WHERE {_BETWEEN}")  # noqa: S608 - as above
_AMONG = text(
    f"SELECT l.dataset_id, l.updated_at FROM listing l WHERE {_BETWEEN}"  # noqa: S608 - as above
    " AND l.dataset_id = ANY(:wanted)"
).columns(updated_at=UtcDateTime)
_MANY = text("SELECT l.dataset_id, l.document, l.updated_at FROM listing l WHERE l.dataset_id = ANY(:wanted)").columns(
    updated_at=UtcDateTime
)
_NAMES = text("SELECT l.dataset_id FROM listing l ORDER BY 1 OFFSET :start LIMIT :size")
_TAGS = text("""
SELECT tag FROM listing l JOIN dataset d ON d.id = l.dataset_id, jsonb_array_elements_text(d.keywords) AS tag
 WHERE (CAST(:part AS text) IS NULL OR strpos(lower(tag), lower(CAST(:part AS text))) > 0)
 GROUP BY tag ORDER BY tag OFFSET :start LIMIT :size
""")
_TAGGED = text("""
SELECT l.dataset_id FROM listing l JOIN dataset d ON d.id = l.dataset_id
 WHERE d.keywords @> jsonb_build_array(CAST(:tag AS text)) ORDER BY 1 LIMIT :size
""")
_SOURCES = text("""
SELECT d.id, d.source FROM listing l JOIN dataset d ON d.id = l.dataset_id
 WHERE d.source IS NOT NULL AND d.id = ANY(:wanted)
""")


@dataclass(frozen=True, slots=True)
class Shelved:
    """A public document, and when it changed last."""

    dataset_id: str
    document: dict[str, Any]
    updated_at: datetime


def list_shelved(
    order: str, start: int, size: int, since: datetime | None = None, until: datetime | None = None
) -> list[Shelved]:
    """Return documents from a place on, by ``id``, ``id desc``, ``changed`` or ``changed desc``."""
    rows = _rows(_PAGES[order], start=start, size=size, since=since, until=until)
    return [Shelved(row.dataset_id, row.document, row.updated_at) for row in rows]


def count_shelved(since: datetime | None = None, until: datetime | None = None) -> int:
    """Return how many documents changed in this time."""
    return int(_rows(_COUNT, since=since, until=until)[0][0])


def find_shelved(dataset_ids: Collection[str]) -> dict[str, Shelved]:
    """Return these documents by id, without those that are not public."""
    rows = _rows(_MANY, wanted=[storable(one) for one in dataset_ids])
    return {row.dataset_id: Shelved(row.dataset_id, row.document, row.updated_at) for row in rows}


def changed_at(
    dataset_ids: Collection[str], since: datetime | None = None, until: datetime | None = None
) -> dict[str, datetime]:
    """Return when each of these changed last, without those that did not change in this time."""
    rows = _rows(_AMONG, wanted=list(dataset_ids), since=since, until=until)
    return {row.dataset_id: row.updated_at for row in rows}


def list_ids(start: int, size: int | None) -> list[str]:
    """Return the ids of documents in their order, all from a place on where there is no size."""
    return [str(row[0]) for row in _rows(_NAMES, start=start, size=size)]


def list_tags(part: str | None, start: int, size: int) -> list[str]:
    """Return the tags of public documents that hold a part, in order."""
    return [str(row[0]) for row in _rows(_TAGS, part=None if part is None else storable(part), start=start, size=size)]


def list_tagged(tag: str, size: int) -> list[str]:
    """Return the ids of the public documents with exactly this tag."""
    return [str(row[0]) for row in _rows(_TAGGED, tag=storable(tag), size=size)]


def sources_of(dataset_ids: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the foreign records from which these were imported, by id."""
    return {row.id: row.source for row in _rows(_SOURCES, wanted=list(dataset_ids))}


def _rows(statement: Any, **asked: Any) -> Sequence[Any]:
    return db.session.connection().execute(statement, asked).all()
