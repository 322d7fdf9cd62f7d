"""Prices as documents: read strictly, written canonically, whatever is thrown at them."""

import json
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kit.errors import Invalid
from marketplace.licensing.prices import FIELDS, Price, Tier, price_document, read_price
from marketplace.licensing.states import BillingPeriod, DownloadDue, PriceKind, UsageUnit

TIERS = [{"up_to": "10", "unit_yen": "10", "flat_yen": "2"}, {"up_to": None, "unit_yen": "5", "flat_yen": "3"}]
SOUND = {
    "free": {"kind": "free"},
    "one_off": {"kind": "one_off", "amount_yen": 5000},
    "subscription": {"kind": "subscription", "amount_yen": 12_000, "term_months": 12},
    "per_unit": {"kind": "per_unit", "unit": "row", "unit_yen": "0.000000000001"},
    "graduated": {"kind": "graduated", "unit": "mib", "tiers": TIERS},
    "volume": {"kind": "volume", "unit": "request", "tiers": TIERS, "flat_fee_at_zero": True},
    "package": {"kind": "package", "unit": "row", "amount_yen": 100, "package_size": 10},
}


def faults(document, pointer="/price"):
    with pytest.raises(Invalid) as caught:
        read_price(document, pointer)
    return [fault["pointer"] for fault in caught.value.errors]


def test_there_is_a_sound_example_of_every_kind():
    assert set(SOUND) == {kind.value for kind in PriceKind}


@pytest.mark.parametrize("kind", SOUND)
def test_what_is_written_reads_as_the_same_price(kind):
    price = read_price(SOUND[kind])
    written = price_document(price)
    assert read_price(json.loads(json.dumps(written))) == price
    assert list(written) == ["kind", *(name for name in FIELDS[PriceKind(kind)] if name != "download_due")]


def test_every_bound_is_read_as_it_is_meant():
    price = read_price(
        SOUND["package"]
        | {
            "included_units": 5,
            "minimum_yen": 1_000,
            "maximum_yen": 50_000,
            "trial_days": 14,
            "period": "month",
            "unit": "行",
        }
    )
    assert price == Price(
        PriceKind.PACKAGE,
        100,
        UsageUnit.ROW,
        package_size=10,
        included_units=5,
        minimum_yen=1_000,
        maximum_yen=50_000,
        trial_days=14,
        period=BillingPeriod.MONTH,
    )
    assert price.is_metered
    assert not price.is_recurring


def test_equal_prices_are_written_alike():
    one = read_price({"kind": "per_unit", "unit": "mib", "unit_yen": "000.2500", "included_units": 0})
    other = read_price({"kind": "per_unit", "unit_yen": "0.25", "unit": "MiB"})
    assert json.dumps(price_document(one)) == json.dumps(price_document(other))
    assert price_document(one)["unit_yen"] == "0.25"
    assert price_document(read_price({"kind": "per_unit", "unit": "mib", "unit_yen": "300"}))["unit_yen"] == "300"


def test_tiers_keep_twelve_decimals():
    tiers = [{"up_to": "0.000000000001", "unit_yen": "999999999999.999999999999"}, {"unit_yen": "0"}]
    price = read_price({"kind": "graduated", "unit": "mib", "tiers": tiers})
    assert price.tiers == (
        Tier(Decimal("0.000000000001"), Decimal("999999999999.999999999999")),
        Tier(None, Decimal(0)),
    )


@pytest.mark.parametrize("document", [None, [], "free", 5, True])
def test_a_price_is_an_object(document):
    assert faults(document) == ["/price"]


