"""Prices and limits, alone and beside the terms."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace.billing import tax
from marketplace.kit.errors import Invalid
from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing import rails, rules
from marketplace.licensing.errors import RailRefused
from marketplace.licensing.offers import CARD_MAXIMUM_YEN, CARD_MINIMUM_YEN, Discount, Share
from marketplace.licensing.rules import Limits, Price
from marketplace.licensing.states import (
    LEGAL_MOVES,
    DiscountClass,
    Fee,
    OfferState,
    PeriodUnit,
    PriceKind,
    Rail,
    Template,
)
from marketplace.licensing.templates import TEMPLATES
from marketplace.licensing.terms import DataPeriod, LicencePeriod, PriceRange
from tests.factories.licensing import OfferDraftFactory, per_mib

TODAY = date(2026, 11, 22)
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
PAID = TEMPLATES[Template.COMMERCIAL]
GRATIS = TEMPLATES[Template.CC_BY]


def check(price=None, terms=PAID, said=None, **limits):
    draft = OfferDraftFactory(
        dataset_id="ds",
        terms_id="trm",
        price=price or Price(PriceKind.ONE_OFF, 5_000),
        limits=Limits(**limits),
        **(said or {}),
    )
    rules.check_offer(draft, terms, NOW, TODAY)


def faults(*args, **kwargs):
    with pytest.raises(Invalid) as caught:
        check(*args, **kwargs)
    return [fault["pointer"] for fault in caught.value.errors]


@pytest.mark.parametrize(
    ("price", "terms"),
    [
        (Price(PriceKind.FREE), GRATIS),
        (Price(PriceKind.ONE_OFF, 50), PAID),
        (Price(PriceKind.ONE_OFF, CARD_MAXIMUM_YEN), PAID),
        (Price(PriceKind.SUBSCRIPTION, 50, term_months=1), PAID),
        (per_mib(1), PAID),
        (per_mib("0.000000000001", 100), PAID),
        (per_mib(AMOUNT_MAX, 2**40), PAID),
    ],
)
def test_a_sound_price_passes(price, terms):
    check(price, terms)


@pytest.mark.parametrize(
    "price",
    [
        Price(PriceKind.ONE_OFF, 0),
        Price(PriceKind.SUBSCRIPTION, 49, term_months=1),
        Price(PriceKind.ONE_OFF, 49),
        Price(PriceKind.ONE_OFF, CARD_MAXIMUM_YEN + 1),
        Price(PriceKind.ONE_OFF, "500"),
        Price(PriceKind.ONE_OFF, -5),
        Price(PriceKind.ONE_OFF, amount_yen=True),
    ],
)
def test_an_amount_that_its_kind_does_not_take_is_refused(price):
    assert faults(price) == ["/price/amount_yen"]


def test_what_a_card_cannot_carry_is_not_offered():
    assert CARD_MINIMUM_YEN == 50


def test_a_rail_that_carries_any_amount_lifts_the_bounds_of_cards():
    """Fifty yen is the least only where nothing but a card can pay it."""
    for yen in (1, CARD_MAXIMUM_YEN + 1, AMOUNT_MAX):
        price = Price(PriceKind.ONE_OFF, yen)
        assert faults(price, said={"rails": (Rail.CARD,)}) == ["/price/amount_yen"]
        assert faults(price, said={"rails": (Rail.CARD, Rail.KONBINI)}) == ["/price/amount_yen"]
        check(price, said={"rails": (Rail.CARD, Rail.INVOICE)})
        check(price, said={"rails": (Rail.OUTSIDE,)})


def test_a_convenience_store_takes_less_than_a_card():
    check(Price(PriceKind.ONE_OFF, 272_727), said={"rails": (Rail.KONBINI,)})
    assert faults(Price(PriceKind.ONE_OFF, 272_728), said={"rails": (Rail.KONBINI,)}) == ["/price/amount_yen"]
    assert rails.carries(Rail.KONBINI, 300_000)
    assert not rails.carries(Rail.KONBINI, 300_001)
    assert not rails.carries(Rail.CARD, 49)
    assert rails.carries(Rail.INVOICE, 1)


def test_what_costs_something_is_paid_somehow_and_what_is_free_is_not():
    assert faults(said={"rails": ()}) == ["/rails"]
    assert faults(Price(PriceKind.FREE), GRATIS, said={"rails": (Rail.CARD,)}) == ["/rails"]
    check(Price(PriceKind.FREE), GRATIS, said={"rails": ()})


@pytest.mark.parametrize(
    ("name", "law"),
    [("prepaid", "資金決済法"), ("crypto_assets", "資金決済法"), ("cross_border_payout", "為替取引"), ("cash", "照合")],
)
def test_a_rail_that_is_off_is_refused_with_its_reason_in_both_languages(name, law):
    with pytest.raises(RailRefused) as caught:
        rails.read_rails(["card", name])
    refusal = caught.value
    assert refusal.members["rail"] == name
    assert law in refusal.members["reason_ja"]
    assert refusal.errors == [{"pointer": "/rails/1", "detail": refusal.detail}]
    assert len(refusal.detail) > 40


@pytest.mark.parametrize("names", [["wire"], ["card", "card"], [5], [None], [True], ["card"] * 300])
def test_a_rail_that_nobody_knows_is_refused(names):
    with pytest.raises(Invalid):
        rails.read_rails(names)


def test_rails_are_kept_in_the_order_of_the_list():
    assert rails.read_rails(["outside", "請求書払い(後払い)", "card"]) == (Rail.CARD, Rail.INVOICE, Rail.OUTSIDE)
    assert rails.read_rails([]) == ()


@pytest.mark.parametrize(
    ("parts", "pointers"),
    [
        ([("a", 10_000)], []),
        ([("a", 3_333), ("b", 3_333), ("c", 3_334)], []),
        ([("a", 9_999)], ["/shares"]),
        ([("a", 5_000), ("b", 5_001)], ["/shares"]),
        ([("a", 5_000), ("a", 5_000)], ["/shares/1/organization_id"]),
        ([("a", 10_000), ("b", 0)], ["/shares/1/basis_points"]),
        ([("a", 10_001), ("b", -1)], ["/shares/0/basis_points", "/shares/1/basis_points"]),
        ([(str(number), 1) for number in range(51)], ["/shares"]),
    ],
)
def test_shares_are_positive_and_come_to_the_whole(parts, pointers):
    said = {"shares": tuple(Share(*part) for part in parts)}
    assert (faults(said=said) if pointers else check(said=said) or []) == pointers


def test_what_is_paid_outside_is_shared_with_nobody():
    others = {"shares": (Share("a", 1), Share("b", 9_999))}
    assert faults(said=others | {"rails": (Rail.CARD, Rail.OUTSIDE)}) == ["/shares"]
    check(said=others | {"rails": (Rail.CARD, Rail.INVOICE)})
    check(said={"rails": (Rail.OUTSIDE,), "shares": (Share("a", 10_000),)})


@pytest.mark.parametrize(
    ("parts", "pointers"),
    [
        ([("sme", 1), ("academic", 10_000)], []),
        ([("sme", 0)], ["/discounts/0/basis_points"]),
        ([("sme", 10_001)], ["/discounts/0/basis_points"]),
        ([("sme", True)], ["/discounts/0/basis_points"]),
        ([("sme", 1_000), ("sme", 2_000)], ["/discounts/1/class"]),
    ],
)
def test_a_class_has_one_discount_of_a_share_of_the_price(parts, pointers):
    said = {"discounts": tuple(Discount(DiscountClass(name), points) for name, points in parts)}
    assert (faults(said=said) if pointers else check(said=said) or []) == pointers


def test_nothing_comes_off_what_is_free():
    said = {"discounts": (Discount(DiscountClass.SME, 500),)}
    assert faults(Price(PriceKind.FREE), GRATIS, said=said) == ["/discounts"]


def test_an_offer_ends_in_the_future_and_names_a_bylaw_or_none():
    check(said={"valid_until": NOW + timedelta(seconds=1), "fee_ordinance": "札幌市手数料条例第2条"})
    assert faults(said={"valid_until": NOW}) == ["/valid_until"]
    assert faults(said={"fee_ordinance": ""}) == ["/fee_ordinance"]
    assert faults(said={"fee_ordinance": "条" * 201}) == ["/fee_ordinance"]


@pytest.mark.parametrize(
    "name", ["duration_days", "quota_bytes", "quota_downloads", "quota_rows", "quota_requests", "quota_streams"]
)
@pytest.mark.parametrize("value", [0, -1, 1.5, "7", True, 2**53])
def test_limits_are_whole_and_positive(name, value):
    assert faults(**{name: value}) == [f"/limits/{name}"]


def test_all_faults_of_price_and_limits_are_named_at_once():
    found = faults(Price(PriceKind.ONE_OFF, 5), duration_days=0, quota_bytes=0)
    assert found == ["/price/amount_yen", "/limits/duration_days", "/limits/quota_bytes"]


@pytest.mark.parametrize(("price", "terms"), [(Price(PriceKind.ONE_OFF, 500), GRATIS), (Price(PriceKind.FREE), PAID)])
def test_the_price_agrees_with_the_fee_that_the_terms_state(price, terms):
    assert faults(price, terms) == ["/price/kind"]


def test_metered_prices_are_paid_ones():
    assert faults(per_mib(5), GRATIS) == ["/price/kind"]


def test_a_one_off_price_lies_in_the_stated_range():
    ranged = replace(PAID, price_range=PriceRange(1_000, 2_000))
    check(Price(PriceKind.ONE_OFF, 1_000), ranged)
    check(Price(PriceKind.ONE_OFF, 2_000), ranged)
    check(per_mib(3), ranged)
    assert faults(Price(PriceKind.SUBSCRIPTION, 999, term_months=1), ranged) == ["/price/amount_yen"]
    assert faults(Price(PriceKind.ONE_OFF, 999), ranged) == ["/price/amount_yen"]
    assert faults(Price(PriceKind.ONE_OFF, 2_001), ranged) == ["/price/amount_yen"]


@pytest.mark.parametrize(
    ("unit", "longest"),
    [(PeriodUnit.DAY, 2), (PeriodUnit.WEEK, 14), (PeriodUnit.MONTH, 62), (PeriodUnit.YEAR, 732)],
)
def test_a_grant_lasts_no_longer_than_the_licence(unit, longest):
    lasting = replace(PAID, usage_license_period=LicencePeriod(value=2, unit=unit))
    check(terms=lasting, duration_days=longest)
    assert faults(terms=lasting, duration_days=longest + 1) == ["/limits/duration_days"]
    assert faults(terms=lasting) == ["/limits/duration_days"]


def test_terms_that_have_ended_are_not_offered():
    ended, ending = LicencePeriod(end=date(2026, 11, 21)), LicencePeriod(end=TODAY)
    assert faults(terms=replace(PAID, usage_license_period=ended)) == ["/terms_id"]
    check(terms=replace(PAID, usage_license_period=ending))
    assert faults(terms=replace(PAID, data_effective_period=DataPeriod(end=date(2026, 11, 21)))) == ["/terms_id"]
    check(terms=replace(PAID, data_effective_period=DataPeriod(start=TODAY)))
    check(terms=replace(PAID, usage_license_period=LicencePeriod(note="契約書による")))


def test_what_was_closed_never_opens_again():
    assert LEGAL_MOVES[OfferState.OPEN] == {OfferState.SUPERSEDED, OfferState.WITHDRAWN}
    assert not LEGAL_MOVES[OfferState.SUPERSEDED] | LEGAL_MOVES[OfferState.WITHDRAWN]


def test_the_fee_codes_are_those_of_cadde():
    assert [fee.ja for fee in Fee] == ["無償", "有償"]


def test_the_dearest_price_still_fits_on_a_card_with_its_tax():
    assert tax.quote(CARD_MAXIMUM_YEN, date(2026, 11, 22), seller_registered=True).gross_yen == 99_999_999
    assert tax.quote(CARD_MAXIMUM_YEN + 1, date(2026, 11, 22), seller_registered=True).gross_yen > 99_999_999
