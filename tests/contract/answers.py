"""Stripe's objects as the sandbox gives them: against Stripe's schemas (dahlia) and the SDK's classes (endive)."""

from collections.abc import Iterator
from typing import Any

from stripe._object_classes import get_object_class
from stripe._stripe_object import StripeObject

from tests.contract import openapi

# In the SDK (2026-10-28.endive) but not yet in the schemas (2026-05-27.dahlia).
NEWER = {
    "checkout.session": {"allowed_payment_method_types"},
    "payment_intent": {"allowed_payment_method_types", "source"},
    "charge": {"source"},
}
# Not answered unless asked for, or only for features that are not played, or only in some states.
SOMETIMES = {
    "checkout.session": {"line_items", "branding_settings", "excluded_payment_method_types", "managed_payments"}
    | {"name_collection", "optional_items", "presentment_details", "redirect_on_completion", "return_url"}
    | {"tax_id_collection"},
    "payment_intent": {"excluded_payment_method_types", "hooks", "managed_payments", "payment_details"}
    | {"payment_record", "presentment_details"},
    "charge": {"authorization_code", "level3", "presentment_details", "refunds", "transfer"},
    "event": {"account", "context"},
    "balance": {"connect_reserved", "instant_available", "issuing", "refund_and_dispute_prefunding"},
    "customer": {"business_name", "cash_balance", "individual_name", "invoice_credit_balance", "sources"}
    | {"subscriptions", "tax", "tax_ids"},
    "customer_cash_balance_transaction": {"adjusted_for_overdraft", "applied_to_payment", "funded"}
    | {"refunded_from_payment", "transferred_to_balance", "unapplied_from_payment"},
    "dispute": {"intended_submission_method", "network_reason_code"},
    "refund": {"customer", "customer_account", "description", "failure_balance_transaction", "failure_reason"}
    | {"instructions_email", "next_action", "payment_method", "pending_reason", "presentment_details"},
}
# A payment method, which only errors show, has one field for each way to pay that Stripe knows.
PAYMENT_METHOD = frozenset(
    {"id", "object", "allow_redisplay", "billing_details", "created", "customer", "livemode", "metadata", "type"}
)
LISTS = frozenset({"list", "search_result"})


def errors_of(document: dict[str, Any]) -> list[str]:
    """Return what is wrong with one of Stripe's objects and with those inside it."""
    return fields_errors(document) + openapi.object_errors(document["object"], without_newer(document))


def exchange_errors(method: str, path: str, status: int, document: dict[str, Any]) -> list[str]:
    """Return what is wrong with an answer to a request."""
    if status >= 400:
        return openapi.object_errors("error", document)
    return fields_errors(document) + openapi.answer_errors(method, path, without_newer(document))


def fields_errors(document: Any) -> list[str]:
    """Return the fields that the SDK's classes do not know, or that they have and the objects lack."""
    wrong = []
    for thing in objects_in(document):
        kind = thing["object"]
        declared = sdk_fields(kind)
        wrong += [f"{kind}: the SDK does not know {name}" for name in set(thing) - declared]
        wrong += [f"{kind}: missing {name}" for name in always(kind) - set(thing)]
    return wrong


def objects_in(value: Any) -> Iterator[dict[str, Any]]:
    """Return the document and all of Stripe's objects in it that have a class of their own."""
    if isinstance(value, list):
        for item in value:
            yield from objects_in(item)
    if isinstance(value, dict):
        kind = value.get("object")
        if isinstance(kind, str) and kind not in LISTS and get_object_class("V1", kind) is not StripeObject:
            yield value
        for item in value.values():
            yield from objects_in(item)


def sdk_fields(kind: str) -> set[str]:
    """Return the fields that the SDK's class of this kind declares."""
    return set(get_object_class("V1", kind).__annotations__) - {"OBJECT_NAME", "deleted"}


def always(kind: str) -> set[str]:
    """Return the fields that the sandbox gives with every object of this kind."""
    declared = sdk_fields(kind)
    return declared & PAYMENT_METHOD if kind == "payment_method" else declared - SOMETIMES.get(kind, set())


def without_newer(value: Any) -> Any:
    """Return a copy without the fields that the schemas do not have yet."""
    if isinstance(value, list):
        return [without_newer(item) for item in value]
    if not isinstance(value, dict):
        return value
    newer = NEWER.get(str(value.get("object")), set())
    return {key: without_newer(item) for key, item in value.items() if key not in newer}