@pytest.mark.parametrize("kind", [None, "", "per_mib", "barter", 1, True, ["free"], {"x": 1}])
def test_the_kind_is_one_of_the_list(kind):
    assert faults({"kind": kind}) == ["/price/kind"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("free", "amount_yen"),
        ("one_off", "unit_yen"),
        ("one_off", "trial_days"),
        ("subscription", "minimum_yen"),
        ("per_unit", "amount_yen"),
        ("per_unit", "flat_fee_at_zero"),
        ("graduated", "package_size"),
        ("package", "tiers"),
        ("package", "no/such~field"),
    ],
)
def test_a_field_of_another_kind_is_refused_by_name(kind, field):
    name = field.replace("~", "~0").replace("/", "~1")
    assert faults(SOUND[kind] | {field: 5}) == [f"/price/{name}"]


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("one_off", "amount_yen"),
        ("subscription", "amount_yen"),
        ("per_unit", "unit"),
        ("per_unit", "unit_yen"),
        ("volume", "tiers"),
        ("package", "package_size"),
    ],
)
def test_a_field_that_is_needed_is_missed_by_name(kind, field):
    assert faults({name: value for name, value in SOUND[kind].items() if name != field}) == [f"/price/{field}"]
    assert faults(SOUND[kind] | {field: None}) == [f"/price/{field}"]


@pytest.mark.parametrize("field", ["amount_yen", "package_size", "included_units", "trial_days", "maximum_yen"])
@pytest.mark.parametrize("value", [-1, 0.5, "5", True, False, 2**70, float("inf"), float("nan"), [], {}])
def test_counts_are_whole_numbers_in_range(field, value):
    assert faults(SOUND["package"] | {field: value}) == [f"/price/{field}"]


HOSTILE_DECIMALS = [
    -1, 1, 0.5, True, False, [], {}, "", " 1", "1 ", "-1", "+1", "1.", ".5", "1,5", "0x10", "1e3", "1E+999999999",
    "1e-999999999", "NaN", "sNaN", "Infinity", "-Infinity", "1_000", "１２", "٣", "0.0000000000001",
    "1000000000000", "9" * 5_000, "1\n", "1\x00",
]  # fmt: skip


@pytest.mark.parametrize("value", HOSTILE_DECIMALS)
def test_a_decimal_is_a_plain_text_of_digits(value):
    assert faults(SOUND["per_unit"] | {"unit_yen": value}) == ["/price/unit_yen"]
    tier = {"up_to": None, "unit_yen": value}
    assert faults(SOUND["graduated"] | {"tiers": [tier]}) == ["/price/tiers/0/unit_yen"]
    bounded = [{"up_to": value, "unit_yen": "1"}, {"up_to": None, "unit_yen": "1"}]
    assert faults(SOUND["volume"] | {"tiers": bounded}) == ["/price/tiers/0/up_to"]


@pytest.mark.parametrize("value", [1, 0, "true", "yes", [], {}])
def test_a_truth_is_true_or_false_and_no_number(value):
    assert faults(SOUND["volume"] | {"flat_fee_at_zero": value}) == ["/price/flat_fee_at_zero"]
    document = {"kind": "subscription", "amount_yen": 500, "fiscal_year": value}
    assert faults(document) == ["/price/fiscal_year"]


def tier(up_to, unit_yen="1"):
    return {"up_to": up_to, "unit_yen": unit_yen}


@pytest.mark.parametrize(
    ("tiers", "pointers"),
    [
        ([], ["tiers"]),
        ({}, ["tiers"]),
        ("tiers", ["tiers"]),
        ([tier(None)] * 101, ["tiers"]),
        ([tier("10")], ["tiers/0/up_to"]),
        ([tier(None), tier(None)], ["tiers/0/up_to"]),
        ([tier("0"), tier(None)], ["tiers/0/up_to"]),
        ([tier("10"), tier("10"), tier(None)], ["tiers/1/up_to"]),
        ([tier("10"), tier("9.999"), tier(None)], ["tiers/1/up_to"]),
        ([tier("10"), tier("20")], ["tiers/1/up_to"]),
        ([tier(None, "0")], ["tiers"]),
        ([5], ["tiers/0"]),
        ([tier(None) | {"x": 1}], ["tiers/0/x"]),
        ([{"up_to": None}], ["tiers/0/unit_yen"]),
        ([tier(None) | {"flat_yen": "-3"}], ["tiers/0/flat_yen"]),
    ],
)
@pytest.mark.parametrize("kind", ["graduated", "volume"])
def test_tiers_rise_and_only_the_last_has_no_end(kind, tiers, pointers):
    assert faults(SOUND[kind] | {"tiers": tiers}) == [f"/price/{pointer}" for pointer in pointers]


