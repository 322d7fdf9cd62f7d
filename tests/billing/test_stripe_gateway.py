"""The Stripe gateway: what it sends, how it reads, what it refuses; real SDK, real signatures, no network."""

import json
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import pytest
import stripe

from marketplace.billing.errors import (
    ForeignReturnUrl,
    GatewayMisconfigured,
    GatewayObjectMissing,
    GatewayRefused,
    GatewayUnavailable,
    IdempotencyKeyReused,
    PaymentDeclined,
    WebhookForged,
    WebhookMalformed,
    WebhookStale,
    WrongLivemode,
)
from marketplace.billing.gateways.stripe import StripeGateway, within_process
from marketplace.kit import clock

SITE = "https://exchange.example.jp"
NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)
SECRET = "whsec_today"
OPENED = {
    "id": "cs_1",
    "object": "checkout.session",
    "url": "https://checkout.example/cs_1",
    "expires_at": int(NOW.timestamp()) + 3600,
    "status": "open",
    "payment_status": "unpaid",
}


class Recorded(stripe.HTTPClient):
    """Answers from a list and remembers what was asked."""

    name = "recorded"

    def __init__(self, *answers):
        super().__init__()
        self.answers = list(answers)
        self.asked = []

    def request(self, method, url, headers, post_data=None):
        self.asked.append((method, url, dict(headers), post_data))
        status, body = self.answers.pop(0)
        if isinstance(body, Exception):
            raise body
        return json.dumps(body), status, {}

    def close(self):
        pass


def gateway(*answers, **changes) -> tuple[StripeGateway, Recorded]:
    client = Recorded(*answers)
    settings = {
        "api_key": "sk_test_sandbox",
        "site_url": SITE,
        "webhook_secrets": (SECRET,),
        "max_retries": 0,
        "transport": lambda: client,
    }
    return StripeGateway(**(settings | changes)), client


def open_checkout(chosen: StripeGateway, **changes):
    asked = {
        "payment_id": "pay_1",
        "amount_yen": 500,
        "description": "札幌市 人流データ",
        "success_url": f"{SITE}/orders/ord_1",
        "cancel_url": f"{SITE}/orders/ord_1?cancelled=1",
        "idempotency_key": "checkout:pay_1",
        "expires_at": NOW + timedelta(hours=1),
        "metadata": {"order_id": "ord_1"},
    }
    return chosen.create_checkout(**(asked | changes))


def error(kind: str, code: str | None = None) -> dict:
    return {"error": {"type": kind, "code": code, "message": "no"}}


def test_a_checkout_of_500_yen_asks_for_500_and_names_no_payment_methods():
    chosen, client = gateway((200, OPENED))
    checkout = open_checkout(chosen)
    assert (checkout.session_id, checkout.url) == ("cs_1", OPENED["url"])
    assert checkout.expires_at == NOW + timedelta(hours=1)
    [(method, url, headers, body)] = client.asked
    assert (method, url) == ("post", "https://api.stripe.com/v1/checkout/sessions")
    assert headers["Idempotency-Key"] == "checkout:pay_1"
    form = {key: value[0] for key, value in parse_qs(body).items()}
    assert form == {
        "mode": "payment",
        "client_reference_id": "pay_1",
        "line_items[0][quantity]": "1",
        "line_items[0][price_data][currency]": "jpy",
        "line_items[0][price_data][unit_amount]": "500",
        "line_items[0][price_data][product_data][name]": "札幌市 人流データ",
        "success_url": f"{SITE}/orders/ord_1",
        "cancel_url": f"{SITE}/orders/ord_1?cancelled=1",
        "expires_at": str(int(NOW.timestamp()) + 3600),
        "metadata[order_id]": "ord_1",
        "metadata[payment_id]": "pay_1",
        "payment_intent_data[metadata][order_id]": "ord_1",
        "payment_intent_data[metadata][payment_id]": "pay_1",
    }


def test_telemetry_is_off_and_the_base_is_the_one_given():
    chosen, client = gateway((200, OPENED), api_base="http://127.0.0.1:8000/sandbox")
    open_checkout(chosen, metadata=None)
    assert client.asked[0][1] == "http://127.0.0.1:8000/sandbox/v1/checkout/sessions"
    assert stripe.enable_telemetry is False
    assert "telemetry_id" not in client.asked[0][2].get("X-Stripe-Client-User-Agent", "")


@pytest.mark.parametrize("amount", [0, -500, 500.0, True, "500"])
def test_amounts_are_positive_whole_yen(amount):
    chosen, client = gateway()
    with pytest.raises(ValueError, match="positive whole number"):
        open_checkout(chosen, amount_yen=amount)
    assert client.asked == []


