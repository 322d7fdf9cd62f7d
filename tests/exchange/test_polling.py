"""Where no webhook reaches the exchange it asks for events each minute, and takes none from anybody."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.app import create_app
from marketplace.billing import queries
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.exchange import facilities, payment
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.settings import SANDBOX_WEBHOOK_SECRET, from_environment
from marketplace.sandbox import controls
from marketplace.sandbox.delivery import signature
from tests.factories import market

OWN_KEY = {"STRIPE_API_KEY": "sk_test_of_our_own"}
EVENT = {
    "id": "evt_of_a_stranger",
    "object": "event",
    "type": "payment_intent.succeeded",
    "created": 1,
    "livemode": False,
    "data": {"object": {"id": "pi_1", "object": "payment_intent"}},
}


def installed_from(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the running exchange have the settings of an environment; its gateway stays the sandbox."""
    means = replace(facilities.current(), settings=from_environment(environment))
    monkeypatch.setattr(facilities, "_installed", means)


def kept() -> int:
    return db.session.execute(text("SELECT count(*) FROM stripe_event")).scalar_one()


def test_without_a_secret_what_was_paid_is_learnt_and_fulfilled_within_the_minute(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    del app
    made = market.ordered(market.buyer(), market.offered(market.listed()))
    controls.pay(made.payment.session_id)
    installed_from(OWN_KEY, monkeypatch)
    for _minute in range(2):
        payment.poll()
        payment.work_inbox()
    db.session.expire_all()
    assert queries.require_order(made.order.id).state == "fulfilled"
    asked = kept()
    payment.poll()
    assert kept() == asked > 0


def test_with_a_secret_events_come_by_webhook_and_are_asked_for_only_now_and_then(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    del app
    controls.pay(market.ordered(market.buyer(), market.offered(market.listed())).payment.session_id)
    installed_from(OWN_KEY | {"STRIPE_WEBHOOK_SECRETS": "whsec_own"}, monkeypatch)
    payment.poll()
    assert kept() == 0
    payment.backfill()
    assert kept() > 0


@pytest.mark.parametrize(
    ("secrets", "signed_with", "status"),
    [
        ("", SANDBOX_WEBHOOK_SECRET, 404),
        (" , ", "", 404),
        ("whsec_own", SANDBOX_WEBHOOK_SECRET, 400),
        ("whsec_own", "whsec_own", 200),
    ],
)
def test_an_exchange_without_a_secret_takes_no_webhook(
    clone: Callable[[], str], tmp_path: Path, secrets: str, signed_with: str, status: int
) -> None:
    own = {"DATABASE_URL": clone(), "MARKETPLACE_DATA_DIR": str(tmp_path), "STRIPE_WEBHOOK_SECRETS": secrets}
    deaf = create_app(from_environment(OWN_KEY | own))
    body = json.dumps(EVENT).encode()
    headers = {"Stripe-Signature": signature(body, signed_with, clock.now())}
    with deaf.app_context():
        try:
            assert deaf.test_client().post("/webhooks/stripe", data=body, headers=headers).status_code == status
            assert kept() == (status == 200)
        finally:
            db.session.remove()
            db.engine.dispose()


def test_a_poll_that_finds_the_gateway_away_asks_for_the_same_time_again(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    del app
    controls.pay(market.ordered(market.buyer(), market.offered(market.listed())).payment.session_id)
    installed_from(OWN_KEY, monkeypatch)
    with monkeypatch.context() as away:
        away.setattr(StripeGateway, "list_events", lambda *_asked: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            payment.poll()
    assert kept() == 0
    payment.poll()
    assert kept() > 0
