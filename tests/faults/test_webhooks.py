"""What gateways send: forged, stale, twice, in any order, too early, about things that are gone."""

import itertools
import json
from datetime import timedelta
from typing import Any

import pytest
import requests
from flask import Flask
from sqlalchemy import update

from marketplace.access.models import Grant
from marketplace.audit.verbs import Verb
from marketplace.billing import inbox
from marketplace.billing.models import Invoice, StripeEvent
from marketplace.exchange import balance as reconciliation
from marketplace.exchange import payment
from marketplace.kit import clock, jobs, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox.delivery import signature
from marketplace.sandbox.models import SandboxObject
from tests.faults.world import PRICE_YEN, World, assert_sold_once, assert_sound, at_once, balance, count, entries

GROSS_YEN = PRICE_YEN * 11 // 10
PATH = "/webhooks/stripe"


def signed(event: dict[str, Any], *, secret: str | None = None, at: Any = None) -> tuple[bytes, dict[str, str]]:
    """The bytes and headers that the gateway would send."""
    body = json.dumps(event, ensure_ascii=False).encode()
    known = settings.current().webhook_secrets[0]
    return body, {"Stripe-Signature": signature(body, secret or known, at or clock.now())}


def deliver(app: Flask, event: dict[str, Any], **how: Any) -> int:
    """Send an event; returns the status of the answer."""
    body, headers = signed(event, **how)
    return app.test_client().post(PATH, data=body, headers=headers).status_code


def work() -> None:
    """Let the worker take up what has come in."""
    jobs.run_pending("billing.events")


def completed(events: list[dict[str, Any]]) -> dict[str, Any]:
    return next(event for event in events if event["type"] == "checkout.session.completed")


def test_a_forged_a_stale_and_a_future_event_are_refused_and_not_kept(world: World) -> None:
    event = completed(world.pay(world.order()))
    now = clock.now()
    assert deliver(world.app, event, secret="whsec_of_somebody_else") == 400
    assert deliver(world.app, event, at=now - timedelta(seconds=301)) == 400
    assert deliver(world.app, event, at=now + timedelta(seconds=303)) == 400
    assert deliver(world.app, event | {"livemode": True}) == 400
    assert world.app.test_client().post(PATH, data=json.dumps(event)).status_code == 400
    body, headers = signed(event)
    assert world.app.test_client().post(PATH, data=body + b" ", headers=headers).status_code == 400
    assert count(StripeEvent) == 0
    work()
    assert count(Grant) == 0


def test_an_event_replayed_within_its_time_and_long_after_has_one_effect(world: World) -> None:
    order_id = world.order()
    event = completed(world.pay(order_id))
    assert [deliver(world.app, event) for _ in range(3)] == [200, 200, 200]
    work()
    assert deliver(world.app, event) == 200
    work()
    assert_sold_once(order_id)
    assert count(StripeEvent) == 1


def test_an_event_that_comes_eight_times_at_once_is_kept_and_works_once(open_world: World) -> None:
    order_id = open_world.order()
    body, headers = signed(completed(open_world.pay(order_id)))

    def send() -> int:
        return requests.post(open_world.base_url + PATH, data=body, headers=headers, timeout=180).status_code

    assert at_once([send] * 8) == [200] * 8
    assert count(StripeEvent) == 1
    at_once([payment.work_inbox] * 8, open_world.app)
    assert_sold_once(order_id)


def test_the_events_of_a_purchase_in_any_order_come_to_the_same(world: World) -> None:
    offer, sent = world.offer(), 0
    for order in itertools.permutations(range(5)):
        order_id = world.order(offer)
        events = world.pay(order_id)[sent:]
        sent += len(events)
        assert len(events) == 5
        for number in order:
            assert deliver(world.app, events[number]) == 200
            work()
        assert world.state(order_id) == "fulfilled"
    sales = len(list(itertools.permutations(range(5))))
    assert (count(Grant), count(Invoice)) == (sales, sales)
    assert len(entries(Verb.PAYMENT_CAPTURED)) == sales
    fee = GROSS_YEN * 360 // 10_000
    reconciliation.reconcile()
    assert balance("Assets:Clearing:Stripe") == sales * (GROSS_YEN - fee)
    assert_sound()


def test_an_event_that_comes_before_we_noted_the_page_finds_its_payment(world: World) -> None:
    order_id = world.order(begin=False)
    session_id = world.open_page_and_die(order_id)
    event = completed(world.pay(order_id, session_id))
    assert world.payment(order_id).session_id is None
    assert deliver(world.app, event) == 200
    work()
    assert_sold_once(order_id)
    assert world.payment(order_id).session_id == session_id


