"""Rating by period: revisions add up to what a period comes to, floored once, whenever it is settled."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from marketplace.billing import invoices, pricing, rating
from marketplace.billing.errors import UsageAlreadyRated
from marketplace.billing.rating import LIFETIME, Metered, Rated, Sofar, Stretch
from marketplace.identity.actors import SYSTEM
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price, Tier
from marketplace.licensing.states import BillingPeriod, PriceKind, UsageUnit
from tests.factories.billing import InvoiceDraftFactory
from tests.factories.identity import OrganizationFactory

MIB = 2**20
NOVEMBER = Stretch("2026-11", closed=False, period_from=date(2026, 11, 1), period_to=date(2026, 11, 30), quantity_new=0)
PER_MIB = Price(
    PriceKind.PER_UNIT, unit=UsageUnit.MIB, unit_yen=Decimal(30), included_units=1, period=BillingPeriod.GRANT
)
PER_ROW = Price(PriceKind.PER_UNIT, unit=UsageUnit.ROW, unit_yen=Decimal("0.37"))
VOLUME = Price(
    PriceKind.VOLUME,
    unit=UsageUnit.REQUEST,
    tiers=(Tier(Decimal(100), Decimal(2)), Tier(None, Decimal(1))),
)
TIERED = Price(
    PriceKind.GRADUATED,
    unit=UsageUnit.ROW,
    tiers=(Tier(Decimal(10), Decimal("1.3"), Decimal("0.7")), Tier(None, Decimal("0.45"), Decimal(5))),
    maximum_yen=300,
)
PACKS = Price(PriceKind.PACKAGE, amount_yen=7, package_size=12, unit=UsageUnit.REQUEST, included_units=5)


def metered(grant_id: str = "grt_1") -> Metered:
    """A grant with a seller and a buyer of its own."""
    return Metered(grant_id, OrganizationFactory().id, OrganizationFactory().id)


def used(quantity: int, *, closed: bool = False, period: str = "2026-11") -> Stretch:
    """Newly claimed usage."""
    return replace(NOVEMBER, period=period, closed=closed, quantity_new=quantity)


def kept(of: Metered, stretch: Stretch, price: Price) -> Rated | None:
    """Rate and keep."""
    rated = rating.rate(of, stretch, price)
    if rated is not None:
        rating.keep(rated)
    return rated


def test_usage_over_the_life_of_a_grant_is_rated_from_where_it_was_billed_before(session: Session) -> None:
    del session
    kept(metered("grt_noise"), used(7 * MIB, period=LIFETIME), PER_MIB)
    of = metered()
    free = kept(of, used(MIB // 2, period=LIFETIME), PER_MIB)
    assert free is not None
    assert (free.revision, free.quantity_from, free.quantity_to, free.line_yen) == (1, 0, MIB // 2, 0)
    rated = kept(of, used(2 * MIB + 1, period=LIFETIME), PER_MIB)
    assert rated is not None
    assert (rated.revision, rated.quantity_from, rated.quantity_to, rated.line_yen) == (
        2,
        MIB // 2,
        5 * MIB // 2 + 1,
        45,
    )
    with pytest.raises(UsageAlreadyRated):
        rating.keep(rated)
    assert rating.rate(of, used(0, period=LIFETIME), PER_MIB) is None


def test_months_are_rated_apart_so_that_tiers_and_included_units_begin_anew(session: Session) -> None:
    del session
    of = metered()
    monthly = replace(PER_MIB, period=BillingPeriod.MONTH)
    yen = [
        rated.line_yen
        for month in ("2026-11", "2026-12")
        if (rated := kept(of, used(2 * MIB, period=month), monthly)) is not None
    ]
    assert yen == [30, 30]


def test_a_volume_price_is_rated_when_its_month_is_over_and_late_usage_may_take_something_off(session: Session) -> None:
    del session
    of = metered()
    assert not rating.is_billed_along(VOLUME)
    first = kept(of, used(100, closed=True), VOLUME)
    late = kept(of, used(1), VOLUME)
    assert first is not None
    assert late is not None
    assert (first.line_yen, late.line_yen, late.exact_yen, late.closed) == (200, -99, Decimal(-99), True)
    found = rating.lock_open_lines(of.provider_organization_id, of.organization_id)
    assert [(one.line.line_yen, one.is_adjustment) for one in found] == [(200, False), (-99, True)]


def test_a_minimum_is_added_once_when_the_month_is_closed(session: Session) -> None:
    del session
    of, price = metered(), replace(PER_ROW, minimum_yen=100)
    along = kept(of, used(100), price)
    closed = kept(of, used(0, closed=True), price)
    assert along is not None
    assert closed is not None
    assert (along.line_yen, closed.line_yen) == (37, 63)
    assert rating.rate(of, used(0, closed=True), price) is None
    assert rating.list_closed([of.grant_id]) == {(of.grant_id, "2026-11")}


@pytest.mark.parametrize(("is_charged", "yen"), [(True, 500), (False, 0)])
def test_a_flat_fee_without_usage_is_charged_only_where_the_price_says_so(
    session: Session, is_charged: bool, yen: int
) -> None:
    del session
    tiers = (Tier(Decimal(10), Decimal(1), Decimal(500)), Tier(None, Decimal(1)))
    price = Price(PriceKind.GRADUATED, unit=UsageUnit.ROW, tiers=tiers, flat_fee_at_zero=is_charged)
    rated = kept(metered(), used(0, closed=True), price)
    assert (rated.line_yen if rated else 0) == yen


def rated_in_parts(price: Price, stretches: list[Stretch]) -> list[Rated]:
    """Rate one stretch after the other, without a database."""
    before, lines, of = Sofar(), [], Metered("grt_1", "org_1", "org_2")
    for stretch in stretches:
        rated = rating.rated_after(before, of, stretch, price)
        if rated is not None:
            lines.append(rated)
            before = Sofar(
                rated.revision,
                rated.closed,
                rated.quantity_to,
                pricing.sum_exact([before.exact_yen, rated.exact_yen]),
                before.line_yen + rated.line_yen,
            )
    return lines


@pytest.mark.parametrize("price", [PER_MIB, PER_ROW, TIERED, PACKS, VOLUME, replace(PER_ROW, minimum_yen=77)])
@given(parts=st.lists(st.integers(0, 400), min_size=1, max_size=8), closing=st.integers(0, 8))
def test_all_lines_of_a_period_are_its_charge_floored_once_however_it_is_cut(
    price: Price, parts: list[int], closing: int
) -> None:
    stretches = [used(part, closed=at >= closing) for at, part in enumerate(parts)]
    lines = rated_in_parts(price, [*stretches, used(0, closed=True)])
    whole = pricing.charge(price, pricing.quantity_of(price.unit or UsageUnit.ROW, sum(parts)))
    assert sum(line.line_yen for line in lines) == pricing.line_yen(whole)
    assert pricing.sum_exact(line.exact_yen for line in lines) == whole
    assert sum(line.stretch.quantity_new for line in lines) == sum(parts)
    assert all(line.line_yen >= 0 for line in lines) or price is VOLUME


def test_only_a_price_by_units_is_rated(session: Session) -> None:
    del session
    with pytest.raises(ValueError, match="by units"):
        rating.rate(metered(), used(1), Price(PriceKind.ONE_OFF, 5000))


def test_a_rated_line_gets_its_invoice_once_and_never_changes_otherwise(session: Session) -> None:
    of = metered()
    rated = kept(of, used(100), PER_ROW)
    assert rated is not None
    (open_line,) = rating.lock_open_lines(of.provider_organization_id, of.organization_id)
    invoice = invoices.issue(SYSTEM, InvoiceDraftFactory())
    rating.bill([open_line.line.id], invoice.id)
    assert rating.lock_open_lines(of.provider_organization_id, of.organization_id) == []
    with pytest.raises(UsageAlreadyRated):
        rating.bill([open_line.line.id], invoice.id)
    for attempt in (
        "DELETE FROM rated_line",
        "UPDATE rated_line SET invoice_id = NULL",
        "UPDATE rated_line SET line_yen = 1",
        "TRUNCATE rated_line",
    ):
        with pytest.raises(DBAPIError, match=r"append-only|does not change"), session.begin_nested():
            session.execute(text(attempt))


def test_of_eight_settlements_of_one_stretch_one_keeps_it(own_database: Flask) -> None:
    with transaction():
        first = rating.rate(metered(), used(10), PER_ROW)
    assert first is not None

    def settle(_n: int) -> str:
        try:
            with own_database.app_context(), transaction():
                rating.keep(first)
        except UsageAlreadyRated:
            return "refused"
        return "billed"

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(settle, range(8))) == ["billed"] + ["refused"] * 7
