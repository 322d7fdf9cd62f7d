"""Payment intents, charges and balance transactions: the objects (pure)."""

from datetime import datetime, timedelta
from typing import Any

from marketplace.sandbox import wire

CARD_PAYS = "4242"
CARD_DECLINES = "0002"
DECLINED = "Your card was declined."
PAYOUT_DELAY = timedelta(days=4)


def payment_intent(session: dict[str, Any], wish: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the intent that a session's first attempt to pay creates."""
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
        "description": wish["description"],
        "livemode": False,
        "metadata": wish["metadata"],
        "payment_method_options": {
            "card": {
                "installments": None,
                "mandate_options": None,
                "network": None,
                "request_three_d_secure": "automatic",
            }
        },
        "payment_method_types": ["card"],
        "status": "requires_payment_method",
        "transfer_group": wish["transfer_group"],
    }


_INTENT_NULLS = [
    "allowed_payment_method_types",
    "application",
    "application_fee_amount",
    "canceled_at",
    "cancellation_reason",
    "customer",
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


def charge(intent: dict[str, Any], method: str, now: datetime, *, paid: bool) -> dict[str, Any]:
    """Return one attempt to take the intent's amount from a card."""
    amount = intent["amount"]
    return dict.fromkeys(_CHARGE_NULLS) | {
        "id": wire.new_id("ch_3"),
        "object": "charge",
        "amount": amount,
        "amount_captured": amount if paid else 0,
        "amount_refunded": 0,
        "billing_details": _billing_details(),
        "calculated_statement_descriptor": "SANDBOX",
        "captured": paid,
        "created": int(now.timestamp()),
        "currency": "jpy",
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
        "payment_method": method,
        "payment_method_details": {"card": _card_used(paid=paid, amount=amount), "type": "card"},
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
    "customer",
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


def _billing_details() -> dict[str, Any]:
    return dict.fromkeys(("email", "name", "phone", "tax_id")) | {
        "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state"))
    }


def _card_used(*, paid: bool, amount: int) -> dict[str, Any]:
    return {
        "amount_authorized": amount if paid else None,
        "authorization_code": wire.new_id("", 6) if paid else None,
        "brand": "visa",
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": "pass"},
        "country": "JP",
        "exp_month": 12,
        "exp_year": 2034,
        "fingerprint": "SandboxCard00001",
        "funding": "credit",
        "installments": None,
        "last4": CARD_PAYS if paid else CARD_DECLINES,
        "mandate": None,
        "network": "visa",
        "network_token": {"used": False},
        "network_transaction_id": None,
        "regulated_status": "unregulated",
        "three_d_secure": None,
        "wallet": None,
    }


def balance_transaction(paid: dict[str, Any], fee_basis_points: int, now: datetime) -> dict[str, Any]:
    """Return what a charge brings to the balance: its amount less the fee, in yen rounded down."""
    amount = paid["amount"]
    fee = amount * fee_basis_points // 10_000
    return {
        "id": wire.new_id("txn_3"),
        "object": "balance_transaction",
        "amount": amount,
        "available_on": int((now + PAYOUT_DELAY).timestamp()) // 86_400 * 86_400,
        "balance_type": "payments",
        "created": int(now.timestamp()),
        "currency": "jpy",
        "description": paid["description"],
        "exchange_rate": None,
        "fee": fee,
        "fee_details": [_fee_detail(fee)],
        "net": amount - fee,
        "reporting_category": "charge",
        "source": paid["id"],
        "status": "pending",
        "type": "charge",
    }


def _fee_detail(fee: int) -> dict[str, Any]:
    return {
        "amount": fee,
        "application": None,
        "currency": "jpy",
        "description": "Stripe processing fees",
        "type": "stripe_fee",
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
        "payment_method": _payment_method(method, now),
        "type": "card_error",
    }


def _payment_method(method: str, now: datetime) -> dict[str, Any]:
    card = _card_used(paid=False, amount=0)
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    rest = {"generated_from": None, "three_d_secure_usage": {"supported": True}, "wallet": None}
    networks = {"networks": {"available": ["visa"], "preferred": None}}
    return {
        "id": method,
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": _billing_details(),
        "card": {key: card[key] for key in shown} | rest | networks,
        "created": int(now.timestamp()),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": "card",
    }


def customer_details(email: str | None) -> dict[str, Any]:
    """Return what a paid session knows of the payer: the sandbox asks for nothing."""
    nulls = dict.fromkeys(("address", "business_name", "individual_name", "name", "phone"))
    return nulls | {"email": email, "tax_exempt": "none", "tax_ids": []}
