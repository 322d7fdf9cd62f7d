"""Disposing: bytes that no file needs any more leave the store, and so do those that the law lets nobody have.

Bytes are kept before a file names them, and a store knows each content once. So whoever keeps bytes says so first, and
whoever removes them looks whether anybody has said so: both stand alone with the name of the content while they do.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import Any

from marketplace.access import copies, policed
from marketplace.catalog import sketches
from marketplace.catalog.disposals import queries, service
from marketplace.delivery.stores import Stored
from marketplace.exchange import facilities
from marketplace.kit import clock, jobs
from marketplace.kit.rounds import Rounds
from marketplace.kit.transaction import is_open, transaction
from marketplace.privacy import queries as privacy
from marketplace.privacy import service as gate

FORGET_SECONDS = 600.0


def receive(
    chunks: Iterable[bytes], limit_bytes: int, sha256: str | None = None, size_bytes: int | None = None
) -> Stored:
    """Keep bytes that a file, or something made of one, is about to name; those that are refused leave nothing.

    Raises what the store raises, and MyNumberFound.
    """
    return facilities.current().store.receive(chunks, limit_bytes, sha256, size_bytes, judge=_expect)


def _expect(stored: Stored) -> None:
    if is_open():
        _expect_now(stored.sha256)
        return
    with transaction():
        _expect_now(stored.sha256)


def _expect_now(sha256: str) -> None:
    service.expect(sha256)
    gate.refuse_blocked(sha256)


@jobs.task(service.DISPOSE_JOB, slow=True)
def dispose(sha256: str) -> None:
    """Remove bytes that nothing needs, and note it; whoever dies in between leaves it to be done again.

    What is refused is removed even while somebody is about to keep it: that is looked at again when it is due.
    """
    means = facilities.current()
    with transaction():
        service.stand_alone(sha256)
        pending, now = queries.list_pending(sha256), clock.now()
        refused = privacy.is_blocked(sha256)
        due = [one for one in pending if one.due_at <= now]
        if not due or queries.is_held(sha256) or (len(due) < len(pending) and not refused):
            return
        parts = queries.parts_of(sha256) if refused else ()
        if is_unwanted := not _is_needed(sha256, refused=refused):
            service.forget_conversions(sha256)
            sketches.forget(sha256)
            means.store.remove(sha256)
            for part in parts:
                means.parts.discard(part)
        service.settle(due, removed=is_unwanted)


def _is_needed(sha256: str, *, refused: bool) -> bool:
    return queries.is_named(sha256, refused=refused) or copies.is_kept(sha256) or policed.is_kept(sha256)


@jobs.task("catalog.dispose_due", cron="9 * * * *", slow=True)
def dispose_due() -> None:
    """Look at all contents whose time has come: those whose job failed, that were held, or that nobody named."""
    with transaction():
        due = queries.list_due()
    for sha256 in due:
        dispose(sha256)


def rounds(context: Callable[[], Any]) -> Rounds:
    """Return what removes from this machine's cache what is refused, at the start and every ten minutes."""
    return Rounds("copies-forgotten", forget_near, context, interval=FORGET_SECONDS, rest=FORGET_SECONDS)


def forget_near() -> None:
    """Remove from this machine's cache what another one has removed from the store because it is refused."""
    facilities.current().store.forget_near(_refused)


def _refused(sha256s: Sequence[str]) -> Collection[str]:
    with transaction():
        refused = privacy.blocked_among(sha256s)
        return {sha256 for sha256 in refused if not _is_needed(sha256, refused=True)}
