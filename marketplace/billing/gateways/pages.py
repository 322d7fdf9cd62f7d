"""Payment pages: customers, Checkout Sessions and what was begun on them."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from marketplace.billing import rules
from marketplace.billing.checkout import Checkout, CheckoutReport
from marketplace.billing.errors import GatewayRefused
from marketplace.billing.gateways import wire
from marketplace.billing.gateways.connection import Connection
from marketplace.kit import money
from marketplace.kit.ids import new_id
from marketplace.licensing.states import Rail

METHODS = {Rail.CARD: "card", Rail.KONBINI: "konbini", Rail.BANK_TRANSFER: "customer_balance"}
"""The rails that this gateway runs, and its own word for each."""
_EXPANDED = ["payment_intent"]


class Pages(Connection):
    """Opens, reads and closes payment pages."""

    def create_customer(self, *, organization_id: str, name: str, idempotency_key: str) -> str:
        """Make the payer that bank transfers are booked to; the same key makes it only once. Returns its id.

        Raises GatewayRefused, IdempotencyKeyReused, GatewayMisconfigured, GatewayUnavailable.
        """
        params: Any = {"name": name, "metadata": {"organization_id": organization_id}}
        customers = self._client.v1.customers
        return str(self._ask(lambda: customers.create(params, {"idempotency_key": idempotency_key})).id)

    def create_checkout(  # noqa: PLR0913 - what a page is made of, all by name
        self,
        *,
        payment_id: str,
        amount_yen: int,
        description: str,
        success_url: str,
        cancel_url: str,
        idempotency_key: str,
        expires_at: datetime,
        rails: Sequence[Rail] = (),
        customer: str | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> Checkout:
        """Open a payment page for one amount in yen, tax included; the same key opens it only once.

        The page shows the methods of ``rails`` and no other of those in METHODS (without rails: what the
        account's dashboard offers); a bank transfer needs the ``customer`` whose virtual account receives it.
        ``expires_at`` lies 30 minutes to 24 hours ahead (Stripe's limits). Raises ForeignReturnUrl,
        PaymentDeclined, GatewayRefused, IdempotencyKeyReused, GatewayMisconfigured, GatewayUnavailable;
        ValueError for an amount or rails that no page can take.
        """
        if isinstance(amount_yen, bool) or not isinstance(amount_yen, int) or amount_yen <= 0:
            raise ValueError(f"a checkout takes a positive whole number of yen: {amount_yen!r}")
        rules.require_own_url(success_url, self._site_url)
        rules.require_own_url(cancel_url, self._site_url)
        params = _checkout_params(payment_id, amount_yen, description, {**(metadata or {}), "payment_id": payment_id})
        params |= self._method_params(rails, customer)
        params |= {
            "success_url": success_url,
            "cancel_url": cancel_url,
            "expires_at": int(expires_at.timestamp()),
        }
        sessions = self._client.v1.checkout.sessions
        session = self._ask(lambda: sessions.create(params, {"idempotency_key": idempotency_key}))
        return _checkout(session.to_dict())

    def fetch_checkout(self, session_id: str) -> CheckoutReport:
        """Return the session as Stripe sees it now, with its intent and charge.

        Raises GatewayObjectMissing, GatewayMisconfigured, GatewayUnavailable.
        """
        session = self._ask(lambda: self._client.v1.checkout.sessions.retrieve(session_id, {"expand": _EXPANDED}))
        return wire.read_session(session.to_dict())

    def expire_checkout(self, session_id: str) -> CheckoutReport:
        """Close a page that nobody has paid, and return the session as it is afterwards.

        One that was completed or had expired meanwhile stays as it is: read the report. Raises
        GatewayObjectMissing, GatewayMisconfigured, GatewayUnavailable.
        """
        sessions = self._client.v1.checkout.sessions
        try:
            self._ask(lambda: sessions.expire(session_id, {}, _fresh_key(f"expire:{session_id}")))
        except GatewayRefused:
            return self.fetch_checkout(session_id)
        return self.fetch_checkout(session_id)

    def cancel_payment(self, payment_intent_id: str) -> None:
        """Give up a payment that was begun and has not arrived, such as a bank transfer; what arrived stays.

        Raises GatewayObjectMissing, GatewayMisconfigured, GatewayUnavailable; GatewayRefused if it has arrived, or
        was given up before.
        """
        intents = self._client.v1.payment_intents
        why: Any = {"cancellation_reason": "abandoned"}
        self._ask(lambda: intents.cancel(payment_intent_id, why, _fresh_key(f"cancel:{payment_intent_id}")))

    def find_checkout(self, payment_id: str, since: datetime) -> Checkout | None:
        """Return the page that was opened for a payment, looked for among those created since then.

        For a key older than 24 hours, which the gateway has forgotten: asking with it would open a second page.
        Raises GatewayMisconfigured, GatewayUnavailable.
        """
        listed: Iterator[dict[str, Any]] = self._pages(
            self._client.v1.checkout.sessions.list,  # type: ignore[arg-type] # as above
            {"created": {"gte": int(since.timestamp())}},
        )
        found = next((session for session in listed if wire.payment_id_of(session) == payment_id), None)
        return _checkout(found) if found else None

    def _method_params(self, rails: Sequence[Rail], customer: str | None) -> dict[str, Any]:
        if not rails:
            return {}
        chosen = {METHODS[rail] for rail in rails if rail in METHODS}
        if not chosen:
            raise ValueError(f"no page can be opened for {', '.join(rails)}")
        if "customer_balance" in chosen and customer is None:
            raise ValueError("a bank transfer needs a customer whose virtual account receives it")
        params: dict[str, Any] = {"excluded_payment_method_types": sorted(set(METHODS.values()) - chosen)}
        options: dict[str, Any] = {}
        if "konbini" in chosen:
            options["konbini"] = {"expires_after_days": self._konbini_days}
        if "customer_balance" in chosen:
            transfer = {"type": "jp_bank_transfer"}
            options["customer_balance"] = {"funding_type": "bank_transfer", "bank_transfer": transfer}
        params |= {"payment_method_options": options} if options else {}
        params |= {"customer": customer} if customer else {}
        return {key: value for key, value in params.items() if value}


def _fresh_key(deed: str) -> Any:
    """Return a key for one attempt at a deed that is harmless to repeat: under it, no earlier failure is kept."""
    return {"idempotency_key": f"{deed}:{new_id('key')}"}


def _checkout_params(payment_id: str, amount_yen: int, description: str, labels: Mapping[str, str]) -> Any:
    # Any: the SDK's TypedDict has 60 keys. Never payment_method_types, which newer versions no longer know.
    price = {
        "currency": "jpy",
        "unit_amount": money.to_gateway(amount_yen, "JPY"),
        "product_data": {"name": description},
    }
    return {
        "mode": "payment",
        "client_reference_id": payment_id,
        "line_items": [{"quantity": 1, "price_data": price}],
        "metadata": labels,
        "payment_intent_data": {"metadata": labels},
    }


def _checkout(session: Mapping[str, Any]) -> Checkout:
    return Checkout(str(session["id"]), str(session.get("url") or ""), wire.instant(int(session["expires_at"])))
