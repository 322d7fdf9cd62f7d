"""By what a search is narrowed: facets, whose values are counted, and spans of time and space."""

from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import Any

from marketplace.catalog import extent, grid, places
from marketplace.catalog.extent import LONGITUDE_MAX, Box
from marketplace.catalog.merit import SCORE_MAX, score
from marketplace.kit.errors import Invalid

FACETS = (
    "theme", "format", "licence", "price_class", "region", "publisher", "frequency", "year", "privacy_class",
    "delivery", "quality",
)  # fmt: skip
COUNTED = {facet: f"{facet}_counted" for facet in FACETS}
"""By which field a facet is counted: one value for each document, its own values together."""
SPANS = ("covers_from", "covers_until", "bbox")
TOGETHER_MAX = 10_000  # of the sets of values that stand together; Japan has fewer than 2,000 municipalities
PARTS_MAX = 50_000
_APART = "\x1f"
FIRST_DAY, LAST_DAY = "first_day", "last_day"
CELL = "cell"
EDGES = ("west", "south", "east", "north")
BANDS = (("80-100", 80), ("60-79", 60), ("40-59", 40), ("0-39", 0))
"""Qualities as they are counted, with the least score of each."""


def facets_of(document: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return under which values of each facet a document is found; none where it does not say."""
    days = extent.days_of(dict(document))
    return {
        "theme": document["themes"],
        "format": document["formats"],
        "licence": _stated(document.get("licence_hint")),
        "price_class": document["price_classes"],
        "region": places.holding(document["region"]),
        "publisher": [document["publisher"]["id"]],
        "frequency": [document["frequency"]],
        "year": days.years if days else [],
        "privacy_class": _privacy_classes(document),
        "delivery": _paths(document),
        "quality": _band(document),
    }


def numbers_of(document: Mapping[str, Any]) -> dict[str, int]:
    """Return the ends of the time and the edges of the place that a document speaks of."""
    days, box = extent.days_of(dict(document)), extent.box_of(dict(document))
    ends = {FIRST_DAY: days.first, LAST_DAY: days.last} if days else {}
    return ends | ({edge: getattr(box, edge) for edge in EDGES} if box else {})


def cells_of(document: Mapping[str, Any]) -> list[str]:
    """Return the cells of the earth under which a document is looked for."""
    box = extent.box_of(dict(document))
    return grid.cells_of(box) if box else []


def together(facet: str, values: Sequence[str]) -> str:
    """Return all values of a document as one: counting many values of each takes seven times as long."""
    if facet == "region":
        return values[0]
    if facet == "year" and values:
        return f"{values[0]}{_APART}{values[-1]}"
    return _APART.join(sorted(set(values)))


def apart(facet: str, counted: str) -> tuple[str, ...]:
    """Return the values that were put together as one."""
    if not counted:
        return ()
    if facet == "region":
        return tuple(places.holding(counted))
    values = counted.split(_APART)
    if facet == "year":
        return tuple(f"{year:04}" for year in range(int(values[0]), int(values[-1]) + 1))
    return tuple(values)


class Parts(dict[str, tuple[str, ...]]):
    """What was put together as one, apart again, for one facet: a look into a dict, and made when first asked for."""

    def __init__(self, facet: str) -> None:
        super().__init__()
        self._facet = facet

    def __missing__(self, counted: str) -> tuple[str, ...]:
        """Take apart what was not asked for yet; bounded, as catalogues are free in what they put together."""
        if len(self) >= PARTS_MAX:
            self.clear()
        found = self[counted] = apart(self._facet, counted)
        return found


@lru_cache(maxsize=len(FACETS))
def parts_of(facet: str) -> Parts:
    """Return the values of a facet that were put together, apart."""
    return Parts(facet)


def filters_in(given: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the filters among what was asked for, each with its values."""
    facets = {name: list(given[name]) for name in FACETS if given.get(name)}
    return facets | {name: [given[name]] for name in SPANS if given.get(name)}


def read_filters(filters: Mapping[str, Sequence[str]], schema: Any) -> dict[str, Any]:
    """Return the query of each filter that has a value; raises Invalid for one that is unknown or cannot be read."""
    unknown = sorted(set(filters) - {*FACETS, *SPANS})
    if unknown:
        known = ", ".join((*FACETS, *SPANS))
        raise Invalid(errors=[{"pointer": f"/{name}", "detail": f"filters are {known}"} for name in unknown])
    return {name: _query(schema, name, values) for name, values in filters.items() if values}


def _query(schema: Any, name: str, values: Sequence[str]) -> Any:
    if name in FACETS:
        return any_term(schema, [name], [value.encode("utf-8", "ignore").decode() for value in values])
    if len(values) > 1:
        raise Invalid(errors=[{"pointer": f"/{name}", "detail": "can be given once"}])
    return _SPAN_QUERIES[name](schema, values[0])


def any_term(schema: Any, fields: Sequence[str], terms: Sequence[str]) -> Any:
    """Return the query for documents that have one of these terms in one of these fields."""
    # Not a term set: tantivy walks its whole dictionary for one, 1 ms where a term takes microseconds.
    from tantivy import Query

    return either([Query.term_query(schema, field, term, "basic") for field in fields for term in terms])


def every(queries: Sequence[Any], but: Sequence[Any] = ()) -> Any:
    """Return the query for documents that satisfy all of these, and none of ``but``."""
    from tantivy import Occur, Query

    if len(queries) == 1 and not but:
        return queries[0]
    refused = [(Occur.MustNot, query) for query in but]
    return Query.boolean_query([*((Occur.Must, query) for query in queries), *refused])


def either(queries: Sequence[Any]) -> Any:
    """Return the query for documents that satisfy one of these."""
    from tantivy import Occur, Query

    return queries[0] if len(queries) == 1 else Query.boolean_query([(Occur.Should, query) for query in queries])


def unscored(query: Any) -> Any:
    """Return the query for the same documents that adds nothing to their scores."""
    from tantivy import Query

    return Query.const_score_query(query, 0.0)


def between(schema: Any, field: str, least: int | None = None, most: int | None = None) -> Any:
    """Return the query for documents of which a number is at least, or at most, or both."""
    from tantivy import FieldType, Query

    return Query.range_query(schema, field, FieldType.Integer, lower_bound=least, upper_bound=most)


def _from(schema: Any, text: str) -> Any:
    return between(schema, LAST_DAY, least=extent.read_day(text, "covers_from"))


def _until(schema: Any, text: str) -> Any:
    return between(schema, FIRST_DAY, most=extent.read_day(text, "covers_until"))


def _within(schema: Any, text: str) -> Any:
    box = extent.read_box(text)
    if box.west <= box.east:
        return _touching(schema, box)
    # Across the date line: what lies on either side of it.
    sides = (
        Box(box.west, box.south, LONGITUDE_MAX, box.north),
        Box(-LONGITUDE_MAX, box.south, box.east, box.north),
    )
    return either([_touching(schema, side) for side in sides])


def _touching(schema: Any, box: Box) -> Any:
    cells = grid.asked_of(box)
    return every(
        [
            *([] if cells is None else [any_term(schema, [CELL], cells)]),
            between(schema, "west", most=box.east),
            between(schema, "east", least=box.west),
            between(schema, "south", most=box.north),
            between(schema, "north", least=box.south),
        ]
    )


_SPAN_QUERIES: dict[str, Callable[[Any, str], Any]] = {
    "covers_from": _from, "covers_until": _until, "bbox": _within,
}  # fmt: skip


def _stated(value: str | None) -> list[str]:
    return [value] if value else []


def _privacy_classes(document: Mapping[str, Any]) -> list[str]:
    """Return the classes of personal data that a document states, or under which it is offered."""
    offered = (offer.get("privacy_class") for offer in document.get("offers", ()))
    return sorted(set(filter(None, [document.get("privacy_class"), *offered])))


def _paths(document: Mapping[str, Any]) -> list[str]:
    """Return how the data reaches a buyer: from the exchange, from its provider, or from where the record came from."""
    held = {file.get("held_by", "exchange") for release in document.get("releases", ()) for file in release["files"]}
    return sorted(held) or ["source"]


def _band(document: Mapping[str, Any]) -> list[str]:
    if document.get("quality") is None:
        return []
    return [_band_of(score(dict(document), "quality"))]


@lru_cache(maxsize=SCORE_MAX + 1)
def _band_of(points: int) -> str:
    return next(band for band, least in BANDS if points >= least)
