"""A card Checkout, driven by the real stripe-python."""

import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from sqlalchemy.exc import IntegrityError

from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from marketplace.sandbox import checkout, payments, store, tender
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxEvent, SandboxObject
from tests.sandbox.conftest import World, line, order, sdk

EXPAND = "payment_intent.latest_charge.balance_transaction"


def types_of(world: World) -> list[str]:
    return [event.type for event in reversed(world.stripe.v1.events.list({"limit": 100}).data)]


def test_a_new_session_is_open_unpaid_and_says_what_was_asked(world: World) -> None:
    session = world.session()
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 12_690)
    assert session.id.startswith("cs_test_")
    assert session.url == f"{world.base}/pay/{session.id}"
    assert session.metadata["買い手"] == "北海道株式会社"
    assert session.client_reference_id == "ord_1"
    assert session.payment_intent is None
    assert not session.livemode
    assert timedelta(0) < datetime.fromtimestamp(session.expires_at, UTC) - clock.now() <= timedelta(hours=24)
    assert types_of(world) == []


def test_paying_moves_the_money_once_and_tells_of_it_in_events(world: World) -> None:
    other = world.session(client_reference_id="ord_2")
    session = world.session()
    answer = world.pay(session.id)
    assert answer.status_code == 303
    assert answer.headers["Location"] == f"https://shop.example.jp/orders/1?session={session.id}"
    paid = world.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": [EXPAND]})
    assert (paid.status, paid.payment_status, paid.url) == ("complete", "paid", None)
    intent = paid.payment_intent
    charge = intent.latest_charge
    balance = charge.balance_transaction
    assert (intent.status, intent.amount_received, intent.currency) == ("succeeded", 12_690, "jpy")
    assert (intent.metadata["order_id"], intent.description) == ("ord_1", "注文 ord_1")
    assert (charge.paid, charge.captured, charge.payment_intent) == (True, True, intent.id)
    assert (charge.transfer_group, charge.metadata["order_id"]) == ("ord_1", "ord_1")
    assert (balance.amount, balance.fee, balance.net) == (12_690, 456, 12_234)
    assert balance.source == charge.id
    assert types_of(world) == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "charge.updated",
        "checkout.session.completed",
    ]
    untouched = world.stripe.v1.checkout.sessions.retrieve(other.id)
    assert (untouched.status, untouched.payment_intent) == ("open", None)


def test_objects_are_found_by_their_own_addresses(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    intent_id = world.stripe.v1.checkout.sessions.retrieve(session.id).payment_intent
    intent = world.stripe.v1.payment_intents.retrieve(intent_id, {"expand": ["latest_charge"]})
    charge = world.stripe.v1.charges.retrieve(
        intent.latest_charge.id, {"expand": ["payment_intent", "balance_transaction.source"]}
    )
    balance = world.stripe.v1.balance_transactions.retrieve(charge.balance_transaction.id)
    assert charge.payment_intent.id == intent_id
    assert charge.balance_transaction.source.id == charge.id
    assert balance.source == charge.id


def test_charge_succeeds_before_its_balance_transaction_is_known(world: World) -> None:
    world.pay(world.session().id)
    succeeded = world.stripe.v1.events.list({"type": "charge.succeeded"}).data[0]
    updated = world.stripe.v1.events.list({"type": "charge.updated"}).data[0]
    assert succeeded.data.object["balance_transaction"] is None
    assert updated.data.object["balance_transaction"].startswith("txn_")
    assert updated.data.previous_attributes.to_dict() == {"balance_transaction": None}


@pytest.mark.parametrize(("amount", "fee"), [(50, 1), (27, None), (28, None), (1_000, 36), (99_999_999, 3_599_999)])
def test_the_fee_is_rounded_down_and_small_amounts_are_refused(world: World, amount: int, fee: int | None) -> None:
    if fee is None:
        with pytest.raises(stripe.InvalidRequestError) as refused:
            world.session(line_items=[line(unit_amount=amount)])
        assert refused.value.code == "amount_too_small"
        return
    session = world.session(line_items=[line(unit_amount=amount)])
    world.pay(session.id)
    paid = world.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": [EXPAND]})
    assert paid.payment_intent.latest_charge.balance_transaction.fee == fee


def test_a_declined_card_takes_nothing_and_leaves_the_session_open(world: World) -> None:
    session = world.session()
    answer = world.pay(session.id, "decline")
    assert answer.status_code == 402
    assert "カードが拒否されました" in answer.text
    now = world.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (now.status, now.payment_status) == ("open", "unpaid")
    assert now.payment_intent.status == "requires_payment_method"
    assert now.payment_intent.last_payment_error.code == "card_declined"
    assert (now.payment_intent.latest_charge.paid, now.payment_intent.latest_charge.status) == (False, "failed")
    assert types_of(world) == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]


