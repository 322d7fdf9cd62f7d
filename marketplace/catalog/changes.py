"""Which listings changed since when: what the search index of another machine goes by, as often as it likes.

Time is counted in transactions, not by a clock: one that began earlier may commit later, and must not be missed.
"""

from collections.abc import Sequence

from sqlalchemy import BigInteger, Row, Text, cast, func, select, tuple_
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalog.models import SearchChange
from marketplace.kit.db import db

BATCH_ROWS = 500
Change = Row[str, int]
_THIS = cast(cast(func.pg_current_xact_id(), Text), BigInteger)
_OLDEST_OPEN = cast(cast(func.pg_snapshot_xmin(func.pg_current_snapshot()), Text), BigInteger)


def note(dataset_id: str) -> None:
    """Note that this transaction changes what is listed of a dataset."""
    added = insert(SearchChange).values(dataset_id=dataset_id, changed_in=_THIS)
    row = {"changed_in": added.excluded.changed_in}
    db.session.execute(added.on_conflict_do_update(index_elements=["dataset_id"], set_=row))


def note_all(dataset_ids: Sequence[str]) -> None:
    """Note that this transaction lists these datasets for the first time."""
    rows = [{"dataset_id": dataset_id, "changed_in": _THIS} for dataset_id in dataset_ids]
    if rows:
        db.session.execute(insert(SearchChange).values(rows))


def settled_before() -> int:
    """Return the oldest transaction that may still be open: whatever is older has happened, or never will."""
    return db.session.execute(select(_OLDEST_OPEN)).scalar_one()


def list_since(transaction: int, after: Change | None = None) -> Sequence[Change]:
    """Return (dataset_id, changed_in) of what changed in this transaction or later, oldest first, a batch at a time."""
    place = tuple_(SearchChange.changed_in, SearchChange.dataset_id)
    query = select(SearchChange.dataset_id, SearchChange.changed_in).where(SearchChange.changed_in >= transaction)
    if after is not None:
        query = query.where(place > (after.changed_in, after.dataset_id))
    return db.session.execute(query.order_by(SearchChange.changed_in, SearchChange.dataset_id).limit(BATCH_ROWS)).all()
