"""Telling by a leaked table whose copy it was, and how sure that is: exact, in whole numbers and fractions."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from math import comb, prod

from marketplace.delivery.tracing import marking
from marketplace.delivery.tracing.marking import Pools
from marketplace.delivery.tracing.reading import Row, Table

ERROR_MAX = Fraction(1, 1_000_000)
"""Of so many leaks that are traced, one at most names somebody whose copy it was not, however many grants there are."""

PAIRS_MAX = 2000
WAYS = 2
"""In how many ways the order of a leak is compared; each is a chance to err."""


@dataclass(frozen=True, slots=True)
class Leak:
    """A leaked table beside the source of which it may be: its rows that are the source's, and those that are not.

    ``columns`` are those of the source that the leak still has. ``known`` are whole rows of the source, in the order
    of the leak, without those that cannot be told apart.
    """

    columns: tuple[int, ...]
    known: list[Row]
    foreign: set[Row]

    @classmethod
    def of(cls, leak: Table, source: Table) -> "Leak":
        """Find the rows of a leak in a source, by the names of its columns or, without names, by their places."""
        columns, rows = _aligned(leak, source)
        projected = [tuple(row[column] for column in columns) for row in source.rows if len(row) > max(columns)]
        whole = [row for row in source.rows if len(row) > max(columns)]
        seen = Counter(projected)
        by_part = {part: row for part, row in zip(projected, whole, strict=True) if seen[part] == 1}
        known = [by_part[row] for row in dict.fromkeys(rows) if row in by_part]
        return cls(columns, known, {row for row in rows if row not in seen})


@dataclass(frozen=True, slots=True)
class Score:
    """What speaks against one grant: so many of so many, and how probable that is if the copy is not its."""

    hits: int
    of: int
    chance: Fraction


def _aligned(leak: Table, source: Table) -> tuple[tuple[int, ...], list[Row]]:
    places = {name: column for column, name in reversed(list(enumerate(source.names))) if name}
    if leak.names and set(leak.names) <= set(places) and len(set(leak.names)) == len(leak.names):
        return tuple(places[name] for name in leak.names), leak.rows
    return tuple(range(len(source.names))), [leak.names, *leak.rows]


def order_score(leak: Leak, seed: bytes) -> Score:
    """Compare the order of a leak's rows with that of a grant's copy.

    Rows are compared in pairs that share no row. To a copy that is not the leak's source, each pair is one throw of a
    fair coin, whatever was done to the leak; so the chance is the tail of a binomial distribution, exactly. Neighbours
    tell of leaks that were cut and put together, distant rows of those that were shuffled in part.
    """
    places = [marking.place(seed, row) for row in leak.known]
    scores = (_rising(pairs) for pairs in (_neighbours(places), _distant(places)))
    return min(scores, key=lambda score: score.chance)


def canary_score(leak: Leak, pools: Pools, seed: bytes) -> Score:
    """Look for a grant's marker rows among those of a leak that are not the source's.

    The chance that foreign rows are by accident those of a grant is bounded by their number, times that of its
    markers, over the number of rows that could have been drawn; for several, by its power.
    """
    markers = {tuple(row[column] for column in leak.columns) for row in marking.canaries(pools, seed)}
    hits = len(markers & leak.foreign)
    space = prod(len(pools.columns[column]) for column in leak.columns) - len(pools.there)
    if hits == 0 or space <= 0:
        return Score(hits, len(markers), Fraction(1))
    chance = min(Fraction(len(leak.foreign) * len(markers), space), Fraction(1))
    return Score(hits, len(markers), chance**hits)


def named(scores: Mapping[str, Score], comparisons: int) -> list[str]:
    """Return who is named, most certain first: whose chance, times all comparisons made, is within ``ERROR_MAX``."""
    sure = [grant for grant, score in scores.items() if score.chance * max(comparisons, 1) <= ERROR_MAX]
    return sorted(sure, key=lambda grant: (scores[grant].chance, grant))


def _neighbours(places: list[bytes]) -> list[tuple[bytes, bytes]]:
    return _sample(list(zip(places[::2], places[1::2], strict=False)))


def _distant(places: list[bytes]) -> list[tuple[bytes, bytes]]:
    half = len(places) // 2
    return _sample(list(zip(places[:half], places[half:], strict=False)))


def _sample(pairs: list[tuple[bytes, bytes]]) -> list[tuple[bytes, bytes]]:
    step = -(-len(pairs) // PAIRS_MAX) or 1
    return pairs[::step]


def _rising(pairs: Iterable[tuple[bytes, bytes]]) -> Score:
    told = [first < second for first, second in pairs]
    return Score(sum(told), len(told), _tail(sum(told), len(told)))


@lru_cache(maxsize=4096)
def _tail(hits: int, of: int) -> Fraction:
    """Return the chance of at least so many heads; where it is no evidence anyway, simply 1."""
    if hits * 2 <= of:
        return Fraction(1)
    ways, total = comb(of, hits), 0
    for count in range(hits, of + 1):
        total += ways
        ways = ways * (of - count) // (count + 1)
    return Fraction(total, 1 << of)
