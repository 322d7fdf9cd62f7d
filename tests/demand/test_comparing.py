"""Any two figures that were ever told of one market differ by enough buyers, and the country from its told parts."""

import random
from datetime import UTC, datetime

import pytest

from marketplace.demand import comparing
from marketplace.demand.comparing import Deal, Figure

BUYERS_MIN = 5
MONTHS = [f"{year}-{number:02}" for year in (2026, 2027, 2028, 2029) for number in range(1, 13)]


def deal(buyer: int, yen: int, month: str = "2026-10", area: str = "01", provider: int | None = None) -> Deal:
    at = datetime(int(month[:4]), int(month[5:]), 15, tzinfo=UTC)
    return Deal(area, f"buyer_{buyer}", f"provider_{buyer % 3 if provider is None else provider}", yen, at)


def tell(deals: list[Deal], month: str = "2026-10", before: tuple[Figure, ...] = ()) -> dict[str, tuple[int, int, int]]:
    told = comparing.tellable(deals, before, month, BUYERS_MIN)
    return {costs.area: costs.quartiles for costs in told}


FIVE = [deal(number, number * 1_000) for number in range(1, 6)]
COUNTRY = Figure("2026-10", "JP")


def test_quartiles_are_those_of_the_buyers_medians() -> None:
    assert tell(FIVE) == {"JP": (2_000, 3_000, 4_000)}
    assert tell([*FIVE, deal(1, 90_000), deal(1, 90_000)]) == {"JP": (3_000, 4_000, 5_000)}


@pytest.mark.parametrize(
    "deals",
    [
        FIVE[:4],
        [*FIVE[:4], *FIVE[:4]],
        [deal(number, 1_000, provider=number % 2) for number in range(9)],
        [deal(1, 1_000, provider=number) for number in range(9)],
    ],
)
def test_few_buyers_or_providers_make_no_figure_however_many_deals(deals: list[Deal]) -> None:
    assert tell(deals) == {}


@pytest.mark.parametrize("more", [0, 1, 4])
def test_a_month_later_fewer_than_five_new_buyers_are_not_told(more: int) -> None:
    fresh = [deal(100 + number, 2_500, "2026-11") for number in range(more)]
    assert tell(FIVE + fresh, "2026-11", (COUNTRY,)) == {}


def test_buyers_who_pay_another_median_and_whose_deals_are_too_old_differ() -> None:
    dearer = [deal(number, 90_000, "2026-11") for number in range(1, 6)]
    assert tell(FIVE + dearer, "2026-11", (COUNTRY,)) == {}, "the median is the lower one still"
    assert tell(FIVE + dearer * 2, "2026-11", (COUNTRY,)) == {"JP": (90_000, 90_000, 90_000)}
    assert tell(FIVE + dearer, "2029-10", (COUNTRY,)) == {"JP": (90_000, 90_000, 90_000)}


def test_the_country_and_its_told_prefectures_leave_no_few_over() -> None:
    tokyo = [deal(50 + number, 7_000, area="13") for number in range(6)]
    alone = [deal(90, 555_000, area="27")]
    assert set(tell(FIVE + tokyo)) == {"JP", "13"}
    assert set(tell(FIVE + tokyo + alone)) == {"JP", "13"}
    assert set(tell(FIVE + alone)) == {"JP"}
    assert set(tell(FIVE + tokyo + [deal(90 + number, 9_000, area="27") for number in range(5)])) == {"JP", "13", "01"}


def _medians(deals: list[Deal], figure: Figure, areas: set[str]) -> dict[str, int]:
    first, after = comparing.span(figure.month)
    paid: dict[str, list[int]] = {}
    for one in deals:
        if first <= one.at < after and (one.area in areas or "JP" in areas):
            paid.setdefault(one.buyer_id, []).append(one.yen)
    return {buyer_id: sorted(yen)[(len(yen) - 1) // 2] for buyer_id, yen in paid.items()}


def _apart(one: dict[str, int], other: dict[str, int]) -> int:
    return len({buyer_id for buyer_id, _yen in one.items() ^ other.items()})


@pytest.mark.parametrize("seed", range(40))
def test_of_markets_at_random_over_four_years_no_two_figures_differ_by_a_few(seed: int) -> None:
    chance = random.Random(seed)
    deals: list[Deal] = []
    told: list[tuple[Figure, dict[str, int]]] = []
    for month in MONTHS:
        for _ in range(chance.randrange(5)):
            area, provider = chance.choice(["01", "01", "13", "27", "JP"]), chance.randrange(5)
            deals.append(deal(chance.randrange(40), chance.randrange(1, 9) * 1_000, month, area, provider))
        known = tuple(figure for figure, _ in told if figure.month >= comparing.oldest(month))
        fresh = [Figure(month, area) for area in tell(deals, month, known)]
        told += [(figure, _medians(deals, figure, {figure.area})) for figure in fresh]
        parts = {figure.area for figure in (*known, *fresh)} - {"JP"}
        wholes = [medians for figure, medians in told if figure.area == "JP" and figure in (*known, *fresh)]
        if fresh and parts:
            together = _medians(deals, Figure(month, ""), parts)
            assert all(_apart(whole, together) >= BUYERS_MIN for whole in wholes)
    pairs = [(one, other) for place, one in enumerate(told) for other in told[:place]]
    assert all(_apart(one[1], other[1]) >= BUYERS_MIN for one, other in pairs)
    assert told