def test_after_a_decline_the_same_intent_can_be_paid(world: World) -> None:
    session = world.session()
    world.pay(session.id, "decline")
    world.pay(session.id, "decline")
    assert world.pay(session.id).status_code == 303
    paid = world.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (paid.payment_intent.status, paid.payment_intent.last_payment_error) == ("succeeded", None)
    assert types_of(world).count("payment_intent.created") == 1
    assert world.count(SandboxObject, kind="charge") == 3
    assert world.count(SandboxObject, kind="charge", status="succeeded") == 1


def test_an_expired_session_cannot_be_paid_or_expired_again(world: World) -> None:
    session = world.session()
    world.pay(session.id, "decline")
    expired = world.stripe.v1.checkout.sessions.expire(session.id, {"expand": ["payment_intent"]})
    assert (expired.status, expired.url, expired.payment_intent.status) == ("expired", None, "canceled")
    with pytest.raises(stripe.InvalidRequestError, match="status of expired"):
        world.stripe.v1.checkout.sessions.expire(session.id)
    for deed in ("pay", "decline"):
        assert world.pay(session.id, deed).status_code == 409
    assert types_of(world)[-2:] == ["payment_intent.canceled", "checkout.session.expired"]
    assert world.count(SandboxObject, kind="charge", status="succeeded") == 0


