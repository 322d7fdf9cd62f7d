"""Payments of which nothing was heard for longer than the gateway repeats itself."""

from datetime import datetime, timedelta

import pytest

from marketplace.access.models import Grant
from marketplace.exchange import facilities, payment
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from marketplace.sandbox import checkout
from marketplace.sandbox.events import Recorder
from tests.faults.test_webhooks import broken_client
from tests.faults.world import World, assert_sold_once, assert_sound, count

A_DAY_LATER = timedelta(hours=25)


def tomorrow() -> datetime:
    return clock.now() + A_DAY_LATER


def test_money_that_nobody_told_us_of_is_found_after_a_long_outage(world: World) -> None:
    order_id = world.order()
    world.pay(order_id)
    with clock.stopped(tomorrow()):
        payment.reconcile()
        payment.reconcile()
    assert_sold_once(order_id)


def test_a_page_that_closed_unpaid_unheard_ends_its_order(world: World) -> None:
    order_id = world.order()
    with clock.stopped(tomorrow()):
        with transaction():
            checkout.expire_due(Recorder(world.sandbox, clock.now()), clock.now())
        payment.reconcile()
    assert (world.state(order_id), world.payment(order_id).state) == ("expired", "expired")
    assert_sound()


def test_a_page_whose_opening_we_forgot_is_found_by_its_key(world: World) -> None:
    order_id = world.order(begin=False)
    session_id = world.open_page_and_die(order_id)
    world.pay(order_id, session_id)
    payment.reconcile()
    assert world.payment(order_id).session_id is None
    with clock.stopped(clock.now() + timedelta(hours=1)):
        payment.reconcile()
    assert world.payment(order_id).session_id == session_id
    assert_sold_once(order_id)


def test_a_page_that_was_never_opened_ends_its_order_once_it_is_too_late(world: World) -> None:
    order_id = world.order(begin=False)
    with clock.stopped(tomorrow()):
        payment.reconcile()
    assert (world.state(order_id), world.payment(order_id).state) == ("expired", "expired")


def test_one_payment_in_trouble_does_not_keep_the_others_waiting(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = world.order(), world.order()
    world.pay(second)
    fetch, seen = facilities.current().gateway.fetch_checkout, []

    def failing_first(session_id: str) -> object:
        seen.append(session_id)
        if session_id == first_session:
            raise ValueError("not what was expected")
        return fetch(session_id)

    first_session = world.payment(first).session_id
    monkeypatch.setattr(facilities.current().gateway, "fetch_checkout", failing_first)
    with clock.stopped(tomorrow()):
        payment.reconcile()
    assert len(seen) == 2
    assert_sold_once(second)
    assert world.state(first) == "placed"


def test_a_gateway_that_is_away_changes_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    order_id = world.order()
    monkeypatch.setattr(facilities.current().gateway, "_client", broken_client())
    with clock.stopped(tomorrow()):
        payment.reconcile()
    assert world.state(order_id) == "placed"
    assert count(Grant) == 0
