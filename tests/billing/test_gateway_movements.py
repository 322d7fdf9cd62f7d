"""What the gateway is asked for when money moves: labelled, keyed, in whole minor units; and how its answers are read."""

from datetime import UTC, datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from marketplace.billing.errors import GatewayRefused, GatewayUnavailable, PaymentDeclined
from marketplace.licensing.states import Rail
from tests.billing.test_stripe_gateway import NOW, OPENED, error, gateway, open_checkout

REFUND = {
    "id": "re_1",
    "object": "refund",
    "amount": 1100,
    "currency": "jpy",
    "status": "pending",
    "payment_intent": "pi_1",
    "charge": {"id": "ch_1"},
    "balance_transaction": "txn_1",
    "failure_balance_transaction": None,
    "metadata": {"refund_id": "ref_1"},
}
TRANSFER = {
    "id": "tr_1",
    "object": "transfer",
    "amount": 9000,
    "amount_reversed": 0,
    "currency": "jpy",
    "destination": "acct_1",
    "transfer_group": "pyt_1",
    "balance_transaction": "txn_2",
    "metadata": {"transfer_id": "pyt_1"},
}
MOVEMENT = {
    "id": "txn_1",
    "object": "balance_transaction",
    "type": "adjustment",
    "amount": -5500,
    "fee": 1500,
    "net": -7000,
    "currency": "jpy",
    "created": int(NOW.timestamp()),
    "available_on": int(NOW.timestamp()),
    "source": {"id": "dp_1", "object": "dispute", "charge": "ch_1", "payment_intent": "pi_1", "metadata": {}},
}


def asked(client) -> list[tuple[str, str, str | None, dict[str, str]]]:
    """What was asked: method, path, key, and the fields of the form or the query."""
    return [
        (
            method,
            urlsplit(url).path.removeprefix("/v1/"),
            headers.get("Idempotency-Key"),
            {name: values[0] for name, values in parse_qs(body or urlsplit(url).query).items()},
        )
        for method, url, headers, body in client.asked
    ]


def test_a_refund_is_labelled_keyed_and_read() -> None:
    chosen, client = gateway((200, REFUND), (200, REFUND))
    made = chosen.create_refund(
        refund_id="ref_1", payment_intent_id="pi_1", amount_minor=1100, idempotency_key="refund:ref_1"
    )
    assert (made.refund_id, made.charge_id, made.amount_minor, made.currency) == ("re_1", "ch_1", 1100, "JPY")
    assert (made.status, made.balance_transaction_id, made.labels) == ("pending", "txn_1", {"refund_id": "ref_1"})
    assert chosen.fetch_refund("re_1") == made
    fields = {
        "payment_intent": "pi_1",
        "amount": "1100",
        "reason": "requested_by_customer",
        "metadata[refund_id]": "ref_1",
    }
    assert asked(client) == [("post", "refunds", "refund:ref_1", fields), ("get", "refunds/re_1", None, {})]


def test_a_refund_that_the_method_cannot_send_by_itself_says_whom_to_ask() -> None:
    chosen, client = gateway((200, REFUND))
    chosen.create_refund(
        refund_id="ref_1",
        payment_intent_id="pi_1",
        amount_minor=1100,
        idempotency_key="k",
        instructions_email="keiri@example.jp",
    )
    assert asked(client)[0][3]["instructions_email"] == "keiri@example.jp"


def test_refunds_and_transfers_of_before_are_looked_for_by_what_they_are_of() -> None:
    chosen, client = gateway(
        (200, {"data": [REFUND], "has_more": False}), (200, {"data": [TRANSFER], "has_more": False})
    )
    assert [one.refund_id for one in chosen.list_refunds("pi_1")] == ["re_1"]
    assert [one.transfer_id for one in chosen.list_transfers(destination="acct_1")] == ["tr_1"]
    assert [fields for _method, _path, _key, fields in asked(client)] == [
        {"payment_intent": "pi_1", "limit": "100"},
        {"destination": "acct_1", "limit": "100"},
    ]


