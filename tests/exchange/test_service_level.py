"""Service levels: a month that was missed gives back what the offer promised for it, once per invoice."""

from datetime import timedelta
from decimal import Decimal

import pytest
from flask import Flask

from marketplace.billing.refunds import queries as refunds
from marketplace.billing.service_levels import rules
from marketplace.billing.service_levels.errors import MonthNotOver, ServiceLevelConflict
from marketplace.billing.service_levels.service import MeasurementDraft
from marketplace.exchange import dispute, refund, service_level, settlement
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing.prices import Price
from marketplace.licensing.service_levels import CreditStep, credit_of, said_of
from marketplace.licensing.states import Cancellation, PriceKind, UsageUnit
from marketplace.sandbox import controls
from tests.factories import market, money

STEPS = (CreditStep(9_990, 1_000), CreditStep(9_900, 2_500), CreditStep(9_000, 10_000))
BEGIN = clock.parse("2026-11-01T09:00:00+09:00")
AFTER = clock.parse("2026-12-03T09:00:00+09:00")


def measured(dataset_id: str, basis_points: int, month: str = "2026-11", who=None) -> None:
    who = who or market.party(operator=True)
    draft = MeasurementDraft(dataset_id, month, basis_points, "監視記録 2026-11", "a1" * 32)
    with transaction():
        service_level.measure(who, draft)


def credited(dataset_id: str, month: str = "2026-11") -> list[tuple[str, int, str]]:
    found = [money.found(one) for one in service_level.credit(dataset_id, month)]
    for one in found:
        refund.send(one.id)
    return [(one.invoice_id, one.amount_yen, one.reason) for one in found]


@pytest.mark.parametrize(
    ("basis_points", "credit"), [(10_000, 0), (9_990, 0), (9_989, 1_000), (9_900, 1_000), (9_899, 2_500), (0, 10_000)]
)
def test_the_lower_the_availability_the_more_comes_back(basis_points: int, credit: int) -> None:
    assert credit_of(STEPS, basis_points) == credit
    assert credit_of((), basis_points) == 0


def test_an_offer_says_its_promises_in_both_languages(app: Flask) -> None:
    promised = {"service_level": STEPS[:1], "cancellation": Cancellation.PRO_RATA}
    offer = market.offered(market.listed(), said=promised)
    (_, refund_en), (ja, en) = licensing.promises_of(offer)
    assert "unused days" in refund_en
    assert ja == "月間稼働率が99.9%を下回った月は、その月の代金の10%を返金する。"
    assert en == "For a month of less than 99.9% availability, 10% of the month's price is given back."
    assert said_of([CreditStep(9_995, 333)])[0][1].startswith("For a month of less than 99.95% availability, 3.33%")
    assert licensing.promises_of(market.offered(market.listed(), PriceKind.FREE)) == []


@pytest.mark.parametrize(
    ("steps", "pointer"),
    [
        ((CreditStep(9_000, 100), CreditStep(9_500, 200)), "/service_level"),
        ((CreditStep(9_900, 200), CreditStep(9_500, 200)), "/service_level"),
        ((CreditStep(0, 100),), "/service_level/0/below_basis_points"),
        ((CreditStep(9_900, 10_001),), "/service_level/0/credit_basis_points"),
        (tuple(CreditStep(9_900 - n, n + 1) for n in range(11)), "/service_level"),
    ],
)
def test_steps_that_do_not_fall_are_refused(app: Flask, steps, pointer: str) -> None:
    on = market.listed()
    with pytest.raises(Invalid) as refusal:
        market.offered(on, said={"service_level": steps})
    assert [error["pointer"] for error in refusal.value.errors] == [pointer]


def test_what_is_free_promises_no_money(app: Flask) -> None:
    on = market.listed()
    with pytest.raises(Invalid) as refusal:
        market.offered(on, PriceKind.FREE, said={"service_level": STEPS, "cancellation": Cancellation.PRO_RATA})
    assert [error["pointer"] for error in refusal.value.errors] == ["/cancellation", "/service_level"]


