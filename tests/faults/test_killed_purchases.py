"""`kill -9` between any two steps of a purchase, on every rail: done again, all of it is there, and once."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.billing.models import Order, Payment
from marketplace.billing.orders import Slip
from marketplace.billing.subscriptions.models import Subscription, SubscriptionTerm
from marketplace.exchange import outside, payment, renewal
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from tests.faults import shop as trade
from tests.faults.deaths import database_lost_everywhere, killed_everywhere
from tests.faults.shop import Shop, open_shop
from tests.faults.world import count

MONTHLY = Price(PriceKind.SUBSCRIPTION, 5_000, term_months=1)
SLIP = "札幌-2026-{}"
BEGUN, RENEWED = datetime(2027, 1, 31, 3, tzinfo=UTC), datetime(2027, 2, 26, 3, tzinfo=UTC)


@pytest.fixture
def shop(own_database: Flask) -> Shop:
    return open_shop(own_database)


def at_gateway(shop: Shop, rail: Rail, offer: Offer) -> Callable[[str], str]:
    """Order, pay there at once or later, and learn of it."""

    def buy(one: str) -> str:
        placed = shop.order(offer, one)
        trade.choose(trade.session_of(placed["id"]), rail)
        trade.learn()
        trade.arrive(trade.session_of(placed["id"]), rail)
        trade.learn()
        return str(placed["id"])

    return buy


def on_credit(shop: Shop, offer: Offer) -> Callable[[str], str]:
    """Order, have it, and pay the invoice by bank transfer."""

    def buy(one: str) -> str:
        placed = shop.order(offer, one)
        trade.transfer(trade.number_of(placed["id"]))
        return str(placed["id"])

    return buy


def by_slip(shop: Shop, offer: Offer) -> Callable[[str], str]:
    """Order, pay at the city's counter, and have the city say so."""

    def buy(one: str) -> str:
        placed = shop.order(offer, one)
        with transaction():
            slip = Slip(SLIP.format(placed["id"][-12:]), date(2026, 11, 20), "札幌市手数料条例 別表第3")
            outside.note_payment(shop.provider, placed["id"], slip)
        return str(placed["id"])

    return buy


@pytest.mark.parametrize("rail", [Rail.CARD, Rail.KONBINI, Rail.BANK_TRANSFER])
def test_a_purchase_at_the_gateway_survives_a_kill_after_any_step(shop: Shop, rail: Rail) -> None:
    offer = shop.offer(rail)
    buy = at_gateway(shop, rail, offer)

    def somebody() -> str:
        shop.another_buyer()  # at the gateway, a buyer becomes a customer once
        shop.token()
        return trade.new_key()

    seen = killed_everywhere(somebody, buy, lambda one: trade.assert_one_of_each(shop.order(offer, one)["id"]))
    assert {"asked: exchange.pages._open", "committed: exchange.pages._note"} <= seen
    assert {"asked: exchange.payment._refetched", "committed: exchange.payment._work"} <= seen
    assert ("committed: exchange.pages._customer" in seen) is (rail is Rail.BANK_TRANSFER)
    trade.assert_whole()


def test_a_purchase_by_invoice_survives_a_kill_after_any_step(shop: Shop) -> None:
    offer = shop.offer(Rail.INVOICE)
    buy = on_credit(shop, offer)
    seen = killed_everywhere(trade.new_key, buy, lambda one: trade.assert_one_of_each(shop.order(offer, one)["id"]))
    assert "committed: exchange.banking.import_statement" in seen
    trade.assert_whole()


def test_a_purchase_paid_outside_survives_a_kill_after_any_step(shop: Shop) -> None:
    offer = shop.offer(Rail.OUTSIDE)
    buy = by_slip(shop, offer)
    killed_everywhere(trade.new_key, buy, lambda one: trade.assert_one_of_each(shop.order(offer, one)["id"]))
    trade.assert_whole()


def test_a_purchase_survives_the_loss_of_the_database_at_any_commit(shop: Shop) -> None:
    offer = shop.offer(Rail.CARD)
    buy = at_gateway(shop, Rail.CARD, offer)
    seen = database_lost_everywhere(
        trade.new_key, buy, lambda one: trade.assert_one_of_each(shop.order(offer, one)["id"])
    )
    assert {"committing: exchange.payment._work", "committed: exchange.payment._work"} <= seen
    with clock.stopped(clock.now() + timedelta(days=30)):
        trade.assert_whole()


@pytest.mark.parametrize("rail", [Rail.CARD, Rail.INVOICE])
def test_a_renewal_survives_a_kill_after_any_step(shop: Shop, rail: Rail) -> None:
    offer = shop.offer(rail, price=MONTHLY)

    def begin() -> str:
        with clock.stopped(BEGUN):
            first = bought(shop, rail, offer)
        with transaction():
            return db.session.scalars(select(Order.subscription_id).where(Order.id == first)).one() or ""

    def renew(subscription_id: str) -> None:
        with clock.stopped(RENEWED):
            renewal.renew(clock.today())
            second = second_of(subscription_id)
            if rail is Rail.CARD:
                trade.choose(trade.session_of(second), rail)
                trade.learn()
            else:
                trade.transfer(trade.number_of(second))

    def check(subscription_id: str) -> None:
        second = second_of(subscription_id)
        assert trade.papers_of(second) == ["invoice", "receipt"]
        assert count(Order, Order.subscription_id == subscription_id) == 2
        terms = db.session.scalars(select(SubscriptionTerm).where(SubscriptionTerm.subscription_id == subscription_id))
        assert [(term.number, term.paid_at is not None) for term in terms.all()] == [(1, True), (2, True)]
        subscription = db.session.get_one(Subscription, subscription_id, populate_existing=True)
        assert (subscription.state, subscription.term_to) == ("active", date(2027, 3, 30))

    seen = killed_everywhere(begin, renew, check)
    assert "committed: exchange.renewal._order_next" in seen
    with clock.stopped(RENEWED + timedelta(minutes=1)):
        trade.assert_whole()


def bought(shop: Shop, rail: Rail, offer: Offer) -> str:
    """A paid order, of whose payment the gateway was asked at once: its events are of a day long ago."""
    if rail is Rail.INVOICE:
        return on_credit(shop, offer)(trade.new_key())
    order_id = str(shop.order(offer, trade.new_key())["id"])
    trade.choose(trade.session_of(order_id), rail)
    with transaction():
        payment_id = db.session.scalars(select(Payment.id).where(Payment.order_id == order_id)).one()
    payment._learn(payment_id)
    return order_id


def second_of(subscription_id: str) -> Any:
    with transaction():
        term = (Order.subscription_id == subscription_id, Order.term_number == 2)
        return db.session.scalars(select(Order.id).where(*term)).one()
