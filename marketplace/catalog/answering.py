"""Answering a search from an index: the nearest places of a page, how many there are, and how they spread."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.catalog import narrowing, placing, ranking
from marketplace.catalog.asking import LADDERS, Asking, Cursor, Kept
from marketplace.catalog.narrowing import FACETS, every
from marketplace.catalog.ranking import Ladder

FEW = 10
EXACT, WIDE, LOOSE = 0, 1, 2

Facets = dict[str, dict[str, int]]


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A dataset that was found. Scores compare within one query: larger is nearer. ``step`` says how it was found."""

    dataset_id: str
    score: int
    step: str


@dataclass(frozen=True, slots=True)
class SearchResult:
    """One page of hits in a stable order, how many there are, and how they spread over each facet.

    The counts of a facet ignore the filter on that facet itself, so that a second value can be added.
    """

    hits: Sequence[SearchHit]
    facets: Facets
    total: int
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class Counts:
    """How many datasets were found, and how they spread over each facet."""

    total: int
    facets: Facets


NOTHING = Counts(0, {facet: {} for facet in FACETS})


def answer(searcher: Any, asking: Asking, kept: Kept) -> SearchResult:
    """Return a page of what a searcher finds."""
    ladder, breadth, counts = _counted_ladder(searcher, asking, kept)
    places = placing.first(searcher, ladder, asking, counts.total, kept, widely=breadth != EXACT)
    page = places[: asking.size]
    is_last = len(places) <= asking.size
    return SearchResult(
        hits=[SearchHit(place.dataset_id, place.score, place.step) for place in page],
        facets={facet: dict(found) for facet, found in counts.facets.items()},
        total=counts.total,
        next_cursor=None if is_last else Cursor(breadth, page[-1]).text,
    )


def _counted_ladder(searcher: Any, asking: Asking, kept: Kept) -> tuple[Ladder, int, Counts]:
    """Return the steps to look on, how widely that is, and what stands on any of them."""
    begun = asking.after.breadth if asking.after else None
    ladder, breadth, counts = ranking.NOTHING, EXACT, NOTHING
    for breadth, enough in ((EXACT, FEW), (WIDE, 1), (LOOSE, 0)) if begun is None else ((begun, 0),):
        # Where nothing has all words, nobody need look for it once more.
        is_bare = breadth == WIDE and asking.after is None and counts.total == 0
        ladder = ranking.beyond(asking.words) if is_bare else LADDERS[breadth](asking.words)
        counts = _kept_counts(searcher, ladder, asking, kept, breadth, enough)
        if counts.total >= enough:
            break
    return ladder, breadth, counts


def _kept_counts(searcher: Any, ladder: Ladder, asking: Asking, kept: Kept, breadth: int, enough: int) -> Counts:
    if not ladder:
        return NOTHING
    key = (asking.key, breadth, enough)
    found: Counts | None = kept.find(key)
    if found is None:
        found = _counts(searcher, ladder, asking.narrow, enough)
        kept.keep(key, found)
    return found


def _counts(searcher: Any, ladder: Ladder, narrow: Mapping[str, Any], enough: int) -> Counts:
    """Return the counts of what stands on a ladder; the number alone where that is not enough."""
    free = [facet for facet in FACETS if facet not in narrow]
    total, counted = _spread(searcher, every([ladder.all, *narrow.values()]), free)
    if total < enough:
        return Counts(total, {})
    for facet in narrow.keys() & set(FACETS):
        others = [query for name, query in narrow.items() if name != facet]
        counted |= _spread(searcher, every([ladder.all, *others]), [facet])[1]
    return Counts(total, {facet: counted[facet] for facet in FACETS})


def _spread(searcher: Any, query: Any, facets: Sequence[str]) -> tuple[int, Facets]:
    terms = {facet: {"terms": {"field": narrowing.COUNTED[facet], "size": narrowing.TOGETHER_MAX}} for facet in facets}
    found = searcher.aggregate(query, {"total": {"value_count": {"field": "standing"}}} | terms)
    return int(found["total"]["value"]), {facet: _counts_of(facet, found[facet]["buckets"]) for facet in facets}


def _counts_of(facet: str, buckets: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    counts: dict[str, int] = {}
    find = counts.get
    apart = narrowing.parts_of(facet)
    for bucket in buckets:
        # Thousands of places are counted in every search: nothing is called here that need not be.
        number = bucket["doc_count"]
        for value in apart[bucket["key"]]:
            counts[value] = find(value, 0) + number
    return counts
