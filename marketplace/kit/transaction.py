"""One story, one transaction: the only place that commits."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from marketplace.kit.db import db

log = logging.getLogger(__name__)
_OPEN = "marketplace.transaction"
_AFTER = "marketplace.after_commit"
_KEPT = "marketplace.kept"
Row = TypeVar("Row")


@contextmanager
def transaction() -> Iterator[None]:
    """Commit everything inside, or nothing; refuses to be nested, since half a story must not be kept."""
    session = db.session()
    if session.info.get(_OPEN):
        raise RuntimeError("a transaction is already open: stories are not nested")
    session.info[_OPEN] = True
    session.info[_AFTER] = []
    session.info[_KEPT] = []
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        session.info[_AFTER] = []
        raise
    finally:
        session.info[_OPEN] = False
        del session.info[_KEPT]
    for deed in session.info.pop(_AFTER):
        _run(deed)


def is_open() -> bool:
    """Tell whether a story is open already, for the few deeds that belong to no story of their own."""
    return bool(db.session().info.get(_OPEN))


def after_commit(deed: Callable[[], object]) -> None:
    """Run the deed once the open transaction is kept; never when it is rolled back."""
    session = db.session()
    if not session.info.get(_OPEN):
        raise RuntimeError("after_commit needs an open transaction")
    session.info[_AFTER].append(deed)


def keep(row: Row) -> Row:
    """Hold a row until the open transaction ends, so that who gets it by its key again asks no database.

    The session forgets rows that nobody holds. For the few that many parts of one story ask for.
    """
    db.session.info.get(_KEPT, []).append(row)
    return row


def _run(deed: Callable[[], object]) -> None:
    # The story is kept already: a deed that fails now must not turn its answer into an error.
    try:
        deed()
    except Exception:
        log.exception("after-commit deed failed")
