"""Orders against budgets: what does not fit is refused before anything is charged, and what goes back gives room."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier, Event

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.access import queries as grants
from marketplace.billing import queries
from marketplace.billing.budgets import queries as budgets
from marketplace.billing.budgets import service as budgeting
from marketplace.billing.budgets.errors import BudgetExhausted
from marketplace.billing.budgets.models import BudgetAlert, BudgetCount
from marketplace.billing.budgets.rules import BudgetDraft
from marketplace.billing.budgets.states import BudgetPeriod
from marketplace.billing.models import Invoice, Payment
from marketplace.billing.orders import Slip
from marketplace.billing.refunds import service as refunding
from marketplace.exchange import cancellation, outside, purchase, refund_outcome, renewal, spending
from marketplace.exchange.ordering import OrderWish
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import Price
from marketplace.licensing.states import Cancellation, PriceKind, Rail
from tests.factories import market, money

MIDDAY = datetime(2026, 11, 10, 3, tzinfo=UTC)
INVOICE = {"rails": (Rail.INVOICE,)}
MONTHLY = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1)


@pytest.fixture(autouse=True)
def at_midday(request: pytest.FixtureRequest) -> Iterator[None]:
    if "own_database" in request.fixturenames:
        yield  # threads of a race have the clock as it is, and connections of their own
        return
    request.getfixturevalue("app")
    with clock.stopped(MIDDAY):
        yield


def budget(who: Actor, limit_yen: int, *grant_ids: str, period: BudgetPeriod = BudgetPeriod.MONTH) -> str:
    with transaction():
        return spending.set_budget(who, BudgetDraft("研究費", limit_yen, period, grant_ids or None)).id


def stands(who: Actor, budget_id: str) -> tuple[int, int]:
    """Yen used and left."""
    db.session.expire_all()
    seen = budgets.view(budgets.get_budget(who, budget_id))
    assert seen.yen_held == 0
    return seen.yen_used, seen.yen_left


def placed(who: Actor, offer: Offer) -> str:
    with transaction():
        return purchase.place_order(who, offer.id, offer.terms_sha256, OrderWish())


def refused(who: Actor, offer: Offer) -> BudgetExhausted:
    """The refusal of an order, which leaves nothing behind."""
    before = [len(db.session.scalars(select(kind.id)).all()) for kind in (Invoice, Payment)]
    ordered, granted = len(queries.list_orders(who).items), len(grants.list_grants(who).items)
    balances = money.balances()
    with pytest.raises(BudgetExhausted) as caught:
        placed(who, offer)
    assert (len(queries.list_orders(who).items), len(grants.list_grants(who).items)) == (ordered, granted)
    assert [len(db.session.scalars(select(kind.id)).all()) for kind in (Invoice, Payment)] == before
    assert money.balances() == balances
    return caught.value


@pytest.mark.parametrize("rail", [Rail.INVOICE, Rail.CARD, Rail.OUTSIDE])
def test_an_order_counts_when_it_is_placed_and_one_that_does_not_fit_is_refused(rail: Rail) -> None:
    who, stranger = market.buyer(), market.buyer()
    offer = market.offered(market.listed(), PriceKind.ONE_OFF, 5000, said={"rails": (rail,)})
    budget_id = budget(who, 9_999)
    placed(who, offer)
    # Before tax, as budgets are.
    assert stands(who, budget_id) == (5000, 4999)
    members = refused(who, offer).members
    assert (members["budget_id"], members["yen_left"], members["yen_asked"]) == (budget_id, 4999, 5000)
    assert stands(who, budget_id) == (5000, 4999)
    placed(stranger, offer)
    with transaction():
        budgeting.change_budget(who, budget_id, 1, limit_yen=10_000)
    placed(who, offer)
    assert stands(who, budget_id) == (10_000, 0)


def test_alerts_tell_of_orders(app: Flask) -> None:
    who = market.buyer()
    budget(who, 10_000)
    for yen in (4999, 1, 3000):
        placed(who, market.offered(market.listed(), PriceKind.ONE_OFF, yen, said=INVOICE))
    assert sorted(db.session.scalars(select(BudgetAlert.percent))) == [50, 80]


def test_a_free_order_and_one_by_usage_are_not_counted() -> None:
    who = market.buyer()
    budget_id = budget(who, 1)
    placed(who, market.offered(market.listed(), PriceKind.FREE))
    placed(who, market.offered(market.listed(), PriceKind.PER_UNIT, 300))
    assert stands(who, budget_id) == (0, 1)


def test_an_order_that_lapses_gives_room_and_late_money_takes_it_again() -> None:
    who = market.buyer()
    offer = market.offered(market.listed(), PriceKind.ONE_OFF, 5000, said={"rails": (Rail.OUTSIDE,)})
    budget_id = budget(who, 5000, period=BudgetPeriod.NONE)
    late = placed(who, offer)
    with clock.stopped(MIDDAY + timedelta(days=61)):
        assert outside.expire_unpaid(SYSTEM, clock.now()) == [late]
        assert stands(who, budget_id) == (0, 5000)
        placed(who, offer)
        # It was paid after all: nothing is refused, and it counts.
        seller = Actor(queries.require_order(late).provider_organization_id)
        with transaction():
            outside.note_payment(seller, late, Slip("札幌-2026-000777", date(2026, 11, 20), "札幌市手数料条例"))
    assert stands(who, budget_id) == (10_000, 0)


def test_refunds_give_room_in_proportion_and_one_that_fails_takes_it_again(app: Flask) -> None:
    who = market.buyer()
    budget_id = budget(who, 10_000)
    made = money.sold(app, 5000, who)
    [part] = money.give_back(made, 1100)
    assert stands(who, budget_id) == (4000, 6000)
    money.give_back(made)
    assert stands(who, budget_id) == (0, 10_000)
    with transaction():
        queries.lock_invoice(made.invoice_id)
        refund_outcome.apply(refunding.note_refused(SYSTEM, part.id, "declined"))
    assert stands(who, budget_id) == (1000, 9000)


def test_a_renewal_that_does_not_fit_waits_until_it_does() -> None:
    who = market.buyer()
    first = placed(who, market.offered(market.listed(), price=MONTHLY, said=INVOICE))
    grant = grants.find_grant_of_order(first)
    assert grant is not None
    of_grant, for_all = (budget(who, 5999, *ids, period=BudgetPeriod.NONE) for ids in ((grant.id,), ()))
    # What was ordered before in this month counts.
    assert stands(who, of_grant) == stands(who, for_all) == (3000, 2999)
    with clock.stopped(MIDDAY + timedelta(days=29)):
        assert renewal.renew(clock.today()).order_ids == ()
        assert stands(who, of_grant) == (3000, 2999)
        for budget_id in (of_grant, for_all):
            with transaction():
                budgeting.change_budget(who, budget_id, 1, limit_yen=6000)
        assert len(renewal.renew(clock.today()).order_ids) == 1
        assert stands(who, of_grant) == stands(who, for_all) == (6000, 0)


def test_a_cancelled_subscription_gives_room_for_its_unused_days() -> None:
    who = market.buyer()
    said = INVOICE | {"cancellation": Cancellation.PRO_RATA}
    order_id = placed(who, market.offered(market.listed(), price=MONTHLY, said=said))
    budget_id = budget(who, 10_000)
    with clock.stopped(MIDDAY + timedelta(days=9)), transaction():
        assert cancellation.cancel(who, order_id)
    used = stands(who, budget_id)[0]
    assert used == 1000  # 10 of 30 days


def test_a_budget_of_other_grants_does_not_count_an_order() -> None:
    who = market.buyer()
    other = grants.find_grant_of_order(placed(who, market.offered(market.listed(), PriceKind.FREE)))
    assert other is not None
    budget_id = budget(who, 1, other.id)
    placed(who, market.offered(market.listed(), PriceKind.ONE_OFF, 5000, said=INVOICE))
    assert stands(who, budget_id) == (0, 1)


def test_an_order_of_an_earlier_month_counts_there_and_not_in_a_budget_set_since() -> None:
    who = market.buyer()
    monthly = budget(who, 5000)
    offer = market.offered(market.listed(), PriceKind.ONE_OFF, 5000, said=INVOICE)
    placed(who, offer)
    with clock.stopped(MIDDAY + timedelta(days=30)):
        since = budget(who, 5000)
        assert stands(who, monthly) == stands(who, since) == (0, 5000)
        placed(who, offer)
        assert stands(who, monthly) == stands(who, since) == (5000, 0)
    assert stands(who, monthly) == (5000, 0)


def test_of_16_orders_at_once_as_many_are_placed_as_the_budget_pays_for(own_database: Flask) -> None:
    who = market.buyer()
    offer = market.offered(market.listed(), PriceKind.ONE_OFF, 1000, said=INVOICE)
    offer_id, sha256 = offer.id, offer.terms_sha256
    budget(who, 4999)
    start = Barrier(16)

    def attempt(_number: int) -> bool:
        with own_database.app_context():
            start.wait()
            try:
                with transaction():
                    purchase.place_order(who, offer_id, sha256)
            except BudgetExhausted:
                return False
            finally:
                db.session.remove()
            return True

    with ThreadPoolExecutor(16) as pool:
        assert sum(pool.map(attempt, range(16))) == 4
    db.session.rollback()
    assert db.session.scalars(select(BudgetCount.yen_used)).all() == [4000]
    assert len(queries.list_orders(who).items) == 4


def test_an_order_that_was_being_placed_while_a_budget_was_set_is_counted_afterwards(own_database: Flask) -> None:
    who = market.buyer()
    offer = market.offered(market.listed(), PriceKind.ONE_OFF, 1000, said=INVOICE)
    offer_id, sha256 = offer.id, offer.terms_sha256
    placing, is_set = Event(), Event()

    def place() -> None:
        with own_database.app_context():
            with transaction():
                purchase.place_order(who, offer_id, sha256)
                placing.set()
                assert is_set.wait(60)
            db.session.remove()

    with ThreadPoolExecutor(1) as pool:
        order = pool.submit(place)
        assert placing.wait(60)
        budget_id = budget(who, 5000)
        is_set.set()
        order.result()
    assert stands(who, budget_id) == (0, 5000)
    for _ in range(2):
        spending.count_orders(who.organization_id, budget_id)
        assert stands(who, budget_id) == (1000, 4000)
    with transaction():
        budgeting.remove_budget(who, budget_id)
    spending.count_orders(who.organization_id, budget_id)
    assert db.session.scalars(select(BudgetCount.yen_used)).all() == []