def test_every_buyer_of_a_missed_month_gets_its_share_of_it_back(app: Flask) -> None:
    on, other = market.listed(), market.listed()
    monthly = Price(PriceKind.SUBSCRIPTION, 30_000, term_months=1)
    with clock.stopped(BEGIN):
        subscribed = market.bought(
            app, market.buyer(), market.offered(on, price=monthly, said={"service_level": STEPS})
        )
        sixty = money.sold(app, 60_000, on=on, duration_days=60, service_level=STEPS)
        for noise in (
            money.sold(app, 60_000, on=on, duration_days=60),
            money.sold(app, 60_000, on=other, duration_days=60, service_level=STEPS),
            money.sold(app, 60_000, on=on, service_level=STEPS),
        ):
            assert noise.grant_id
    with clock.stopped(AFTER):
        measured(on.dataset_id, 9_950)
        first = credited(on.dataset_id)
        # The term is the whole of November; the 60 days touch 61, of which 30 are November's.
        assert sorted(first) == sorted(
            [
                (subscribed.invoice_id, 3_300, "service_level"),
                (sixty.invoice_id, 66_000 * 30 // 61 // 10, "service_level"),
            ]
        )
        assert credited(on.dataset_id) == []
        service_level.catch_up_nightly()
        assert [len(refunds.list_of_invoice(made.invoice_id)) for made in (subscribed, sixty)] == [1, 1]
    assert money.grant_state(subscribed) == "active"
    money.assert_sound()


def test_a_month_lost_altogether_is_given_back_whole_and_access_stays(app: Flask) -> None:
    on = market.listed()
    monthly = Price(PriceKind.SUBSCRIPTION, 30_000, term_months=1)
    with clock.stopped(BEGIN):
        made = market.bought(app, market.buyer(), market.offered(on, price=monthly, said={"service_level": STEPS}))
    with clock.stopped(AFTER):
        measured(on.dataset_id, 0)
        assert credited(on.dataset_id) == [(made.invoice_id, 33_000, "service_level")]
    assert money.grant_state(made) == "active"


def test_usage_of_the_month_is_credited_when_it_is_billed(app: Flask) -> None:
    with clock.stopped(BEGIN):
        on, buyer = market.listed(content=bytes(10 * 2**20)), market.buyer()
        price = Price(PriceKind.PER_UNIT, unit_yen=Decimal(300), unit=UsageUnit.MIB)
        made = market.bought(app, buyer, market.offered(on, price=price, said={"service_level": STEPS}))
        market.fetched(buyer, made.grant_id)
    with clock.stopped(AFTER):
        measured(on.dataset_id, 9_899)
        assert credited(on.dataset_id) == []
        [invoice] = settlement.settle(SYSTEM, clock.now())
        [given] = service_level.catch_up(clock.now())
        [one] = refunds.list_of_invoice(invoice.id)
        assert given == one.id
        assert service_level.catch_up(clock.now()) == []
        assert (one.amount_yen, one.way) == (825, "credit")
        assert invoice.amount_gross_yen == 3_300


def test_a_disputed_sale_is_credited_after_the_dispute(app: Flask) -> None:
    on = market.listed()
    with clock.stopped(BEGIN):
        made = money.sold(app, 60_000, on=on, duration_days=60, service_level=STEPS)
        name = controls.open_dispute(money.charge_of(made))["id"]
        dispute.learn(name, "evt_1")
    with clock.stopped(AFTER):
        measured(on.dataset_id, 9_950)
        assert credited(on.dataset_id) == []
        controls.close_dispute(name, "won")
        dispute.learn(name, "evt_2")
        assert len(credited(on.dataset_id)) == 1


def test_a_month_is_measured_once_and_only_when_it_is_over(app: Flask) -> None:
    on, operator = market.listed(), market.party(operator=True)
    with clock.stopped(BEGIN + timedelta(days=3)), pytest.raises(MonthNotOver):
        measured(on.dataset_id, 9_000, who=operator)
    with clock.stopped(AFTER):
        measured(on.dataset_id, 9_000, who=operator)
        measured(on.dataset_id, 9_000, who=operator)
        with pytest.raises(ServiceLevelConflict):
            measured(on.dataset_id, 9_001, who=operator)
        with pytest.raises(NotFound):
            measured(new_id("ds"), 9_000, who=operator)
    assert service_level.credit(on.dataset_id, "2026-10") == []


def test_months_are_those_of_the_calendar() -> None:
    february = rules.month_of("2028-02")
    assert (february.last.day, february.text) == (29, "2028-02")
    assert rules.recent(february.first, 3) == ["2028-01", "2027-12", "2027-11"]
    assert rules.share_yen(1_000, february.first, february.last, february) == 1_000
    assert rules.share_yen(1_000, february.last + timedelta(1), february.last + timedelta(9), february) == 0
    with pytest.raises(ValueError, match="month"):
        rules.month_of("2026-13")
