"""Stripe: the only place that knows the SDK, which is loaded at the first call."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from marketplace.billing import rules
from marketplace.billing.checkout import Checkout, CheckoutReport
from marketplace.billing.errors import (
    GatewayMisconfigured,
    GatewayObjectMissing,
    GatewayRefused,
    GatewayUnavailable,
    IdempotencyKeyReused,
    PaymentDeclined,
    WebhookForged,
    WebhookStale,
    WrongLivemode,
)
from marketplace.billing.gateways import wire
from marketplace.kit import clock

if TYPE_CHECKING:
    import stripe

TOLERANCE_SECONDS = 300
CONNECT_TIMEOUT_SECONDS = 3.05
_LIVE_PREFIXES = ("sk_live_", "rk_live_")
_EXPANDED = ["payment_intent.latest_charge.balance_transaction"]
Answer = TypeVar("Answer")


class StripeGateway:
    """Opens and reads Checkout Sessions, verifies webhooks, lists events; safe to share between threads.

    ``api_base`` None means Stripe itself. ``webhook_secrets`` may hold an old and a new one during
    rotation. ``site_url`` is the exchange's own origin, to which alone payers are sent back.
    ``transport`` makes the SDK's HTTP client, for calls within the process. A live key needs
    ``live=True`` and the reverse; raises ValueError otherwise.
    """

    def __init__(  # noqa: PLR0913 - one argument for each setting, all by name
        self,
        *,
        api_key: str,
        site_url: str,
        api_base: str | None = None,
        webhook_secrets: Sequence[str] = (),
        max_retries: int = 2,
        timeout_seconds: float = 20,
        live: bool = False,
        transport: "Callable[[], stripe.HTTPClient] | None" = None,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        if api_key.startswith(_LIVE_PREFIXES) != live:
            raise ValueError("a live key needs live=True, and live=True a live key")
        self._api_key = api_key
        self._site_url = site_url
        self._api_base = api_base
        self._webhook_secrets = tuple(secret for secret in webhook_secrets if secret.strip())
        self._max_retries = max_retries
        self._timeout_seconds = timeout_seconds
        self._live = live
        self._transport = transport
        self._sleep = sleep

    def create_checkout(
        self,
        *,
        payment_id: str,
        amount_yen: int,
        description: str,
        success_url: str,
        cancel_url: str,
        idempotency_key: str,
        expires_at: datetime,
        metadata: Mapping[str, str] | None = None,
    ) -> Checkout:
        """Open a payment page for one amount in yen, tax included; the same key opens it only once.

        ``expires_at`` lies 30 minutes to 24 hours ahead (Stripe's limits). Raises ForeignReturnUrl,
        PaymentDeclined, GatewayRefused, IdempotencyKeyReused, GatewayMisconfigured, GatewayUnavailable.
        """
        if isinstance(amount_yen, bool) or not isinstance(amount_yen, int) or amount_yen <= 0:
            raise ValueError(f"a checkout takes a positive whole number of yen: {amount_yen!r}")
        rules.require_own_url(success_url, self._site_url)
        rules.require_own_url(cancel_url, self._site_url)
        params = _checkout_params(payment_id, amount_yen, description, {**(metadata or {}), "payment_id": payment_id})
        params |= {
            "success_url": success_url,
            "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()),
        }
        sessions = self._client.v1.checkout.sessions
        session = self._ask(lambda: sessions.create(params, {"idempotency_key": idempotency_key}))
        return _checkout(session.to_dict())

    def fetch_checkout(self, session_id: str) -> CheckoutReport:
        """Return the session as Stripe sees it now, with its intent, charge and the fee once it is settled.

        Raises GatewayObjectMissing, GatewayMisconfigured, GatewayUnavailable.
        """
        session = self._ask(lambda: self._client.v1.checkout.sessions.retrieve(session_id, {"expand": _EXPANDED}))
        return wire.read_session(session.to_dict())

    def verify_event(self, raw_body: bytes, signature: str | None) -> dict[str, Any]:
        """Return the event that these exact bytes carry, if one of our secrets signed them just now.

        Raises WebhookForged, WebhookStale (more than 300 s old or ahead), WebhookMalformed, WrongLivemode.
        """
        body = self._signed_body(raw_body, signature or "")
        signed_at = int(next(part for part in (signature or "").split(",") if part.startswith("t="))[2:])
        if abs(clock.now().timestamp() - signed_at) > TOLERANCE_SECONDS:
            raise WebhookStale
        return self._of_our_mode(wire.parse_event(body))

    def list_events(self, since: datetime) -> Iterator[dict[str, Any]]:
        """Return the events created since then, newest first, for the same inbox; Stripe keeps 30 days.

        Raises GatewayMisconfigured, GatewayUnavailable, WrongLivemode.
        """
        starting_after: str | None = None
        while True:
            page = self._events_page(since, starting_after)
            for event in page["data"]:
                yield self._of_our_mode(wire.checked_event(event))
            if not page.get("has_more") or not page["data"]:
                return
            starting_after = page["data"][-1]["id"]

    def _events_page(self, since: datetime, starting_after: str | None) -> dict[str, Any]:
        params: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100}
        if starting_after is not None:
            params["starting_after"] = starting_after
        return self._ask(lambda: self._client.v1.events.list(params)).to_dict(for_json=True)

    def _signed_body(self, raw_body: bytes, signature: str) -> str:
        import stripe

        for secret in self._webhook_secrets:
            try:
                stripe.WebhookSignature.verify_header(raw_body, signature, secret)
                return raw_body.decode()
            except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError):
                continue  # TypeError: a signature that is not ASCII cannot be compared
        raise WebhookForged

    def _of_our_mode(self, event: dict[str, Any]) -> dict[str, Any]:
        if event["livemode"] is not self._live:
            raise WrongLivemode
        return event

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        import stripe

        for attempt in range(self._max_retries + 1):
            try:
                return call()
            except stripe.RateLimitError as error:
                # The SDK retries what may have failed on the way, but not 429.
                if attempt == self._max_retries:
                    raise GatewayUnavailable from error
                self._sleep(min(2.0**attempt, 8.0))
            except stripe.StripeError as error:
                _refuse(error)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    @cached_property
    def _client(self) -> "stripe.StripeClient":
        import stripe

        # Off: it writes an id into the home folder and reports what else runs here.
        stripe.enable_telemetry = False
        timeout = (CONNECT_TIMEOUT_SECONDS, self._timeout_seconds)
        return stripe.StripeClient(
            self._api_key,
            base_addresses={"api": self._api_base} if self._api_base else {},
            max_network_retries=self._max_retries,
            http_client=self._transport() if self._transport else stripe.RequestsClient(timeout=timeout),
        )


def within_process(
    exchange: Callable[[str, str, Mapping[str, str], Any], tuple[bytes, int, Mapping[str, str]]],
) -> "Callable[[], stripe.HTTPClient]":
    """Return a maker of SDK clients that send each request through one function instead of a socket."""

    def make() -> "stripe.HTTPClient":
        import stripe

        class WithinProcess(stripe.HTTPClient):
            name = "within-process"

            def request(
                self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_usage: Any
            ) -> tuple[str, int, Mapping[str, str]]:
                body, status, fields = exchange(method, url, headers or {}, post_data)
                return body.decode(), status, fields

            def close(self) -> None:
                """Nothing is held open."""

        return WithinProcess()

    return make


def _checkout_params(payment_id: str, amount_yen: int, description: str, labels: Mapping[str, str]) -> Any:
    # Any: the SDK's TypedDict has 60 keys. No payment_method_types: methods are chosen in Stripe's dashboard.
    price = {"currency": "jpy", "unit_amount": amount_yen, "product_data": {"name": description}}
    return {
        "mode": "payment",
        "client_reference_id": payment_id,
        "line_items": [{"quantity": 1, "price_data": price}],
        "metadata": labels,
        "payment_intent_data": {"metadata": labels},
    }


def _checkout(session: Mapping[str, Any]) -> Checkout:
    return Checkout(str(session["id"]), str(session["url"]), wire.instant(int(session["expires_at"])))


def _refuse(error: "stripe.StripeError") -> NoReturn:
    import stripe

    if isinstance(error, stripe.CardError):
        raise PaymentDeclined(code=error.code or "card_declined") from error
    if isinstance(error, stripe.IdempotencyError):
        raise IdempotencyKeyReused from error
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        raise GatewayMisconfigured from error
    if isinstance(error, stripe.InvalidRequestError):
        if error.http_status == 404:
            raise GatewayObjectMissing from error
        raise GatewayRefused(code=error.code or "invalid_request") from error
    raise GatewayUnavailable from error
