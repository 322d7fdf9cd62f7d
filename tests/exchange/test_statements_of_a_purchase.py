"""How often a purchase asks the database: each statement is a round trip that every buyer waits for."""

from collections.abc import Callable

import pytest
from flask import Flask
from sqlalchemy import event

from marketplace.app import install
from marketplace.billing import payments, queries
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind
from marketplace.exchange import purchase
from marketplace.exchange.outcome import apply
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.models import Offer
from tests.factories import market

Counted = Callable[[Callable[[], str]], tuple[str, int]]


@pytest.fixture
def counted(app: Flask):
    """Tell a story and say what it returned and how many statements it sent."""
    install(app)
    sent: list[str] = []

    def note(*given):
        if "SAVEPOINT" not in given[2]:  # each transaction of a test is one
            sent.append(given[2])

    def tell(story: Callable[[], str]) -> tuple[str, int]:
        db.session.remove()
        sent.clear()
        return story(), len(sent)

    event.listen(db.engine, "before_cursor_execute", note)
    yield tell
    event.remove(db.engine, "before_cursor_execute", note)


def order(who: Actor, offer: Offer) -> Callable[[], str]:
    offer_id, sha256 = offer.id, offer.terms_sha256

    def place() -> str:
        with transaction():
            return purchase.place_order(who, offer_id, sha256)

    return place


def pay(order_id: str) -> Callable[[], str]:
    payment_id = queries.list_payments(order_id=order_id)[0].id

    def learn() -> str:
        fact = Fact(FactKind.INTENT_SUCCEEDED, f"pi_{order_id}", 5500, "JPY", clock.now())
        with transaction():
            apply(payments.record_facts(payment_id, [fact], payment_intent_id=f"pi_{order_id}", charge_id="ch_1"))
        return payment_id

    return learn


def test_a_paid_order_is_placed_in_few_statements_and_fulfilled_in_few(counted: Counted) -> None:
    on, buyer = market.listed(), market.buyer()
    place = order(buyer, market.offered(on))
    counted(pay(place()))  # the first sale also opens accounts, counters and the acceptance
    order_id, placing = counted(place)
    assert (
        placing <= 15
    )  # of them one asks for budgets, one whether an incident halts sales, one for the buyer's groups
    _payment_id, fulfilling = counted(pay(order_id))
    assert fulfilling <= 43  # as here; two more keep the new grant and an incident that halts it apart
    made = purchase.read(buyer, order_id)
    assert made.order.state == "fulfilled"
    assert made.grant_id
    assert made.invoice_id
