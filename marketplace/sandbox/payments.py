"""Payment intents and charges, and why an attempt to pay failed: the objects (pure)."""

from datetime import datetime
from typing import Any

from marketplace.sandbox import methods, tender, wire
from marketplace.sandbox.tender import Tender

DECLINED = "Your card was declined."


def payment_intent(session: dict[str, Any], details: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the intent that a session's first attempt to pay creates."""
    wish, offered = details["intent"], session["payment_method_types"]
    identifier = wire.new_id("pi_3")
    return dict.fromkeys(_INTENT_NULLS) | {
        "id": identifier,
        "object": "payment_intent",
        "amount": session["amount_total"],
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "automatic_payment_methods": {"allow_redirects": "always", "enabled": True},
        "capture_method": "automatic_async",
        "client_secret": f"{identifier}_secret_{wire.new_id('', 25)}",
        "confirmation_method": "automatic",
        "created": int(now.timestamp()),
        "currency": "jpy",
        "customer": session["customer"],
        "description": wish["description"],
        "livemode": False,
        "metadata": wish["metadata"],
        "payment_method_options": methods.of_intent(details["options"], offered),
        "payment_method_types": offered,
        "status": "requires_payment_method",
        "transfer_group": wish["transfer_group"],
    }


_INTENT_NULLS = [
    "allowed_payment_method_types",
    "application",
    "application_fee_amount",
    "canceled_at",
    "cancellation_reason",
    "customer_account",
    "last_payment_error",
    "latest_charge",
    "next_action",
    "on_behalf_of",
    "payment_method",
    "payment_method_configuration_details",
    "processing",
    "receipt_email",
    "review",
    "setup_future_usage",
    "shipping",
    "source",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
]


def charge(
    intent: dict[str, Any], used: Tender, now: datetime, *, paid: bool, email: str | None = None
) -> dict[str, Any]:
    """Return one attempt to take the intent's amount."""
    amount = intent["amount"]
    return dict.fromkeys(_CHARGE_NULLS) | {
        "id": wire.new_id("ch_3" if used.kind == methods.CARD else "py_3"),
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if paid else 0,
        "amount_refunded": 0,
        "billing_details": tender.billing_details(email),
        "calculated_statement_descriptor": "SANDBOX",
        "captured": paid,
        "created": int(now.timestamp()),
        "currency": "jpy",
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_code": None if paid else "card_declined",
        "failure_message": None if paid else DECLINED,
        "fraud_details": {},
        "livemode": False,
        "metadata": intent["metadata"],
        "outcome": _outcome(paid=paid),
        "paid": paid,
        "payment_intent": intent["id"],
        "payment_method": used.method,
        "payment_method_details": used.charge_details,
        "radar_options": {},
        "refunded": False,
        "status": "succeeded" if paid else "failed",
        "transfer_group": intent["transfer_group"],
    }


_CHARGE_NULLS = [
    "application",
    "application_fee",
    "application_fee_amount",
    "balance_transaction",
    "failure_balance_transaction",
    "on_behalf_of",
    "receipt_email",
    "receipt_number",
    "receipt_url",
    "review",
    "shipping",
    "source",
    "source_transfer",
    "statement_descriptor",
    "statement_descriptor_suffix",
    "transfer_data",
]


def _outcome(*, paid: bool) -> dict[str, Any]:
    return {
        "advice_code": None if paid else "try_again_later",
        "network_advice_code": None,
        "network_decline_code": None if paid else "01",
        "network_status": "approved_by_network" if paid else "declined_by_network",
        "reason": None if paid else "generic_decline",
        "risk_level": "normal",
        "seller_message": "Payment complete."
        if paid
        else "The bank did not return any further details with this decline.",
        "type": "authorized" if paid else "issuer_declined",
    }


def decline_error(failed: dict[str, Any], method: str, now: datetime) -> dict[str, Any]:
    """Return ``last_payment_error`` of an intent whose card was declined."""
    return {
        "advice_code": "try_again_later",
        "charge": failed["id"],
        "code": "card_declined",
        "decline_code": "generic_decline",
        "doc_url": "https://docs.stripe.com/error-codes/card-declined",
        "message": DECLINED,
        "payment_method": tender.payment_method(methods.CARD, method, now),
        "type": "card_error",
    }


def challenge_error(method: str, now: datetime) -> dict[str, Any]:
    """Return ``last_payment_error`` of an intent whose 3-D Secure challenge was not passed."""
    message = (
        "We are unable to authenticate your payment method. Please choose a different payment method and try again."
    )
    return {
        "code": "payment_intent_authentication_failure",
        "doc_url": "https://docs.stripe.com/error-codes/payment-intent-authentication-failure",
        "message": message,
        "payment_method": tender.payment_method(methods.CARD, method, now),
        "type": "invalid_request_error",
    }


def voucher_error(method: str, now: datetime) -> dict[str, Any]:
    """Return ``last_payment_error`` of an intent whose konbini voucher expired unpaid."""
    return {
        "code": "payment_intent_payment_attempt_expired",
        "doc_url": "https://docs.stripe.com/error-codes/payment-intent-payment-attempt-expired",
        "message": "The latest attempt to confirm the payment has expired. Provide a new payment method to try again.",
        "payment_method": tender.payment_method(methods.KONBINI, method, now),
        "type": "invalid_request_error",
    }


def customer_details(email: str | None) -> dict[str, Any]:
    """Return what a paid session knows of the payer: the sandbox asks for nothing."""
    nulls = dict.fromkeys(("address", "business_name", "individual_name", "name", "phone"))
    return nulls | {"email": email, "tax_exempt": "none", "tax_ids": []}