def test_a_transfer_is_labelled_keyed_and_read() -> None:
    chosen, client = gateway((200, TRANSFER), (200, TRANSFER))
    made = chosen.create_transfer(
        transfer_id="pyt_1",
        destination="acct_1",
        amount_minor=9000,
        idempotency_key="payout:pyt_1",
        source_charge_id="ch_1",
        group="pyt_1",
    )
    assert (made.transfer_id, made.destination, made.amount_minor, made.group) == ("tr_1", "acct_1", 9000, "pyt_1")
    assert chosen.fetch_transfer("tr_1") == made
    assert asked(client)[0] == (
        "post",
        "transfers",
        "payout:pyt_1",
        {
            "amount": "9000",
            "currency": "jpy",
            "destination": "acct_1",
            "metadata[transfer_id]": "pyt_1",
            "source_transaction": "ch_1",
            "transfer_group": "pyt_1",
        },
    )


@pytest.mark.parametrize("amount", [0, -1, 5.0, True, "500"])
def test_money_moves_in_positive_whole_minor_units(amount) -> None:
    chosen, client = gateway()
    for move in (
        lambda: chosen.create_refund(refund_id="r", payment_intent_id="pi_1", amount_minor=amount, idempotency_key="k"),
        lambda: chosen.create_transfer(transfer_id="t", destination="a", amount_minor=amount, idempotency_key="k"),
    ):
        with pytest.raises(ValueError, match="positive whole"):
            move()
    assert client.asked == []


def test_a_dispute_is_read_with_what_it_moved() -> None:
    told = {
        "id": "dp_1",
        "charge": "ch_1",
        "payment_intent": "pi_1",
        "amount": 5500,
        "currency": "jpy",
        "status": "needs_response",
        "reason": "fraudulent",
        "evidence_details": {"due_by": int(NOW.timestamp())},
        "balance_transactions": [MOVEMENT],
    }
    dispute = gateway((200, told))[0].fetch_dispute("dp_1")
    assert (dispute.charge_id, dispute.payment_intent_id, dispute.amount_minor) == ("ch_1", "pi_1", 5500)
    assert (dispute.status, dispute.reason, dispute.evidence_due_at) == ("needs_response", "fraudulent", NOW)
    assert (dispute.fee_minor, dispute.movements[0].net_minor) == (1500, -7000)


def test_the_balance_is_read_with_the_names_of_each_cause() -> None:
    other = MOVEMENT | {"id": "txn_2", "source": "po_1", "type": "payout", "fee": 0, "net": -5500}
    labelled = MOVEMENT | {"id": "txn_3", "source": REFUND | {"metadata": {"refund_id": "ref_1"}}}
    chosen, client = gateway((200, {"data": [MOVEMENT, other, labelled], "has_more": False}))
    first, second, third = chosen.list_balance_transactions(NOW)
    assert (first.names, first.source_id, first.labels) == (("dp_1", "ch_1", "pi_1"), "dp_1", {})
    assert (second.names, second.type, second.net_minor) == (("po_1",), "payout", -5500)
    assert third.labels == {"refund_id": "ref_1"}
    [(_method, path, _key, fields)] = asked(client)
    assert path == "balance_transactions"
    assert fields == {"created[gte]": str(int(NOW.timestamp())), "expand[0]": "data.source", "limit": "100"}


COUNTED = [(500, "JPY", 500), (500, "UGX", 50_000), (500, "ISK", 50_000), (1234, "USD", 1234), (1230, "KWD", 1230)]
"""Minor units of ISO 4217, currency, and how Stripe counts them (docs.stripe.com/currencies)."""


@pytest.mark.parametrize(("minor", "currency", "counted"), COUNTED)
def test_what_is_sent_is_counted_as_the_gateway_counts_and_its_answer_is_not(minor, currency, counted) -> None:
    said = {"amount": counted, "currency": currency.lower()}
    chosen, client = gateway((200, TRANSFER | said | {"amount_reversed": counted}), (200, REFUND | said))
    sent = chosen.create_transfer(
        transfer_id="t", destination="a", amount_minor=minor, idempotency_key="k", currency=currency
    )
    back = chosen.create_refund(
        refund_id="r", payment_intent_id="pi_1", amount_minor=minor, idempotency_key="k", currency=currency
    )
    assert [fields["amount"] for _method, _path, _key, fields in asked(client)] == [str(counted)] * 2
    assert (sent.amount_minor, sent.amount_reversed_minor, back.amount_minor) == (minor, minor, minor)


