"""The documents of the catalogue: kept as they are shown, so that reading them needs no joins.

Those listed to everybody and those listed to a private group stand in two tables. Whoever reads here without saying
for whom reads for the public; the same questions are asked whether a dataset is hidden from the reader or absent.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson
from sqlalchemy import Text, delete, select, text
from sqlalchemy.dialects.postgresql import JSONB, insert

from marketplace.catalog.errors import DatasetWithdrawn
from marketplace.catalog.models import Dataset, Listing, PrivateListing
from marketplace.catalog.sight import PUBLIC, Sight
from marketplace.catalog.states import DatasetState
from marketplace.kit import clock
from marketplace.kit.db import UtcDateTime, db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

Document = dict[str, Any]
BATCH_ROWS = 500
_SEEN = """(
    SELECT dataset_id, document, updated_at FROM listing
     UNION ALL SELECT dataset_id, document, updated_at FROM private_listing WHERE group_id = ANY(:groups)
) AS seen"""
_OVERDUE_SINCE = text("""
SELECT dataset_id FROM (
    SELECT dataset_id, document, updated_at FROM listing
     UNION ALL SELECT dataset_id, document, updated_at FROM private_listing
) AS listed
WHERE NOT document ? 'quality'
   OR ((document ->> 'due_at')::timestamptz < :now AND (document ->> 'due_at')::timestamptz >= updated_at)
ORDER BY dataset_id LIMIT :size
""")
_FIND = text(f"SELECT * FROM {_SEEN} WHERE dataset_id = ANY(:wanted)").columns(  # noqa: S608 - our own text
    dataset_id=Text, document=JSONB, updated_at=UtcDateTime
)
_IS = text(f"SELECT EXISTS (SELECT FROM {_SEEN} WHERE dataset_id = :wanted)")  # noqa: S608 - our own text
_NEWEST = "ORDER BY dataset_id DESC LIMIT :size"
_FIRST = text(f"SELECT * FROM {_SEEN} {_NEWEST}")  # noqa: S608 - our own text
_AFTER = text(f"SELECT * FROM {_SEEN} WHERE dataset_id < :last {_NEWEST}")  # noqa: S608 - our own text
_COUNT = text("""
SELECT (SELECT count(*) FROM listing) + (SELECT count(*) FROM private_listing WHERE group_id = ANY(:groups))
""")
_OF_ALL = text("""
SELECT dataset_id, document FROM listing WHERE dataset_id = ANY(:wanted)
 UNION ALL SELECT dataset_id, document FROM private_listing WHERE dataset_id = ANY(:wanted)
""")
_PUT_NEW = text("""
INSERT INTO listing (dataset_id, document, updated_at)
SELECT dataset_id, document, :now FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (dataset_id text, document jsonb)
""")
# What everybody saw leaves a row, so that whoever keeps a copy of the catalogue can be told to drop it.
_LEAVE = text("""
WITH gone AS (DELETE FROM listing WHERE dataset_id = :dataset_id RETURNING dataset_id)
INSERT INTO listing_departure (dataset_id, left_at) SELECT dataset_id, :now FROM gone
ON CONFLICT (dataset_id) DO UPDATE SET left_at = excluded.left_at
""")
_COME_BACK = text("""
WITH back AS (DELETE FROM listing_departure WHERE dataset_id = :dataset_id)
DELETE FROM private_listing WHERE dataset_id = :dataset_id
""")


@dataclass(frozen=True, slots=True)
class Listed:
    """The document of a dataset, and since when it stands."""

    dataset_id: str
    document: Document
    updated_at: datetime


def stand_in_line(dataset_id: str) -> None:
    """Wait for whoever changes what is shown of this dataset, and hold the place until the transaction ends.

    To be called before the change: what two stories write at once would else be composed without each
    other, and the last one would hide the first. Foreign keys to the dataset pass by (NO KEY).
    """
    statement = select(Dataset).where(Dataset.id == storable(dataset_id)).with_for_update(key_share=True)
    db.session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def put_listing(dataset_id: str, document: Document) -> None:
    """Show this document to the dataset's audience, and to nobody else, from now on; raises NotFound, DatasetWithdrawn.

    To a group, it says in ``audience`` to which: by that the search index goes.
    """
    # The lock makes a withdrawal wait: it drops the listing after us, and we never write one after it.
    wanted = select(Dataset.state, Dataset.audience).where(Dataset.id == dataset_id).with_for_update(read=True)
    found = db.session.execute(wanted).first()
    if found is None:
        raise NotFound
    if found.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    now = {"updated_at": clock.now()}
    if found.audience is None:
        row = now | {"document": document}
        db.session.execute(_COME_BACK, {"dataset_id": dataset_id})
        _put(Listing, dataset_id, row)
    else:
        row = now | {"document": document | {"audience": found.audience}, "group_id": found.audience}
        db.session.execute(_LEAVE, {"dataset_id": dataset_id, "now": clock.now()})
        _put(PrivateListing, dataset_id, row)


def put_new(documents: Sequence[Document]) -> None:
    """Show the documents of datasets that this very transaction has made: nobody else knows of them yet."""
    rows = [{"dataset_id": one["id"], "document": one} for one in documents]
    db.session.execute(_PUT_NEW, {"rows": orjson.dumps(rows).decode(), "now": clock.now()})


def drop_listing(dataset_id: str) -> None:
    """Show the dataset no longer, to nobody; nothing happens where it was not shown."""
    db.session.execute(_LEAVE, {"dataset_id": dataset_id, "now": clock.now()})
    db.session.execute(delete(PrivateListing).where(PrivateListing.dataset_id == dataset_id))


def find_listing(dataset_id: str, sight: Sight = PUBLIC) -> Listed | None:
    """Return a dataset's document and since when it stands, or None where the reader may not see it."""
    row = db.session.execute(_FIND, _asked(sight) | {"wanted": [storable(dataset_id)]}).first()
    return Listed(row.dataset_id, row.document, row.updated_at) if row else None


