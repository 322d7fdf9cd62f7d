"""Prices and limits, alone and beside the terms."""

from dataclasses import replace
from datetime import date

import pytest

from marketplace.billing import tax
from marketplace.kit.errors import Invalid
from marketplace.kit.money import AMOUNT_MAX
from marketplace.licensing import rules
from marketplace.licensing.offers import CARD_MAXIMUM_YEN
from marketplace.licensing.rules import CARD_MINIMUM_YEN, Limits, Price
from marketplace.licensing.states import LEGAL_MOVES, Fee, OfferState, PeriodUnit, PriceKind, Template
from marketplace.licensing.templates import TEMPLATES
from marketplace.licensing.terms import DataPeriod, LicencePeriod, PriceRange
from tests.factories.licensing import OfferDraftFactory

TODAY = date(2026, 11, 22)
PAID = TEMPLATES[Template.COMMERCIAL]
GRATIS = TEMPLATES[Template.CC_BY]


def check(price=None, terms=PAID, **limits):
    draft = OfferDraftFactory(
        dataset_id="ds", terms_id="trm", price=price or Price(PriceKind.ONE_OFF, 5_000), limits=Limits(**limits)
    )
    rules.check_offer(draft, terms, TODAY)


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
        (Price(PriceKind.PER_MIB, 1), PAID),
        (Price(PriceKind.PER_MIB, 3, 100), PAID),
        (Price(PriceKind.PER_MIB, AMOUNT_MAX, 2**40), PAID),
    ],
)
def test_a_sound_price_passes(price, terms):
    check(price, terms)


@pytest.mark.parametrize(
    "price",
    [
        Price(PriceKind.FREE, 1),
        Price(PriceKind.FREE, -1),
        Price(PriceKind.ONE_OFF, 0),
        Price(PriceKind.ONE_OFF, 49),
        Price(PriceKind.ONE_OFF, CARD_MAXIMUM_YEN + 1),
        Price(PriceKind.ONE_OFF, 500.0),
        Price(PriceKind.ONE_OFF, "500"),
        Price(PriceKind.PER_MIB, 0),
        Price(PriceKind.PER_MIB, -5),
        Price(PriceKind.PER_MIB, amount_yen=True),
    ],
)
def test_an_amount_that_its_kind_does_not_take_is_refused(price):
    assert faults(price) == ["/price/amount_yen"]


def test_what_a_card_cannot_carry_is_not_offered():
    assert CARD_MINIMUM_YEN == 50


@pytest.mark.parametrize(
    "price",
    [
        Price(PriceKind.FREE, 0, 1),
        Price(PriceKind.ONE_OFF, 500, 10),
        Price(PriceKind.PER_MIB, 5, -1),
        Price(PriceKind.PER_MIB, 5, 2**40 + 1),
        Price(PriceKind.PER_MIB, 5, 1.0),
        Price(PriceKind.PER_MIB, 5, None),
    ],
)
def test_only_metered_prices_include_an_amount(price):
    assert faults(price) == ["/price/included_mib"]


@pytest.mark.parametrize("name", ["duration_days", "quota_bytes", "quota_downloads"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "7", True, 2**53])
def test_limits_are_whole_and_positive(name, value):
    assert faults(**{name: value}) == [f"/limits/{name}"]


def test_all_faults_of_price_and_limits_are_named_at_once():
    found = faults(Price(PriceKind.ONE_OFF, 5, 5), duration_days=0, quota_bytes=0)
    assert found == ["/price/amount_yen", "/price/included_mib", "/limits/duration_days", "/limits/quota_bytes"]


@pytest.mark.parametrize(("price", "terms"), [(Price(PriceKind.ONE_OFF, 500), GRATIS), (Price(PriceKind.FREE), PAID)])
def test_the_price_agrees_with_the_fee_that_the_terms_state(price, terms):
    assert faults(price, terms) == ["/price/kind"]


def test_metered_prices_are_paid_ones():
    assert faults(Price(PriceKind.PER_MIB, 5), GRATIS) == ["/price/kind"]


def test_a_one_off_price_lies_in_the_stated_range():
    ranged = replace(PAID, price_range=PriceRange(1_000, 2_000))
    check(Price(PriceKind.ONE_OFF, 1_000), ranged)
    check(Price(PriceKind.ONE_OFF, 2_000), ranged)
    check(Price(PriceKind.PER_MIB, 3), ranged)
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
