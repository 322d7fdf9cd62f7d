"""One story, one transaction: the only place that commits."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from marketplace.kit.db import db

log = logging.getLogger(__name__)
_OPEN = "marketplace.transaction"
_AFTER = "marketplace.after_commit"


@contextmanager
def transaction() -> Iterator[None]:
    """Commit everything inside, or nothing; refuses to be nested, since half a story must not be kept."""
    session = db.session()
    if session.info.get(_OPEN):
        raise RuntimeError("a transaction is already open: stories are not nested")
    session.info[_OPEN] = True
    session.info[_AFTER] = []
    try:
        yield
        session.commit()
    except BaseException:
        session.rollback()
        session.info[_AFTER] = []
        raise
    finally:
        session.info[_OPEN] = False
    for deed in session.info.pop(_AFTER):
        _run(deed)


def after_commit(deed: Callable[[], object]) -> None:
    """Run the deed once the open transaction is kept; never when it is rolled back."""
    session = db.session()
    if not session.info.get(_OPEN):
        raise RuntimeError("after_commit needs an open transaction")
    session.info[_AFTER].append(deed)


def _run(deed: Callable[[], object]) -> None:
    # The story is kept already: a deed that fails now must not turn its answer into an error.
    try:
        deed()
    except Exception:
        log.exception("after-commit deed failed")
