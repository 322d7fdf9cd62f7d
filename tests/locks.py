"""The order in which a story takes its locks, watched statement by statement."""

import re
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqlalchemy import event
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

ORDER = (
    "stripe_event",
    "payment",
    "offer",
    "bank_line",
    "buyer_account",
    "invoice",
    "refund",
    "dispute",
    "purchase_order",
    "subscription",
    "subscription_term",
    "access_grant",
    "quota",
    "budget",
    "payout_account",
    "payout",
    "the ledger",
    "document",
    "document_counter",
)
"""What a transaction locks first comes first; ``marketplace/billing/README.md`` says the same."""
_LOCKED = re.compile(r"\bFROM (\w+)\b.*\bFOR (?:UPDATE|NO KEY UPDATE|SHARE)\b", re.DOTALL)
_CHANGED = re.compile(r"\s*(?:UPDATE|DELETE FROM) (\w+)\b")
_MADE = re.compile(r"\s*INSERT INTO (\w+)\b")
_SHARED = ("buyer_account", "document_counter", "dispute")
"""Made by whoever comes first, and then locked by all."""
_POSTED = re.compile(r"\bledger_(?:post|open_accounts)\(")


class Watch:
    """The transaction at hand of each thread, and every lock that came too late in one."""

    def __init__(self) -> None:
        self.inversions: list[str] = []
        self._made: dict[int, set[str]] = defaultdict(set)
        self._locked: dict[int, list[str]] = defaultdict(list)

    def statement(self, _conn: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        """Note what a statement locks."""
        made, story = _MADE.match(statement), threading.get_ident()
        if made:
            self._made[story].update({made[1]}.difference(_SHARED))
            return
        held = self._locked[story]
        found = "the ledger" if _POSTED.search(statement) else _table(statement)
        # Of a table in which it made a row, a transaction most likely locks that one, which nobody else knows.
        if found not in ORDER or found in self._made[story] or found in held:
            return
        later = [one for one in held if ORDER.index(one) > ORDER.index(found)]
        if later:
            self.inversions.append(f"{found} after {', '.join(later)}")
        held.append(found)

    def over(self, session: Session) -> None:
        """Begin anew: the transaction is over."""
        if not session.in_nested_transaction():
            self._made.pop(threading.get_ident(), None)
            self._locked.pop(threading.get_ident(), None)


def _table(statement: str) -> str:
    locked = _LOCKED.search(statement) or _CHANGED.match(statement)
    return locked[1] if locked else ""


@contextmanager
def watched() -> Iterator[Watch]:
    """Watch every transaction of this block."""
    watch = Watch()
    event.listen(Engine, "before_cursor_execute", watch.statement)
    event.listen(Session, "after_commit", watch.over)
    event.listen(Session, "after_rollback", watch.over)
    try:
        yield watch
    finally:
        event.remove(Engine, "before_cursor_execute", watch.statement)
        event.remove(Session, "after_commit", watch.over)
        event.remove(Session, "after_rollback", watch.over)
