"""What usage may come to: never less than its settlement, wherever its downloads end."""

from datetime import date
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import pricing
from marketplace.billing.budgets import letters, rules
from marketplace.billing.budgets.rules import Worth
from marketplace.billing.budgets.states import BudgetPeriod
from marketplace.licensing.prices import Price, Tier
from marketplace.licensing.states import PriceKind, UsageUnit

UNIT = UsageUnit.REQUEST
PER_UNIT = Price(PriceKind.PER_UNIT, unit=UNIT, unit_yen=Decimal("0.3"), included_units=7, maximum_yen=900)
PACKAGE = Price(PriceKind.PACKAGE, 40, UNIT, package_size=9, minimum_yen=50)
TIERS = (Tier(Decimal(10), Decimal(9)), Tier(Decimal("50.5"), Decimal("2.5"), Decimal(3)), Tier(None, Decimal("0.1")))
GRADUATED = Price(PriceKind.GRADUATED, unit=UNIT, tiers=TIERS, flat_fee_at_zero=True)
VOLUME = Price(PriceKind.VOLUME, unit=UNIT, tiers=TIERS, included_units=2)
PRICES = [PER_UNIT, PACKAGE, GRADUATED, VOLUME]
worths = st.builds(Worth, st.sampled_from(PRICES), st.lists(st.integers(1, 9_999), max_size=2).map(tuple))
counts = st.integers(0, 200)


@given(worth=worths, used=counts, held=counts, part=st.integers(0, 200))
def test_what_is_held_is_never_less_than_what_settlement_charges(worth: Worth, used: int, held: int, part: int) -> None:
    """However much of it arrives."""
    spent = rules.spent(worth, used, held)
    arrived = used + min(part, held)
    settled = pricing.line_yen(
        pricing.discounted(pricing.charge(worth.price, pricing.quantity_of(UNIT, arrived)), worth.off)
    )
    assert spent.yen_used + spent.yen_held >= settled
    assert rules.spent(worth, arrived, 0).yen_used >= settled


@given(worth=worths, used=counts, held=counts, part=st.integers(0, 200), rest=st.integers(0, 200))
def test_a_download_that_ends_never_makes_the_sum_greater(
    worth: Worth, used: int, held: int, part: int, rest: int
) -> None:
    before = rules.spent(worth, used, held + rest)
    after = rules.spent(worth, used + min(part, held), rest)
    assert after.yen_used + after.yen_held <= before.yen_used + before.yen_held


@given(worth=worths, used=counts, held=counts)
def test_whoever_asks_for_more_never_holds_less(worth: Worth, used: int, held: int) -> None:
    less, more = rules.spent(worth, used, held), rules.spent(worth, used, held + 1)
    assert (less.yen_used, less.yen_held) <= (more.yen_used, more.yen_held)


def test_a_volume_price_is_held_at_its_dearest() -> None:
    # 12 requests cost 9 yen each, 13 cost 2.5 each and 3: what is held must cover a download that ends at 12.
    assert rules.spent(Worth(VOLUME), 0, 100) == rules.Spent(0, 10 * 9 + 40)
    assert rules.spent(Worth(VOLUME), 11, 1) == rules.Spent(81, 9)


def test_a_minimum_counts_as_a_whole_from_the_first_download_on() -> None:
    assert rules.spent(Worth(PACKAGE), 0, 1) == rules.Spent(50, 0)


def test_what_earlier_months_came_to_is_not_counted_again() -> None:
    assert rules.spent(Worth(PER_UNIT), 17, 10, Decimal("1.5")) == rules.Spent(2, 3)


def test_what_passes_all_bounds_is_counted_at_the_bound() -> None:
    dear = Worth(Price(PriceKind.PER_UNIT, unit=UNIT, unit_yen=Decimal(10**30)))
    assert rules.spent(dear, 1, 1) == rules.Spent(rules.YEN_MAX, 0)


def test_a_price_without_units_is_not_counted() -> None:
    with pytest.raises(ValueError, match="by units"):
        rules.charged(Worth(Price(PriceKind.ONE_OFF, 500)), 1)


def test_percents_are_reached_exactly() -> None:
    assert [rules.reached(1_000, yen) for yen in (499, 500, 800, 999, 1_000)] == [
        [],
        [50],
        [50, 80],
        [50, 80],
        [50, 80, 100],
    ]


def test_periods_are_named_by_the_month_or_not_at_all() -> None:
    day = date(2026, 11, 30)
    assert [rules.period_of(period, day) for period in BudgetPeriod] == ["2026-11", "none"]


def test_the_subject_of_a_letter_is_printable_whatever_the_name() -> None:
    letter = letters.alert("研究\u3000開発", 50, 5, 10, "none")
    assert letter.subject.isprintable()
    assert "研究 開発" in letter.subject
