"""Bands of datasets by the key that orders them: the best of a great many are found without a look at all others.

The index has the band of each dataset as a term. Whoever looks for the first of those that a query finds asks the
highest bands alone, and the rest where these do not have enough: the same answer, for what a page costs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from marketplace.catalog.narrowing import any_term

WIDTHS = {"standing": 54, "recency": 51}
"""The bits of a key that lie within one band: four points of standing, or some 25 days of publication."""
LOOK_AT = 20_000
TERMS_MAX = 64


@dataclass(frozen=True, slots=True)
class Bands:
    """The bands of an index by one field, the highest first, and about how many datasets each has.

    The numbers count what is hidden or gone too: they only choose how to look, and are told to nobody.
    """

    field: str
    counted: Sequence[tuple[int, int]]

    @property
    def highest(self) -> int:
        """Return a key that none exceeds."""
        return (self.counted[0][0] + 1 << WIDTHS[self.field]) - 1 if self.counted else 0

    def promise(self, found: int, wanted: int) -> bool:
        """Tell whether so many are likely to be among the best that are looked at, where so many were found in all."""
        there = sum(count for _band, count in self.counted)
        return found * LOOK_AT >= 2 * wanted * there

    def within(self, least: int, most: int | None, enough: int | None = None) -> tuple[list[int], bool]:
        """Return the bands from one key down to another, or to where there are enough, and whether those are all."""
        low, width = least >> WIDTHS[self.field], WIDTHS[self.field]
        there = [
            (band, count) for band, count in self.counted if band >= low and (most is None or band <= most >> width)
        ]
        taken: list[int] = []
        seen = 0
        for band, count in there:
            if (enough is not None and seen >= enough) or len(taken) >= TERMS_MAX:
                break
            taken.append(band)
            seen += count
        return taken, len(taken) == len(there)

    def query(self, schema: Any, taken: Sequence[int]) -> Any:
        """Return the query for the datasets of these bands."""
        return any_term(schema, [field_of(self.field)], [f"{band}" for band in taken])


def field_of(field: str) -> str:
    """Return the field of the index that has the bands of a key."""
    return f"{field}_band"


def term_of(field: str, key: int) -> str:
    """Return the band of a key, as it stands in the index."""
    return f"{key >> WIDTHS[field]}"


def read(field: str, terms: Sequence[tuple[str, int]]) -> Bands:
    """Return the bands by the terms that the index has of them."""
    return Bands(field, tuple(sorted(((int(term), count) for term, count in terms), reverse=True)))
