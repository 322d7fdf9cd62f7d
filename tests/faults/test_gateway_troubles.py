"""A gateway that sends its webhooks twice, in the wrong order, late, or not at all, with the worker running."""

from collections.abc import Iterator

import pytest
import requests

from marketplace.billing.models import StripeEvent
from marketplace.exchange import payment
from marketplace.kit.db import db
from marketplace.kit.jobs import Worker
from marketplace.sandbox.models import SandboxDelivery
from tests.faults.world import World, assert_sold_once, at_once, count
from tests.live import wait_until

ORDERS = 4
ALL_EVENTS = frozenset(
    {
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
        "checkout.session.completed",
    }
)


@pytest.fixture
def working(open_world: World) -> Iterator[World]:
    """The market with its job worker running in this process."""
    worker = Worker(open_world.app.config["SQLALCHEMY_DATABASE_URI"], open_world.app.app_context)
    worker.start()
    yield open_world
    worker.stop()


def buy_all(world: World) -> list[str]:
    """Place several orders and pay them at once on their pages."""
    offer = world.offer()
    orders = [world.order(offer) for _ in range(ORDERS)]
    pages = [f"{world.base_url}/sandbox/pay/{world.payment(order_id).session_id}/pay" for order_id in orders]
    db.session.rollback()
    paid = at_once([lambda page=page: requests.post(page, allow_redirects=False, timeout=180) for page in pages])
    assert [answer.status_code for answer in paid] == [303] * ORDERS
    return orders


def assert_all_sold(world: World, orders: list[str]) -> None:
    for order_id in orders:
        wait_until("the order", lambda one=order_id: world.state(one) == "fulfilled" or db.session.rollback())
        assert_sold_once(order_id)


@pytest.mark.parametrize(
    "trouble",
    [{"duplicate": 3}, {"reorder": True}, {"delay_seconds": 2}, {"duplicate": 1, "reorder": True, "delay_seconds": 1}],
    ids=["twice", "disorder", "late", "all of it"],
)
def test_webhooks_that_come_twice_late_or_in_disorder_sell_once(working: World, trouble: dict[str, int]) -> None:
    for name, value in trouble.items():
        setattr(working.sandbox.knobs, name, value)
    orders = buy_all(working)
    # A late delivery is due again with the sender's next minute; asking the gateway does not wait for it.
    if "delay_seconds" in trouble:
        payment.backfill()
    assert_all_sold(working, orders)
    events = ORDERS * len(ALL_EVENTS)
    wait_until("all events", lambda: count(StripeEvent, StripeEvent.processed_at.is_not(None)) == events)
    for order_id in orders:
        assert_sold_once(order_id)


def test_webhooks_that_never_come_are_made_up_for_by_asking(working: World) -> None:
    working.sandbox.knobs.drop = ALL_EVENTS
    orders = buy_all(working)
    dropped = ORDERS * len(ALL_EVENTS)
    wait_until("the webhooks to be lost", lambda: count(SandboxDelivery, SandboxDelivery.state == "failed") == dropped)
    assert {working.state(order_id) for order_id in orders} == {"placed"}
    db.session.rollback()
    payment.backfill()
    assert_all_sold(working, orders)
