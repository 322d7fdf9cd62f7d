"""Rating: exact, additive where bills are cut, floored once per line; the vendors' own examples come out alike."""

from datetime import date
from decimal import Decimal
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from marketplace.billing import pricing
from marketplace.billing.splitting import allocate
from marketplace.licensing.prices import Price, Tier
from marketplace.licensing.states import PriceKind, UsageUnit
from tests.factories.licensing import per_mib

MIB = 2**20
TODAY = date(2026, 11, 22)
counts = st.integers(0, 2**50)
decimals = st.decimals(0, 10**9, places=12, allow_nan=False)


def tiers(*stretches):
    """Tiers out of (up to, yen a unit, yen flat)."""
    return tuple(
        Tier(None if up_to is None else Decimal(up_to), Decimal(unit), Decimal(flat)) for up_to, unit, flat in stretches
    )


def tiered(kind, *stretches, **bounds):
    return Price(kind, unit=UsageUnit.REQUEST, tiers=tiers(*stretches), **bounds)


def per_unit(unit_yen, **bounds):
    return Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal(unit_yen), **bounds)


def package(size, yen, **bounds):
    return Price(PriceKind.PACKAGE, yen, UsageUnit.REQUEST, package_size=size, **bounds)


VOLUME, GRADUATED = PriceKind.VOLUME, PriceKind.GRADUATED
AT_ZERO = {"flat_fee_at_zero": True}
STRIPE = (("5", "7", "0"), ("10", "6.5", "0"), (None, "6", "0"))
LAGO = (("10", "10", "2"), ("20", "5", "3"), (None, "5", "3"))
LAGO_DECIMAL = (("0.1", "10", "0"), ("1", "5", "0"), (None, "2", "0"))
LAGO_VOLUME = (("100", "2", "10"), ("200", "1", "0"), (None, "0.5", "50"))
LAGO_DOCS_VOLUME = (
    ("10000", "0.0010", "10"),
    ("50000", "0.0008", "10"),
    ("100000", "0.0006", "10"),
    (None, "0.0004", "10"),
)
LAGO_DOCS = (("100", "1", "0"), ("200", "0.5", "0"), (None, "0.1", "0"))
OPENMETER = (("5", "0", "100"), ("10", "0", "50"), ("15", "5", "0"), (None, "1", "0"))
ZUPLO = (("1000", "0.10", "0"), ("10000", "0.05", "0"), (None, "0.01", "0"))
AUTUMN = (("1000", "0.01", "0"), ("10000", "0.008", "0"), (None, "0.005", "0"))
FLEXPRICE = (("10000", "0.0010", "0"), ("50000", "0.0008", "0"), (None, "0.0006", "0"))
VECTORS = [
    # docs.stripe.com, tiered pricing
    *(
        (tiered(VOLUME, *STRIPE), *vector)
        for vector in [("1", "7"), ("5", "35"), ("6", "39"), ("20", "120"), ("25", "150")]
    ),
    *(
        (tiered(GRADUATED, *STRIPE), *vector)
        for vector in [("5", "35"), ("6", "41.5"), ("20", "127.5"), ("25", "157.5")]
    ),
    # Lago's own tests and documents
    *(
        (tiered(GRADUATED, *LAGO, **AT_ZERO), *vector)
        for vector in [("0", "2"), ("1", "12"), ("10", "102"), ("11", "110"), ("12", "115"), ("21", "163")]
    ),
    *((tiered(GRADUATED, *LAGO_DECIMAL), *vector) for vector in [("0.05", "0.5"), ("0.5", "3.0")]),
    *(
        (tiered(VOLUME, *LAGO_VOLUME, **AT_ZERO), *vector)
        for vector in [("0", "10"), ("1", "12"), ("100", "210"), ("100.5", "100.5"), ("101", "101")]
    ),
    (tiered(VOLUME, *LAGO_DOCS_VOLUME), "65000", "49"),
    (tiered(GRADUATED, *LAGO_DOCS), "250", "155"),
    (package(10, 100), "121", "1300"),
    (package(10, 100, included_units=10), "121", "1200"),
    (package(10, 100, included_units=200), "121", "0"),
    # OpenMeter's tests
    (tiered(GRADUATED, *OPENMETER), "22", "182"),
    (tiered(GRADUATED, *OPENMETER), "12", "160"),
    (tiered(GRADUATED, *OPENMETER), "5.001", "150"),
    (tiered(GRADUATED, *OPENMETER, **AT_ZERO), "0", "100"),
    (tiered(GRADUATED, *OPENMETER, minimum_yen=1000, **AT_ZERO), "0", "1000"),
    (tiered(GRADUATED, *OPENMETER, maximum_yen=170), "22", "170"),
    (tiered(VOLUME, *OPENMETER), "3", "100"),
    (package(10, 15), "0", "0"),
    (package(10, 15), "10", "15"),
    # Zuplo, Autumn, Flexprice: their documents
    (tiered(GRADUATED, *ZUPLO), "15000", "600"),
    (tiered(GRADUATED, *AUTUMN), "15000", "107"),
    (tiered(VOLUME, *ZUPLO), "15000", "150"),
    (tiered(VOLUME, *FLEXPRICE), "65000", "39"),
    (package(1000, 1), "4500", "5"),
    (per_unit("0.001"), "100000", "100"),
]
# A percentage is a price per yen moved beside a price per event: rate, yen per event, yen free; volume, events; sum.
PERCENTAGES = [
    ("0.013", "2", 250, "800", "2", "11.15"),
    ("0.013", "2", 400, "800", "1", "7.2"),
    ("0.013", "2", 0, "800", "4", "18.4"),
    ("0.012", "0.10", 0, "50", "1", "0.70"),
]


