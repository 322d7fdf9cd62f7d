"""The search index of the public catalogue: derived from the listings, and rebuildable at any time.

A document is a plain dict, composed above this package::

    {"id": "ds_…", "title_ja": str, "title_en": str, "description_ja": str, "description_en": str,
     "publisher": {"id": "org_…", "name_ja": str, "name_en": str}, "themes": [str], "region": str,
     "frequency": str, "keywords": [str], "formats": [str], "columns": [str],
     "price_classes": ["free" | "one_off" | "metered"], "published_at": RFC 3339 text or None}

Further members are ignored.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any

from marketplace.catalog import ranking
from marketplace.catalog.errors import IndexBroken, IndexBusy
from marketplace.catalog.ranking import FACETS, Step
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import SIZE_DEFAULT, decode_cursor, encode_cursor

UPDATE_HEAP_BYTES = 15_000_000  # tantivy's least
REBUILD_HEAP_BYTES = 120_000_000
Document = Mapping[str, Any]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A dataset that was found. Scores compare within one query: larger is nearer."""

    dataset_id: str
    score: int


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of hits in a stable order, how many there are, and how they spread over each facet.

    The counts of a facet ignore the filter on that facet itself, so that a second value can be added.
    """

    hits: Sequence[SearchHit]
    facets: dict[str, dict[str, int]]
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a hit stands: by score, then newest first, then by id."""

    score: int
    recency: int
    dataset_id: str

    @property
    def rank(self) -> tuple[int, int, str]:
        """The order of hits: what is smaller comes first."""
        return (-self.score, -self.recency, self.dataset_id)


