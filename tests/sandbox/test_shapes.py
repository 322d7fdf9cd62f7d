"""Every answer and event has the shape that Stripe's own schemas and the SDK's types declare."""

from collections.abc import Callable
from typing import Any

import pytest
import stripe

from marketplace.sandbox import delivery
from tests.sandbox.conftest import World, order
from tests.sandbox.spec import Shapes, sdk_fields

# In the SDK (2026-10-28.endive) but not yet in the schemas (2026-05-27.dahlia).
NEWER = {
    "checkout.session": {"allowed_payment_method_types"},
    "payment_intent": {"allowed_payment_method_types", "source"},
    "charge": {"source"},
}
# Not answered unless asked for, or (payment_record, level3, ...) only for features that are not played.
SOMETIMES = {
    "checkout.session": {"line_items", "branding_settings", "excluded_payment_method_types", "managed_payments"}
    | {"name_collection", "optional_items", "presentment_details", "redirect_on_completion", "return_url"}
    | {"tax_id_collection"},
    "payment_intent": {"excluded_payment_method_types", "hooks", "managed_payments", "payment_details"}
    | {"payment_record", "presentment_details"},
    "charge": {"authorization_code", "level3", "presentment_details", "refunds", "transfer"},
    "balance_transaction": set(),
    "event": {"account", "context"},
}
CLASSES: dict[str, Any] = {
    "checkout.session": stripe.checkout.Session,
    "payment_intent": stripe.PaymentIntent,
    "charge": stripe.Charge,
    "balance_transaction": stripe.BalanceTransaction,
    "event": stripe.Event,
}


def errors_of(shapes: Shapes, document: dict[str, Any]) -> list[str]:
    kind = document["object"]
    declared = sdk_fields(CLASSES[kind])
    wrong = [f"{kind}: the SDK does not know {name}" for name in set(document) - declared]
    wrong += [f"{kind}: missing {name}" for name in declared - set(document) - SOMETIMES[kind]]
    return wrong + shapes.errors(kind, without_newer(document))


def without_newer(value: Any) -> Any:
    if isinstance(value, list):
        return [without_newer(item) for item in value]
    if not isinstance(value, dict):
        return value
    newer = NEWER.get(str(value.get("object")), set())
    return {key: without_newer(item) for key, item in value.items() if key not in newer}


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
def test_all_objects_and_snapshots_validate(world: World, shapes: Shapes, deeds: list[str]) -> None:
    created = world.session()
    assert errors_of(shapes, created.to_dict()) == []
    for deed in deeds:
        world.pay(created.id, deed)
    for document in everything(world, created.id, paid=deeds[-1] == "pay"):
        assert errors_of(shapes, document) == [], document


def test_expired_session_and_its_canceled_intent_validate(world: World, shapes: Shapes) -> None:
    created = world.session()
    world.pay(created.id, "decline")
    expired = world.stripe.v1.checkout.sessions.expire(created.id)
    assert expired.status == "expired"
    for document in everything(world, created.id, paid=False):
        assert errors_of(shapes, document) == [], document


def test_minimal_session_and_line_items_validate(world: World, shapes: Shapes) -> None:
    wish = {key: order()[key] for key in ("mode", "line_items", "success_url")}
    identifier = world.stripe.v1.checkout.sessions.create(wish).id
    created = world.send("GET", f"/v1/checkout/sessions/{identifier}?expand[]=line_items").json()
    for item in created["line_items"]["data"]:
        assert shapes.errors("item", item) == []
    del created["line_items"]
    assert errors_of(shapes, created) == []
    assert created["cancel_url"] is None
    assert created["client_reference_id"] is None
    assert created["metadata"] == {}


def test_expanded_objects_validate(world: World, shapes: Shapes) -> None:
    created = world.session()
    world.pay(created.id)
    path = "payment_intent.latest_charge.balance_transaction"
    answer = world.send("GET", f"/v1/checkout/sessions/{created.id}?expand[]={path}").json()
    balance = answer["payment_intent"]["latest_charge"]["balance_transaction"]
    assert errors_of(shapes, answer) == []
    assert errors_of(shapes, balance) == []


@pytest.mark.parametrize(
    ("method", "path", "key"),
    [
        ("GET", "/v1/charges/ch_none", "sk_test_sandbox"),
        ("GET", "/v1/charges/ch_none", "sk_live_real"),
        ("POST", "/v1/checkout/sessions", "sk_test_sandbox"),
        ("GET", "/v1/no/such/address", "sk_test_sandbox"),
    ],
)
def test_errors_validate(world: World, shapes: Shapes, method: str, path: str, key: str) -> None:
    answer = world.send(method, path, key)
    assert answer.status_code >= 400
    assert shapes.errors("error", answer.json()) == []


def test_webhook_bodies_validate(world: World, shapes: Shapes) -> None:
    world.pay(world.session().id)
    with world.app.app_context():
        delivery.deliver_due(world.config)
    assert len(world.endpoint.events()) == 5
    for event in world.endpoint.events():
        assert errors_of(shapes, event.to_dict()) == []


def test_the_checker_finds_wrong_types_unknown_and_missing_fields(
    make_world: Callable[..., World], shapes: Shapes
) -> None:
    good = make_world().session().to_dict()
    assert errors_of(shapes, good | {"amount_total": "12000"})
    assert errors_of(shapes, good | {"colour": "red"})
    assert errors_of(shapes, {key: value for key, value in good.items() if key != "expires_at"})
    assert errors_of(shapes, good | {"status": "paid"})