def test_there_are_as_many_vectors_as_the_vendors_give():
    assert len(VECTORS) + len(PERCENTAGES) >= 44


@pytest.mark.parametrize(("price", "quantity", "expected"), VECTORS)
def test_the_vendors_own_examples_come_out_alike(price, quantity, expected):
    assert pricing.charge(price, Decimal(quantity)) == Decimal(expected)


@pytest.mark.parametrize(("rate", "fixed", "free", "volume", "events", "expected"), PERCENTAGES)
def test_a_percentage_is_two_unit_prices(rate, fixed, free, volume, events, expected):
    moved = pricing.charge(per_unit(rate, included_units=free), Decimal(volume))
    counted = pricing.charge(per_unit(fixed), Decimal(events))
    assert pricing.sum_exact([moved, counted]) == Decimal(expected)


@pytest.mark.parametrize(("stated", "volume", "graduated"), [(True, "10", "2"), (False, "0", "0")])
def test_what_no_usage_costs_is_stated_since_vendors_disagree_and_one_changed_its_mind(stated, volume, graduated):
    """Bug of others: a flat fee for a month without usage came and went with a release; ours stands in the price."""
    flag = {"flat_fee_at_zero": stated}
    assert pricing.charge(tiered(VOLUME, *LAGO_VOLUME, **flag), Decimal(0)) == Decimal(volume)
    assert pricing.charge(tiered(GRADUATED, *LAGO, **flag), Decimal(0)) == Decimal(graduated)
    within = {"included_units": 50}
    assert pricing.charge(tiered(VOLUME, *LAGO_VOLUME, **flag, **within), Decimal(50)) == Decimal(volume)
    assert pricing.charge(tiered(GRADUATED, *LAGO, **flag, **within), Decimal(49)) == Decimal(graduated)


@pytest.mark.parametrize(
    "price", [per_unit("3"), package(10, 100), Price(PriceKind.ONE_OFF, 500), Price(PriceKind.FREE)]
)
def test_no_usage_costs_nothing_where_there_is_no_flat_fee(price):
    assert pricing.charge(price, Decimal(0)) == 0
    assert pricing.accrued(price, Decimal(0)) == 0


def test_a_minimum_is_owed_without_usage_and_a_maximum_is_never_passed():
    price = per_unit("3", minimum_yen=1_000, maximum_yen=2_000)
    found = [pricing.charge(price, Decimal(units)) for units in (0, 10, 334, 500, 667, 10**12)]
    assert found == [1_000, 1_000, 1_002, 1_500, 2_000, 2_000]
    assert [pricing.accrued(price, Decimal(units)) for units in (0, 10, 667)] == [0, 30, 2_000]


@pytest.mark.parametrize("quantity", [-1, 1, "1", None, True, Decimal(-1), Decimal("NaN"), Decimal("Infinity")])
def test_a_quantity_is_a_finite_decimal(quantity):
    with pytest.raises(ValueError, match="quantity"):
        pricing.charge(per_unit("1"), quantity)


