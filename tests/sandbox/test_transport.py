"""The sandbox called within the process answers as it does over HTTP."""

import stripe

from marketplace.billing.gateways.connection import within_process
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.transport import exchange_with
from tests.sandbox.conftest import KEY, World, order


def test_a_call_within_the_process_equals_one_over_http(world: World) -> None:
    session = world.session()
    address = f"{world.base}/v1/checkout/sessions/{session.id}?expand[]=line_items"
    headers = {"Authorization": "Bearer sk_test_sandbox"}
    body, status, fields = exchange_with(world.app)("get", address, headers, None)
    over_http = world.http.get(address, headers=headers)
    assert (status, body) == (200, over_http.content)
    assert fields["Request-Id"].startswith("req_")


def test_a_form_within_the_process_creates_a_session(world: World) -> None:
    price = "line_items[0][price_data]"
    form = f"mode=payment&success_url=https://shop.example.jp/ok&line_items[0][quantity]=1&{price}[currency]=jpy"
    form += f"&{price}[unit_amount]=500&{price}[product_data][name]=%E6%B0%97%E6%B8%A9"
    headers = {
        "Authorization": "Bearer sk_test_sandbox",
        "Content-Type": "application/x-www-form-urlencoded",
        "Idempotency-Key": "order-1",
    }
    send = exchange_with(world.app)
    first = send("post", f"{world.base}/v1/checkout/sessions", headers, form.encode())
    again = send("post", f"{world.base}/v1/checkout/sessions", headers, form.encode())
    assert first[1] == again[1] == 200
    assert first[0] == again[0]
    assert again[2]["Idempotent-Replayed"] == "true"


def test_the_sdk_asks_again_for_an_answer_that_was_lost_within_the_process(world: World) -> None:
    carry = within_process(exchange_with(world.app))
    base = {"api": world.base}
    client = stripe.StripeClient(KEY, base_addresses=base, http_client=carry(), max_network_retries=1)
    world.do("trouble", "lost_answer", 1)
    session = client.v1.checkout.sessions.create(order())
    assert session.status == "open"
    assert world.count(SandboxObject, kind="checkout.session") == 1
