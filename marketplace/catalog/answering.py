"""Answering a search from an index: the nearest places of a page, how many there are, and how they spread."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from marketplace.catalog import merit, narrowing, ranking
from marketplace.catalog.entries import schema
from marketplace.catalog.narrowing import FACETS, every
from marketplace.catalog.ranking import EVERYTHING, Ladder, Step
from marketplace.kit.errors import Invalid
from marketplace.kit.pages import decode_cursor, encode_cursor

KEPT_MAX = 200
FEW = 10
EXACT, WIDE, LOOSE = 0, 1, 2
LADDERS = (ranking.exact, ranking.wide, ranking.loose)
"""How widely is looked: where fewer than a few have all words, those with most follow; where none, what is alike."""

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


@dataclass(frozen=True, slots=True)
class Place:
    """Where a hit stands: by score, then by its key, which is newer or better where it is larger, then by id."""

    score: int
    key: int
    dataset_id: str
    step: str = ""

    @property
    def rank(self) -> tuple[int, int, str]:
        """The order of hits: what is smaller comes first."""
        return (-self.score, -self.key, self.dataset_id)


@dataclass(frozen=True, slots=True)
class Cursor:
    """Where a page ends, and how widely was looked for it: the next goes on as the first began."""

    breadth: int
    place: Place

    @property
    def text(self) -> str:
        """Return the cursor as it is handed out."""
        return encode_cursor([self.breadth, self.place.score, self.place.key, self.place.dataset_id])


class Kept:
    """Answers that hold for one commit of the index, the last used of them; threads share it."""

    def __init__(self) -> None:
        self._answers: OrderedDict[Hashable, Any] = OrderedDict()
        self._lock = threading.Lock()

    def find(self, key: Hashable) -> Any:
        """Return what was kept under a key, or None."""
        with self._lock:
            found = self._answers.get(key)
            if found is not None:
                self._answers.move_to_end(key)
            return found

    def keep(self, key: Hashable, answer: Any) -> None:
        """Keep an answer, in place of the one that was not asked for longest."""
        with self._lock:
            self._answers[key] = answer
            while len(self._answers) > KEPT_MAX:
                self._answers.popitem(last=False)


@dataclass(frozen=True, slots=True)
class Asking:
    """A search as it was asked: words, the query of each filter, where the last page ended, and how long a page is."""

    words: str
    narrow: dict[str, Any]
    after: Cursor | None
    size: int
    key: tuple[Hashable, ...]
    """By what its counts are kept: commit, reader, words and filters."""


def read_cursor(cursor: str | None) -> Cursor | None:
    """Return where a page begins; raises Invalid for a cursor that this search did not hand out."""
    key = decode_cursor(cursor, 4)
    if key is None:
        return None
    breadth, score, at, dataset_id = key
    if not (all(map(_is_small, key[:3])) and isinstance(dataset_id, str) and breadth < len(LADDERS)):
        raise Invalid(
            "The cursor is not one that this search handed out.",
            errors=[{"pointer": "/cursor", "detail": "use next_cursor of the page before, unchanged"}],
        )
    return Cursor(breadth, Place(score, at, dataset_id))


def answer(searcher: Any, asking: Asking, kept: Kept) -> SearchResult:
    """Return a page of what a searcher finds."""
    ladder, breadth, counts = _counted_ladder(searcher, asking, kept)
    places = _places(searcher, ladder, asking, kept) if counts.total else []
    page = places[: asking.size]
    is_last = len(places) <= asking.size
    return SearchResult(
        hits=[SearchHit(place.dataset_id, place.score, place.step) for place in page],
        facets={facet: dict(found) for facet, found in counts.facets.items()},
        total=counts.total,
        next_cursor=None if is_last else Cursor(breadth, page[-1]).text,
    )


def _is_small(number: object) -> bool:
    return isinstance(number, int) and 0 <= number < 1 << 63


def _counted_ladder(searcher: Any, asking: Asking, kept: Kept) -> tuple[Ladder, int, Counts]:
    """Return the steps to look on, how widely that is, and what stands on any of them."""
    begun = asking.after.breadth if asking.after else None
    ladder, breadth, counts = ranking.NOTHING, EXACT, Counts(0, {facet: {} for facet in FACETS})
    for breadth, enough in ((EXACT, FEW), (WIDE, 1), (LOOSE, 0)) if begun is None else ((begun, 0),):
        # Where nothing has all words, nobody need look for it once more.
        is_bare = breadth == WIDE and asking.after is None and counts.total == 0
        ladder = ranking.beyond(asking.words) if is_bare else LADDERS[breadth](asking.words)
        counts = _kept_counts(searcher, ladder, asking, kept, breadth)
        if counts.total >= enough:
            break
    return ladder, breadth, counts


def _kept_counts(searcher: Any, ladder: Ladder, asking: Asking, kept: Kept, breadth: int) -> Counts:
    if not ladder:
        return Counts(0, {facet: {} for facet in FACETS})
    key = (asking.key, breadth)
    found: Counts | None = kept.find(key)
    if found is None:
        found = _counts(searcher, ladder, asking.narrow)
        kept.keep(key, found)
    return found


def _counts(searcher: Any, ladder: Ladder, narrow: Mapping[str, Any]) -> Counts:
    free = [facet for facet in FACETS if facet not in narrow]
    total, counted = _spread(searcher, every([ladder.all, *narrow.values()]), free)
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
    for bucket in buckets:
        number = int(bucket["doc_count"])
        for value in narrowing.apart(facet, bucket["key"]):
            counts[value] = counts.get(value, 0) + number
    return counts


def _places(searcher: Any, ladder: Ladder, asking: Asking, kept: Kept) -> list[Place]:
    wanted = asking.size + 1
    places: list[Place] = []
    nearer: list[Any] = []
    for step in ladder.steps:
        # What stands on this step cannot come before those that were found, however good it is.
        if len(places) >= wanted and places[wanted - 1].score > step.points + _most_points(searcher, asking, kept):
            break
        # On the first page whoever stood nearer is known, or is outdone by a whole page of those who stand there.
        query = every([step.query, *asking.narrow.values()], but=nearer if asking.after else ())
        after = asking.after.place if asking.after else None
        found = _on_step(searcher, step, query, after, wanted + len(places))
        seen = {place.dataset_id for place in places}
        places += [place for place in found if place.dataset_id not in seen]
        places = sorted(places, key=attrgetter("rank"))[:wanted]
        nearer.append(step.query)
    return places


def _most_points(searcher: Any, asking: Asking, kept: Kept) -> int:
    """Return the points of the best dataset that the reader may know of."""
    from tantivy import Query

    key = ("best", asking.key[:2])
    best: int | None = kept.find(key)
    if best is None:
        hits = searcher.search(Query.all_query(), 1, count=False, order_by_field="standing").hits
        best = merit.points_in(hits[0][0]) if hits else 0
        kept.keep(key, best)
    return best


def _on_step(searcher: Any, step: Step, query: Any, after: Place | None, count: int) -> list[Place]:
    field_name = "recency" if step.name == EVERYTHING else "standing"
    if after:
        most = _key_at_most(step, after)
        if most is None:
            return []
        query = every([query, narrowing.between(schema(), field_name, most=most)])
    asked = count + 1
    while True:
        found = searcher.search(query, asked, count=False, order_by_field=field_name).hits
        whole = len(found) < asked
        # The last key may go on behind the cut, and its ids are then not all known yet.
        kept = [(key, at) for key, at in found if whole or key != found[-1][0]]
        places = [_place(step, key, searcher.doc(at)["id"][0]) for key, at in kept]
        places = sorted((place for place in places if not after or place.rank > after.rank), key=attrgetter("rank"))
        if whole or len(places) >= count:
            return places[:count]
        asked *= 2


def _place(step: Step, key: int, dataset_id: str) -> Place:
    points = 0 if step.name == EVERYTHING else step.points + merit.points_in(key)
    return Place(points, key, dataset_id, step.name)


def _key_at_most(step: Step, after: Place) -> int | None:
    """Return the largest key with which a document of this step may come after a place; None for no such key."""
    if step.name == EVERYTHING:
        return after.key
    points = after.score - step.points
    return merit.key_with(min(points, merit.POINTS_MAX + 1), after.key) if points >= 0 else None