@st.composite
def metered(draw):
    """Any price that is billed by usage."""
    kind = draw(st.sampled_from([PriceKind.PER_UNIT, GRADUATED, VOLUME, PriceKind.PACKAGE]))
    bounds = {"included_units": draw(st.integers(0, 10**6)), "unit": UsageUnit.ROW}
    if draw(st.booleans()):
        bounds["maximum_yen"] = draw(st.integers(1, 10**9))
    if draw(st.booleans()):
        bounds["minimum_yen"] = draw(st.integers(0, bounds.get("maximum_yen", 10**9)))
    if kind is PriceKind.PER_UNIT:
        return Price(kind, unit_yen=draw(decimals), **bounds)
    if kind is PriceKind.PACKAGE:
        return Price(kind, draw(st.integers(1, 10**9)), package_size=draw(st.integers(1, 10**6)), **bounds)
    ends = sorted(draw(st.sets(st.decimals("0.000000000001", 10**7, places=12), max_size=5)))
    stretches = tuple(Tier(end, draw(decimals), draw(decimals)) for end in [*ends, None])
    return Price(kind, tiers=stretches, flat_fee_at_zero=draw(st.booleans()), **bounds)


quantities = st.decimals(0, 10**12, places=12)


@given(price=metered(), less=quantities, more=quantities)
def test_more_usage_never_accrues_less_so_bills_in_between_telescope(price, less, more):
    less, more = sorted([less, more])
    assert pricing.accrued(price, less) <= pricing.accrued(price, more) <= pricing.charge(price, more)
    if price.kind is not VOLUME:
        assert pricing.charge(price, less) <= pricing.charge(price, more)


@given(price=metered(), marks=st.lists(quantities, min_size=1, max_size=8))
def test_the_parts_of_a_period_sum_to_the_whole_however_it_is_cut(price, marks):
    """Bug of others: overlapping parts of one usage were counted twice."""
    marks = sorted(marks)
    known = [Decimal(0), *(pricing.accrued(price, mark) for mark in marks), pricing.charge(price, marks[-1])]
    lines = [pricing.line_yen(after) - pricing.line_yen(before) for before, after in pairwise(known)]
    assert all(line >= 0 for line in lines)
    assert sum(lines) == pricing.line_yen(pricing.charge(price, marks[-1]))


@given(price=metered(), quantity=quantities)
def test_bounds_hold_whatever_is_used(price, quantity):
    owed = pricing.charge(price, quantity)
    assert owed >= (price.minimum_yen or 0)
    assert price.maximum_yen is None or owed <= price.maximum_yen


