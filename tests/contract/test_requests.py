"""The checkers of requests accept what is right and refuse, each in its own way, what is wrong."""

from typing import Any

import pytest
import stripe

from tests.contract import form, openapi, typeddicts
from tests.contract.recorder import Exchange, recording, refused

BASE = "http://127.0.0.1:8000/sandbox/v1"
BANK = {"customer_balance": {"funding_type": "bank_transfer", "bank_transfer": {"type": "jp_bank_transfer"}}}


class Silent(stripe.HTTPClient):
    """Answers every request with an empty object, so that what was sent can be read."""

    name = "silent"

    def request(self, method: str, url: str, headers: Any, post_data: Any = None, **_usage: Any) -> Any:
        return "{}", 200, {"Stripe-Version": "2026-10-28.endive"}

    def close(self) -> None:
        """Nothing is open."""


def order(**changes: Any) -> dict[str, Any]:
    price = {"currency": "jpy", "unit_amount": 500, "product_data": {"name": "気温データ"}}
    lines = [{"quantity": 1, "price_data": price}]
    return {"mode": "payment", "line_items": lines, "success_url": "https://shop.example.jp/ok"} | changes


def sent(deed: Any) -> Exchange:
    """What the SDK sends for a deed with its services."""
    with recording() as caught:
        deed(
            stripe.StripeClient("sk_test_x", base_addresses={"api": BASE.removesuffix("/v1")}, http_client=Silent()).v1
        )
    return caught[0]


RIGHT = [
    lambda v1: v1.customers.create(
        {"email": "a@example.jp", "name": "札幌市", "metadata": {"organization_id": "org_1"}}
    ),
    lambda v1: v1.customers.update("cus_1", {"name": "札幌市", "metadata": {"unset": ""}}),
    lambda v1: v1.customers.retrieve("cus_1"),
    lambda v1: v1.checkout.sessions.create(order(customer="cus_1", payment_method_options=BANK)),
    lambda v1: v1.checkout.sessions.create(order(excluded_payment_method_types=["konbini", "customer_balance"])),
    lambda v1: v1.checkout.sessions.create(order(payment_method_options={"konbini": {"expires_after_days": 3}})),
    lambda v1: v1.checkout.sessions.retrieve("cs_1", {"expand": ["payment_intent.latest_charge"]}),
    lambda v1: v1.checkout.sessions.expire("cs_1"),
    lambda v1: v1.payment_intents.cancel("pi_1", {"cancellation_reason": "abandoned"}),
    lambda v1: v1.refunds.create({"payment_intent": "pi_1", "amount": 100, "reason": "requested_by_customer"}),
    lambda v1: v1.refunds.create({"charge": "py_1", "instructions_email": "a@example.jp", "metadata": {"a": "b"}}),
    lambda v1: v1.refunds.list({"charge": "ch_1", "limit": 100}),
    lambda v1: v1.disputes.list({"created": {"gte": 1}, "limit": 10}),
    lambda v1: v1.transfers.create(
        {"amount": 1, "currency": "jpy", "destination": "acct_1", "transfer_group": "ord_1"}
    ),
    lambda v1: v1.transfers.reversals.create("tr_1", {"amount": 1}),
    lambda v1: v1.transfers.reversals.retrieve("tr_1", "trr_1"),
    lambda v1: v1.payouts.list({"status": "paid", "arrival_date": {"lt": 5}}),
    lambda v1: v1.balance_transactions.list({"payout": "po_1", "type": "charge", "starting_after": "txn_1"}),
    lambda v1: v1.balance.retrieve(),
    lambda v1: v1.events.list({"types": ["refund.failed", "payout.failed"], "delivery_success": False}),
]
# deed, who must refuse it
WRONG = [
    (lambda v1: v1.checkout.sessions.create(order(sucess_url="https://x.jp")), {"openapi", "sdk"}),
    (lambda v1: v1.checkout.sessions.create(order(mode="once")), {"openapi"}),
    (lambda v1: v1.checkout.sessions.create(order(payment_method_types=["card"])), {"sdk", "house"}),
    (lambda v1: v1.checkout.sessions.create(order(allowed_payment_method_types=["card"])), {"openapi"}),
    (lambda v1: v1.checkout.sessions.create(order(payment_intent_data={"capture_method": "manual"})), {"house"}),
    (lambda v1: v1.checkout.sessions.create(order(expires_at="tomorrow")), {"openapi", "sdk"}),
    (lambda v1: v1.checkout.sessions.create(order(line_items={"quantity": 1})), {"openapi", "sdk"}),
    (lambda v1: v1.checkout.sessions.create(order(line_items=[{"qty": 1}])), {"openapi", "sdk"}),
    (lambda v1: v1.checkout.sessions.create(order(excluded_payment_method_types=["cash"])), {"openapi"}),
    (lambda v1: v1.checkout.sessions.create(order(client_reference_id="x" * 201)), {"openapi"}),
    (lambda v1: v1.refunds.create({"charge": "ch_1", "amount": "12.50"}), {"openapi", "sdk"}),
    (lambda v1: v1.refunds.create({"charge": "ch_1", "reason": "bored"}), {"openapi"}),
    (lambda v1: v1.refunds.create({"charge": {"id": "ch_1"}}), {"openapi", "sdk"}),
    (lambda v1: v1.transfers.create({"amount": 1, "currency": "jpy"}), {"openapi", "sdk"}),
    (lambda v1: v1.transfers.reversals.create("tr_1", {"currency": "jpy"}), {"openapi", "sdk"}),
    (lambda v1: v1.payouts.create({"amount": 1}), {"openapi", "sdk"}),
    (lambda v1: v1.events.list({"delivery_success": "maybe"}), {"openapi", "sdk"}),
    (lambda v1: v1.balance_transactions.list({"charge": "ch_1"}), {"openapi", "sdk"}),
    (lambda v1: v1.customers.create({"metadata": "organization_id"}), {"openapi", "sdk"}),
    (lambda v1: v1.raw_request("post", "/v1/refund", charge="ch_1"), {"openapi", "sdk"}),
    (lambda v1: v1.raw_request("delete", "/v1/refunds/re_1"), {"openapi", "sdk"}),
]


