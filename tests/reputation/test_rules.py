"""What is told of few buyers and of many, in whole numbers, and how trust is weighed."""

import pytest

from marketplace.kit.errors import Invalid
from marketplace.reputation import rules, trust
from marketplace.reputation.rules import Facts, Share

FEW = {"telling": "few", "percent": None}


def shown(percent: int) -> dict[str, object]:
    return {"telling": "shown", "percent": percent}


def test_shares_are_whole_per_cent_rounded_up() -> None:
    facts = Facts(sold=Share(300, 60), refunded=Share(7, 6), disputed=Share(0, 0), lost=Share(0, 0))
    told = rules.tell(facts, 5)
    assert told["sales"] == {"telling": "shown", "at_least": 200}
    assert (told["refunds"], told["disputes"]) == (shown(3), shown(0))
    assert told["punctuality"] == {"promised": 0, "on_time": 0, "percent": None}


@pytest.mark.parametrize(
    ("sold", "part", "told"),
    [
        (Share(40, 4), Share(0, 0), FEW),  # a few buyers at all
        (Share(40, 20), Share(9, 4), FEW),  # of a few
        (Share(40, 20), Share(1, 1), FEW),
        (Share(40, 20), Share(30, 17), FEW),  # all but a few
        (Share(40, 20), Share(40, 20), shown(100)),
        (Share(40, 20), Share(5, 5), shown(13)),
        (Share(40, 20), Share(0, 0), shown(0)),
    ],
)
def test_nothing_is_told_of_a_few_nor_of_all_but_a_few(sold: Share, part: Share, told: dict[str, object]) -> None:
    assert rules.tell(Facts(sold=sold, refunded=part), 5)["refunds"] == told


def test_two_markets_of_which_a_few_buyers_differ_are_told_alike() -> None:
    told = [rules.tell(Facts(sold=Share(120, 30), disputed=Share(many, many)), 5)["disputes"] for many in range(1, 5)]
    assert told == [FEW] * 4


@pytest.mark.parametrize(
    ("count", "least"), [(0, 0), (1, 1), (4, 2), (5, 5), (9, 5), (10, 10), (199, 100), (5_000, 5_000), (99_999, 50_000)]
)
def test_a_count_is_told_as_the_lower_end_of_its_band(count: int, least: int) -> None:
    assert rules.band(count) == least


def test_releases_are_public_and_told_as_they_are() -> None:
    told = rules.tell(Facts(promised=13, on_time=12), 5)
    assert told["punctuality"] == {"promised": 13, "on_time": 12, "percent": 92}


def test_trust_is_between_nothing_and_a_hundred_and_every_part_moves_it() -> None:
    best = trust.weigh(qualified=True, stars={5: 9}, on_time=4, promised=4, told={"disputes": {"percent": 0}})
    worst = trust.weigh(qualified=False, stars={1: 9}, on_time=0, promised=4, told={"disputes": {"percent": 40}})
    unknown = trust.weigh(qualified=False, stars={5: 2}, on_time=1, promised=1, told={})
    assert (best["score"], worst["score"], unknown["score"]) == (100, 40, 64)
    assert all(isinstance(part, int) for one in (best, worst, unknown) for part in one["parts"].values())
    assert trust.mean_tenths({4: 1, 5: 2}) == 46
    assert trust.mean_tenths({}) is None


@pytest.mark.parametrize("reason", ["", " \n", "\u3000", "x" * 1001, "a\x00"])
def test_nothing_is_hidden_without_a_reason(reason: str) -> None:
    with pytest.raises(Invalid):
        rules.check_reason(reason)