def test_what_the_gateway_cannot_count_is_not_sent() -> None:
    chosen, client = gateway()
    with pytest.raises(ValueError, match="last of three"):
        chosen.create_transfer(transfer_id="t", destination="a", amount_minor=1234, idempotency_key="k", currency="KWD")
    assert client.asked == []


@pytest.mark.parametrize(("minor", "currency", "counted"), COUNTED)
def test_the_balance_and_disputes_are_read_in_minor_units(minor, currency, counted) -> None:
    told = MOVEMENT | {"amount": -counted, "fee": counted, "net": -2 * counted, "currency": currency.lower()}
    dispute = {"id": "dp_1", "amount": counted, "currency": currency.lower(), "balance_transactions": [told]}
    chosen, _client = gateway((200, {"data": [told], "has_more": False}), (200, dispute))
    (one,) = chosen.list_balance_transactions(NOW)
    assert (one.amount_minor, one.fee_minor, one.net_minor, one.currency) == (-minor, minor, -2 * minor, currency)
    read = chosen.fetch_dispute("dp_1")
    assert (read.amount_minor, read.fee_minor) == (minor, minor)


@pytest.mark.parametrize(
    "wrong",
    [
        {"amount": None},
        {"amount": 55.0},
        {"fee": "5500"},
        {"net": True},
        {"created": None},
        {"amount": 50_001, "currency": "ugx"},
        {"currency": "usdc"},
    ],
)
def test_a_movement_that_is_no_amount_is_told_as_such_and_hides_none_beside_it(wrong) -> None:
    page = {"data": [MOVEMENT | {"id": "txn_2"} | wrong, MOVEMENT], "has_more": False}
    unreadable, sound = gateway((200, page))[0].list_balance_transactions(NOW)
    assert (unreadable.transaction_id, unreadable.type) == ("txn_2", "adjustment")
    assert "no whole number" in unreadable.trouble
    assert (sound.transaction_id, sound.net_minor) == ("txn_1", -7000)


def test_a_customer_is_made_once_under_our_name_for_it() -> None:
    chosen, client = gateway((200, {"id": "cus_1", "object": "customer"}))
    assert chosen.create_customer(organization_id="org_1", name="札幌データ株式会社", idempotency_key="k1") == "cus_1"
    fields = {"name": "札幌データ株式会社", "metadata[organization_id]": "org_1"}
    assert asked(client) == [("post", "customers", "k1", fields)]


@pytest.mark.parametrize(
    ("rail", "fields"),
    [
        (
            Rail.CARD,
            {"excluded_payment_method_types[0]": "customer_balance", "excluded_payment_method_types[1]": "konbini"},
        ),
        (
            Rail.KONBINI,
            {
                "excluded_payment_method_types[0]": "card",
                "excluded_payment_method_types[1]": "customer_balance",
                "payment_method_options[konbini][expires_after_days]": "7",
            },
        ),
        (
            Rail.BANK_TRANSFER,
            {
                "excluded_payment_method_types[0]": "card",
                "excluded_payment_method_types[1]": "konbini",
                "customer": "cus_1",
                "payment_method_options[customer_balance][funding_type]": "bank_transfer",
                "payment_method_options[customer_balance][bank_transfer][type]": "jp_bank_transfer",
            },
        ),
    ],
)
def test_a_page_is_asked_for_with_the_methods_of_its_rail(rail: Rail, fields: dict[str, str]) -> None:
    plain, wanted = gateway((200, OPENED)), gateway((200, OPENED), konbini_days=7)
    open_checkout(plain[0])
    open_checkout(wanted[0], rails=(rail,), customer="cus_1" if rail is Rail.BANK_TRANSFER else None)
    before, after = asked(plain[1])[0][3], asked(wanted[1])[0][3]
    assert {name: value for name, value in after.items() if name not in before} == fields
    # Money is taken when the buyer pays, by every method alike, and the methods are the dashboard's.
    assert not any("capture_method" in name or name.startswith("payment_method_types") for name in after)


@pytest.mark.parametrize(("rails", "why"), [((Rail.INVOICE,), "no page"), ((Rail.BANK_TRANSFER,), "needs a customer")])
def test_a_page_that_cannot_be_is_not_asked_for(rails: tuple[Rail, ...], why: str) -> None:
    chosen, client = gateway()
    with pytest.raises(ValueError, match=why):
        open_checkout(chosen, rails=rails)
    assert client.asked == []