def refusing(exchange: Exchange) -> set[str]:
    request = (exchange.method, exchange.url, exchange.body)
    by = {
        "openapi": openapi.request_errors(*request),
        "sdk": typeddicts.request_errors(*request),
        "house": exchange._forbidden(),
    }
    return {name for name, errors in by.items() if errors}


@pytest.mark.parametrize("deed", RIGHT)
def test_what_is_right_is_accepted_by_all(deed: Any) -> None:
    assert sent(deed).request_errors() == []


@pytest.mark.parametrize(("deed", "by"), WRONG)
def test_what_is_wrong_is_refused_by_whom_it_concerns(deed: Any, by: set[str]) -> None:
    if "raw_request" in deed.__code__.co_names:
        client = stripe.StripeClient(
            "sk_test_x", base_addresses={"api": BASE.removesuffix("/v1")}, http_client=Silent()
        )
        with recording() as caught:
            deed(client)
        assert refusing(caught[0]) == by
    else:
        assert refusing(sent(deed)) == by


def test_a_wrong_address_is_refused() -> None:
    assert refusing(Exchange("post", f"{BASE}/checkout/session", "")) == {"openapi", "sdk"}
    assert refusing(Exchange("get", f"{BASE}/checkout/sessions/cs_1/expire", None)) == {"openapi", "sdk"}


@pytest.mark.parametrize("body", ["a[b=1", "a=1&a=2", "a=1&a[b]=2", "amount"])
def test_what_is_no_form_is_refused(body: str) -> None:
    assert refusing(Exchange("post", f"{BASE}/refunds", body)) >= {"openapi", "sdk"}


def test_lists_keep_their_order_and_have_no_holes() -> None:
    assert form.items(form.decode("a[1]=y&a[0]=x")["a"]) == ["x", "y"]
    assert form.items(form.decode("a[]=x&a[]=y")["a"]) == ["x", "y"]
    assert form.items(form.decode("a[0]=x&a[2]=y")["a"]) is None
    assert form.items(form.decode("a[b]=x")["a"]) is None


def test_the_checkers_know_every_address_that_the_sdk_can_send() -> None:
    known = {address for _method, address in typeddicts.methods() if address.startswith("/v1/")}
    assert len(known) > 300
    assert {"/v1/checkout/sessions", "/v1/transfers/{id}/reversals", "/v1/balance_transactions"} <= known


def test_the_recorder_catches_every_request_and_its_answer() -> None:
    client = stripe.StripeClient("sk_test_x", base_addresses={"api": BASE.removesuffix("/v1")}, http_client=Silent())
    with recording() as caught:
        client.v1.refunds.list()
        client.v1.refunds.create({"charge": "ch_1", "colour": "赤"})
    client.v1.refunds.list()
    assert [(one.method, one.status, one.answer) for one in caught] == [("get", 200, "{}"), ("post", 200, "{}")]
    wrong = refused(caught)
    assert any("Received unknown parameter: colour" in error for error in wrong)
    assert any("unknown to the SDK: colour" in error for error in wrong)
    assert any("'data' is a required property" in error for error in wrong)


def test_a_request_without_an_answer_is_checked_too() -> None:
    class Dead(Silent):
        def request(self, *_arguments: Any, **_named: Any) -> Any:
            raise stripe.APIConnectionError("no answer")

    client = stripe.StripeClient("sk_test_x", http_client=Dead())
    with recording() as caught, pytest.raises(stripe.APIConnectionError):
        client.v1.refunds.create({"charge": "ch_1", "colour": "赤"})
    assert refusing(caught[0]) == {"openapi", "sdk"}
    assert caught[0].answer_errors() == []
