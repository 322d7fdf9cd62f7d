"""Ways through a foreign catalogue, batch by batch, from wherever a run was cut off."""

from collections.abc import Generator, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

from marketplace.catalog.harvesting import ckan_pages, documents, queries, rules
from marketplace.catalog.harvesting.errors import SourceUnreadable
from marketplace.catalog.harvesting.rules import Record
from marketplace.catalog.harvesting.service import RunAt
from marketplace.catalog.harvesting.states import HarvestProblem, SourceKind
from marketplace.exchange.harvest_fetching import Reach, StatusOther
from marketplace.kit.transaction import transaction

RECORDS_MAX = 2_000_000
PAGES_MAX = 20_000
STALE_PAGES_MAX = 3
SHOWN_AT_ONCE = 20
GONE = frozenset({403, 404, 410})


@dataclass(frozen=True, slots=True)
class Step:
    """Some records, where to go on after them, and how many the catalogue says there are."""

    records: list[Record]
    cursor: dict[str, Any]
    announced: int | None


@dataclass(frozen=True, slots=True)
class Seen:
    """What a whole walk knows at its end: all names that are listed, where it asked, and the newest change."""

    names: set[str] | None
    newest: str


Walk = Generator[Step, int, Seen]
"""Yields steps, is told how many records of each the run had not met before, and returns what it has seen."""


def walk(at: RunAt, reach: Reach) -> Walk:
    """Return the way through the catalogue of a run; raises SourceUnreadable where it ends before the end."""
    return _ckan(at, reach) if at.kind is SourceKind.CKAN else _document(at, reach)


def _ckan(at: RunAt, reach: Reach) -> Walk:
    base = rules.base_of(at.address)
    newest = str(at.cursor.get("newest", ""))
    if at.cursor.get("phase", "search") == "search":
        newest = yield from _search(at, reach, base)
    names = _names(reach, base)
    if names is None and at.cursor.get("phase") == "names":
        raise SourceUnreadable(HarvestProblem.UNREADABLE, "neither package_search nor package_list answers")
    yield from _missing(reach, base, sorted(_unmet(at, names or set())), newest)
    return Seen(names, newest)


def _search(at: RunAt, reach: Reach, base: str) -> Generator[Step, int, str]:
    start, rows = int(at.cursor.get("start", 0)), int(at.cursor.get("rows", ckan_pages.ROWS))
    newest, stale = str(at.cursor.get("newest", "")), 0
    while start < RECORDS_MAX:
        try:
            page = ckan_pages.read_search(reach.page(ckan_pages.search_address(base, start, rows, at.since)))
        except SourceUnreadable as failure:
            if failure.problem is HarvestProblem.TOO_LARGE:
                start, rows = yield from _smaller(start, rows, newest)
                continue
            if start or not _is_unsearchable(failure):
                raise
            at.cursor["phase"] = "names"
            return newest
        if not page.records:
            return newest
        newest, start = max(newest, page.newest), start + len(page.records)
        fresh = yield Step(page.records, _at(start, rows, newest), page.total)
        stale = 0 if fresh else stale + 1
        if stale > STALE_PAGES_MAX:
            raise SourceUnreadable(HarvestProblem.LOOP, f"at record {start}")
        if start >= page.total:
            return newest
    raise SourceUnreadable(HarvestProblem.LOOP, f"more than {RECORDS_MAX:,} records")