@pytest.mark.parametrize("which", ["success_url", "cancel_url"])
def test_payers_are_sent_back_to_us_alone(which):
    chosen, client = gateway()
    with pytest.raises(ForeignReturnUrl):
        open_checkout(chosen, **{which: "https://evil.example/"})
    assert client.asked == []


@pytest.mark.parametrize(
    ("status", "body", "refusal"),
    [
        (402, error("card_error", "card_declined"), PaymentDeclined),
        (400, error("idempotency_error"), IdempotencyKeyReused),
        (400, error("invalid_request_error", "amount_too_small"), GatewayRefused),
        (404, error("invalid_request_error", "resource_missing"), GatewayObjectMissing),
        (401, error("invalid_request_error"), GatewayMisconfigured),
        (403, error("invalid_request_error"), GatewayMisconfigured),
        (500, error("api_error"), GatewayUnavailable),
        (503, error("api_error"), GatewayUnavailable),
        (200, stripe.APIConnectionError("no route"), GatewayUnavailable),
    ],
)
def test_refusals_of_the_gateway_become_ours(status, body, refusal):
    chosen, client = gateway((status, body))
    with pytest.raises(refusal):
        open_checkout(chosen)
    assert len(client.asked) == 1


def test_the_gateways_own_word_is_passed_on():
    chosen, _client = gateway((400, error("invalid_request_error", "amount_too_small")), (402, error("card_error")))
    with pytest.raises(GatewayRefused) as refused:
        open_checkout(chosen)
    assert refused.value.members == {"code": "amount_too_small"}
    with pytest.raises(PaymentDeclined) as declined:
        open_checkout(chosen)
    assert declined.value.members == {"code": "card_declined"}


def test_too_many_requests_are_backed_off_and_then_given_up():
    slow = (429, error("invalid_request_error", "rate_limit"))
    waited = []
    chosen, client = gateway(slow, slow, (200, OPENED), max_retries=2, sleep=waited.append)
    assert open_checkout(chosen).session_id == "cs_1"
    assert len(waited) == 2
    assert 0.5 <= waited[0] <= 1 <= waited[1] <= 2, "each wait is longer, and none is the same for all workers"
    assert {headers["Idempotency-Key"] for _m, _u, headers, _b in client.asked} == {"checkout:pay_1"}
    chosen, client = gateway(slow, slow, slow, max_retries=2, sleep=waited.append)
    with pytest.raises(GatewayUnavailable):
        open_checkout(chosen)
    assert len(client.asked) == 3


def test_a_server_error_is_retried_with_the_same_key():
    chosen, client = gateway((500, error("api_error")), (200, OPENED), max_retries=2, sleep=lambda _seconds: None)
    assert open_checkout(chosen).session_id == "cs_1"
    assert [headers["Idempotency-Key"] for _m, _u, headers, _b in client.asked] == ["checkout:pay_1"] * 2


def paid_session(**changes) -> dict:
    return OPENED | {
        "status": "complete",
        "payment_status": "paid",
        "amount_total": 5500,
        "currency": "jpy",
        "client_reference_id": "pay_1",
        "metadata": {},
        "payment_intent": {
            "id": "pi_1",
            "object": "payment_intent",
            "status": "succeeded",
            "latest_charge": {
                "id": "ch_1",
                "object": "charge",
                "balance_transaction": {
                    "id": "txn_1",
                    "object": "balance_transaction",
                    "fee": 198,
                    "currency": "jpy",
                },
            },
        },
        **changes,
    }


def test_a_paid_checkout_is_read_down_to_its_charge_in_one_call():
    chosen, client = gateway((200, paid_session()))
    report = chosen.fetch_checkout("cs_1")
    assert (report.session_id, report.payment_id, report.status, report.payment_status) == (
        "cs_1",
        "pay_1",
        "complete",
        "paid",
    )
    assert (report.amount_minor, report.currency) == (5500, "JPY")
    assert (report.payment_intent_id, report.intent_status, report.charge_id) == ("pi_1", "succeeded", "ch_1")
    assert report.remaining_minor is None
    [(method, url, _headers, _body)] = client.asked
    assert method == "get"
    assert urlsplit(url).path == "/v1/checkout/sessions/cs_1"
    assert parse_qs(urlsplit(url).query) == {"expand[0]": ["payment_intent"]}


def test_an_open_checkout_has_no_charge_yet():
    unsettled = {"id": "pi_1", "object": "payment_intent", "status": "succeeded", "latest_charge": "ch_1"}
    chosen, _client = gateway((200, OPENED), (200, paid_session(payment_intent=unsettled)))
    report = chosen.fetch_checkout("cs_1")
    assert (report.payment_id, report.payment_intent_id, report.charge_id) == (None,) * 3
    report = chosen.fetch_checkout("cs_1")
    assert (report.payment_intent_id, report.charge_id) == ("pi_1", "ch_1")


