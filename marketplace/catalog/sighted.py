"""The one place where a search is kept within what its reader may know of."""

from typing import Any

from marketplace.catalog.entries import schema
from marketplace.catalog.narrowing import any_term, every
from marketplace.catalog.sight import EVERYBODY, Sight


class Sighted:
    """A searcher for which there is nothing but what the reader may know of: hits, counts and facets alike."""

    def __init__(self, searcher: Any, sight: Sight) -> None:
        self._searcher = searcher
        self._seen = any_term(schema(), ["audience"], [EVERYBODY, *sorted(sight.groups)])

    def search(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        """Search among what the reader may know of."""
        return self._searcher.search(every([query, self._seen]), *args, **kwargs)

    def aggregate(self, query: Any, asked: Any) -> Any:
        """Count among what the reader may know of."""
        return self._searcher.aggregate(every([query, self._seen]), asked)

    def doc(self, at: Any) -> Any:
        """Return what is stored of a hit."""
        return self._searcher.doc(at)
