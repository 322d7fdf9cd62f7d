"""A key under which the gateway failed, and which it keeps: what it did is found, or asked for under another key."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.app import install
from marketplace.billing import queries
from marketplace.billing.errors import GatewayUnavailable
from marketplace.billing.gateway_models import GatewayCustomer
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.billing.models import Order, Payment
from marketplace.billing.payouts.models import Payout
from marketplace.exchange import facilities, pages, payment, payout, refund, renewal
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from marketplace.sandbox import controls
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.wire import WireError
from tests.factories import market, money, payouts

FAILURES = [("server_error", True), ("server_error_after", False)]
"""A failure before the gateway did anything, so that it is asked under another key, and one after it did it all."""
MONTHLY = Price(PriceKind.SUBSCRIPTION, 5_000, term_months=1)


@pytest.fixture
def hasty(app: Flask, monkeypatch: pytest.MonkeyPatch) -> Flask:
    """The gateway is asked again without waiting."""
    install(app)
    monkeypatch.setattr(facilities.current().gateway, "_sleep", lambda _seconds: None)
    return app


def known(kind: str) -> int:
    """How many things of a kind the gateway has."""
    return db.session.scalar(select(func.count()).select_from(SandboxObject).where(SandboxObject.kind == kind)) or 0


@pytest.fixture
def by_transfer(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    """Payouts go through the gateway."""
    whole = app.config["MUSUBI_SETTINGS"]
    monkeypatch.setitem(app.config, "MUSUBI_SETTINGS", replace(whole, stripe_connect="transfers"))
    install(app)
    yield
    settings.install(whole)


@pytest.mark.parametrize(("kind", "is_renewed"), FAILURES)
def test_a_page_is_opened_though_its_key_is_spent_on_a_failure(hasty: Flask, kind: str, is_renewed: bool) -> None:
    offer = market.offered(market.listed())
    controls.trouble(kind, 1)
    made = market.ordered(market.buyer(), offer)
    assert made.payment.checkout_url
    assert (made.payment.idempotency_key != f"checkout:{made.payment.id}") is is_renewed
    assert known("checkout.session") == 1


def test_a_payer_is_made_though_its_key_is_spent_on_a_failure(hasty: Flask) -> None:
    offer = market.offered(market.listed(), said={"rails": (Rail.BANK_TRANSFER,)})
    controls.trouble("server_error", 1)
    made = market.ordered(market.buyer(), offer)
    assert made.payment.checkout_url
    assert known("customer") == 1
    assert db.session.scalars(select(GatewayCustomer.customer_id)).one() is not None


def test_the_page_of_a_renewal_is_opened_by_a_later_run_where_the_gateway_was_away(hasty: Flask) -> None:
    first = market.bought(hasty, market.buyer(), market.offered(market.listed(), price=MONTHLY))
    with clock.stopped(clock.now() + timedelta(days=27)):
        controls.trouble("unavailable", 3)
        run = renewal.renew(clock.today())
        controls.reset()
        assert run.failed == (first.order.subscription_id,)
        assert len(run.order_ids) == 1
        assert renewal.renew(clock.today()).order_ids == ()
    query = select(Payment.checkout_url).join(Order, Order.id == Payment.order_id).where(Order.term_number == 2)
    assert db.session.scalars(query).one()


@pytest.mark.parametrize(("kind", "is_renewed"), FAILURES)
def test_a_refund_is_sent_once_though_its_key_is_spent_on_a_failure(hasty: Flask, kind: str, is_renewed: bool) -> None:
    (opened,) = money.give_back(money.sold(hasty))
    key = opened.idempotency_key
    controls.trouble(kind, 1)
    refund.send(opened.id)
    sent = money.found(opened.id)
    assert (sent.state, sent.idempotency_key != key) == ("succeeded", is_renewed)
    assert known("refund") == 1
    market.learn()
    money.assert_sound()


def test_a_refund_is_sent_by_a_later_run_where_even_the_looking_failed(hasty: Flask) -> None:
    (opened,) = money.give_back(money.sold(hasty))
    controls.trouble("server_error", 10)
    with pytest.raises(GatewayUnavailable):
        refund.send(opened.id)
    controls.reset()
    assert (money.found(opened.id).state, known("refund")) == ("created", 0)
    refund.pursue()
    assert (money.found(opened.id).state, known("refund")) == ("succeeded", 1)


def test_a_refund_that_was_heard_of_while_its_key_was_renewed_is_not_sent_again(
    hasty: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    (opened,) = money.give_back(money.sold(hasty))
    looking = StripeGateway.list_refunds

    def sent_meanwhile(self: StripeGateway, payment_intent_id: str) -> object:
        monkeypatch.setattr(StripeGateway, "list_refunds", looking)
        before = looking(self, payment_intent_id)
        refund.send(opened.id)
        return before

    monkeypatch.setattr(StripeGateway, "list_refunds", sent_meanwhile)
    controls.trouble("server_error", 1)
    refund.send(opened.id)
    assert (money.found(opened.id).state, known("refund")) == ("succeeded", 1)


@pytest.mark.parametrize(("kind", "is_renewed"), FAILURES)
def test_a_transfer_is_made_once_though_its_key_is_spent_on_a_failure(
    by_transfer: None, hasty: Flask, kind: str, is_renewed: bool
) -> None:
    drawn = approved(hasty)
    key = drawn.idempotency_key
    controls.trouble(kind, 1)
    payout.transfer(drawn.id)
    sent = payouts.now(drawn.id)
    assert (sent.state, sent.idempotency_key != key) == ("paid", is_renewed)
    assert known("transfer") == 1
    market.learn()
    money.assert_sound()


def test_a_transfer_that_was_made_while_its_key_was_renewed_is_not_made_again(
    by_transfer: None, hasty: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = approved(hasty)
    looking = StripeGateway.list_transfers

    def made_meanwhile(self: StripeGateway, *, destination: str) -> object:
        monkeypatch.setattr(StripeGateway, "list_transfers", looking)
        before = looking(self, destination=destination)
        payout.transfer(drawn.id)
        return before

    monkeypatch.setattr(StripeGateway, "list_transfers", made_meanwhile)
    controls.trouble("server_error", 1)
    payout.transfer(drawn.id)
    assert (payouts.now(drawn.id).state, known("transfer")) == ("paid", 1)


def approved(app: Flask) -> Payout:
    """A payout that the gateway is to transfer, and has the money for."""
    with clock.stopped(clock.now() - timedelta(days=30)):  # at the gateway money may be moved on after some days
        provider = payouts.earned(app, connect_account_id="acct_1SandboxSapporo")
    return payouts.drawn(payouts.operator(), provider)


@pytest.mark.parametrize(("kind", "_is_renewed"), FAILURES)
def test_a_page_is_closed_though_the_gateway_keeps_a_failure(hasty: Flask, kind: str, _is_renewed: bool) -> None:
    made = money.on_credit(hasty)
    with transaction():
        payment_id = payment.pay_invoice(money.owner(made), made.invoice_id)
    payment.begin(payment_id)
    money.pay_by_bank(made, 5_500)
    controls.trouble(kind, 1)
    pages.close(payment_id)
    db.session.expire_all()
    closed = queries.get_payment(payment_id)
    assert closed.state == "expired"
    with pytest.raises(WireError, match="takes no such deed"):
        controls.pay(closed.session_id)
    money.assert_sound()


def test_a_page_whose_closing_failed_throughout_is_closed_by_the_next_run(hasty: Flask) -> None:
    made = money.on_credit(hasty)
    with transaction():
        payment_id = payment.pay_invoice(money.owner(made), made.invoice_id)
    payment.begin(payment_id)
    money.pay_by_bank(made, 5_500)
    controls.trouble("server_error", 3)
    with pytest.raises(GatewayUnavailable):
        pages.close(payment_id)
    assert queries.get_payment(payment_id).state == "open"
    pages.close(payment_id)
    db.session.expire_all()
    assert queries.get_payment(payment_id).state == "expired"


@pytest.mark.parametrize(("kind", "_is_renewed"), FAILURES)
def test_a_transfer_under_way_is_given_up_though_the_gateway_keeps_a_failure(
    hasty: Flask, monkeypatch: pytest.MonkeyPatch, kind: str, _is_renewed: bool
) -> None:
    made = market.ordered(market.buyer(), market.offered(market.listed(), said={"rails": (Rail.BANK_TRANSFER,)}))
    controls.pay(made.payment.session_id, "bank_transfer")
    market.learn()
    cancel = StripeGateway.cancel_payment

    def in_trouble(self: StripeGateway, payment_intent_id: str) -> None:
        controls.trouble(kind, 1)
        cancel(self, payment_intent_id)

    monkeypatch.setattr(StripeGateway, "cancel_payment", in_trouble)
    pages.close(made.payment.id)
    market.learn()
    db.session.expire_all()
    assert queries.get_payment(made.payment.id).state == "failed"
    intents = select(SandboxObject.document).where(SandboxObject.kind == "payment_intent")
    assert [intent["status"] for intent in db.session.scalars(intents)] == ["canceled"]