def test_amounts_that_are_no_whole_numbers_do_not_become_money():
    chosen, _client = gateway((200, paid_session(amount_total="5500")), (200, paid_session(amount_total=5500.5)))
    assert chosen.fetch_checkout("cs_1").amount_minor is None
    assert chosen.fetch_checkout("cs_1").amount_minor is None


def listed_event(identifier: str, **changes) -> dict:
    return {
        "id": identifier,
        "object": "event",
        "type": "checkout.session.completed",
        "created": int(NOW.timestamp()),
        "livemode": False,
        "data": {"object": {"id": "cs_1", "object": "checkout.session"}},
        **changes,
    }


def test_events_are_listed_page_by_page_for_the_same_inbox():
    first = {"object": "list", "data": [listed_event("evt_3"), listed_event("evt_2")], "has_more": True}
    last = {"object": "list", "data": [listed_event("evt_1")], "has_more": False}
    chosen, client = gateway((200, first), (200, last))
    assert [event["id"] for event in chosen.list_events(NOW)] == ["evt_3", "evt_2", "evt_1"]
    queries = [parse_qs(urlsplit(url).query) for _m, url, _h, _b in client.asked]
    assert queries == [
        {"created[gte]": [str(int(NOW.timestamp()))], "limit": ["100"]},
        {"created[gte]": [str(int(NOW.timestamp()))], "limit": ["100"], "starting_after": ["evt_2"]},
    ]


def test_an_empty_page_ends_the_list_and_foreign_events_are_refused():
    empty = {"object": "list", "data": [], "has_more": True}
    live = {"object": "list", "data": [listed_event("evt_1", livemode=True)], "has_more": False}
    chosen, _client = gateway((200, empty), (200, live))
    assert list(chosen.list_events(NOW)) == []
    with pytest.raises(WrongLivemode):
        list(chosen.list_events(NOW))


def signed(event: dict | bytes, secret: str = SECRET, at: datetime = NOW) -> tuple[bytes, str]:
    body = event if isinstance(event, bytes) else json.dumps(event, ensure_ascii=False).encode()
    header = stripe.WebhookSignature.generate_signature_header(body.decode(), secret, int(at.timestamp()))
    return body, header


@pytest.fixture
def at_noon():
    with clock.stopped(NOW):
        yield


