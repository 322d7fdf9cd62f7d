"""The first places of a search: what stands on the steps of its ladder, nearest and best first.

Two ways lead to the same places. Each step is asked for its best, the nearest first: in the highest bands alone where
these have enough, and on a farther step only down to where somebody can still come before those that were found. What
was looked for widely and found little is likely to stand on all steps: it is taken at once, each dataset with the
nearest of its steps.
"""

from collections.abc import Sequence
from operator import attrgetter
from typing import Any

from marketplace.catalog import merit, narrowing
from marketplace.catalog.asking import Asking, Kept, Place
from marketplace.catalog.bands import LOOK_AT, Bands
from marketplace.catalog.entries import schema
from marketplace.catalog.narrowing import every
from marketplace.catalog.ranking import EVERYTHING, Ladder, Step

AT_ONCE_MAX = 500
"""So many are taken at once, and put in order here; a query for each step costs more."""


def first(searcher: Any, ladder: Ladder, asking: Asking, total: int, kept: Kept, *, widely: bool) -> list[Place]:
    """Return the places of a page and one more, if there are so many.

    ``total`` is how many were found in all, ``widely`` whether also such as do not have all words.
    """
    if not total:
        return []
    if widely and total <= AT_ONCE_MAX:
        return _at_once(searcher, ladder, asking, total)
    return _step_by_step(searcher, ladder, asking, total, _bands(searcher, ladder, asking, kept))


def _field_of(step: Step) -> str:
    return "recency" if step.name == EVERYTHING else "standing"


def _bands(searcher: Any, ladder: Ladder, asking: Asking, kept: Kept) -> Bands:
    """Return the bands by which the steps of a ladder are ordered, read once for each commit."""
    field = _field_of(ladder.steps[0])
    key = ("bands", asking.key[0], field)
    found: Bands | None = kept.find(key)
    if found is None:
        found = searcher.bands(field)
        kept.keep(key, found)
    return found


def _at_once(searcher: Any, ladder: Ladder, asking: Asking, total: int) -> list[Place]:
    from tantivy import Query

    steps = {step.points: step for step in reversed(ladder.steps)}
    # A score of nothing would be no hit. Points are small whole numbers, which the scores hold exactly.
    scored = [Query.const_score_query(step.query, float(step.points + 1)) for step in ladder.steps]
    query = every([Query.disjunction_max_query(scored), *map(narrowing.unscored, asking.narrow.values())])
    hits = searcher.search(query, total, count=False).hits
    keys = searcher.numbers(_field_of(ladder.steps[0]), [at for _score, at in hits])
    found = [(_place(steps[round(score) - 1], key, ""), at) for (score, at), key in zip(hits, keys, strict=True)]
    return _named(searcher, found, asking)


def _named(searcher: Any, found: Sequence[tuple[Place, Any]], asking: Asking) -> list[Place]:
    """Return those of a page with their ids, which are read for no more than stand on it."""
    after = asking.after.place if asking.after else None
    there = [one for one in found if not after or one[0].order >= after.order]
    there.sort(key=lambda one: one[0].order)
    places: list[Place] = []
    for unnamed, at in there:
        # Where keys are the same the ids decide: all of them are read before it is cut.
        if len(places) > asking.size and unnamed.order != places[-1].order:
            break
        place = Place(unnamed.score, unnamed.key, searcher.doc(at)["id"][0], unnamed.step)
        if not after or place.rank > after.rank:
            places.append(place)
    return sorted(places, key=attrgetter("rank"))[: asking.size + 1]


def _step_by_step(searcher: Any, ladder: Ladder, asking: Asking, total: int, bands: Bands) -> list[Place]:
    wanted = asking.size + 1
    enough = LOOK_AT if bands.promise(total, wanted) else None
    places: list[Place] = []
    nearer: list[Any] = []
    for step in ladder.steps:
        least = 0
        if len(places) == total:
            break
        if len(places) >= wanted:
            # What has fewer points than this, on this step, cannot come before those that were found.
            least = merit.key_with(max(0, places[wanted - 1].score - step.points), 0)
            if least > bands.highest:
                break
        # On the first page whoever stood nearer is known, or is outdone by a whole page of those who stand there.
        query = every([step.query, *asking.narrow.values()], but=nearer if asking.after else ())
        after = asking.after.place if asking.after else None
        found = _on_step(searcher, step, query, after, wanted + len(places), bands, (least, enough))
        seen = {place.dataset_id for place in places}
        places += [place for place in found if place.dataset_id not in seen]
        places = sorted(places, key=attrgetter("rank"))[:wanted]
        nearer.append(step.query)
    return places


def _on_step(
    searcher: Any,
    step: Step,
    query: Any,
    after: Place | None,
    count: int,
    bands: Bands,
    down_to: tuple[int, int | None],
) -> list[Place]:
    """Return the best of a step behind a place, down to a key, and first down to where enough were looked at."""
    least, enough = down_to
    most = None
    if after:
        most = _key_at_most(step, after)
        if most is None:
            return []
        query = every([query, narrowing.between(schema(), _field_of(step), most=most)])
    best, whole = bands.within(least, most, enough)
    if not best:
        return []
    if whole and least == 0 and most is None:
        return _best(searcher, step, query, after, count)
    found = _best(searcher, step, every([query, bands.query(schema(), best)]), after, count) if whole or enough else []
    if len(found) >= count or whole:
        return found
    return _best(searcher, step, query, after, count)


def _best(searcher: Any, step: Step, query: Any, after: Place | None, count: int) -> list[Place]:
    asked = count + 1
    while True:
        found = searcher.search(query, asked, count=False, order_by_field=_field_of(step)).hits
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
    points, own = after.score - step.points, merit.points_in(after.key)
    if points < 0:
        return None
    if points == own:
        return after.key
    # The same score on another step: of those the keys decide, and these begin with the points.
    return merit.key_with(min(points + (points < own), merit.POINTS_MAX + 1), 0) - 1
