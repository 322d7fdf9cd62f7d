"""The public documents of the catalogue: kept as they are shown, so that reading them needs no joins."""

from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import delete, func, select, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalog.errors import DatasetWithdrawn
from marketplace.catalog.models import Dataset, Listing
from marketplace.catalog.states import DatasetState
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

Document = dict[str, Any]
BATCH_ROWS = 500
_FIND = text("SELECT dataset_id, document FROM listing WHERE dataset_id = ANY(:wanted)")


def stand_in_line(dataset_id: str) -> None:
    """Wait for whoever changes what is shown of this dataset, and hold the place until the transaction ends.

    To be called before the change: what two stories write at once would else be composed without each
    other, and the last one would hide the first. Foreign keys to the dataset pass by (NO KEY).
    """
    statement = select(Dataset).where(Dataset.id == storable(dataset_id)).with_for_update(key_share=True)
    db.session.scalars(statement.execution_options(populate_existing=True)).one_or_none()


def put_listing(dataset_id: str, document: Document) -> None:
    """Show this document for the dataset from now on; raises NotFound, or DatasetWithdrawn."""
    # The lock makes a withdrawal wait: it drops the listing after us, and we never write one after it.
    state = db.session.scalar(select(Dataset.state).where(Dataset.id == dataset_id).with_for_update(read=True))
    if state is None:
        raise NotFound
    if state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    row = {"document": document, "updated_at": clock.now()}
    statement = insert(Listing).values(dataset_id=dataset_id, **row)
    db.session.execute(statement.on_conflict_do_update(index_elements=["dataset_id"], set_=row))


def drop_listing(dataset_id: str) -> None:
    """Show the dataset no longer; nothing happens where it was not shown."""
    db.session.execute(delete(Listing).where(Listing.dataset_id == dataset_id))


def find_listing(dataset_id: str) -> Listing | None:
    """Return a dataset's document and since when it stands, or None where the public may not see it."""
    statement = select(Listing).where(Listing.dataset_id == storable(dataset_id))
    return db.session.scalar(statement.execution_options(populate_existing=True))


def is_listed(dataset_id: str) -> bool:
    """Tell whether the public sees the dataset."""
    listed = select(Listing.dataset_id).where(Listing.dataset_id == storable(dataset_id))
    return db.session.scalar(listed) is not None


def find_listings(dataset_ids: Iterable[str]) -> dict[str, Document]:
    """Return the public documents of these datasets by id, without those that are not shown."""
    wanted = [storable(dataset_id) for dataset_id in dataset_ids]
    rows = db.session.connection().execute(_FIND, {"wanted": wanted})
    return {row.dataset_id: row.document for row in rows}


def list_listings(*, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Document]:
    """Return public documents, latest registered dataset first."""
    statement = select(Listing.dataset_id, Listing.document).order_by(Listing.dataset_id.desc())
    after = decode_cursor(cursor, 1)
    if after:
        statement = statement.where(Listing.dataset_id < storable(str(after[0])))
    rows = db.session.execute(statement.limit(size + 1)).all()
    page = cut(rows, size, lambda row: [row.dataset_id])
    return Page([row.document for row in page.items], page.next_cursor)


def count_listings() -> int:
    """Return how many datasets the public sees."""
    return db.session.scalar(select(func.count()).select_from(Listing)) or 0


def all_documents() -> Iterator[Document]:
    """Yield every public document, a few hundred in memory at a time: what the search index is rebuilt from."""
    last = ""
    while True:
        rows = db.session.execute(
            select(Listing.dataset_id, Listing.document)
            .where(Listing.dataset_id > last)
            .order_by(Listing.dataset_id)
            .limit(BATCH_ROWS)
        ).all()
        yield from (row.document for row in rows)
        if len(rows) < BATCH_ROWS:
            return
        last = rows[-1].dataset_id
