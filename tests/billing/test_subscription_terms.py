"""Which days the terms of a subscription have, and what they cost."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing.subscriptions import rules
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind

MONTHLY = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1)
YEARLY = Price(PriceKind.SUBSCRIPTION, 36_500, term_months=12)
FISCAL = Price(PriceKind.SUBSCRIPTION, 36_500, fiscal_year=True)
TRIED = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1, trial_days=14)


def days(price: Price, starts_on: date, *numbers: int) -> list[tuple[str, str]]:
    """First and last day of some terms."""
    terms = [rules.term(price, starts_on, number) for number in numbers]
    return [(term.first.isoformat(), term.last.isoformat()) for term in terms]


def test_the_end_of_january_comes_back_after_the_short_february() -> None:
    assert days(MONTHLY, date(2027, 1, 31), 1, 2, 3, 4) == [
        ("2027-01-31", "2027-02-27"),
        ("2027-02-28", "2027-03-30"),
        ("2027-03-31", "2027-04-29"),
        ("2027-04-30", "2027-05-30"),
    ]


def test_a_leap_day_is_the_anchor_of_every_leap_year() -> None:
    assert days(MONTHLY, date(2028, 1, 31), 1, 2) == [("2028-01-31", "2028-02-28"), ("2028-02-29", "2028-03-30")]
    assert days(YEARLY, date(2028, 2, 29), 1, 2, 5) == [
        ("2028-02-29", "2029-02-27"),
        ("2029-02-28", "2030-02-27"),
        ("2032-02-29", "2033-02-27"),
    ]


def test_a_fiscal_year_ends_with_march_and_its_first_part_costs_its_days() -> None:
    assert days(FISCAL, date(2026, 11, 22), 1, 2, 3) == [
        ("2026-11-22", "2027-03-31"),
        ("2027-04-01", "2028-03-31"),
        ("2028-04-01", "2029-03-31"),
    ]
    first, second, leap = (rules.term(FISCAL, date(2026, 11, 22), number) for number in (1, 2, 3))
    assert rules.net_yen(FISCAL, first) == 36_500 * 130 // 365
    assert (rules.net_yen(FISCAL, second), rules.net_yen(FISCAL, leap)) == (36_500, 36_500)


@pytest.mark.parametrize(
    ("starts_on", "last", "yen"),
    [
        (date(2027, 3, 31), "2027-03-31", 100),
        (date(2027, 4, 1), "2028-03-31", 36_500),
        (date(2028, 3, 31), "2028-03-31", 36_500 // 366),
    ],
)
def test_on_either_side_of_the_fiscal_years_end(starts_on: date, last: str, yen: int) -> None:
    term = rules.term(FISCAL, starts_on, 1)
    assert (term.last.isoformat(), rules.net_yen(FISCAL, term)) == (last, yen)
    assert rules.term(FISCAL, starts_on, 2).first == term.last + timedelta(days=1)


def test_a_trial_comes_first_costs_nothing_and_moves_the_anchor() -> None:
    assert days(TRIED, date(2026, 12, 25), 1, 2, 3) == [
        ("2026-12-25", "2027-01-07"),
        ("2027-01-08", "2027-02-07"),
        ("2027-02-08", "2027-03-07"),
    ]
    trial, paid = (rules.term(TRIED, date(2026, 12, 25), number) for number in (1, 2))
    assert (rules.net_yen(TRIED, trial), rules.net_yen(TRIED, paid)) == (0, 3000)
    assert (rules.is_trial(TRIED, 1), rules.is_trial(TRIED, 2), rules.is_trial(MONTHLY, 1)) == (True, False, False)


def test_a_trial_before_a_fiscal_year_leaves_the_days_after_it_to_be_paid() -> None:
    price = Price(PriceKind.SUBSCRIPTION, 36_500, fiscal_year=True, trial_days=30)
    assert days(price, date(2027, 3, 15), 1, 2, 3) == [
        ("2027-03-15", "2027-04-13"),
        ("2027-04-14", "2028-03-31"),
        ("2028-04-01", "2029-03-31"),
    ]
    assert rules.net_yen(price, rules.term(price, date(2027, 3, 15), 2)) == 36_500 * 353 // 366


@given(
    starts_on=st.dates(date(2024, 1, 1), date(2040, 12, 31)),
    months=st.integers(1, 36),
    trial=st.integers(0, 60),
    fiscal=st.booleans(),
)
def test_terms_join_without_gap_or_overlap(starts_on: date, months: int, trial: int, fiscal: bool) -> None:
    price = Price(
        PriceKind.SUBSCRIPTION, 1000, term_months=None if fiscal else months, fiscal_year=fiscal, trial_days=trial
    )
    terms = [rules.term(price, starts_on, number) for number in range(1, 14)]
    assert terms[0].first == starts_on
    for one, following in pairwise(terms):
        assert one.first <= one.last
        assert following.first == one.last + timedelta(days=1)


def test_the_anchor_is_the_day_of_payment_but_for_fiscal_years_that_of_the_order() -> None:
    ordered, paid = date(2027, 3, 30), date(2027, 4, 2)
    assert (rules.anchor(MONTHLY, ordered, paid), rules.anchor(FISCAL, ordered, paid)) == (paid, ordered)


def test_there_is_no_term_before_the_first_nor_of_a_price_that_does_not_recur() -> None:
    with pytest.raises(ValueError, match="no term 0"):
        rules.term(MONTHLY, date(2027, 1, 1), 0)
    with pytest.raises(ValueError, match="no term 1"):
        rules.term(Price(PriceKind.ONE_OFF, 5000), date(2027, 1, 1), 1)
