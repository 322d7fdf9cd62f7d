"""Tracing: each grant's own copy of a table, where the terms say so, and whose copy a leak is."""

import hashlib
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from marketplace.access import copies
from marketplace.access.copies import COPY_JOB, Traced
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog.disposals import service as disposals
from marketplace.delivery.tracing import marking, matching, reading
from marketplace.delivery.tracing.marking import Pools
from marketplace.delivery.tracing.matching import WAYS, Leak, Score
from marketplace.delivery.tracing.reading import NoTable, Records, Table
from marketplace.exchange import disposing, facilities
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, installation_key, jobs
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Tracing

log = logging.getLogger(__name__)
PURPOSE = "leak tracing"
LEFT_AFTER = timedelta(minutes=30)
MAKERS: Mapping[str, Callable[[Records, bytes], bytes]] = {
    Tracing.ROW_ORDER: marking.reordered,
    Tracing.CANARY: marking.with_canaries,
}


@dataclass(frozen=True, slots=True)
class Suspect:
    """A grant whose copy a leak is compared with, and what speaks against it."""

    grant_id: str
    source_sha256: str
    method: str
    score: Score


@dataclass(frozen=True, slots=True)
class Outcome:
    """Whom a leak names, most certain first; nobody where ``named`` is empty. ``closest`` is told for the reader.

    ``rows`` are those of the leak that a traced content has, ``comparisons`` how often chance had its chance.
    """

    sha256: str
    named: list[Suspect]
    closest: Suspect | None
    rows: int
    comparisons: int


@jobs.task(COPY_JOB, slow=True)
def make_copies(source_sha256: str) -> None:
    """Make the copies of a content that grants wait for, each kept as soon as it is there."""
    source: Records | None = None
    is_read = False
    while True:
        with transaction():
            waiting = copies.find_waiting(source_sha256)
            if waiting is None:
                return
            if not is_read:
                source, is_read = _records(source_sha256), True
            made = _made(source, waiting.grant_id, source_sha256, waiting.method)
            if made is None:
                copies.keep(waiting.grant_id, source_sha256, source_sha256, _size_of(source_sha256))
                continue
            stored = disposing.receive([made], len(made))
            copies.keep(waiting.grant_id, source_sha256, stored.sha256, stored.size_bytes)
            disposals.named(stored.sha256)


@jobs.task("delivery.copy_left", cron="41 * * * *")
def make_left() -> None:
    """Order copies again that were given up: without them their grants open nothing."""
    with transaction():
        for sha256 in copies.list_waiting_sources(clock.now() - LEFT_AFTER):
            jobs.enqueue(COPY_JOB, source_sha256=sha256, lock=f"{COPY_JOB} {sha256}")


def trace(content: bytes, dataset_id: str | None = None) -> Outcome:
    """Tell whose copy a leaked table is, among all that were made, or among those of one dataset.

    Names nobody rather than the wrong one: see ``delivery.tracing.matching``. That it was asked stands in the record,
    with who was named. Raises NoTable for what cannot be read as one.
    """
    leaked = reading.read(content)
    suspects: list[Suspect] = []
    rows = comparisons = 0
    for source_sha256, of_source in groupby(copies.list_traced(dataset_id), lambda one: one.source_sha256):
        leak, found = _compared(leaked, source_sha256, of_source)
        suspects += found
        rows = max(rows, len(leak.known))
    comparisons = len(suspects) * WAYS
    outcome = _outcome(hashlib.sha256(content).hexdigest(), suspects, rows, comparisons)
    with transaction():
        facts = {"grant_ids": [one.grant_id for one in outcome.named], "comparisons": comparisons}
        audit.record(SYSTEM, Verb.LEAK_TRACED, subject=outcome.sha256, dataset=dataset_id, facts=facts)
    return outcome


def _outcome(sha256: str, suspects: list[Suspect], rows: int, comparisons: int) -> Outcome:
    by_copy = {f"{one.grant_id} {one.source_sha256}": one for one in suspects}
    sure = matching.named({key: one.score for key, one in by_copy.items()}, comparisons)
    closest = min(suspects, key=lambda one: one.score.chance, default=None)
    return Outcome(sha256, [by_copy[key] for key in sure], closest, rows, comparisons)


def _compared(leaked: Table, source_sha256: str, traced: Iterable[Traced]) -> tuple[Leak, list[Suspect]]:
    source = reading.split(_bytes_of(source_sha256)).table
    leak = Leak.of(leaked, source)
    return leak, list(_suspects(leak, Pools.of(source), traced))


def _suspects(leak: Leak, pools: Pools, traced: Iterable[Traced]) -> Iterator[Suspect]:
    for one in traced:
        seed = _seed(one.grant_id, one.source_sha256)
        by_order = one.method == Tracing.ROW_ORDER
        score = matching.order_score(leak, seed) if by_order else matching.canary_score(leak, pools, seed)
        yield Suspect(one.grant_id, one.source_sha256, one.method, score)


def _made(source: Records | None, grant_id: str, source_sha256: str, method: str) -> bytes | None:
    """Return a grant's copy; None where the source is delivered as it is."""
    try:
        return MAKERS[method](source, _seed(grant_id, source_sha256)) if source is not None else None
    except NoTable as reason:
        log.warning("the content %s is delivered without marks: %s", source_sha256, reason)
        return None


def _records(sha256: str) -> Records | None:
    try:
        return reading.split(_bytes_of(sha256))
    except NoTable as reason:
        log.warning("the content %s is delivered as it is: %s", sha256, reason)
        return None


def _bytes_of(sha256: str) -> bytes:
    # One byte more than is taken apart: what is larger is told by that.
    with facilities.current().store.open(sha256) as file:
        return file.read(reading.BYTES_MAX + 1)


def _size_of(sha256: str) -> int:
    with facilities.current().store.open(sha256) as file:
        return file.seek(0, 2)


def _seed(grant_id: str, sha256: str) -> bytes:
    return marking.seed_of(installation_key.derived(PURPOSE), grant_id, sha256)
