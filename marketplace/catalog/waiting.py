"""Datasets that the search index has yet to follow: named in the story's own transaction, crossed off when done."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager

from sqlalchemy import ColumnElement, Row, delete, exists, func, select, text, tuple_, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalog import changes
from marketplace.catalog.models import SearchWaiting
from marketplace.kit import clock
from marketplace.kit.db import db

BATCH_ROWS = 500
Turn = Row[str, int]
_LOCK = 0x736561726368  # "search"
_WAIT_ALL = text("INSERT INTO search_waiting (dataset_id) SELECT unnest(CAST(:dataset_ids AS text[]))")
_FRESH = SearchWaiting.refused_at.is_(None)


def wait(dataset_id: str) -> None:
    """Have the search index follow this dataset; a dataset that waits already stands last again."""
    added = insert(SearchWaiting).values(dataset_id=dataset_id)
    row = {"sequence": added.excluded.sequence, "refused_at": None}
    db.session.execute(added.on_conflict_do_update(index_elements=["dataset_id"], set_=row))
    changes.note(dataset_id)


def wait_all(dataset_ids: Iterable[str]) -> None:
    """Have the search index follow datasets that this very transaction has made, in few statements."""
    asked = sorted(dataset_ids)
    db.session.execute(_WAIT_ALL, {"dataset_ids": asked})
    changes.note_all(asked)


def is_any() -> bool:
    """Tell whether a dataset waits that the index has not refused."""
    return bool(db.session.scalar(select(exists().where(_FRESH))))


def list_next() -> Sequence[Turn]:
    """Return (dataset_id, sequence) of those that have waited longest, as many as one commit of the index takes."""
    query = select(SearchWaiting.dataset_id, SearchWaiting.sequence).where(_FRESH)
    return db.session.execute(query.order_by(SearchWaiting.sequence).limit(BATCH_ROWS)).all()


def cross_off(done: Sequence[Turn]) -> None:
    """Let these wait no longer. Whoever was entered anew meanwhile has another number, and goes on waiting."""
    db.session.execute(delete(SearchWaiting).where(_among(done)))


def put_aside(refused: Sequence[Turn]) -> None:
    """Keep these, but where they hold up nobody: the index could not take their documents."""
    db.session.execute(update(SearchWaiting).where(_among(refused)).values(refused_at=clock.now()))


def take_up_again() -> bool:
    """Give another turn to those that were put aside; returns whether any dataset waits at all."""
    db.session.execute(update(SearchWaiting).where(~_FRESH).values(refused_at=None))
    return is_any()


@contextmanager
def one_at_a_time() -> Iterator[bool]:
    """Tell whether nobody else, in any process, follows at the moment, and keep others out until the end.

    Who is told no need not come back: whoever was at it looks for more once it has let go.
    """
    # A connection of its own, since transactions end meanwhile; the lock ends with it, also when we are killed.
    with db.engine.connect() as connection:
        yield bool(connection.scalar(select(func.pg_try_advisory_xact_lock(_LOCK))))


def _among(turns: Sequence[Turn]) -> ColumnElement[bool]:
    return tuple_(SearchWaiting.dataset_id, SearchWaiting.sequence).in_([tuple(turn) for turn in turns])