class SearchIndex:
    """A tantivy index in a folder. Many processes may read it, one at a time may write."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writing = threading.Lock()
        self._index: Any = None
        self._loaded: tuple[int, int] | None = None

    def is_usable(self) -> bool:
        """Tell whether there is an index that can be read; if not, it wants a rebuild."""
        if not (self._directory / "meta.json").exists():
            return False
        try:
            self._searcher()
        except IndexBroken:
            return False
        return True

    def upsert(self, document: Document) -> None:
        """Enter a document in place of the one with its id; raises IndexBusy or IndexBroken."""
        self.upsert_many([document])

    def upsert_many(self, documents: Iterable[Document]) -> None:
        """Enter several documents in one commit; raises IndexBusy or IndexBroken, and then enters none."""

        def deed(writer: Any) -> None:
            for document in documents:
                writer.delete_documents_by_term("id", document["id"])
                writer.add_document(ranking.entry_of(dict(document)))

        self._write(self._open, deed, UPDATE_HEAP_BYTES)

    def remove(self, dataset_id: str) -> None:
        """Forget a document, if it is there; raises IndexBusy or IndexBroken."""
        self._write(self._open, lambda writer: writer.delete_documents_by_term("id", dataset_id), UPDATE_HEAP_BYTES)

    def follow(self, changes: Mapping[str, Document | None]) -> set[str]:
        """Bring these datasets to their documents, or to none, in one commit; raises IndexBusy or IndexBroken.

        Returns the ids whose documents cannot be entered: those stay as they were, and keep no other waiting.
        """
        refused: set[str] = set()

        def deed(writer: Any) -> None:
            for dataset_id, document in changes.items():
                entry = _entry(document) if document else None
                if document and not entry:
                    refused.add(dataset_id)
                    continue
                writer.delete_documents_by_term("id", dataset_id)
                if entry:
                    writer.add_document(entry)

        self._write(self._open, deed, UPDATE_HEAP_BYTES)
        return refused

    def rebuild(self, documents: Iterable[Document]) -> None:
        """Replace all content at once; readers see the old until the new is whole. Raises IndexBusy.

        A damaged or absent folder is made anew. Each id may come once. A document that cannot be entered is left out.
        """

        def deed(writer: Any) -> None:
            writer.delete_all_documents()
            for entry in filter(None, map(_entry, documents)):
                writer.add_document(entry)

        self._write(self._open_or_replace, deed, REBUILD_HEAP_BYTES)

    def search(
        self,
        query: str = "",
        filters: Mapping[str, Sequence[str]] | None = None,
        *,
        cursor: str | None = None,
        size: int = SIZE_DEFAULT,
    ) -> SearchResult:
        """Find documents that have all words of the query, or most of them where none has all.

        Values of one filter are alternatives, filters add up. An empty query lists the newest first.
        The query is text, without operators. Raises Invalid for a foreign cursor or an unknown
        filter, IndexBroken when the index needs a rebuild.
        """
        after = _read_cursor(cursor)
        narrow = _read_filters(filters or {})
        return _answer(self._searcher(), query, narrow, after, size)

    def _write(self, opened: Callable[[], Any], deed: Callable[[Any], object], heap_bytes: int) -> None:
        with self._writing:
            writer = _writer(opened(), heap_bytes)
            try:
                deed(writer)
                writer.commit()
            except BaseException:
                writer.rollback()
                raise
            finally:
                # Also gives the lock back.
                writer.wait_merging_threads()

    def _open(self) -> Any:
        import tantivy

        self._directory.mkdir(parents=True, exist_ok=True)
        try:
            return tantivy.Index(ranking.schema(), str(self._directory))
        except (ValueError, OSError) as error:
            raise IndexBroken from error

    def _open_or_replace(self) -> Any:
        try:
            return self._open()
        except IndexBroken:
            self._index = self._loaded = None
            shutil.rmtree(self._directory)
            return self._open()

    def _searcher(self) -> Any:
        index = self._index or self._open()
        try:
            state = self._state()
            if state != self._loaded:
                index.reload()
                self._loaded = state
            searcher = index.searcher()
        except (ValueError, OSError) as error:
            self._index = self._loaded = None
            raise IndexBroken from error
        self._index = index
        return searcher

    def _state(self) -> tuple[int, int]:
        """Tell the commits apart: each replaces this file, and a look at it costs a hundredth of a reload."""
        found = (self._directory / "meta.json").stat()
        return found.st_ino, found.st_mtime_ns


def _entry(document: Document) -> Any:
    """Return the entry of a document, or None where there can be none: one bad document must not cost all others."""
    try:
        return ranking.entry_of(dict(document))
    except Exception:
        log.exception("the document of %s cannot be entered into the search index", document.get("id"))
        return None


def _writer(index: Any, heap_bytes: int) -> Any:
    try:
        return index.writer(heap_bytes, 1)
    except ValueError as error:
        raise (IndexBusy if "LockBusy" in str(error) else IndexBroken) from error


def _read_cursor(cursor: str | None) -> _Place | None:
    key = decode_cursor(cursor, 3)
    if key is None:
        return None
    score, recency, dataset_id = key
    if not (isinstance(score, int) and isinstance(recency, int) and isinstance(dataset_id, str)) or recency >> 63:
        raise Invalid(
            "The cursor is not one that this search handed out.",
            errors=[{"pointer": "/cursor", "detail": "use next_cursor of the page before, unchanged"}],
        )
    return _Place(score, recency, dataset_id)


def _read_filters(filters: Mapping[str, Sequence[str]]) -> dict[str, Any]:
    unknown = sorted(set(filters) - set(FACETS))
    if unknown:
        raise Invalid(
            errors=[{"pointer": f"/{name}", "detail": f"filters are {', '.join(FACETS)}"} for name in unknown]
        )
    return {facet: ranking.one_of(facet, values) for facet, values in filters.items() if values}


def _answer(searcher: Any, query: str, narrow: dict[str, Any], after: _Place | None, size: int) -> SearchResult:
    steps, total = _steps(searcher, query, narrow, after)
    places = _places(searcher, steps, list(narrow.values()), after, size + 1) if total else []
    page = places[:size]
    last = page[-1] if len(places) > size else None
    return SearchResult(
        hits=[SearchHit(place.dataset_id, place.score) for place in page],
        facets=_facets(searcher, steps, narrow),
        total=total,
        next_cursor=encode_cursor([last.score, last.recency, last.dataset_id]) if last else None,
    )


def _steps(searcher: Any, query: str, narrow: dict[str, Any], after: _Place | None) -> tuple[Sequence[Step], int]:
    exact = ranking.exact_steps(query)
    total = _count(searcher, exact, narrow)
    # A later page goes on as the first began, whatever has come or gone meanwhile.
    begun_loose = after is not None and ranking.EVERYTHING < after.score < ranking.ALL_IN_TEXT
    if not begun_loose and (total or after or not exact):
        return exact, total
    loose = ranking.loose_steps(query)
    return loose, _count(searcher, loose, narrow)


def _count(searcher: Any, steps: Sequence[Step], narrow: dict[str, Any]) -> int:
    if not steps:
        return 0
    # The farthest step holds all nearer ones.
    return int(searcher.search(ranking.every([steps[-1].query, *narrow.values()]), 1).count)


def _facets(searcher: Any, steps: Sequence[Step], narrow: dict[str, Any]) -> dict[str, dict[str, int]]:
    if not steps:
        return {facet: {} for facet in FACETS}
    free = [facet for facet in FACETS if facet not in narrow]
    counted = _spread(searcher, ranking.every([steps[-1].query, *narrow.values()]), free)
    for facet in narrow:
        others = [query for name, query in narrow.items() if name != facet]
        counted |= _spread(searcher, ranking.every([steps[-1].query, *others]), [facet])
    return {facet: counted[facet] for facet in FACETS}


def _spread(searcher: Any, query: Any, facets: Sequence[str]) -> dict[str, dict[str, int]]:
    asked = {facet: {"terms": {"field": facet, "size": ranking.FACET_VALUES_MAX}} for facet in facets}
    answer = searcher.aggregate(query, asked) if asked else {}
    return {
        facet: {bucket["key"]: int(bucket["doc_count"]) for bucket in found["buckets"]}
        for facet, found in answer.items()
    }


def _places(searcher: Any, steps: Sequence[Step], narrow: list[Any], after: _Place | None, count: int) -> list[_Place]:
    places: list[_Place] = []
    nearer = None
    for step in steps:
        if after is None or step.score <= after.score:
            query = ranking.every([step.query, *narrow], but=nearer)
            places += _step_places(searcher, step.score, query, after, count - len(places))
        if len(places) >= count:
            break
        nearer = step.query
    return places


def _step_places(searcher: Any, score: int, query: Any, after: _Place | None, count: int) -> list[_Place]:
    start = after if after and after.score == score else None
    if start:
        query = ranking.every([query, ranking.not_after(start.recency)])
    asked = count + 1
    while True:
        found = searcher.search(query, asked, count=False, order_by_field="recency").hits
        whole = len(found) < asked
        # The last recency may go on behind the cut, and its ids are then not all known yet.
        kept = [(recency, at) for recency, at in found if whole or recency != found[-1][0]]
        places = [_Place(score, recency, searcher.doc(at)["id"][0]) for recency, at in kept]
        places = sorted((place for place in places if not start or place.rank > start.rank), key=attrgetter("rank"))
        if whole or len(places) >= count:
            return places[:count]
        asked *= 2
