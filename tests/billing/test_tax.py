"""Consumption tax: the rate of the day, one rounding per invoice and rate."""

import ast
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing import tax

PACKAGE = Path(tax.__file__).parent


@pytest.mark.parametrize(
    ("day", "rate"),
    [
        (date(1989, 4, 1), 300),
        (date(1997, 3, 31), 300),
        (date(1997, 4, 1), 500),
        (date(2014, 3, 31), 500),
        (date(2014, 4, 1), 800),
        (date(2019, 9, 30), 800),
        (date(2019, 10, 1), 1000),
        (date(2026, 11, 22), 1000),
    ],
)
def test_the_rate_is_that_of_the_day(day, rate):
    assert tax.rate_on(day) == rate


def test_before_1989_there_was_no_such_tax():
    with pytest.raises(ValueError, match="no consumption tax"):
        tax.rate_on(date(1989, 3, 31))


def test_three_lines_of_105_yen_bear_31_yen_and_not_30():
    assert tax.totals([(105, 1000)] * 3) == [tax.RateTotal(1000, 315, 31)]


def test_22_small_lines_bear_the_tax_of_their_sum():
    lines = [(52, 1000)] * 19 + [(58, 1000), (54, 1000), (58, 1000)]
    assert sum(net for net, _rate in lines) == 1158
    assert tax.totals(lines)[0].tax_yen == 115


def test_rates_are_rounded_each_on_their_own():
    lines = [(105, 800), (105, 1000), (104, 800), (9, 1000)]
    assert tax.totals(lines) == [tax.RateTotal(1000, 114, 11), tax.RateTotal(800, 209, 16)]
    assert tax.totals([]) == []


def test_an_unregistered_seller_charges_no_tax():
    day = date(2026, 11, 22)
    assert tax.quote(5000, day, seller_registered=True) == tax.Quote(5000, 500, 1000)
    assert tax.quote(5000, day, seller_registered=False) == tax.Quote(5000, 0, 0)
    assert tax.quote(5000, day, seller_registered=True).gross_yen == 5500


@pytest.mark.parametrize(("net", "basis_points", "fee"), [(5000, 1000, 500), (999, 1000, 99), (9, 1000, 0), (0, 1, 0)])
def test_the_commission_is_floored(net, basis_points, fee):
    assert tax.commission_on(net, basis_points) == fee


@pytest.mark.parametrize("bad", [-1, 99.99, True, "100"])
def test_yen_are_whole_numbers(bad):
    for deed in (tax.tax_on, tax.commission_on):
        with pytest.raises(ValueError, match="whole numbers"):
            deed(bad, 1000)


@given(st.lists(st.tuples(st.integers(0, 10**9), st.sampled_from([0, 800, 1000])), max_size=30))
def test_rounding_once_never_yields_less_than_rounding_each_line(lines):
    once = sum(total.tax_yen for total in tax.totals(lines))
    each = sum(tax.tax_on(net, rate) for net, rate in lines)
    assert each <= once <= each + len(lines)


def test_no_float_and_no_hundredfold_yen_in_billing():
    for file in PACKAGE.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            name = node.id if isinstance(node, ast.Name) else ""
            number = node.value if isinstance(node, ast.Constant) else None
            # Seconds on the wire and points on paper are no money.
            wire_time = file.name == "connection.py" or file.parent.name == "pdf"
            assert name != "float" or wire_time, f"{file}:{node.lineno} names float"
            assert not isinstance(number, float) or wire_time, f"{file}:{node.lineno} holds a float"
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult):
                factors = [part.value for part in (node.left, node.right) if isinstance(part, ast.Constant)]
                assert 100 not in factors, f"{file}:{node.lineno} multiplies by 100"
