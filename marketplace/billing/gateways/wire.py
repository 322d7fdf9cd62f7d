"""Reading Stripe's objects as plain JSON; imports no Stripe. Field names: docs.stripe.com/api, 2026-10-28."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from marketplace.billing.checkout import CheckoutReport, EventReading, funded_id, session_fact
from marketplace.billing.errors import WebhookMalformed
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind
from marketplace.kit import money

PERSONAL = frozenset(
    {
        "billing_details",
        "collected_information",
        "custom_fields",
        "customer_details",
        "customer_email",
        "payment_method_details",
        "payment_method_options",
        "receipt_email",
        "shipping",
        "shipping_details",
    }
)
_SESSION_EVENTS = {
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "checkout.session.async_payment_failed",
    "checkout.session.expired",
}


def parse_event(body: str) -> dict[str, Any]:
    """Read a snapshot event; raises WebhookMalformed for anything else, thin events included."""
    try:
        event = json.loads(body, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise WebhookMalformed from error
    if not isinstance(event, dict) or "\\u0000" in body:
        raise WebhookMalformed
    return checked_event(event)


def checked_event(event: dict[str, Any]) -> dict[str, Any]:
    """Return the event if it has all fields that we rely on; raises WebhookMalformed."""
    data = event.get("data")
    sound = (
        event.get("object") == "event"
        and _is_text(event.get("id"))
        and _is_text(event.get("type"))
        and isinstance(event.get("livemode"), bool)
        and whole(event.get("created")) is not None
        and isinstance(data, dict)
        and isinstance(data.get("object"), dict)
    )
    if not sound:
        raise WebhookMalformed
    return event


def without_personal_data(value: Any) -> Any:
    """Return a copy of decoded JSON without the fields in which Stripe names the payer."""
    if isinstance(value, Mapping):
        return {key: without_personal_data(part) for key, part in value.items() if key not in PERSONAL}
    if isinstance(value, list):
        return [without_personal_data(part) for part in value]
    return value


def read_event(event: Mapping[str, Any]) -> EventReading:
    """Return which payment an event is about and the facts it shows; unknown types show none."""
    thing = event["data"]["object"]
    kind = str(thing.get("object", ""))
    named: dict[str, str | None] = {"session_id": None, "payment_intent_id": None, "charge_id": None}
    if kind == "checkout.session":
        named |= {"session_id": id_of(thing), "payment_intent_id": id_of(thing.get("payment_intent"))}
    elif kind == "payment_intent":
        named |= {"payment_intent_id": id_of(thing), "charge_id": id_of(thing.get("latest_charge"))}
    elif kind == "charge":
        named |= {"payment_intent_id": id_of(thing.get("payment_intent")), "charge_id": id_of(thing)}
    return EventReading(payment_id=payment_id_of(thing), facts=tuple(_facts(event, thing)), **named)


def read_session(session: Mapping[str, Any]) -> CheckoutReport:
    """Return our view of a Checkout Session whose intent is expanded."""
    intent = _object(session.get("payment_intent"))
    return CheckoutReport(
        session_id=str(session["id"]),
        payment_id=payment_id_of(session),
        status=str(session.get("status")),
        payment_status=str(session.get("payment_status")),
        amount_minor=minor_of(session, "amount_total"),
        currency=currency_of(session),
        payment_intent_id=id_of(session.get("payment_intent")),
        intent_status=intent.get("status"),
        charge_id=id_of(intent.get("latest_charge")),
        remaining_minor=_remaining(intent),
    )


def instant(seconds: int) -> datetime:
    """Return a Unix time as an aware instant."""
    return datetime.fromtimestamp(seconds, UTC)


def _facts(event: Mapping[str, Any], thing: Mapping[str, Any]) -> list[Fact]:
    kind, amount = _shown(event["type"], thing)
    identifier = id_of(thing)
    if kind is None or identifier is None:
        return []
    if kind == FactKind.INTENT_PARTIALLY_FUNDED:
        identifier = funded_id(identifier, _remaining(thing) or 0)
    return [Fact(kind, identifier, amount, currency_of(thing), instant(event["created"]), event["id"])]


def _shown(event_type: str, thing: Mapping[str, Any]) -> tuple[FactKind | None, int | None]:
    if event_type == "checkout.session.async_payment_failed":
        return FactKind.SESSION_ASYNC_FAILED, minor_of(thing, "amount_total")
    if event_type in _SESSION_EVENTS:
        kind = session_fact(str(thing.get("status")), str(thing.get("payment_status")))
        return kind, minor_of(thing, "amount_total")
    if event_type == "payment_intent.succeeded":
        return FactKind.INTENT_SUCCEEDED, minor_of(thing, "amount_received")
    if event_type == "payment_intent.partially_funded":
        amount, remaining = minor_of(thing, "amount"), _remaining(thing)
        known = amount is not None and remaining is not None
        return FactKind.INTENT_PARTIALLY_FUNDED, (amount or 0) - (remaining or 0) if known else None
    if event_type == "payment_intent.payment_failed":
        return FactKind.INTENT_FAILED, minor_of(thing, "amount")
    return None, None


def _remaining(intent: Mapping[str, Any]) -> int | None:
    told = _object(_object(intent.get("next_action")).get("display_bank_transfer_instructions"))
    return minor_of({"currency": intent.get("currency"), **told}, "amount_remaining")


def payment_id_of(thing: Mapping[str, Any]) -> str | None:
    """Return our own name of the payment that a gateway object belongs to."""
    found = _object(thing.get("metadata")).get("payment_id") or thing.get("client_reference_id")
    return found if _is_text(found) else None


def _object(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def id_of(value: Any) -> str | None:
    """Return the id of a gateway object, expanded or not."""
    found = value.get("id") if isinstance(value, Mapping) else value
    return found if _is_text(found) else None


def currency_of(thing: Mapping[str, Any]) -> str:
    """Return the currency of a gateway object in capitals."""
    return str(thing.get("currency") or "").upper()


def minor_of(thing: Mapping[str, Any], name: str) -> int | None:
    """Return an amount of a gateway object in minor units of ISO 4217, or None for what is no such amount."""
    amount = whole(thing.get(name))
    try:
        return None if amount is None else money.from_gateway(amount, currency_of(thing))
    except ValueError:  # no currency, or a fraction of its smallest unit
        return None


def whole(value: Any) -> int | None:
    """Return a whole number, or None for anything else."""
    # Stripe counts in integers; a float or text here is a foreign body and must not become money.
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