def test_an_open_page_is_closed_and_one_that_is_paid_stays() -> None:
    chosen, client = gateway(
        (200, OPENED),
        (200, OPENED | {"status": "expired"}),
        (400, error("invalid_request_error")),
        (200, OPENED | {"status": "complete", "payment_status": "paid"}),
    )
    assert chosen.expire_checkout("cs_1").status == "expired"
    assert chosen.expire_checkout("cs_1").payment_status == "paid"
    (first, key), (second, none), (again, other), _ = [(path, key) for _method, path, key, _fields in asked(client)]
    assert (first, second, again) == ("checkout/sessions/cs_1/expire", "checkout/sessions/cs_1", first)
    # Closing twice closes once, so that no failure kept under one key has to be heard again.
    assert (key != other, none) == (True, None)


def test_a_payment_under_way_is_given_up_unless_it_has_arrived() -> None:
    chosen, client = gateway((200, {"id": "pi_1", "object": "payment_intent"}), (400, error("invalid_request_error")))
    chosen.cancel_payment("pi_1")
    with pytest.raises(GatewayRefused):
        chosen.cancel_payment("pi_1")
    (method, path, key, fields), (*_again, other, _fields) = asked(client)
    assert (method, path, fields) == ("post", "payment_intents/pi_1/cancel", {"cancellation_reason": "abandoned"})
    assert key.startswith("cancel:pi_1:")
    assert key != other


def test_a_page_is_looked_for_among_those_of_its_time() -> None:
    mine = OPENED | {"id": "cs_2", "client_reference_id": "pay_1"}
    page = {"data": [OPENED | {"client_reference_id": "pay_0"}, mine], "has_more": False}
    chosen, client = gateway((200, page), (200, page))
    assert chosen.find_checkout("pay_1", NOW).session_id == "cs_2"
    assert chosen.find_checkout("pay_2", NOW) is None
    assert asked(client)[0][3] == {"created[gte]": str(int(NOW.timestamp())), "limit": "100"}


@pytest.mark.parametrize(("status", "times"), [(429, 2), (500, 2), (503, 2), (409, 2), (400, 1), (402, 1)])
def test_what_may_pass_is_asked_again_and_nothing_else(status: int, times: int) -> None:
    refused = (status, error("api_error" if status >= 500 else "invalid_request_error"))
    waited: list[float] = []
    chosen, client = gateway(refused, (200, OPENED), max_retries=1, sleep=waited.append)
    if times == 2:
        assert open_checkout(chosen).session_id == "cs_1"
    else:
        with pytest.raises((GatewayRefused, GatewayUnavailable, PaymentDeclined)):
            open_checkout(chosen)
    assert len(client.asked) == times
    assert len(waited) == times - 1
    assert {key for _method, _path, key, _fields in asked(client)} == {"checkout:pay_1"}


@pytest.mark.parametrize(("header", "waits"), [("7", [7]), ("31", []), ("soon", None)])
def test_the_gateway_says_when_to_come_back(header: str, waits: list[int] | None) -> None:
    waited: list[float] = []
    chosen, client = gateway((429, error("invalid_request_error")), (200, OPENED), max_retries=1, sleep=waited.append)
    answer = client.request
    client.request = lambda *a, **k: (*answer(*a, **k)[:2], {"retry-after": header})
    if waits == []:
        with pytest.raises(GatewayUnavailable):
            open_checkout(chosen)
    else:
        open_checkout(chosen)
    assert waited == waits if waits is not None else 0.5 <= waited[0] <= 1


def test_a_gateway_that_says_not_to_is_not_asked_again() -> None:
    chosen, client = gateway((500, error("api_error")), max_retries=3, sleep=lambda _seconds: None)
    answer = client.request
    client.request = lambda *a, **k: (*answer(*a, **k)[:2], {"stripe-should-retry": "false"})
    with pytest.raises(GatewayUnavailable):
        open_checkout(chosen)
    assert len(client.asked) == 1


def test_instants_of_the_gateway_are_aware() -> None:
    chosen, _client = gateway((200, {"data": [MOVEMENT], "has_more": False}))
    (one,) = chosen.list_balance_transactions(NOW - timedelta(days=1))
    assert one.created_at == datetime(2026, 11, 22, 3, tzinfo=UTC)
