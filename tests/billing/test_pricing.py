"""Rating: exact, additive, floored once per line."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import pricing
from marketplace.licensing.states import PriceKind

MIB = 2**20
counts = st.integers(0, 2**50)
yen = st.integers(0, 10**9)


@pytest.mark.parametrize(
    ("kind", "amount", "due"),
    [(PriceKind.FREE, 0, 0), (PriceKind.ONE_OFF, 5000, 5000), (PriceKind.ONE_OFF, 1, 1), (PriceKind.PER_MIB, 30, 0)],
)
def test_only_a_one_off_price_is_due_when_ordering(kind, amount, due):
    assert pricing.upfront_net_yen(kind, amount) == due


@pytest.mark.parametrize(
    ("per_mib", "included", "before", "new", "expected"),
    [
        (30, 0, 0, MIB, "30"),
        (30, 0, 0, 1, "0.000028610229492187500"),
        (30, 10, 0, 10 * MIB, "0"),
        (30, 10, 0, 10 * MIB + 1, "0.000028610229492187500"),
        (30, 10, 9 * MIB, 2 * MIB, "30"),
        (30, 10, 10 * MIB, MIB // 2, "15"),
        (30, 10, 50 * MIB, 0, "0"),
        (0, 0, 0, 10**12, "0"),
        (7, 1, MIB - 1, 2, "0.0000066757202148437500"),
        (999_999_999_999, 0, 0, 2**60, "1099511627774900488372224"),
    ],
)
def test_metered_bytes_are_rated_exactly(per_mib, included, before, new, expected):
    assert pricing.rate_bytes(per_mib, included, before, new) == Decimal(expected)


@given(price=yen, included=st.integers(0, 2**30), before=counts, first=counts, second=counts)
def test_two_parts_cost_what_the_whole_costs(price, included, before, first, second):
    parts = [
        pricing.rate_bytes(price, included, before, first),
        pricing.rate_bytes(price, included, before + first, second),
    ]
    assert pricing.sum_exact(parts) == pricing.rate_bytes(price, included, before, first + second)


@pytest.mark.parametrize(
    ("exact", "line"),
    [("0", 0), ("0.99999999999999999999", 0), ("1", 1), ("99.99", 99), ("1" + "0" * 40 + ".5", 10**40)],
)
def test_a_line_is_floored_to_yen(exact, line):
    assert pricing.line_yen(Decimal(exact)) == line


def test_a_negative_line_is_refused():
    with pytest.raises(ValueError, match="not negative"):
        pricing.line_yen(Decimal("-0.01"))


@pytest.mark.parametrize("bad", [-1, 2.5, True, "3", None])
def test_prices_and_bytes_are_whole_numbers(bad):
    with pytest.raises(ValueError, match="amount_yen"):
        pricing.upfront_net_yen(PriceKind.ONE_OFF, bad)
    for position in range(4):
        arguments = [30, 1, 0, 5]
        arguments[position] = bad
        with pytest.raises(ValueError, match="whole number"):
            pricing.rate_bytes(*arguments)
