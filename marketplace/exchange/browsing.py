"""Browsing: what foreign catalogues ask of ours, by words, filters, time of change and offset, over public listings.

Without words and filters the database pages; else the search index finds, which knows cursors and no offsets: where
one page ended is remembered, so that whoever walks from page to page pays for each page once.
"""

import threading
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from marketplace.catalog import queries, shelves
from marketplace.catalog.shelves import Shelved
from marketplace.exchange import facilities, showcase
from marketplace.kit.errors import Invalid, NotFound

SORTED_MAX = 20_000
"""So many found datasets are put into an order that the index does not have; beyond, the index's own order holds."""

START_MAX = 10_000_000
STEP = 1000
PLACES_KEPT = 512
Filters = Mapping[str, Sequence[str]]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for; ``order`` is one of those of ``catalog.shelves``, or None for the nearest and newest first.

    Values of one of the ``filters`` are alternatives, and filters add up; of ``without`` none may be there.
    """

    words: str = ""
    filters: Filters = field(default_factory=dict)
    without: Filters = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None
    order: str | None = None
    start: int = 0
    size: int = 10


@dataclass(frozen=True, slots=True)
class Found:
    """A page of public documents, how many there are, and how they spread over the facets of the index."""

    items: Sequence[Shelved]
    total: int
    facets: Mapping[str, Mapping[str, int]]


def find(wanted: Wanted) -> Found:
    """Return a page of what is asked for; raises Invalid for a start that nobody reaches."""
    if wanted.start > START_MAX:
        raise Invalid(errors=[{"pointer": "/start", "detail": f"at most {START_MAX}"}])
    if wanted.words or wanted.filters or wanted.without or wanted.tags:
        return _of_index(wanted)
    total = shelves.count_shelved(wanted.since, wanted.until)
    items = shelves.list_shelved(wanted.order or "changed desc", wanted.start, wanted.size, wanted.since, wanted.until)
    return Found(items, total, facets())


def facets() -> dict[str, dict[str, int]]:
    """Return how all public documents spread over the facets of the index."""
    return facilities.current().index.search("", {}, size=1).facets


def files_of(shelved: Shelved) -> list[dict[str, Any]]:
    """Return all files of the newest public release of a dataset, each with the ``release_id`` it belongs to."""
    releases = shelved.document.get("releases") or []
    if not releases:
        return []
    newest, files = releases[0], list(releases[0]["files"])
    if newest.get("files_total", len(files)) > len(files):
        files = _all_files(shelved.dataset_id, newest["id"])
    return [file | {"release_id": newest["id"]} for file in files]


def files_in(shelved: Shelved, release_id: str) -> list[dict[str, Any]]:
    """Return all files of one public release of a dataset; raises NotFound."""
    return [file | {"release_id": release_id} for file in _all_files(shelved.dataset_id, release_id)]


def sources_of(found: Sequence[Shelved]) -> dict[str, dict[str, Any]]:
    """Return the foreign records of those that have no release here yet, by dataset."""
    bare = [one.dataset_id for one in found if not one.document.get("releases")]
    return shelves.sources_of(bare) if bare else {}


def _all_files(dataset_id: str, release_id: str) -> list[dict[str, Any]]:
    page = showcase.list_files(dataset_id, release_id, size=100)
    files = list(page.items)
    while page.next_cursor:
        page = showcase.list_files(dataset_id, release_id, cursor=page.next_cursor, size=100)
        files += page.items
    return files


def _of_index(wanted: Wanted) -> Found:
    narrow = _narrowed(wanted)
    if narrow is None:
        return Found([], 0, {})
    first = facilities.current().index.search(wanted.words, narrow, size=1)
    if _is_in_order_of_index(wanted) or (first.total > SORTED_MAX and not wanted.tags):
        ids = _walked(wanted, narrow)
        found = shelves.find_shelved(ids)
        return Found([found[one] for one in ids if one in found], first.total, first.facets)
    ids = _sorted(wanted, _gathered(wanted, narrow))
    found = shelves.find_shelved(page := ids[wanted.start : wanted.start + wanted.size])
    return Found([found[one] for one in page if one in found], len(ids), first.facets)


def _is_in_order_of_index(wanted: Wanted) -> bool:
    return wanted.order is None and not (wanted.tags or wanted.since or wanted.until)


def _narrowed(wanted: Wanted) -> dict[str, Sequence[str]] | None:
    """Return filters that say the same without a not; None where nothing can be left.

    The index knows which values there are, so all but some are the others.
    """
    narrow = dict(wanted.filters)
    if not wanted.without:
        return narrow
    known = facets()
    for facet, refused in wanted.without.items():
        values = narrow.get(facet) or list(known.get(facet, {}))
        narrow[facet] = [value for value in values if value not in set(refused)]
        if not narrow[facet]:
            return None
    return narrow


def _gathered(wanted: Wanted, narrow: Filters) -> list[str]:
    """Return the ids of what is found, at most SORTED_MAX, in the order of the index."""
    index = facilities.current().index
    tagged = [set(shelves.list_tagged(tag, SORTED_MAX)) for tag in wanted.tags]
    if tagged and not (wanted.words or narrow):
        return sorted(set.intersection(*tagged))
    page = index.search(wanted.words, narrow, size=STEP)
    ids = [hit.dataset_id for hit in page.hits]
    while page.next_cursor and len(ids) < SORTED_MAX:
        page = index.search(wanted.words, narrow, cursor=page.next_cursor, size=STEP)
        ids += [hit.dataset_id for hit in page.hits]
    return [one for one in ids if all(one in tag for tag in tagged)]


def _sorted(wanted: Wanted, ids: list[str]) -> list[str]:
    changed = shelves.changed_at(ids, wanted.since, wanted.until)
    kept = [one for one in ids if one in changed]
    if wanted.order in {"id", "id desc"}:
        return sorted(kept, reverse=wanted.order == "id desc")
    if wanted.order in {"changed", "changed desc"}:
        return sorted(kept, key=lambda one: (changed[one], one), reverse=wanted.order == "changed desc")
    return kept


class _Places:
    """The cursors at which pages began lately, by what was asked and how far it was."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, str, int], str] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, asked: tuple[str, str], start: int) -> str | None:
        with self._lock:
            return self._kept.get((*asked, start))

    def keep(self, asked: tuple[str, str], start: int, cursor: str) -> None:
        with self._lock:
            self._kept[*asked, start] = cursor
            while len(self._kept) > PLACES_KEPT:
                self._kept.popitem(last=False)


