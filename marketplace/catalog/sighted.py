"""The one place where a search is kept within what its reader may know of."""

from collections.abc import Sequence
from typing import Any

from marketplace.catalog import bands
from marketplace.catalog.bands import Bands
from marketplace.catalog.entries import PRIVATE, schema
from marketplace.catalog.narrowing import any_term, every, unscored
from marketplace.catalog.sight import EVERYBODY, Sight


class Sighted:
    """A searcher for which there is nothing but what the reader may know of: hits, counts and facets alike."""

    def __init__(self, searcher: Any, sight: Sight) -> None:
        self._searcher = searcher
        audience = any_term(schema(), ["audience"], [EVERYBODY, *sorted(sight.groups)])
        # The public condition is on nearly every dataset, and costs a look at each; the few that fail it cost nothing.
        self._must, self._not = (
            ([unscored(audience)], []) if sight.groups else ([], [any_term(schema(), [PRIVATE], [PRIVATE])])
        )

    def search(self, query: Any, *args: Any, **kwargs: Any) -> Any:
        """Search among what the reader may know of."""
        return self._searcher.search(every([query, *self._must], but=self._not), *args, **kwargs)

    def aggregate(self, query: Any, asked: Any) -> Any:
        """Count among what the reader may know of."""
        return self._searcher.aggregate(every([query, *self._must], but=self._not), asked)

    def numbers(self, field: str, places: Sequence[Any]) -> list[int]:
        """Return what a field of numbers has at hits."""
        return list(self._searcher.fast_field_values(field, list(places)))

    def bands(self, field: str) -> Bands:
        """Return the bands of a field: by them is chosen how to look, not what is found."""
        return bands.read(field, self._searcher.terms_with_prefix(bands.field_of(field), ""))

    def doc(self, at: Any) -> Any:
        """Return what is stored of a hit."""
        return self._searcher.doc(at)