def test_an_event_of_an_unknown_payment_is_parked_after_bounded_attempts(world: World) -> None:
    order_id = world.order()
    event = completed(world.pay(order_id))
    event["data"]["object"]["metadata"]["payment_id"] = "pay_of_another_shop"
    event["data"]["object"] |= {"id": "cs_test_other", "payment_intent": "pi_other"}
    assert deliver(world.app, event) == 200
    tried = fail_until_parked(event["id"])
    assert tried == inbox.ATTEMPTS_MAX
    [entry] = entries(Verb.EVENT_PARKED)
    assert entry.facts["cause"] == "PaymentUnknown"
    assert deliver(world.app, event) == 200
    work()
    assert [parked.id for parked in inbox.list_parked()] == [event["id"]]
    assert world.state(order_id) == "placed"


def test_an_event_whose_object_is_gone_is_parked_and_taken_up_again_when_it_is_back(world: World) -> None:
    order_id = world.order()
    event = completed(world.pay(order_id))
    session_id = event["data"]["object"]["id"]
    rename_session(session_id, "cs_test_gone")
    assert deliver(world.app, event) == 200
    fail_until_parked(event["id"])
    assert "GatewayObjectMissing" in (inbox.get_event(event["id"]).trouble or "")
    rename_session("cs_test_gone", session_id)
    with transaction():
        assert inbox.unpark(event["id"]) is True
    payment.work_inbox()
    assert_sold_once(order_id)


def test_an_event_waits_as_long_as_the_gateway_is_away(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = world.order()
    event = completed(world.pay(order_id))
    assert deliver(world.app, event) == 200
    at = clock.now()
    with monkeypatch.context() as away:
        away.setattr(payment.facilities.current().gateway, "_client", broken_client())
        for _ in range(3 * inbox.ATTEMPTS_MAX):
            with clock.stopped(at):
                payment.work_inbox()
            at += timedelta(hours=2)
    assert inbox.list_parked() == []
    assert world.state(order_id) == "placed"
    with clock.stopped(at):
        payment.work_inbox()
    assert_sold_once(order_id)


def test_money_of_another_amount_is_held_recorded_and_fulfils_nothing(world: World) -> None:
    order_id = world.order()
    event = completed(world.pay(order_id))
    with transaction():
        row = db.session.get_one(SandboxObject, event["data"]["object"]["id"])
        row.document = row.document | {"amount_total": GROSS_YEN - 1}
    assert deliver(world.app, event) == 200
    work()
    assert (world.state(order_id), world.payment(order_id).state) == ("placed", "held")
    assert [entry.subject for entry in entries(Verb.PAYMENT_HELD)] == [world.payment(order_id).id]
    assert (count(Grant), count(Invoice)) == (0, 0)
    assert_sound()


def test_a_lost_webhook_heals_by_asking_the_gateway(world: World) -> None:
    order_id = world.order()
    world.pay(order_id)
    assert world.state(order_id) == "placed"
    payment.backfill()
    payment.backfill()
    work()
    assert_sold_once(order_id)


def test_events_of_things_that_we_did_not_sell_are_kept_and_change_nothing(world: World) -> None:
    order_id = world.order()
    foreign = {"id": "ch_foreign", "object": "charge", "payment_intent": "pi_foreign", "metadata": {}}
    event = completed(world.pay(order_id)) | {"id": "evt_foreign", "type": "charge.succeeded"}
    assert deliver(world.app, event | {"data": {"object": foreign}}) == 200
    work()
    assert inbox.get_event("evt_foreign").processed_at is not None
    assert world.state(order_id) == "placed"


def fail_until_parked(event_id: str) -> int:
    """Let time pass and the worker try, until it gives up; returns how often it tried."""
    at = clock.now()
    for _ in range(10 * inbox.ATTEMPTS_MAX):
        at += timedelta(hours=1)
        with clock.stopped(at):
            payment.work_inbox()
        if inbox.list_parked():
            return inbox.get_event(event_id).attempts
    raise AssertionError("never parked")


def rename_session(known: str, name: str) -> None:
    with transaction():
        db.session.execute(update(SandboxObject).where(SandboxObject.id == known).values(id=name))


def broken_client() -> Any:
    """An SDK client whose network is down."""
    import stripe

    class Down(stripe.HTTPClient):
        name = "down"

        def request(self, *_args: Any, **_kwargs: Any) -> Any:
            raise stripe.APIConnectionError("the network is down")

        def close(self) -> None:
            """Nothing is open."""

    return stripe.StripeClient("sk_test_sandbox", http_client=Down(), max_network_retries=0)


def test_the_webhooks_of_one_buyer_worked_on_by_eight_at_once_never_deadlock(open_world: World) -> None:
    """lago, saleor: two webhooks of one customer locked the same rows in different orders."""
    offer = open_world.offer()
    orders = [open_world.order(offer) for _ in range(6)]
    events = [open_world.pay(order_id) for order_id in orders][-1]
    for event in events:
        assert deliver(open_world.app, event) == 200
    db.session.rollback()
    ids = [event["id"] for event in events]
    deeds = [lambda mine=ids[n:] + ids[:n]: [payment._work(one) for one in mine] for n in range(0, len(ids), 4)][:8]
    at_once(deeds, open_world.app)
    for order_id in orders:
        assert_sold_once(order_id)
    assert count(StripeEvent, StripeEvent.processed_at.is_(None)) == 0
    assert_sound()