def _smaller(start: int, rows: int, newest: str) -> Generator[Step, int, tuple[int, int]]:
    """Ask for fewer records at once; one that is too large by itself is told and passed by."""
    if rows > 1:
        return start, max(1, rows // 8)
    lost = Record("", "", {"title": f"record {start + 1}: larger than a page may be"})
    yield Step([lost], _at(start + 1, ckan_pages.ROWS, newest), None)
    return start + 1, ckan_pages.ROWS


def _at(start: int, rows: int, newest: str) -> dict[str, Any]:
    return {"phase": "search", "start": start, "rows": rows, "newest": newest}


def _is_unsearchable(failure: SourceUnreadable) -> bool:
    return failure.problem in {HarvestProblem.STATUS, HarvestProblem.UNREADABLE}


def _names(reach: Reach, base: str) -> set[str] | None:
    """Return the names of all records; None where the catalogue does not list them."""
    names: set[str] = set()
    while len(names) < ckan_pages.NAMES_MAX:
        try:
            found = ckan_pages.read_names(reach.page(ckan_pages.names_address(base, len(names), ckan_pages.NAMES)))
        except SourceUnreadable as failure:
            if not _is_unsearchable(failure):
                raise
            return None
        if not set(found) - names:
            return names
        names |= set(found)
        # Some sites know no pages, and answer with all of them at once.
        if len(found) != ckan_pages.NAMES:
            return names
    raise SourceUnreadable(HarvestProblem.LOOP, f"more than {ckan_pages.NAMES_MAX:,} names")


def _unmet(at: RunAt, names: set[str]) -> set[str]:
    """Return the names whose records are to be asked for one by one; all, where nothing tells which have changed."""
    asks_all = at.is_full or at.cursor.get("phase") == "names"
    with transaction():
        met = queries.seen_names(at.run_id)
        return names - met - (set() if asks_all else queries.known_names(at.harvest_id))


def _missing(reach: Reach, base: str, names: list[str], newest: str) -> Generator[Step, int, None]:
    for first in range(0, len(names), SHOWN_AT_ONCE):
        shown = [_show(reach, base, name) for name in names[first : first + SHOWN_AT_ONCE]]
        yield Step([one for one in shown if one], {"phase": "names", "newest": newest}, None)


def _show(reach: Reach, base: str, name: str) -> Record | None:
    try:
        return ckan_pages.read_show(reach.page(ckan_pages.show_address(base, name)))
    except StatusOther as other:
        if other.status in GONE:
            return None
        raise


def _document(at: RunAt, reach: Reach) -> Walk:
    """Read a whole document, and those that it says come next; a page that was met before is a loop."""
    done, address, pages = int(at.cursor.get("done", 0)), str(at.cursor.get("page", at.address)), 0
    while address:
        confined, is_resumed = documents.Confined(at.kind), done > 0
        with reach.document(address) as path:
            read = documents.read(at.kind, path) if at.kind is SourceKind.PACKAGES else confined.read(path)
            fresh = yield from _batches(islice(read, done, None), done, address)
        pages, done = pages + 1, 0
        address = _following(at, confined.next_page)
        if address and ((not fresh and not is_resumed) or pages >= PAGES_MAX):
            raise SourceUnreadable(HarvestProblem.LOOP, f"after {pages} pages")
    return Seen(None, "")


def _batches(records: Iterable[Record], done: int, address: str) -> Generator[Step, int, int]:
    rest, total = iter(records), 0
    while batch := _next_batch(rest):
        done += len(batch)
        if done > RECORDS_MAX:
            raise SourceUnreadable(HarvestProblem.LOOP, f"more than {RECORDS_MAX:,} records")
        total += yield Step(batch, {"done": done, "page": address}, None)
    return total


def _next_batch(rest: Iterator[Record]) -> list[Record]:
    """Return the next records, fewer where they are large: so much is in memory at once, whatever a catalogue holds."""
    batch, size_bytes = [], 0
    for record in rest:
        batch.append(record)
        size_bytes += record.size_bytes
        if len(batch) == rules.BATCH_RECORDS or size_bytes >= rules.BATCH_BYTES:
            break
    return batch


def _following(at: RunAt, address: str) -> str:
    """Return where the next page is; a catalogue leads nowhere but to itself."""
    if address and urlsplit(address)[:2] != urlsplit(at.address)[:2]:
        raise SourceUnreadable(HarvestProblem.REDIRECT, "its next page lies elsewhere")
    return address
