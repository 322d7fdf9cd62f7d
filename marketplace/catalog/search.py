"""The search index of the catalogue: derived from the listings, and rebuildable at any time.

A document is a plain dict, composed above this package::

    {"id": "ds_…", "title_ja": str, "title_en": str, "description_ja": str, "description_en": str,
     "publisher": {"id": "org_…", "name_ja": str, "name_en": str}, "themes": [str], "region": str,
     "frequency": str, "keywords": [str], "formats": [str], "columns": [str],
     "price_classes": ["free" | "one_off" | "metered"], "published_at": RFC 3339 text or None,
     "audience": id of the group that alone may know of it; absent for everybody}

Further members are ignored.
"""

import logging
import shutil
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from marketplace.catalog import answering, asking, entries, likeness, matching, narrowing, suggesting
from marketplace.catalog.answering import SearchResult
from marketplace.catalog.asking import Asking, Kept
from marketplace.catalog.errors import IndexBroken, IndexBusy
from marketplace.catalog.sight import PUBLIC, Sight
from marketplace.catalog.sighted import Sighted
from marketplace.catalog.suggesting import SUGGESTIONS_MAX, Suggestion
from marketplace.kit.pages import SIZE_DEFAULT

UPDATE_HEAP_BYTES = 15_000_000  # tantivy's least
REBUILD_HEAP_BYTES = 1_500_000_000  # a million datasets in one segment; a smaller catalogue takes no more than it needs
Document = Mapping[str, Any]
log = logging.getLogger(__name__)


class SearchIndex:
    """A tantivy index in a folder. Many processes may read it, one at a time may write."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._writing = threading.Lock()
        self._index: Any = None
        self._loaded: tuple[int, int] | None = None
        self._kept = Kept()

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
                writer.add_document(entries.entry_of(dict(document)))

        self._write(self._open, deed, UPDATE_HEAP_BYTES)

    def remove(self, dataset_id: str) -> None:
        """Forget a document, if it is there; raises IndexBusy or IndexBroken."""
        self._write(self._open, lambda writer: writer.delete_documents_by_term("id", dataset_id), UPDATE_HEAP_BYTES)

    def follow(self, changes: Mapping[str, Document | None]) -> set[str]:
        """Bring these datasets to their documents, or to none, in one commit; raises IndexBusy or IndexBroken.

        Returns the ids whose documents cannot be entered: those stay as they were, and keep no other waiting. One for
        a group goes: as it was, everybody may have known of it.
        """
        refused: set[str] = set()

        def deed(writer: Any) -> None:
            for dataset_id, document in changes.items():
                entry = _entry(document) if document else None
                if document and not entry:
                    refused.add(dataset_id)
                    if not document.get("audience"):
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
        sight: Sight = PUBLIC,
    ) -> SearchResult:
        """Find documents that have all words of the query, or most of them where none has all.

        Values of one filter are alternatives, filters add up. An empty query lists the newest first.
        The query is text, without operators. What the reader may not know of is as if it were not
        there. Raises Invalid for a foreign cursor or an unknown filter, IndexBroken when the index needs a rebuild.
        """
        chosen = {name: tuple(values) for name, values in sorted((filters or {}).items()) if values}
        narrow = narrowing.read_filters(chosen, entries.schema())
        after = asking.read_cursor(cursor)
        searcher = Sighted(self._searcher(), sight)
        key = (self._loaded, sight, query, tuple(chosen.items()))
        return answering.answer(searcher, Asking(query, narrow, after, size, key), self._kept)

    def suggest(self, typed: str, size: int = SUGGESTIONS_MAX, *, sight: Sight = PUBLIC) -> list[Suggestion]:
        """Return how what is typed may go on, as the reader may know; IndexBroken when the index needs a rebuild."""
        searcher = Sighted(self._searcher(), sight)
        key = ("suggestions", self._loaded, sight, typed, size)
        kept: list[Suggestion] | None = self._kept.find(key)
        if kept is None:
            kept = suggesting.suggest(searcher, typed, size)
            self._kept.keep(key, kept)
        return list(kept)

    def alike(self, texts: Sequence[str], but: str, size: int, sight: Sight = PUBLIC) -> list[str]:
        """Return documents that share the most telling words with the texts, nearest first; raises IndexBroken."""
        return likeness.nearest(Sighted(self._searcher(), sight), texts, but, size)

    def matching(
        self, query: str, filters: Mapping[str, Sequence[str]], among: Collection[str], sight: Sight = PUBLIC
    ) -> set[str]:
        """Return which of these documents have all words of the query and pass the filters; raises as ``search``."""
        narrow = narrowing.read_filters(filters, entries.schema())
        return matching.among(Sighted(self._searcher(), sight), query, list(narrow.values()), among)

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
            return tantivy.Index(entries.schema(), str(self._directory))
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
        return entries.entry_of(dict(document))
    except Exception:
        log.exception("the document of %s cannot be entered into the search index", document.get("id"))
        return None


def _writer(index: Any, heap_bytes: int) -> Any:
    try:
        return index.writer(heap_bytes, 1)
    except ValueError as error:
        raise (IndexBusy if "LockBusy" in str(error) else IndexBroken) from error