@pytest.mark.parametrize(
    ("said", "pointer"),
    [
        ({"term_months": None}, "term_months"),
        ({"term_months": 0}, "term_months"),
        ({"term_months": 37}, "term_months"),
        ({"term_months": True}, "term_months"),
        ({"term_months": 12, "fiscal_year": True}, "term_months"),
    ],
)
def test_a_subscription_states_one_term(said, pointer):
    assert faults({"kind": "subscription", "amount_yen": 5_000} | said) == [f"/price/{pointer}"]


@pytest.mark.parametrize("said", [{"term_months": 1}, {"term_months": 36}, {"fiscal_year": True}])
def test_terms_of_1_to_36_months_and_fiscal_years_are_sold(said):
    assert read_price({"kind": "subscription", "amount_yen": 5_000} | said).is_recurring


def test_the_maximum_is_not_below_the_minimum():
    assert faults(SOUND["per_unit"] | {"minimum_yen": 500, "maximum_yen": 499}) == ["/price/maximum_yen"]
    assert read_price(SOUND["per_unit"] | {"minimum_yen": 500, "maximum_yen": 500})


@pytest.mark.parametrize("said", [{"kind": "volume"}, {"minimum_yen": 1}, {"flat_fee_at_zero": True}])
def test_what_is_known_only_at_the_end_of_a_period_needs_periods_that_end(said):
    assert faults(SOUND["graduated"] | {"period": "grant"} | said) == ["/price/period"]
    assert read_price(SOUND["graduated"] | {"period": "grant"}).period is BillingPeriod.GRANT


def test_a_price_by_the_download_says_when_one_falls_due():
    document = {"kind": "per_unit", "unit": "download", "unit_yen": "250"}
    assert price_document(read_price(document))["download_due"] == "full_coverage"
    in_japanese = read_price(document | {"download_due": "最初の1バイトの受領時"})
    assert price_document(in_japanese)["download_due"] == "first_byte"
    assert read_price(document).falls_due is DownloadDue.FULL_COVERAGE
    assert read_price(SOUND["per_unit"]).falls_due is None
    assert "download_due" not in price_document(read_price(SOUND["per_unit"]))
    assert faults(document | {"unit": "row", "download_due": "first_byte"}) == ["/price/download_due"]
    assert faults(document | {"download_due": "later"}) == ["/price/download_due"]


def test_all_faults_are_named_at_once_under_the_pointer_that_is_given():
    document = {"kind": "package", "unit": "byte", "amount_yen": 0, "package_size": 0, "x": 1}
    assert set(faults(document, "/a")) == {"/a/x", "/a/amount_yen", "/a/package_size", "/a/unit"}


anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.sampled_from(["NaN", "1", "0.5"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["up_to", "unit_yen", "x"]), inner),
    max_leaves=6,
)


@given(
    kind=st.sampled_from([kind.value for kind in PriceKind]),
    said=st.dictionaries(st.sampled_from([*Price.__dataclass_fields__][1:]), anything),
)
def test_whatever_is_said_is_read_or_refused_with_pointers(kind, said):
    pointers = []
    try:
        price = read_price({"kind": kind} | said)
    except Invalid as refusal:
        pointers = [error["pointer"] for error in refusal.errors] or ["none"]
    else:
        assert read_price(price_document(price)) == price
    assert all(pointer.startswith("/price/") for pointer in pointers)
