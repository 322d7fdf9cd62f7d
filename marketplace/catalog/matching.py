"""Which of some documents a search finds: for whoever wants to hear of new ones, not for a page of hits."""

from collections.abc import Collection
from typing import Any

from marketplace.catalog import ranking
from marketplace.catalog.entries import schema
from marketplace.catalog.narrowing import any_term, every
from marketplace.catalog.sighted import Sighted


def among(searcher: Sighted, query: str, narrow: Collection[Any], ids: Collection[str]) -> set[str]:
    """Return those of these that have all words of the query, or what means the same, and pass the filters."""
    ladder = ranking.exact(query)
    if not ladder or not ids:
        return set()
    wanted = every([ladder.all, *narrow, any_term(schema(), ["id"], list(ids))])
    found = searcher.search(wanted, len(ids), count=False).hits
    return {str(searcher.doc(at)["id"][0]) for _score, at in found}
