"""The connection to Stripe: the only place that knows the SDK, which is loaded at the first call."""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from marketplace.billing.errors import (
    GatewayFailureKept,
    GatewayMisconfigured,
    GatewayObjectMissing,
    GatewayRefused,
    GatewayUnavailable,
    IdempotencyKeyReused,
    PaymentDeclined,
)

if TYPE_CHECKING:
    import stripe

CONNECT_TIMEOUT_SECONDS = 3.05
BACKOFF_SECONDS_MAX = 8
RETRY_AFTER_SECONDS_MAX = 30  # a gateway that wants us away for longer is unavailable, and a job comes back later
_LIVE_PREFIXES = ("sk_live_", "rk_live_")
Answer = TypeVar("Answer")


class Connection:
    """One account at Stripe, asked with patience; safe to share between threads.

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
        konbini_days: int = 3,
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
        self._konbini_days = konbini_days
        self._live = live
        self._transport = transport
        self._sleep = sleep

    def _ask(self, call: Callable[[], Answer]) -> Answer:
        """Ask again what may have failed on the way: every writing call carries a key, so it happens once."""
        import stripe

        for attempt in range(self._max_retries + 1):
            try:
                return call()
            except stripe.StripeError as error:
                wait = _wait_seconds(error, attempt)
                if wait is None:
                    _refuse(error)
                if _is_kept(error):
                    raise GatewayFailureKept from error
                if attempt == self._max_retries or wait > RETRY_AFTER_SECONDS_MAX:
                    raise GatewayUnavailable from error
                self._sleep(wait)
        raise AssertionError  # pragma: no cover - the last attempt returns or raises

    def _pages(self, fetch: Callable[[dict[str, Any]], Any], asked: Mapping[str, Any]) -> Any:
        """Go through a list of the gateway page by page, newest first."""
        params: dict[str, Any] = {**asked, "limit": 100}
        while True:
            page = self._ask(partial(fetch, params)).to_dict(for_json=True)
            yield from page["data"]
            if not page.get("has_more") or not page["data"]:
                return
            params = {**params, "starting_after": page["data"][-1]["id"]}

    def _signed_body(self, raw_body: bytes, signature: str) -> str | None:
        """Return the text that one of our secrets signed, or None."""
        import stripe

        for secret in self._webhook_secrets:
            try:
                stripe.WebhookSignature.verify_header(raw_body, signature, secret)
                return raw_body.decode()
            except (stripe.SignatureVerificationError, UnicodeDecodeError, TypeError):
                continue  # TypeError: a signature that is not ASCII cannot be compared
        return None

    @cached_property
    def _client(self) -> "stripe.StripeClient":
        import stripe

        # Off: it writes an id into the home folder and reports what else runs here.
        stripe.enable_telemetry = False
        timeout = (CONNECT_TIMEOUT_SECONDS, self._timeout_seconds)
        return stripe.StripeClient(
            self._api_key,
            base_addresses={"api": self._api_base} if self._api_base else {},
            # We ask again ourselves: the SDK neither waits on 429 nor heeds Retry-After.
            max_network_retries=0,
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
                try:
                    body, status, fields = exchange(method, url, headers or {}, post_data)
                except TimeoutError as error:  # an answer that does not come, as on a socket
                    raise stripe.APIConnectionError(str(error), should_retry=True) from error  # type: ignore[no-untyped-call] # of the SDK
                return body.decode(), status, fields

            def close(self) -> None:
                """Nothing is held open."""

        return WithinProcess()

    return make


def _wait_seconds(error: "stripe.StripeError", attempt: int) -> float | None:
    """Return how long to wait before asking again, or None where asking again cannot help."""
    if not _may_pass(error):
        return None
    asked = str((error.headers or {}).get("retry-after", ""))
    if asked.isascii() and asked.isdigit():
        return int(asked)
    # Jitter: of many workers that were refused at once, not all come back at once.
    most = 1000 * min(1 << attempt, BACKOFF_SECONDS_MAX)
    return (most // 2 + secrets.randbelow(most // 2 + 1)) / 1000


def _is_kept(error: "stripe.StripeError") -> bool:
    """Tell whether an answer was replayed (docs.stripe.com/api/idempotent_requests): another needs another key."""
    told = {name.lower(): value for name, value in (error.headers or {}).items()}
    return str(told.get("idempotent-replayed", "")).lower() == "true"


def _may_pass(error: "stripe.StripeError") -> bool:
    import stripe

    if str((error.headers or {}).get("stripe-should-retry", "")).lower() == "false":
        return False
    if isinstance(error, stripe.APIConnectionError):
        return bool(error.should_retry)
    status = error.http_status or 0
    # 409: a twin of this request is being answered right now.
    return isinstance(error, stripe.RateLimitError) or status == 409 or status >= 500


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