_places = _Places()


def _walked(wanted: Wanted, narrow: Filters) -> list[str]:
    """Return the ids of a page in the order of the index; a page that nobody led to is walked to from the first."""
    index, asked = facilities.current().index, (wanted.words, str(sorted((k, sorted(v)) for k, v in narrow.items())))
    at, cursor = wanted.start, _places.find(asked, wanted.start)
    if cursor is None:
        at = 0
    while at < wanted.start:
        page = index.search(wanted.words, narrow, cursor=cursor, size=min(STEP, wanted.start - at))
        at, cursor = at + len(page.hits), page.next_cursor
        if cursor is None:
            return []
    page = index.search(wanted.words, narrow, cursor=cursor, size=max(wanted.size, 1))
    if page.next_cursor:
        _places.keep(asked, wanted.start + len(page.hits), page.next_cursor)
    return [hit.dataset_id for hit in page.hits][: wanted.size]


def shelved(dataset_id: str) -> Shelved | None:
    """Return one public document, None where there is none."""
    return shelves.find_shelved([dataset_id]).get(dataset_id)


def shelved_like(stem: str) -> list[Shelved]:
    """Return the public datasets whose ids begin with these digits; one at most, but for chance."""
    return [found for one in queries.dataset_ids_like(stem) if (found := shelved(one)) is not None]


def releases_like(stem: str) -> list[str]:
    """Return the releases whose ids begin with these digits, whoever may know of them."""
    return queries.release_ids_like(stem)


def shelved_with(release_id: str) -> Shelved | None:
    """Return the public document of the dataset that a public release belongs to, None where there is none."""
    try:
        dataset_id = queries.get_release(release_id).dataset_id
    except NotFound:
        return None
    found = shelved(dataset_id)
    return found if found and release_id in queries.published_release_ids(dataset_id) else None
