"""Which figures of what deals cost may be told beside all that were told before, so that no two give away a deal. Pure.

Whoever holds two figures subtracts: what a prefecture's market cost from the country's, last month's from this one's.
So a figure is told only if it differs from every other of its theme and kind of price, told now or in three years, by
enough buyers; and the country from all its told prefectures together. Who came, went, or paid another median differs.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import NamedTuple

from marketplace.catalog.rules import COUNTRY
from marketplace.kit import clock

PROVIDERS_MIN = 3
YEARS = 3


class Deal(NamedTuple):
    """What one order cost before tax; ``area`` is two digits of a prefecture, or ``JP``."""

    area: str
    buyer_id: str
    provider_id: str
    yen: int
    at: datetime


class Figure(NamedTuple):
    """That something was told of an area up to the end of a month such as 2026-10."""

    month: str
    area: str


@dataclass(frozen=True, slots=True)
class Costs:
    """What may be told of an area: quartiles of the buyers' medians, exact, and how many stand behind them."""

    area: str
    deals: int
    buyers: int
    quartiles: tuple[int, int, int]


def tellable(deals: Sequence[Deal], before: Iterable[Figure], month: str, buyers_min: int) -> list[Costs]:
    """Return what may be told of one theme and kind of price up to the end of a month: the country, then prefectures.

    ``before`` is what was told of them; the deals are those of all its months too. What was given back since, or was
    fulfilled late, is in both of two months or in none: no difference is seen in it, so that less is told, never more.
    """
    telling = _Telling(deals, list(before), month, buyers_min)
    sizes = {area: len(telling.medians(month, {area})) for area in telling.areas()}
    # The country first; then whichever prefecture has most buyers.
    order = sorted(sizes, key=lambda area: (area != COUNTRY, -sizes[area], area))
    return [telling.tell(area) for area in order if telling.admits(area)]


def span(month: str) -> tuple[datetime, datetime]:
    """Return the instants between which deals count that are told up to the end of a month."""
    year, number = int(month[:4]), int(month[5:])
    after = date(year + number // 12, number % 12 + 1, 1)
    return _midnight(after.replace(year=after.year - YEARS)), _midnight(after)


def oldest(month: str) -> str:
    """Return the month from which on what was told is still shown, and minded, in another."""
    return f"{int(month[:4]) - YEARS}{month[4:]}"


class _Telling:
    """The figures of one theme and kind of price that were told, and are told now."""

    def __init__(self, deals: Sequence[Deal], before: Sequence[Figure], month: str, buyers_min: int) -> None:
        self._deals: dict[str, list[Deal]] = defaultdict(list)
        for deal in deals:
            self._deals[deal.area].append(deal)
        self._month, self._buyers_min = month, buyers_min
        self._parts = {figure.area for figure in before} - {COUNTRY}
        self._wholes = [self.medians(one.month, {COUNTRY}) for one in before if one.area == COUNTRY]
        self._pieces = [self.medians(one.month, {one.area}) for one in before if one.area != COUNTRY]

    def areas(self) -> set[str]:
        """Return the areas that had deals."""
        return {COUNTRY, *self._deals}

    def medians(self, month: str, areas: set[str]) -> dict[str, int]:
        """Return the median of what each buyer paid in some areas up to the end of a month."""
        paid = defaultdict(list)
        for deal in self._within(month, areas):
            paid[deal.buyer_id].append(deal.yen)
        return {buyer_id: _nearest(sorted(yen), 2, 4) for buyer_id, yen in paid.items()}

    def admits(self, area: str) -> bool:
        """Tell whether enough stand behind the figure of an area, and between it and every other one."""
        medians = self.medians(self._month, {area})
        providers = {deal.provider_id for deal in self._within(self._month, {area})}
        if len(medians) < self._buyers_min or len(providers) < PROVIDERS_MIN:
            return False
        wholes = [*self._wholes, medians] if area == COUNTRY else self._wholes
        parts = self._parts | ({area} - {COUNTRY})
        together = self.medians(self._month, parts)
        return self._are_apart(medians, [*self._wholes, *self._pieces]) and (
            not parts or self._are_apart(together, wholes)
        )

    def tell(self, area: str) -> Costs:
        """Return what is told of an area, and keep it in mind."""
        medians, deals = self.medians(self._month, {area}), list(self._within(self._month, {area}))
        if area == COUNTRY:
            self._wholes.append(medians)
        else:
            self._pieces.append(medians)
            self._parts.add(area)
        yen = sorted(medians.values())
        quartiles = (_nearest(yen, 1, 4), _nearest(yen, 2, 4), _nearest(yen, 3, 4))
        return Costs(area, len(deals), len(medians), quartiles)

    def _within(self, month: str, areas: set[str]) -> Iterator[Deal]:
        first, after = span(month)
        wanted = self._deals if COUNTRY in areas else areas & self._deals.keys()
        return (deal for area in wanted for deal in self._deals[area] if first <= deal.at < after)

    def _are_apart(self, medians: Mapping[str, int], others: Iterable[Mapping[str, int]]) -> bool:
        return all(_differing(medians, other) >= self._buyers_min for other in others)


def _differing(one: Mapping[str, int], other: Mapping[str, int]) -> int:
    """Return how many buyers are in one of two figures alone, or with another median."""
    return sum(one.get(buyer_id) != other.get(buyer_id) for buyer_id in one.keys() | other.keys())


def _nearest(ordered: Sequence[int], share: int, whole: int) -> int:
    """Return the value at a share of an ordered row: one of its own, as ``percentile_disc`` does."""
    return ordered[max(-(-len(ordered) * share // whole) - 1, 0)]


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time.min, clock.JST)
