"""After-pay: what is overdue is reminded of, then rests, and opens again when it is paid."""

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask

from marketplace.access import queries as grants
from marketplace.billing import queries
from marketplace.billing.documents import queries as documents
from marketplace.billing.models import Invoice
from marketplace.billing.postings import CLEARING
from marketplace.billing.receivables import service as receiving
from marketplace.exchange import afterpay, purchase
from marketplace.exchange.afterpay import Chased
from marketplace.exchange.purchase import Purchase
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from tests.factories import market
from tests.factories.receivables import paid_in

NOTHING = Chased((), (), ())
BOUGHT_AT = datetime(2027, 1, 31, 3, tzinfo=UTC)
DUE = datetime(2027, 2, 28, 3, tzinfo=UTC)


def on_credit(buyer: Actor, **price: object) -> tuple[Purchase, Invoice]:
    offer = market.offered(market.listed(), said={"rails": (Rail.INVOICE,)}, **price)
    with clock.stopped(BOUGHT_AT):
        made = market.ordered(buyer, offer)
    return made, queries.require_invoice(made.invoice_id)


def chased(days: int) -> Chased:
    """Look at the overdue invoices so many days after the one in question was due."""
    with clock.stopped(DUE + timedelta(days=days)):
        return afterpay.chase_overdue(SYSTEM)


def standing(made: Purchase) -> str:
    db.session.expire_all()
    return grants.require_grant(made.grant_id).state


def test_an_invoice_is_chased_step_by_step_and_each_step_once(app: Flask) -> None:
    buyer = market.buyer()
    made, invoice = on_credit(buyer)
    assert chased(0) == NOTHING
    assert chased(1) == Chased((invoice.number,), (), ())
    assert chased(14) == NOTHING
    assert standing(made) == "active"
    assert chased(15) == Chased((), (invoice.number,), ())
    assert (standing(made), invoice.dunning) == ("suspended", "suspended")
    assert chased(400) == NOTHING


def test_a_late_run_reminds_and_suspends_at_once(app: Flask) -> None:
    made, invoice = on_credit(market.buyer())
    assert chased(60) == Chased((invoice.number,), (invoice.number,), ())
    assert standing(made) == "suspended"


def test_payment_opens_the_grant_again_at_once_and_only_the_one_it_pays(app: Flask) -> None:
    buyer = market.buyer()
    made, invoice = on_credit(buyer)
    other, _unpaid = on_credit(buyer)
    chased(60)
    with transaction():
        receiving.take_money(SYSTEM, invoice.id, 5_499, "src_1", account=CLEARING)
        assert not afterpay.lift_if_paid(SYSTEM, invoice.id)
        receiving.book_money(SYSTEM, "src_1")
    assert standing(made) == "suspended"
    with transaction():
        receiving.take_money(SYSTEM, invoice.id, 1, "src_2", account=CLEARING)
        assert afterpay.lift_if_paid(SYSTEM, invoice.id)
        receiving.book_money(SYSTEM, "src_2")
    assert (standing(made), standing(other)) == ("active", "suspended")


def test_what_was_paid_or_credited_without_a_word_is_opened_by_the_next_run(app: Flask) -> None:
    made, invoice = on_credit(market.buyer())
    chased(60)
    with transaction():
        receiving.credit(SYSTEM, invoice.id, 5_500, "ref_1")
    assert chased(61) == Chased((), (), (invoice.number,))
    assert standing(made) == "active"


def test_a_paid_invoice_is_never_chased(app: Flask) -> None:
    made, invoice = on_credit(market.buyer())
    with transaction():
        paid_in(SYSTEM, invoice.id, 5_500, "src_1")
    assert chased(60) == NOTHING
    assert standing(made) == "active"


def test_an_unpaid_renewal_rests_the_grant_of_its_subscription(app: Flask) -> None:
    buyer = market.buyer()
    made, invoice = on_credit(buyer, price=Price(PriceKind.SUBSCRIPTION, 3_000, term_months=12))
    renewed = purchase.subscribed.require_subscription(made.order.subscription_id)
    with clock.stopped(BOUGHT_AT), transaction():
        term = purchase.subscribed.next_term(renewed)
        order_id = purchase.place_renewal(renewed, term)
        assert purchase.place_renewal(renewed, term) == order_id
    further = purchase.read(buyer, order_id)
    assert (further.order.term_number, further.order.rail, further.order.state) == (2, "invoice", "fulfilled")
    assert further.grant_id == made.grant_id
    assert afterpay.billed_grants(queries.require_invoice(further.invoice_id)) == [made.grant_id]
    assert chased(60).suspended == (invoice.number, queries.require_invoice(further.invoice_id).number)


@pytest.mark.parametrize("parts", [(5_500,), (5_000, 500)])
def test_each_payment_has_its_receipt(app: Flask, parts: tuple[int, ...]) -> None:
    buyer = market.buyer()
    _made, invoice = on_credit(buyer)
    for number, part in enumerate(parts):
        with transaction():
            paid_in(SYSTEM, invoice.id, part, f"src_{number}")
    receipts = [one for one in documents.list_about(invoice.id) if one.kind == "receipt"]
    assert sorted(one.amount_yen for one in receipts) == sorted(parts)
