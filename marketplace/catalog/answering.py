"""Answering a search from an index: the nearest places of a page, how many there are, and how they spread."""

import threading
from collections import OrderedDict
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
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
    key: Hashable = field(default=None)
    """By what its counts are kept: commit, reader, words and filters. None keeps nothing."""


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
    ladder, breadth, total = _ladder(searcher, asking)
    places = _places(searcher, ladder, asking) if total else []
    page = places[: asking.size]
    is_last = len(places) <= asking.size
    return SearchResult(
        hits=[SearchHit(place.dataset_id, place.score, place.step) for place in page],
        facets=_facets(searcher, ladder, asking, kept, breadth),
        total=total,
        next_cursor=None if is_last else Cursor(breadth, page[-1]).text,
    )


def _is_small(number: object) -> bool:
    return isinstance(number, int) and 0 <= number < 1 << 63


def _ladder(searcher: Any, asking: Asking) -> tuple[Ladder, int, int]:
    """Return the steps to look on, how widely that is, and how many datasets stand on any of them."""
    if asking.after is not None:
        ladder = LADDERS[asking.after.breadth](asking.words)
        return ladder, asking.after.breadth, _count(searcher, ladder, asking.narrow)
    breadth, total = EXACT, 0
    for breadth, enough in ((EXACT, FEW), (WIDE, 1), (LOOSE, 0)):
        ladder = LADDERS[breadth](asking.words)
        total = _count(searcher, ladder, asking.narrow)
        if total >= enough:
            break
    return ladder, breadth, total


def _count(searcher: Any, ladder: Ladder, narrow: Mapping[str, Any]) -> int:
    if not ladder:
        return 0
    return int(searcher.search(every([ladder.all, *narrow.values()]), 1, order_by_field="standing").count)


def _facets(searcher: Any, ladder: Ladder, asking: Asking, kept: Kept, breadth: int) -> Facets:
    if not ladder:
        return {facet: {} for facet in FACETS}
    key = asking.key and (asking.key, breadth)
    found: Facets | None = kept.find(key) if key else None
    if found is None:
        found = _counted(searcher, ladder, asking.narrow)
        kept.keep(key, found)
    return {facet: dict(counts) for facet, counts in found.items()}


def _counted(searcher: Any, ladder: Ladder, narrow: Mapping[str, Any]) -> Facets:
    free = [facet for facet in FACETS if facet not in narrow]
    counted = _spread(searcher, every([ladder.all, *narrow.values()]), free)
    for facet in narrow.keys() & set(FACETS):
        others = [query for name, query in narrow.items() if name != facet]
        counted |= _spread(searcher, every([ladder.all, *others]), [facet])
    return {facet: counted[facet] for facet in FACETS}


def _spread(searcher: Any, query: Any, facets: Sequence[str]) -> Facets:
    asked = {facet: {"terms": {"field": facet, "size": narrowing.FACET_VALUES_MAX}} for facet in facets}
    found = searcher.aggregate(query, asked) if asked else {}
    return {
        facet: {bucket["key"]: int(bucket["doc_count"]) for bucket in counts["buckets"]}
        for facet, counts in found.items()
    }


def _places(searcher: Any, ladder: Ladder, asking: Asking) -> list[Place]:
    wanted = asking.size + 1
    places: list[Place] = []
    nearer: list[Any] = []
    for step in ladder.steps:
        # What stands on this step cannot come before those that were found, however good it is.
        if len(places) >= wanted and places[wanted - 1].score > step.points + merit.POINTS_MAX:
            break
        query = every([step.query, *asking.narrow.values()], but=nearer)
        places += _on_step(searcher, step, query, asking.after.place if asking.after else None, wanted)
        places = sorted(places, key=attrgetter("rank"))[:wanted]
        nearer.append(step.query)
    return places


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
