"""Idempotency keys: one effect and one answer, decided by the database."""

import threading
from datetime import timedelta
from typing import Any

import pytest
import stripe
from sqlalchemy import text

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox import idempotency
from marketplace.sandbox.models import SandboxIdempotency, SandboxObject
from tests.sandbox.conftest import World, line, order


def create(world: World, key: str, **changes: Any) -> Any:
    return world.stripe.v1.checkout.sessions.create(order() | changes, {"idempotency_key": key})


def test_the_same_key_and_parameters_give_the_stored_answer(world: World) -> None:
    first = create(world, "order-1")
    world.pay(first.id)
    again = create(world, "order-1")
    assert again.to_dict() == first.to_dict()
    assert again.last_response.body == first.last_response.body
    assert "idempotent-replayed" not in {name.lower() for name in first.last_response.headers}
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Idempotency-Key"] == "order-1"
    assert again.last_response.headers["Original-Request"] == first.last_response.request_id
    assert again.last_response.request_id != first.last_response.request_id
    assert world.count(SandboxObject, kind="checkout.session") == 1


def test_parameters_in_another_order_are_the_same_request(world: World) -> None:
    first = create(world, "order-1")
    shuffled = dict(reversed(order().items()))
    again = world.stripe.v1.checkout.sessions.create(shuffled, {"idempotency_key": "order-1"})
    assert again.id == first.id


@pytest.mark.parametrize("changes", [{"client_reference_id": "ord_2"}, {"line_items": [line(unit_amount=1)]}])
def test_the_same_key_with_other_parameters_is_refused(world: World, changes: dict[str, Any]) -> None:
    create(world, "order-1")
    with pytest.raises(stripe.IdempotencyError, match="same parameters") as refused:
        create(world, "order-1", **changes)
    assert refused.value.http_status == 400
    assert world.count(SandboxObject) == 1


def test_the_same_key_at_another_address_is_refused(world: World) -> None:
    session = create(world, "order-1")
    with pytest.raises(stripe.IdempotencyError):
        world.stripe.v1.checkout.sessions.expire(session.id, None, {"idempotency_key": "order-1"})
    assert world.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_expiring_is_replayed_too(world: World) -> None:
    session = world.session()
    keyed = {"idempotency_key": "expire-1"}
    answers = [world.stripe.v1.checkout.sessions.expire(session.id, None, keyed).status for _ in range(2)]
    assert answers == ["expired", "expired"]


def test_a_twin_in_flight_gets_409(world: World) -> None:
    with world.app.app_context(), transaction():
        idempotency._lock("order-1")
        with pytest.raises(stripe.APIError) as refused:
            create(world, "order-1")
        assert refused.value.http_status == 409
        assert refused.value.code == "idempotency_key_in_use" or "in-progress" in str(refused.value)
        assert create(world, "order-2").status == "open"
    assert create(world, "order-1").status == "open"
    assert world.count(SandboxObject) == 2


def test_eight_twins_have_one_effect(world: World) -> None:
    barrier = threading.Barrier(8)
    answers: list[tuple[int, Any]] = []
    form = {"mode": "payment", "success_url": "https://shop.example.jp/ok", "line_items[0][quantity]": "1"}
    price = "line_items[0][price_data]"
    form |= {f"{price}[currency]": "jpy", f"{price}[unit_amount]": "500", f"{price}[product_data][name]": "気温"}
    headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": "order-1"}

    def send() -> None:
        barrier.wait()
        with world.app.test_client() as client:
            answer = client.post("/sandbox/v1/checkout/sessions", data=form, headers=headers)
            answers.append((answer.status_code, answer.get_json().get("id")))

    threads = [threading.Thread(target=send) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {status for status, _ in answers} <= {200, 409}
    assert len({identifier for status, identifier in answers if status == 200}) == 1
    assert world.count(SandboxObject) == 1
    assert world.count(SandboxIdempotency) == 1


def test_a_process_that_dies_gives_its_key_back(world: World) -> None:
    with world.app.app_context():
        with db.engine.connect() as dying:
            locked = "SELECT pg_try_advisory_xact_lock(hashtextextended('order-1', :seed))"
            dying.execute(text(locked), {"seed": idempotency._LOCK_SEED})
            assert (
                world.send("POST", "/v1/checkout/sessions", headers={"Idempotency-Key": "order-1"}).status_code == 409
            )
            dying.invalidate()
        assert create(world, "order-1").status == "open"


def test_a_refused_request_leaves_its_key_free(world: World) -> None:
    with pytest.raises(stripe.InvalidRequestError):
        create(world, "order-1", mode="subscription")
    assert world.count(SandboxIdempotency) == 0
    assert create(world, "order-1").status == "open"


def test_keys_are_forgotten_after_a_day(world: World) -> None:
    first = create(world, "order-1")
    with world.app.test_client() as client, clock.stopped(clock.now() + timedelta(hours=24)):
        headers = {"Authorization": "Bearer sk_test_x", "Idempotency-Key": "order-1"}
        address = f"/sandbox/v1/checkout/sessions/{first.id}/expire"
        assert client.post(address, headers=headers).get_json()["status"] == "expired"


@pytest.mark.parametrize("key", ["", "k" * 256, "a\x7fb"])
def test_unusable_keys_are_refused(world: World, key: str) -> None:
    answer = world.send("POST", "/v1/checkout/sessions", headers={"Idempotency-Key": key})
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "idempotency_error"


def test_requests_without_a_key_and_reads_are_not_remembered(world: World) -> None:
    session = world.send("GET", "/v1/events", headers={"Idempotency-Key": "read"})
    assert session.status_code == 200
    assert world.count(SandboxIdempotency) == 0