@given(size=st.integers(1, 10**6), yen=st.integers(1, 10**6), used=st.integers(0, 10**12))
def test_a_package_is_charged_when_it_is_begun(size, yen, used):
    assert pricing.charge(package(size, yen), Decimal(used)) == -(-used // size) * yen


@given(ends=st.sets(st.integers(1, 10**6), max_size=5), unit=decimals, used=quantities)
def test_tiers_of_one_unit_price_are_no_tiers(ends, unit, used):
    stretches = (*(Tier(Decimal(end), unit) for end in sorted(ends)), Tier(None, unit))
    for kind in (GRADUATED, VOLUME):
        price = Price(kind, unit=UsageUnit.ROW, tiers=stretches)
        assert pricing.charge(price, used) == pricing.charge(per_unit(unit), used)


@given(st.lists(st.integers(0, 10**12), min_size=1, max_size=1_000), st.data())
def test_a_discount_over_the_lines_of_an_invoice_loses_no_yen(nets, data):
    """Bug of others: a discount spread line by line, each rounded alone, lost a yen."""
    assume(sum(nets))
    discount = data.draw(st.integers(0, sum(nets)))
    parts = allocate(discount, nets, nets)
    assert sum(parts) == discount
    assert all(0 <= part <= net for part, net in zip(parts, nets, strict=True))


@pytest.mark.parametrize(
    ("price", "due"),
    [
        (Price(PriceKind.FREE), 0),
        (Price(PriceKind.ONE_OFF, 5000), 5000),
        (Price(PriceKind.ONE_OFF, 1), 1),
        (Price(PriceKind.SUBSCRIPTION, 12_000, term_months=12), 12_000),
        (per_mib(30), 0),
        (package(10, 100, minimum_yen=5_000), 0),
    ],
)
def test_only_what_is_paid_in_advance_is_due_when_ordering(price, due):
    assert pricing.upfront_net_yen(price, TODAY) == due


@pytest.mark.parametrize(
    ("on", "due"),
    [
        (date(2026, 4, 1), 365_000),
        (date(2026, 4, 2), 364_000),
        (date(2027, 3, 31), 1_000),
        (date(2026, 11, 22), 130_000),
        (date(2027, 4, 1), 365_000),
        (date(2028, 2, 29), 31_912),  # 32 days of 366
    ],
)
def test_a_fiscal_year_begun_late_costs_the_days_that_are_left_of_it(on, due):
    assert pricing.upfront_net_yen(Price(PriceKind.SUBSCRIPTION, 365_000, fiscal_year=True), on) == due


@pytest.mark.parametrize(
    ("day", "first", "last"),
    [
        (date(2026, 4, 1), date(2026, 4, 1), date(2027, 3, 31)),
        (date(2027, 3, 31), date(2026, 4, 1), date(2027, 3, 31)),
        (date(2028, 2, 29), date(2027, 4, 1), date(2028, 3, 31)),
    ],
)
def test_a_fiscal_year_runs_from_april_to_march(day, first, last):
    assert pricing.fiscal_year_of(day) == (first, last)


@given(yen=st.integers(0, 10**12), days=st.integers(0, 366), total=st.integers(1, 366))
def test_days_prorate_to_no_more_than_the_whole(yen, days, total):
    assume(days <= total)
    assert 0 <= pricing.prorated_yen(yen, days, total) <= yen
    assert pricing.prorated_yen(yen, total, total) == yen


@pytest.mark.parametrize(("days", "total"), [(-1, 30), (31, 30), (0, 0)])
def test_days_that_are_no_part_of_a_term_are_refused(days, total):
    with pytest.raises(ValueError, match="no part"):
        pricing.prorated_yen(100, days, total)


@pytest.mark.parametrize(
    ("unit", "count", "quantity"),
    [
        (UsageUnit.MIB, MIB, "1"),
        (UsageUnit.MIB, 1, "9.5367431640625E-7"),
        (UsageUnit.ROW, 12, "12"),
        (UsageUnit.REQUEST, 2**62, str(2**62)),
    ],
)
def test_counts_become_units_exactly(unit, count, quantity):
    assert pricing.quantity_of(unit, count) == Decimal(quantity)


@pytest.mark.parametrize("count", [-1, 2.5, True, "3", None])
def test_counts_are_whole_numbers(count):
    with pytest.raises(ValueError, match="whole number"):
        pricing.quantity_of(UsageUnit.ROW, count)


@given(unit=decimals, included=st.integers(0, 2**30), used=st.integers(0, 2**62))
def test_bytes_times_twelve_decimals_are_exact(unit, included, used):
    price = per_mib(unit, included)
    charged = max(used - included * MIB, 0)
    owed = pricing.charge(price, pricing.quantity_of(UsageUnit.MIB, used))
    assert Fraction(owed) == Fraction(charged, MIB) * Fraction(unit)


@pytest.mark.parametrize(
    ("exact", "line"),
    [("0", 0), ("0.99999999999999999999", 0), ("1", 1), ("99.99", 99), ("1" + "0" * 40 + ".5", 10**40)],
)
def test_a_line_is_floored_to_yen(exact, line):
    assert pricing.line_yen(Decimal(exact)) == line


@pytest.mark.parametrize(
    ("unit_yen", "units", "yen"), [("1.005", 1000, 1005), ("2.675", 1000, 2675), ("0.29", 100, 29)]
)
def test_what_a_float_cannot_hold_is_exact(unit_yen, units, yen):
    price = Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal(unit_yen))
    assert pricing.charge(price, Decimal(units)) == yen
    assert pricing.line_yen(pricing.charge(price, Decimal(units))) == yen
    # A truncated product of floats loses the last yen of some of these.
    assert int(float("1.005") * 1000) == 1004


def test_a_negative_line_is_refused():
    with pytest.raises(ValueError, match="not negative"):
        pricing.line_yen(Decimal("-0.01"))