@pytest.mark.usefixtures("at_noon")
class TestWebhooks:
    """Bodies as they come in, under the signature as it comes with them."""

    def test_a_signed_event_is_returned_as_it_was_sent(self):
        event = listed_event("evt_1", note="札幌市")
        assert gateway()[0].verify_event(*signed(event)) == event

    @pytest.mark.parametrize("seconds", [-300, -299, 0, 299, 300])
    def test_a_signature_of_just_now_is_accepted(self, seconds):
        body, header = signed(listed_event("evt_1"), at=NOW + timedelta(seconds=seconds))
        assert gateway()[0].verify_event(body, header)["id"] == "evt_1"

    @pytest.mark.parametrize("seconds", [-301, 301, -86_400, 31_536_000])
    def test_a_stale_or_future_signature_is_refused(self, seconds):
        body, header = signed(listed_event("evt_1"), at=NOW + timedelta(seconds=seconds))
        with pytest.raises(WebhookStale):
            gateway()[0].verify_event(body, header)

    def test_old_and_new_secret_are_accepted_during_rotation_and_no_third(self):
        chosen = gateway(webhook_secrets=("whsec_new", "whsec_old"))[0]
        for secret in ("whsec_new", "whsec_old"):
            assert chosen.verify_event(*signed(listed_event("evt_1"), secret))["id"] == "evt_1"
        with pytest.raises(WebhookForged):
            chosen.verify_event(*signed(listed_event("evt_1"), "whsec_stolen"))

    def test_two_signatures_in_one_header_are_accepted_if_one_fits(self):
        body, header = signed(listed_event("evt_1"))
        stamp, fitting = header.split(",")
        assert gateway()[0].verify_event(body, f"{stamp},v1={'0' * 64},{fitting}")["id"] == "evt_1"

    def test_the_signature_is_of_the_raw_bytes(self):
        body, header = signed(listed_event("evt_1"))
        reserialised = json.dumps(json.loads(body), separators=(",", ":")).encode()
        for tampered in (reserialised, body + b" ", body.replace(b"evt_1", b"evt_2")):
            with pytest.raises(WebhookForged):
                gateway()[0].verify_event(tampered, header)

    def test_the_timestamp_is_part_of_what_is_signed(self):
        body, header = signed(listed_event("evt_1"), at=NOW - timedelta(days=1))
        with pytest.raises(WebhookForged):
            gateway()[0].verify_event(body, f"t={int(NOW.timestamp())},{header.split(',')[1]}")

    @pytest.mark.parametrize(
        "header",
        [None, "", "v1=00", "t=,v1=00", "t=x,v1=00", "t=1", "nonsense", "t=1,v0=00", "t=1,v1=札幌", "t=1,v1", "," * 50],
    )
    def test_what_is_no_signature_is_refused(self, header):
        with pytest.raises(WebhookForged):
            gateway()[0].verify_event(b"{}", header)

    def test_bytes_that_are_no_text_are_refused(self):
        with pytest.raises(WebhookForged):
            gateway()[0].verify_event(b"\xff\xfe", "t=1,v1=00")

    @pytest.mark.parametrize("secrets", [(), ("",), ("  ",)])
    def test_without_a_secret_nothing_is_believed(self, secrets):
        for known in ("", "  ", SECRET):
            with pytest.raises(WebhookForged):
                gateway(webhook_secrets=secrets)[0].verify_event(*signed(listed_event("evt_1"), known))

    @pytest.mark.parametrize(("live_event", "key", "live"), [(True, "sk_test_x", False), (False, "sk_live_x", True)])
    def test_the_wrong_livemode_is_refused(self, live_event, key, live):
        body, header = signed(listed_event("evt_1", livemode=live_event))
        with pytest.raises(WrongLivemode):
            gateway(api_key=key, live=live)[0].verify_event(body, header)

    def test_a_live_event_is_accepted_by_a_live_exchange(self):
        body, header = signed(listed_event("evt_1", livemode=True))
        assert gateway(api_key="rk_live_x", live=True)[0].verify_event(body, header)["livemode"] is True

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"null",
            b"{",
            b"[" * 100_000,
            json.dumps({"object": "v2.core.event", "id": "evt_1"}).encode(),
            *(
                json.dumps(listed_event("evt_1") | change).encode()
                for change in (
                    {"id": ""},
                    {"id": 5},
                    {"object": "charge"},
                    {"type": None},
                    {"livemode": "false"},
                    {"created": "2026"},
                    {"created": True},
                    {"data": []},
                    {"data": {"object": []}},
                    {"note": "\0"},
                )
            ),
            json.dumps(listed_event("evt_1") | {"note": float("nan")}).encode(),
        ],
    )
    def test_a_signed_body_that_is_no_event_is_refused(self, body):
        with pytest.raises(WebhookMalformed):
            gateway()[0].verify_event(*signed(body))


@pytest.mark.parametrize(("key", "live"), [("sk_live_x", False), ("rk_live_x", False), ("sk_test_x", True)])
def test_a_live_key_and_live_mode_go_together(key, live):
    with pytest.raises(ValueError, match="live"):
        gateway(api_key=key, live=live)


def test_a_gateway_that_nobody_listens_for_is_unavailable():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        base = f"http://127.0.0.1:{taken.getsockname()[1]}"
        chosen = StripeGateway(api_key="sk_test_x", site_url=SITE, api_base=base, max_retries=0, timeout_seconds=5)
        with pytest.raises(GatewayUnavailable):
            chosen.fetch_checkout("cs_1")


class _Page(BaseHTTPRequestHandler):
    def do_GET(self):
        body = json.dumps(paid_session()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        """Tests are silent."""


def test_the_default_transport_speaks_http():
    with ThreadingHTTPServer(("127.0.0.1", 0), _Page) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_address[1]}"
        chosen = StripeGateway(api_key="sk_test_x", site_url=SITE, api_base=base)
        assert chosen.fetch_checkout("cs_1").charge_id == "ch_1"
        chosen._client._requestor._client.close()
        server.shutdown()


def test_calls_may_stay_within_the_process():
    asked = []

    def exchange(method, url, headers, body):
        asked.append((method, urlsplit(url).path, headers["Authorization"], body))
        return json.dumps(paid_session()).encode(), 200, {}

    chosen = StripeGateway(api_key="sk_test_x", site_url=SITE, transport=within_process(exchange))
    assert chosen.fetch_checkout("cs_1").charge_id == "ch_1"
    assert asked == [("get", "/v1/checkout/sessions/cs_1", "Bearer sk_test_x", None)]
    chosen._client._requestor._client.close()


def test_the_sdk_is_not_loaded_until_it_is_needed():
    program = (
        "import sys, marketplace.billing.gateways.stripe, marketplace.billing.payments; print('stripe' in sys.modules)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "False"
