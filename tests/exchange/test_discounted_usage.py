"""Shares off usage: exact until a line is floored, so that bills add up however they are cut."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from marketplace.access.models import Grant
from marketplace.billing import pricing, rating
from marketplace.billing.documents import queries as documents
from marketplace.billing.models import Invoice
from marketplace.billing.rating import Metered, Sofar, Stretch
from marketplace.exchange import settlement
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.licensing.prices import Price, Tier, price_document
from marketplace.licensing.states import PriceKind, UsageUnit
from tests.factories.access import OfferOnFactory, PaidOrderFactory
from tests.factories.metering import entitlement_of, fetch, granted

MIDDAY = datetime(2026, 11, 10, 3, tzinfo=UTC)
NOVEMBER_ENDS = datetime(2026, 11, 30, 15, tzinfo=UTC)  # midnight in Japan
PER_REQUEST = Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal("33.3"))
TIERED = Price(
    PriceKind.GRADUATED, unit=UsageUnit.REQUEST, tiers=(Tier(Decimal(3), Decimal("9.9")), Tier(None, Decimal("3.3")))
)
SME = {"kind": "eligibility", "source_id": "elg_1", "basis_points": 2_500, "amount_yen": 0}
COUPON = {"kind": "coupon", "source_id": "cpn_1", "basis_points": 1_000, "amount_yen": 0}
YEN = {"kind": "coupon", "source_id": "cpn_2", "basis_points": None, "amount_yen": 0}


def grant_at(price: Price, *deductions: dict[str, object]) -> Grant:
    """A grant whose order took something off, with its accounting open."""
    offer = OfferOnFactory(
        price_kind=price.kind.value, amount_yen=price.amount_yen, price=price_document(price), rails=["invoice"]
    )
    order = PaidOrderFactory(offer=offer, price_kind=price.kind.value, deductions=list(deductions))
    return granted(order=order, starts_at=MIDDAY - timedelta(days=1))


def requested(grant: Grant, at: datetime, times: int = 1) -> None:
    entitlement = entitlement_of(grant=grant)
    for _ in range(times):
        with clock.stopped(at):
            fetch(entitlement)


def billed(until: datetime) -> list[Invoice]:
    with clock.stopped(until):
        return settlement.settle(SYSTEM, until)


def test_shares_come_off_one_after_the_other_and_the_line_is_floored_once(app: Flask) -> None:
    del app
    grant = grant_at(PER_REQUEST, SME, COUPON)
    requested(grant, MIDDAY, 10)
    (invoice,) = billed(NOVEMBER_ENDS)
    # 333 less 25 % is 249.75, less 10 % is 224.775: not 333 - 83 - 25 = 225.
    (line,) = invoice.lines
    assert (line["amount_net_yen"], invoice.amount_net_yen) == (224, 224)
    assert line["description_ja"].endswith("（1 リクエスト あたり 33.3 円、適格者割引 25% 引き、クーポン 10% 引き）")
    assert line["description_en"].endswith("(33.3 yen per request, less 25 % (eligibility), less 10 % (coupon))")
    # Quantity times price is not the amount any more, so no price of a unit is stated.
    assert line["unit_price"] is None
    assert documents.find_by_number(invoice.number) is not None


@pytest.mark.parametrize("price", [PER_REQUEST, TIERED, replace(PER_REQUEST, maximum_yen=150)])
def test_however_often_it_is_settled_the_bills_come_to_the_discounted_month(app: Flask, price: Price) -> None:
    del app
    grant, taken = grant_at(price, SME), 0
    for day in range(6):
        requested(grant, MIDDAY + timedelta(days=day))
        taken += sum(one.amount_net_yen for one in billed(MIDDAY + timedelta(days=day, hours=1)))
    taken += sum(one.amount_net_yen for one in billed(NOVEMBER_ENDS))
    assert taken == pricing.line_yen(pricing.discounted(pricing.charge(price, Decimal(6)), [2_500]))


def test_a_minimum_is_discounted_too_and_yen_never_come_off_usage(app: Flask) -> None:
    del app
    grant_at(replace(PER_REQUEST, minimum_yen=1_000), COUPON)
    grant_at(replace(PER_REQUEST, minimum_yen=1_000), YEN)
    assert sorted(one.amount_net_yen for one in billed(NOVEMBER_ENDS)) == [900, 1_000]


def test_usage_that_is_free_by_its_discount_makes_no_invoice(app: Flask) -> None:
    del app
    grant = grant_at(PER_REQUEST, SME | {"basis_points": 10_000})
    requested(grant, MIDDAY, 3)
    assert billed(NOVEMBER_ENDS) == []


@given(
    off=st.lists(st.integers(1, 10_000), max_size=2),
    cuts=st.lists(st.integers(0, 10**7), min_size=1, max_size=6),
    price=st.sampled_from([PER_REQUEST, TIERED]),
)
def test_discounted_bills_telescope(off: list[int], cuts: list[int], price: Price) -> None:
    of, before = Metered("grt_1", "org_p", "org_b", tuple(off)), Sofar()
    for number, count in enumerate(cuts):
        stretch = Stretch("2026-11", number == len(cuts) - 1, MIDDAY.date(), MIDDAY.date(), count)
        rated = rating.rated_after(before, of, stretch, price)
        if rated is not None:
            assert rated.line_yen >= 0
            exact = pricing.sum_exact([before.exact_yen, rated.exact_yen])
            before = Sofar(rated.revision, rated.closed, rated.quantity_to, exact, before.line_yen + rated.line_yen)
    whole = pricing.discounted(pricing.charge(price, Decimal(sum(cuts))), off)
    assert (before.exact_yen, before.line_yen) == (whole, pricing.line_yen(whole))
