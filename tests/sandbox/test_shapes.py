"""Every answer and event has the shape that Stripe's own schemas and the SDK's types declare."""

from collections.abc import Callable
from typing import Any

import pytest

from marketplace.sandbox import delivery
from tests.contract import openapi
from tests.contract.answers import errors_of
from tests.sandbox.conftest import World, order


def everything(world: World, session_id: str, *, paid: bool) -> list[dict[str, Any]]:
    get = lambda path: world.send("GET", f"/v1/{path}").json()  # noqa: E731 - a word for the lines below
    session = get(f"checkout/sessions/{session_id}")
    intent = get(f"payment_intents/{session['payment_intent']}")
    charge = get(f"charges/{intent['latest_charge']}")
    found = [session, intent, charge]
    if paid:
        found.append(get(f"balance_transactions/{charge['balance_transaction']}"))
    events = get("events?limit=100")["data"]
    return [*found, *events, *(event["data"]["object"] for event in events)]


@pytest.mark.parametrize("deeds", [["pay"], ["decline"], ["decline", "decline", "pay"]])
def test_all_objects_and_snapshots_validate(world: World, deeds: list[str]) -> None:
    created = world.session()
    assert errors_of(created.to_dict()) == []
    for deed in deeds:
        world.pay(created.id, deed)
    for document in everything(world, created.id, paid=deeds[-1] == "pay"):
        assert errors_of(document) == [], document


def test_expired_session_and_its_canceled_intent_validate(world: World) -> None:
    created = world.session()
    world.pay(created.id, "decline")
    expired = world.stripe.v1.checkout.sessions.expire(created.id)
    assert expired.status == "expired"
    for document in everything(world, created.id, paid=False):
        assert errors_of(document) == [], document


def test_minimal_session_and_line_items_validate(world: World) -> None:
    wish = {key: order()[key] for key in ("mode", "line_items", "success_url")}
    identifier = world.stripe.v1.checkout.sessions.create(wish).id
    created = world.send("GET", f"/v1/checkout/sessions/{identifier}?expand[]=line_items").json()
    for item in created["line_items"]["data"]:
        assert openapi.object_errors("item", item) == []
    del created["line_items"]
    assert errors_of(created) == []
    assert created["cancel_url"] is None
    assert created["client_reference_id"] is None
    assert created["metadata"] == {}


def test_expanded_objects_validate(world: World) -> None:
    created = world.session()
    world.pay(created.id)
    path = "payment_intent.latest_charge.balance_transaction"
    answer = world.send("GET", f"/v1/checkout/sessions/{created.id}?expand[]={path}").json()
    balance = answer["payment_intent"]["latest_charge"]["balance_transaction"]
    assert errors_of(answer) == []
    assert errors_of(balance) == []


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/v1/charges/ch_none", "sk_test_sandbox"),
        ("GET", "/v1/charges/ch_none", "sk_live_real"),
        ("POST", "/v1/checkout/sessions", "sk_test_sandbox"),
        ("GET", "/v1/no/such/address", "sk_test_sandbox"),
    ],
)
def test_errors_validate(world: World, method: str, path: str, key: str) -> None:
    answer = world.send(method, path, key)
    assert answer.status_code >= 400
    assert openapi.object_errors("error", answer.json()) == []


def test_webhook_bodies_validate(world: World) -> None:
    world.pay(world.session().id)
    with world.app.app_context():
        delivery.deliver_due(world.config)
    assert len(world.endpoint.events()) == 5
    for event in world.endpoint.events():
        assert errors_of(event.to_dict()) == []


def test_the_checker_finds_wrong_types_unknown_and_missing_fields(make_world: Callable[..., World]) -> None:
    good = make_world().session().to_dict()
    assert errors_of(good | {"amount_total": "12000"})
    assert errors_of(good | {"colour": "red"})
    assert errors_of({key: value for key, value in good.items() if key != "expires_at"})
    assert errors_of(good | {"status": "paid"})
