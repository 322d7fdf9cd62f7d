"""A key under which the gateway failed, and which it keeps: the page is found, or asked for under another key."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.app import install
from marketplace.billing.gateway_models import GatewayCustomer
from marketplace.billing.models import Order, Payment
from marketplace.exchange import facilities, renewal
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from marketplace.sandbox import controls
from marketplace.sandbox.models import SandboxObject
from tests.factories import market

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


@pytest.mark.parametrize(("kind", "is_renewed"), [("server_error", True), ("server_error_after", False)])
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