def test_a_paid_session_cannot_be_expired(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    with pytest.raises(stripe.InvalidRequestError, match="status of complete"):
        world.stripe.v1.checkout.sessions.expire(session.id)
    assert world.stripe.v1.checkout.sessions.retrieve(session.id).status == "complete"


def test_eight_buyers_on_one_page_pay_once(world: World) -> None:
    session = world.session()
    barrier = threading.Barrier(8)
    statuses: list[int] = []

    def buy() -> None:
        barrier.wait()
        with world.app.test_client() as browser:
            statuses.append(browser.post(f"/sandbox/pay/{session.id}/pay").status_code)

    threads = [threading.Thread(target=buy) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(statuses) == [303] + [409] * 7
    assert world.count(SandboxObject, kind="charge") == 1
    assert world.count(SandboxObject, kind="balance_transaction") == 1
    assert world.count(SandboxEvent, type="checkout.session.completed") == 1


def test_the_database_itself_refuses_a_second_payment_of_one_intent(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    with world.app.app_context():
        intent = store.get("payment_intent", world.stripe.v1.checkout.sessions.retrieve(session.id).payment_intent)
        with pytest.raises(IntegrityError, match="uq_sandbox_object_payment"), transaction():
            again = payments.charge(intent.document, tender.card(paid=True, amount=12_690), clock.now(), paid=True)
            store.keep(again, clock.now(), parent_id=intent.id)
    assert world.count(SandboxObject, kind="charge") == 1


def test_a_session_whose_time_is_over_is_expired_by_whoever_looks_first(world: World) -> None:
    looked, tried, declined, swept, fresh = (world.session() for _ in range(5))
    later = clock.now() + timedelta(hours=24)
    with world.app.test_client() as client, clock.stopped(later):
        headers = {"Authorization": "Bearer sk_test_sandbox"}
        answer = client.get(f"/sandbox/v1/checkout/sessions/{looked.id}", headers=headers)
        assert answer.get_json()["status"] == "expired"
        assert client.post(f"/sandbox/pay/{tried.id}/pay").status_code == 409
        assert client.post(f"/sandbox/pay/{declined.id}/decline").status_code == 409
    with world.app.app_context():
        with clock.stopped(later):
            jobs._tasks["sandbox.expire"]()
            with transaction():
                assert checkout.expire_due(Recorder(world.config, later), later) == 0
        statuses = {found.id: found.status for found in world.stripe.v1.checkout.sessions.list().data}
    assert statuses == dict.fromkeys([looked.id, tried.id, declined.id, swept.id, fresh.id], "expired")
    assert types_of(world) == ["checkout.session.expired"] * 5


def test_sessions_still_in_time_are_not_swept(world: World) -> None:
    session = world.session(expires_at=int(clock.now().timestamp()) + 31 * 60)
    with world.app.app_context(), transaction():
        assert checkout.expire_due(Recorder(world.config, clock.now()), clock.now()) == 0
    assert world.stripe.v1.checkout.sessions.retrieve(session.id).status == "open"


def test_a_twin_that_expired_the_session_first_is_noticed_under_the_lock(world: World) -> None:
    session = world.session()
    later = clock.now() + timedelta(hours=25)
    with world.app.app_context(), transaction():
        row = store.get("checkout.session", session.id)
        checkout._expire_if_overdue(row, Recorder(world.config, later), later)
        checkout._expire_if_overdue(row, Recorder(world.config, later), later)
    assert types_of(world) == ["checkout.session.expired"]


def test_without_a_webhook_nothing_is_owed_and_events_are_listed_as_delivered(make_world: Callable[..., World]) -> None:
    world = make_world(webhook_url=None, public_url="https://exchange.example.jp/sandbox")
    session = world.session()
    assert session.url == f"https://exchange.example.jp/sandbox/pay/{session.id}"
    world.pay(session.id)
    assert len(world.stripe.v1.events.list({"delivery_success": True}).data) == 5
    assert world.stripe.v1.events.list({"delivery_success": False}).data == []


BAD: list[tuple[dict[str, Any], str | None, str | None]] = [
    ({"mode": "subscription"}, None, "mode"),
    ({"mode": None}, "parameter_missing", "mode"),
    ({"payment_method_types": ["card"]}, "parameter_unknown", "payment_method_types"),
    ({"colour": "赤"}, "parameter_unknown", "colour"),
    ({"payment_intent_data": {"capture_method": "manual"}}, "parameter_unknown", "payment_intent_data[capture_method]"),
    ({"payment_intent_data": "x"}, None, "payment_intent_data"),
    ({"success_url": None}, "parameter_missing", "success_url"),
    ({"success_url": "javascript:alert(1)"}, "url_invalid", "success_url"),
    ({"success_url": "https://shop.example.jp;script-src */"}, "url_invalid", "success_url"),
    ({"success_url": "https://user:pw@shop.example.jp/"}, "url_invalid", "success_url"),
    ({"success_url": "https://[::1/"}, "url_invalid", "success_url"),
    ({"cancel_url": "/relative"}, "url_invalid", "cancel_url"),
    ({"cancel_url": "https://shop.example.jp/\r\nSet-Cookie: a=b"}, "url_invalid", "cancel_url"),
    ({"line_items": None}, "parameter_missing", "line_items"),
    ({"line_items": "x"}, None, "line_items"),
    ({"line_items": ["x"]}, None, "line_items"),
    ({"line_items": {"first": line()}}, None, "line_items"),
    ({"line_items": [line() | {"quantity": 0}]}, "parameter_invalid_integer", "line_items[0][quantity]"),
    ({"line_items": [line() | {"quantity": None}]}, "parameter_missing", "line_items[0][quantity]"),
    ({"line_items": [line(unit_amount=-1)]}, "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
    ({"line_items": [line(unit_amount=2.5)]}, "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
    ({"line_items": [line(unit_amount="１２")]}, "parameter_invalid_integer", "line_items[0][price_data][unit_amount]"),
    ({"line_items": [line(unit_amount=None)]}, "parameter_missing", "line_items[0][price_data][unit_amount]"),
    ({"line_items": [line(name="")]}, "parameter_invalid_empty", "line_items[0][price_data][product_data][name]"),
    ({"line_items": [line(name=None)]}, "parameter_missing", "line_items[0][price_data][product_data][name]"),
    ({"line_items": [line(unit_amount=99_999_999, quantity=2)]}, "amount_too_large", None),
    ({"line_items": [{"price": "price_1", "quantity": 1}]}, "parameter_missing", None),
    ({"currency": "usd"}, None, "currency"),
    ({"expires_at": 1}, None, "expires_at"),
    ({"expires_at": int(clock.now().timestamp()) + 90_000}, None, "expires_at"),
    ({"metadata": {str(number): "x" for number in range(51)}}, None, "metadata"),
    ({"metadata": {"k" * 41: "x"}}, None, "metadata"),
    ({"metadata": {"k": "あ" * 501}}, None, "metadata"),
    ({"metadata": {"k": {"nested": "x"}}}, None, "metadata"),
    ({"client_reference_id": "x" * 201}, None, "client_reference_id"),
    ({"client_reference_id": {"a": "b"}}, None, "client_reference_id"),
    ({"client_reference_id": "a\0b"}, None, "client_reference_id"),
    ({"expand": ["invoice"]}, None, "expand"),
    ({"expand": [{"a": "b"}]}, None, "expand"),
]


@pytest.mark.parametrize(("changes", "code", "param"), BAD)
def test_bad_parameters_are_refused_in_stripes_words(
    world: World, changes: dict[str, Any], code: str | None, param: str | None
) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refused:
        world.session(**changes)
    assert refused.value.http_status == 400
    assert refused.value.code == code
    if param:
        assert refused.value.param == param
    assert world.count(SandboxObject) == 0


def test_other_currencies_than_yen_are_refused(world: World) -> None:
    dollars = line()
    dollars["price_data"]["currency"] = "usd"
    with pytest.raises(stripe.InvalidRequestError, match="must be one of jpy"):
        world.session(line_items=[dollars])


@pytest.mark.parametrize(
    "changes",
    [
        {"currency": "jpy", "locale": "ja", "submit_type": "pay", "ui_mode": "hosted_page"},
        {"customer_email": "buyer@example.jp"},
        {"metadata": {"unset": "", "kept": "x"}},
        {"success_url": "http://[::1]:8000/ok"},
    ],
)
def test_optional_parameters_come_back_as_sent(world: World, changes: dict[str, Any]) -> None:
    session = world.session(**changes)
    for name, value in changes.items():
        given = session[name]
        assert (given.to_dict() if name == "metadata" else given) == ({"kept": "x"} if name == "metadata" else value)


def test_the_payers_address_is_on_the_paid_session(world: World) -> None:
    session = world.session(customer_email="buyer@example.jp")
    world.pay(session.id)
    paid = world.stripe.v1.checkout.sessions.retrieve(session.id)
    assert paid.customer_details.email == "buyer@example.jp"


@pytest.mark.parametrize(
    "key", ["sk_live_51Habcdefgh", "rk_live_51Habcdefgh", "sk_test_", "pk_test_1234567890", "nonsense"]
)
def test_live_and_other_keys_are_refused_and_not_repeated(world: World, key: str) -> None:
    with pytest.raises(stripe.AuthenticationError) as refused:
        sdk(world.base, world.http, key).v1.checkout.sessions.create(order())
    assert refused.value.http_status == 401
    assert not key[8:] or key not in str(refused.value)
    assert world.count(SandboxObject) == 0


def test_no_key_and_basic_authentication_are_refused(world: World) -> None:
    assert world.http.get(f"{world.base}/v1/events").status_code == 401
    assert world.http.get(f"{world.base}/v1/events", auth=("sk_test_x", "")).status_code == 401


def test_a_pinned_key_is_the_only_one(make_world: Callable[..., World]) -> None:
    world = make_world(api_key="sk_test_only_this")
    with pytest.raises(stripe.AuthenticationError):
        world.session()
    assert sdk(world.base, world.http, "sk_test_only_this").v1.events.list().data == []


def test_other_api_versions_and_connected_accounts_are_refused(world: World) -> None:
    answer = world.send("GET", "/v1/events", headers={"Stripe-Version": "2020-08-27"})
    assert (answer.status_code, "speaks 2026-10-28.endive" in answer.text) == (400, True)
    assert world.send("GET", "/v1/events", headers={"Stripe-Account": "acct_1"}).status_code == 403


@pytest.mark.parametrize(
    ("deed", "message"),
    [
        (lambda v1: v1.checkout.sessions.retrieve("cs_test_none"), "No such checkout.session: 'cs_test_none'"),
        (lambda v1: v1.checkout.sessions.expire("cs_test_none"), "No such checkout.session: 'cs_test_none'"),
        (lambda v1: v1.payment_intents.retrieve("pi_none"), "No such payment_intent"),
        (lambda v1: v1.charges.retrieve("pi_none"), "No such charge"),
        (lambda v1: v1.balance_transactions.retrieve("txn_none"), "No such balance_transaction"),
        (lambda v1: v1.events.retrieve("evt_none"), "No such event"),
        (lambda v1: v1.customers.retrieve("cus_none"), "No such customer"),
        (lambda v1: v1.invoices.retrieve("in_none"), "Unrecognized request URL"),
    ],
)
def test_what_does_not_exist_is_not_found(world: World, deed: Callable[[Any], Any], message: str) -> None:
    with pytest.raises(stripe.InvalidRequestError, match=message) as refused:
        deed(world.stripe.v1)
    assert refused.value.http_status == 404
    assert refused.value.request_id.startswith("req_")


def test_an_id_of_another_kind_is_not_found(world: World) -> None:
    session = world.session()
    with pytest.raises(stripe.InvalidRequestError, match="No such charge"):
        world.stripe.v1.charges.retrieve(session.id)


def test_hostile_requests_get_clear_refusals(world: World) -> None:
    assert world.send("GET", "/v1/charges/a%00b").status_code == 404
    assert world.send("POST", "/v1/checkout/sessions", json={"mode": "payment"}).status_code == 400
    for query in ("a[b=1", "a=1&a=2", "a=1&a[b]=2", "a[b][c][d][e][f][g][h][i]=1", "%00=1", "=1"):
        assert world.send("GET", f"/v1/events?{query}").status_code == 400, query
    assert world.send("GET", "/v1/events?limit=99999999999999999999").status_code == 400


@pytest.mark.parametrize("path", ["a.b.c.d.e", "payment_intent.invoice", "line_items.data"])
def test_only_known_properties_are_expanded(world: World, path: str) -> None:
    session = world.session()
    world.pay(session.id)
    with pytest.raises(stripe.InvalidRequestError):
        world.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": [path]})


def test_expanding_what_is_not_there_yet_leaves_it_null(world: World) -> None:
    session = world.session()
    found = world.stripe.v1.checkout.sessions.retrieve(session.id, {"expand": [EXPAND, "line_items"]})
    assert found.payment_intent is None
    assert [item.amount_total for item in found.line_items.data] == [12_000, 690]
