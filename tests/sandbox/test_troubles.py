"""Storms of the API itself, and the controls over HTTP."""

import pytest
import stripe

from marketplace.sandbox import control_routes, controls
from marketplace.sandbox.models import SandboxIdempotency, SandboxObject
from marketplace.sandbox.transport import exchange_with
from tests.sandbox.conftest import KEY, World, order


def create(world: World, key: str) -> str:
    return world.stripe.v1.checkout.sessions.create(order(), {"idempotency_key": key}).id


def control(world: World, name: str, **fields: str) -> tuple[int, dict]:
    answer = world.send("POST", f"/control/{name}", data=fields)
    return answer.status_code, answer.json()


def test_a_server_error_is_remembered_under_its_key(world: World) -> None:
    world.do("trouble", "server_error", 1)
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failed:
            create(world, "order-1")
        assert failed.value.http_status == 500
    assert world.count(SandboxObject) == 0
    assert create(world, "order-2")


def test_a_server_error_may_hide_that_something_happened(world: World) -> None:
    world.do("trouble", "server_error_after", 1)
    with pytest.raises(stripe.APIError):
        create(world, "order-1")
    assert world.count(SandboxObject, kind="checkout.session") == 1
    with pytest.raises(stripe.APIError):
        create(world, "order-1")
    assert world.count(SandboxObject, kind="checkout.session") == 1


@pytest.mark.parametrize(
    ("kind", "error", "status"),
    [("rate_limit", stripe.RateLimitError, 429), ("unavailable", stripe.APIError, 503)],
)
def test_what_is_refused_at_the_door_is_not_remembered(
    world: World, kind: str, error: type[stripe.StripeError], status: int
) -> None:
    world.do("trouble", kind, 2)
    for _ in range(2):
        with pytest.raises(error) as failed:
            create(world, "order-1")
        assert failed.value.http_status == status
    assert world.count(SandboxIdempotency) == 0
    assert create(world, "order-1")


def test_a_lost_answer_took_effect_and_the_same_key_brings_it(world: World) -> None:
    world.do("trouble", "lost_answer", 1)
    with pytest.raises(stripe.APIConnectionError):
        create(world, "order-1")
    found = world.stripe.v1.checkout.sessions.list().data
    assert [create(world, "order-1")] == [one.id for one in found]
    assert world.count(SandboxObject, kind="checkout.session") == 1


def test_an_answer_lost_within_the_process_is_a_time_out(world: World) -> None:
    world.do("trouble", "lost_answer", 1)
    send = exchange_with(world.app)
    headers = {"Authorization": f"Bearer {KEY}"}
    with pytest.raises(TimeoutError):
        send("get", f"{world.base}/v1/events", headers, None)
    assert send("get", f"{world.base}/v1/events", headers, None)[1] == 200


def test_troubles_come_in_order_and_reset_ends_them(world: World) -> None:
    world.do("trouble", "rate_limit", 1)
    world.do("trouble", "unavailable", 5)
    world.do("webhooks", duplicate=2, reorder=True, delay_seconds=3, drop=["charge.failed"])
    statuses = [world.send("GET", "/v1/events").status_code for _ in range(2)]
    assert statuses == [429, 503]
    knobs = world.config.knobs
    assert (knobs.duplicate, knobs.reorder, knobs.delay_seconds, knobs.drop) == (2, True, 3, {"charge.failed"})
    world.do("reset")
    assert world.send("GET", "/v1/events").status_code == 200
    assert (knobs.duplicate, knobs.reorder, knobs.drop) == (0, False, frozenset())


def test_a_caller_without_the_key_uses_no_trouble_up(world: World) -> None:
    world.do("trouble", "rate_limit", 1)
    assert world.http.get(f"{world.base}/v1/events").status_code == 401
    assert world.send("GET", "/v1/events").status_code == 429


def test_each_control_is_offered_over_http(world: World) -> None:
    public = {
        name for name, value in vars(controls).items() if callable(value) and value.__module__ == controls.__name__
    }
    assert {name for name in public if not name.startswith("_")} == set(control_routes.OFFERED)
    session = world.session()
    assert control(world, "challenge", session_id=session.id)[1]["status"] == "open"
    status, paid = control(world, "answer_challenge", session_id=session.id, passed="true")
    assert (status, paid["payment_status"]) == (200, "paid")
    charge = world.newest_session().payment_intent.latest_charge.id
    assert control(world, "open_dispute", charge_id=charge, amount_yen="690", inquiry="true")[1]["amount"] == 690
    assert control(world, "webhooks", duplicate="1", **{"drop[0]": "charge.failed"}) == (200, None)
    assert world.config.knobs.drop == {"charge.failed"}
    assert control(world, "pass_time", until="2030-01-01T00:00:00+09:00") == (200, {"happened": 0})
    assert control(world, "reset") == (200, None)


@pytest.mark.parametrize(
    ("name", "fields", "status"),
    [
        ("nothing", {}, 404),
        ("pay", {}, 400),
        ("pay", {"session_id": "cs_none"}, 404),
        ("pay", {"session_id": "cs_none", "colour": "赤"}, 400),
        ("fund", {"customer_id": "cus_1", "amount_yen": "1.5"}, 400),
        ("trouble", {"kind": "flood", "times": "1"}, 400),
        ("trouble", {"kind": "rate_limit", "times": "0"}, 400),
        ("pass_time", {"until": "tomorrow"}, 400),
    ],
)
def test_bad_controls_are_refused_over_http(world: World, name: str, fields: dict[str, str], status: int) -> None:
    assert control(world, name, **fields)[0] == status
    assert world.count(SandboxObject) == 0


def test_controls_need_the_key_and_a_mounted_sandbox(world: World) -> None:
    assert world.http.post(f"{world.base}/control/reset").status_code == 401
    del world.app.extensions["marketplace.sandbox"]
    try:
        with pytest.raises(LookupError, match="no real money"):
            world.do("reset")
    finally:
        world.app.extensions["marketplace.sandbox"] = world.config
