"""Paying by every rail of the gateway: at once, at the till, by transfer in parts; and what ends an order."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.billing import ledger_queries, payments, queries
from marketplace.billing.errors import OrderNotPayable
from marketplace.billing.gateway_models import GatewayCustomer
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.exchange import facilities, payment, purchase
from marketplace.exchange.purchase import OrderWish, Purchase
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail
from marketplace.sandbox import controls
from tests.factories import market

ALL = {"rails": (Rail.CARD, Rail.KONBINI, Rail.BANK_TRANSFER)}


def ordered(rail: Rail, who: Actor | None = None) -> Purchase:
    """An order of 5,500 yen on its page, by one rail."""
    who, offer = who or market.buyer(), market.offered(market.listed(), said=ALL)
    with transaction():
        order_id = purchase.place_order(who, offer.id, offer.terms_sha256, OrderWish(rail))
    payment.begin(purchase.read(who, order_id).payment.id)
    return purchase.read(who, order_id)


def now(made: Purchase) -> tuple[str, str]:
    """The states of order and payment, after learning all that the gateway knows."""
    market.learn()
    db.session.expire_all()
    return queries.require_order(made.order.id).state, queries.get_payment(made.payment.id).state


def granted() -> int:
    return db.session.execute(text("SELECT count(*) FROM access_grant")).scalar_one()


def customer_of(made: Purchase) -> str:
    return db.session.get(GatewayCustomer, made.order.organization_id).customer_id


@pytest.mark.parametrize(
    ("rail", "excluded"),
    [
        (Rail.CARD, ["customer_balance", "konbini"]),
        (Rail.KONBINI, ["card", "customer_balance"]),
        (Rail.BANK_TRANSFER, ["card", "konbini"]),
    ],
)
def test_the_page_shows_only_the_rail_of_the_order(app: Flask, monkeypatch, rail: Rail, excluded: list[str]) -> None:
    asked, make = [], StripeGateway._method_params
    monkeypatch.setattr(
        StripeGateway, "_method_params", lambda *given: asked.append(make(*given)) or asked[-1], raising=True
    )
    ordered(rail)
    assert asked[0]["excluded_payment_method_types"] == excluded
    assert "payment_method_types" not in asked[0]


def test_a_voucher_for_the_till_delivers_nothing_until_it_is_paid(app: Flask) -> None:
    made = ordered(Rail.KONBINI)
    controls.pay(made.payment.session_id, "konbini")
    assert now(made) == ("placed", "processing")
    assert granted() == 0
    controls.pay_at_till(made.payment.session_id)
    assert now(made) == ("fulfilled", "paid")
    assert granted() == 1
    assert ledger_queries.trial_balance().total_minor == 0


def test_a_voucher_that_runs_out_ends_the_order(app: Flask) -> None:
    made = ordered(Rail.KONBINI)
    controls.pay(made.payment.session_id, "konbini")
    assert now(made) == ("placed", "processing")
    controls.let_expire(made.payment.session_id)
    assert now(made) == ("failed", "failed")
    assert granted() == 0


def test_a_transfer_in_parts_is_known_part_by_part_and_delivers_when_it_is_whole(app: Flask) -> None:
    made = ordered(Rail.BANK_TRANSFER)
    controls.pay(made.payment.session_id, "bank_transfer")
    assert now(made) == ("placed", "processing")
    for funded in (2000, 5000):
        controls.fund(customer_of(made), funded - (0 if funded == 2000 else 2000))
        assert now(made) == ("placed", "processing")
        facts = [fact for fact in queries.list_facts(made.payment.id) if fact.kind == "intent_partially_funded"]
        assert max(fact.amount_minor for fact in facts) == funded
    assert granted() == 0
    controls.fund(customer_of(made), 500)
    assert now(made) == ("fulfilled", "paid")
    assert granted() == 1


def test_a_buyer_has_one_virtual_account_for_all_its_orders(app: Flask) -> None:
    who = market.buyer()
    first, second = ordered(Rail.BANK_TRANSFER, who), ordered(Rail.BANK_TRANSFER, who)
    assert first.payment.session_id != second.payment.session_id
    made = "SELECT count(*) FROM sandbox_object WHERE id LIKE 'cus\\_%'"
    assert db.session.execute(text(made)).scalar_one() == 1
    assert customer_of(first) == customer_of(second)


def test_a_transfer_that_never_comes_is_given_up_after_its_days(app: Flask) -> None:
    made = ordered(Rail.BANK_TRANSFER)
    controls.pay(made.payment.session_id, "bank_transfer")
    assert now(made) == ("placed", "processing")
    with clock.stopped(clock.now() + timedelta(days=13)):
        payment.close_pages()
        assert now(made) == ("placed", "processing")
    with clock.stopped(clock.now() + timedelta(days=15)):
        payment.close_pages()
        assert now(made) == ("failed", "failed")


def test_an_order_by_a_rail_without_a_page_opens_none(app: Flask) -> None:
    made = ordered(Rail.CARD)
    with transaction():
        db.session.execute(text("UPDATE purchase_order SET rail = 'invoice' WHERE id = :id"), {"id": made.order.id})
        db.session.execute(text("UPDATE payment SET state = 'expired' WHERE id = :id"), {"id": made.payment.id})
    with pytest.raises(OrderNotPayable, match="invoice"), transaction():
        payments.open_for_order(Actor(made.order.organization_id), made.order.id)


def test_what_was_paid_otherwise_closes_the_open_page(app: Flask) -> None:
    """polar, lago: an invoice charged while its hosted page was still open was paid twice."""
    made = ordered(Rail.CARD)
    with transaction():
        purchase.fulfil(made.order.id)
    payment.close_pages()
    assert now(made) == ("fulfilled", "expired")
    assert facilities.current().gateway.fetch_checkout(made.payment.session_id).status == "expired"
    assert market.visit(app, made).status_code != 303


def test_what_is_paid_otherwise_before_the_page_opens_opens_none(app: Flask) -> None:
    who, offer = market.buyer(), market.offered(market.listed())
    with transaction():
        order_id = purchase.place_order(who, offer.id, offer.terms_sha256)
        purchase.fulfil(order_id)
    tried = purchase.read(who, order_id).payment
    payment.begin(tried.id)
    assert queries.get_payment(tried.id).session_id is None
    payment.close_pages()
    assert queries.get_payment(tried.id).state == "expired"


def test_what_is_paid_otherwise_while_the_page_opens_closes_it(app: Flask, monkeypatch) -> None:
    who, offer, create = market.buyer(), market.offered(market.listed()), StripeGateway.create_checkout
    with transaction():
        order_id = purchase.place_order(who, offer.id, offer.terms_sha256)
    tried = purchase.read(who, order_id).payment

    def slow(self: StripeGateway, **asked: object) -> object:
        opened = create(self, **asked)
        with transaction():
            purchase.fulfil(order_id)
        return opened

    monkeypatch.setattr(StripeGateway, "create_checkout", slow)
    payment.begin(tried.id)
    db.session.expire_all()
    again = queries.get_payment(tried.id)
    assert again.state == "expired"
    assert facilities.current().gateway.fetch_checkout(again.session_id).status == "expired"


def test_money_that_came_before_the_page_could_be_closed_is_owed_back(app: Flask) -> None:
    made = ordered(Rail.CARD)
    controls.pay(made.payment.session_id)
    with transaction():
        purchase.fulfil(made.order.id)
    payment.close_pages()
    assert now(made) == ("fulfilled", "paid")
    assert ledger_queries.balance_of(f"Liabilities:Unapplied:{made.order.organization_id}") == -5500


def test_an_old_key_is_not_used_again_but_the_page_looked_for(app: Flask, monkeypatch) -> None:
    who, offer = market.buyer(), market.offered(market.listed())
    with transaction():
        order_id = purchase.place_order(who, offer.id, offer.terms_sha256)
    tried = purchase.read(who, order_id).payment
    create = StripeGateway.create_checkout

    def lost(self: StripeGateway, **asked: object) -> object:
        create(self, **asked)
        raise OSError("we died before we could note the answer")

    monkeypatch.setattr(StripeGateway, "create_checkout", lost)
    with pytest.raises(OSError, match="died"):
        payment.begin(tried.id)
    session = db.session.execute(text("SELECT id FROM sandbox_object WHERE id LIKE 'cs\\_%'")).scalar_one()
    controls.pay(session)
    monkeypatch.setattr(StripeGateway, "create_checkout", lambda *_a, **_k: pytest.fail("the key was used again"))
    with clock.stopped(clock.now() + timedelta(hours=30)):
        payment.reconcile()
    db.session.expire_all()
    assert queries.get_payment(tried.id).session_id == session
    assert queries.require_order(order_id).state == "fulfilled"


def test_a_live_exchange_needs_no_public_address(app: Flask, monkeypatch) -> None:
    """Without a webhook secret nothing is listened to; the minute's poll sells all the same."""
    made = ordered(Rail.CARD)
    controls.pay(made.payment.session_id)
    payment.poll()
    assert db.session.execute(text("SELECT count(*) FROM stripe_event")).scalar_one() == 0, "webhooks are on"
    monkeypatch.setattr(payment, "is_listening", lambda: False)
    payment.poll()
    payment.work_inbox()
    db.session.expire_all()
    assert queries.require_order(made.order.id).state == "fulfilled"


def test_the_poller_goes_on_where_it_ended_and_says_when_events_are_gone(app: Flask, monkeypatch, caplog) -> None:
    asked, start = [], clock.now()
    monkeypatch.setattr(
        StripeGateway, "list_events", lambda _self, since: asked.append(since) or iter(()), raising=True
    )
    for later in (timedelta(), timedelta(hours=10), timedelta(days=45)):
        with clock.stopped(start + later):
            payment.backfill()
    assert asked == [
        start - timedelta(days=30),
        start - timedelta(hours=2),
        start + timedelta(days=15),
    ]
    assert "are gone" in caplog.text