def is_listed(dataset_id: str, sight: Sight = PUBLIC) -> bool:
    """Tell whether the reader sees the dataset."""
    return bool(db.session.scalar(_IS, _asked(sight) | {"wanted": storable(dataset_id)}))


def find_listings(dataset_ids: Iterable[str], sight: Sight = PUBLIC) -> dict[str, Document]:
    """Return the documents of these datasets by id, without those that are not shown to the reader."""
    wanted = [storable(dataset_id) for dataset_id in dataset_ids]
    rows = db.session.connection().execute(_FIND, _asked(sight) | {"wanted": wanted})
    return {row.dataset_id: row.document for row in rows}


def list_listings(*, cursor: str | None = None, size: int = SIZE_DEFAULT, sight: Sight = PUBLIC) -> Page[Document]:
    """Return documents that the reader sees, latest registered dataset first."""
    after = decode_cursor(cursor, 1)
    asked = _asked(sight) | {"size": size + 1}
    last = {"last": storable(str(after[0]))} if after else {}
    rows = db.session.execute(_AFTER if after else _FIRST, asked | last).all()
    page = cut(rows, size, lambda row: [row.dataset_id])
    return Page([row.document for row in page.items], page.next_cursor)


def count_listings(sight: Sight = PUBLIC) -> int:
    """Return how many datasets the reader sees."""
    return db.session.scalar(_COUNT, _asked(sight)) or 0


def overdue_since_listed(now: datetime, size: int = 10_000) -> list[str]:
    """Return what was promised by ``now``, did not come, and was not yet late when it was listed, to whomever it is.

    And what was listed before datasets were judged at all. For those who list it anew, never for a reader.
    """
    return list(db.session.scalars(_OVERDUE_SINCE, {"now": now, "size": size}))


def find_for_index(dataset_ids: Iterable[str]) -> dict[str, Document]:
    """Return the documents of these datasets to whomever they are shown: for the search index, never for a reader."""
    rows = db.session.connection().execute(_OF_ALL, {"wanted": [storable(one) for one in dataset_ids]})
    return {row.dataset_id: row.document for row in rows}


def all_for_index() -> Iterator[Document]:
    """Yield every document to whomever it is shown: what the search index is rebuilt from, never for a reader."""
    yield from all_documents()
    yield from _all_of(PrivateListing)


def all_documents() -> Iterator[Document]:
    """Yield every public document, a few hundred in memory at a time."""
    yield from _all_of(Listing)


def _all_of(table: type[Listing] | type[PrivateListing]) -> Iterator[Document]:
    last = ""
    while True:
        rows = db.session.execute(
            select(table.dataset_id, table.document)
            .where(table.dataset_id > last)
            .order_by(table.dataset_id)
            .limit(BATCH_ROWS)
        ).all()
        yield from (row.document for row in rows)
        if len(rows) < BATCH_ROWS:
            return
        last = rows[-1].dataset_id


def _put(table: type[Listing] | type[PrivateListing], dataset_id: str, row: dict[str, Any]) -> None:
    statement = insert(table).values(dataset_id=dataset_id, **row)
    db.session.execute(statement.on_conflict_do_update(index_elements=["dataset_id"], set_=row))


def _asked(sight: Sight) -> dict[str, Any]:
    return {"groups": sorted(sight.groups)}
