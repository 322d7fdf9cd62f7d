"""Checkout Sessions: what may be asked for, and the object that answers (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marketplace.sandbox import methods, wire
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

AMOUNT_LOWEST_YEN = 50
AMOUNT_HIGHEST_YEN = 99_999_999
QUANTITY_MAX = 999_999
OPEN_AT_LEAST = timedelta(minutes=30)
OPEN_AT_MOST = timedelta(hours=24)
_CLOCK_SKEW = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Line:
    """One thing to be paid for; ``unit_amount`` in yen."""

    name: str
    description: str | None
    unit_amount: int
    quantity: int
    tax_behavior: str
    metadata: dict[str, str]


@dataclass(frozen=True, slots=True)
class SessionDraft:
    """What a caller asked for when it created a Checkout Session."""

    lines: list[Line]
    expires_at: datetime
    success_url: str
    cancel_url: str | None
    client_reference_id: str | None
    customer_email: str | None
    locale: str | None
    submit_type: str | None
    metadata: dict[str, str]
    customer: str | None
    options: dict[str, Any]
    only: tuple[list[str], list[str]]
    intent: dict[str, Any]

    @property
    def amount(self) -> int:
        """Return the sum of the lines in yen."""
        return sum(line.unit_amount * line.quantity for line in self.lines)

    @property
    def offered(self) -> list[str]:
        """Return the ways to pay that the page offers; raises WireError when there is none."""
        return methods.offered(self.amount, self.customer, self.options, self.only)


def read_draft(form: Reader, now: datetime) -> SessionDraft:
    """Read the parameters of ``POST /v1/checkout/sessions``; raises WireError."""
    form.choice("mode", ("payment",))
    form.choice("currency", ("jpy",))
    form.choice("ui_mode", ("hosted_page",))
    if not form.has("mode"):
        raise form.absent("mode")
    draft = SessionDraft(
        lines=[_read_line(line) for line in form.children("line_items")],
        expires_at=_read_expiry(form, now),
        success_url=_read_success_url(form),
        cancel_url=form.url("cancel_url"),
        client_reference_id=form.text("client_reference_id", 200),
        customer_email=form.text("customer_email", 800),
        locale=form.choice("locale", ("auto", "ja", "en")),
        submit_type=form.choice("submit_type", ("auto", "pay")),
        metadata=form.metadata(),
        customer=_read_customer(form),
        options=methods.read_options(form),
        only=methods.read_filter(form),
        intent=_read_intent(form.child("payment_intent_data")),
    )
    form.finish()
    _check_amount(draft)
    return draft


def _read_success_url(form: Reader) -> str:
    url = form.url("success_url")
    if url is None:
        raise form.absent("success_url")
    return url


def _read_customer(form: Reader) -> str | None:
    customer = form.text("customer")
    if customer and form.has("customer_email"):
        raise WireError("You may only specify one of these parameters: customer, customer_email.", param="customer")
    return customer


def _read_line(line: Reader) -> Line:
    price = line.child("price_data")
    product = price.child("product_data")
    price.required("currency")
    price.choice("currency", ("jpy", "JPY"))
    unit_amount = price.integer("unit_amount", 0, AMOUNT_HIGHEST_YEN)
    quantity = line.integer("quantity", 1, QUANTITY_MAX)
    if unit_amount is None:
        raise price.absent("unit_amount")
    if quantity is None:
        raise line.absent("quantity")
    return Line(
        name=product.required("name"),
        description=product.text("description"),
        unit_amount=unit_amount,
        quantity=quantity,
        tax_behavior=price.choice("tax_behavior", ("inclusive", "unspecified")) or "unspecified",
        metadata=product.metadata(),
    )


def _read_intent(data: Reader) -> dict[str, Any]:
    return {
        "metadata": data.metadata(),
        "description": data.text("description", 1000),
        "transfer_group": data.text("transfer_group"),
    }


def _read_expiry(form: Reader, now: datetime) -> datetime:
    seconds = form.integer("expires_at", 0, 2**40)
    if seconds is None:
        return now + OPEN_AT_MOST
    open_for = timedelta(seconds=seconds - now.timestamp())
    if not OPEN_AT_LEAST - _CLOCK_SKEW <= open_for <= OPEN_AT_MOST + _CLOCK_SKEW:
        message = "`expires_at` must be between 30 minutes and 24 hours from Checkout Session creation."
        raise WireError(message, param="expires_at")
    return now + open_for


def _check_amount(draft: SessionDraft) -> None:
    if not draft.lines:
        message = "`line_items` is required in `payment` mode."
        raise WireError(message, code="parameter_missing", param="line_items")
    if draft.amount < AMOUNT_LOWEST_YEN:
        message = f"The Checkout Session's total amount due must be at least ¥{AMOUNT_LOWEST_YEN}."
        raise WireError(message, code="amount_too_small")
    if draft.amount > AMOUNT_HIGHEST_YEN:
        message = f"The Checkout Session's total amount must be at most ¥{AMOUNT_HIGHEST_YEN:,}."
        raise WireError(message, code="amount_too_large")


def open_session(draft: SessionDraft, identifier: str, url: str, now: datetime) -> dict[str, Any]:
    """Return the object of a session just created."""
    offered = draft.offered
    return (
        _quiet_fields()
        | _filters(draft)
        | {
            "id": identifier,
            "object": "checkout.session",
            "amount_subtotal": draft.amount,
            "amount_total": draft.amount,
            "cancel_url": draft.cancel_url,
            "client_reference_id": draft.client_reference_id,
            "created": int(now.timestamp()),
            "currency": "jpy",
            "customer": draft.customer,
            "customer_creation": None if draft.customer else "if_required",
            "customer_email": draft.customer_email,
            "expires_at": int(draft.expires_at.timestamp()),
            "livemode": False,
            "locale": draft.locale,
            "metadata": draft.metadata,
            "mode": "payment",
            "payment_method_collection": "if_required",
            "payment_method_options": methods.of_session(draft.options, offered),
            "payment_method_types": offered,
            "payment_status": "unpaid",
            "status": "open",
            "submit_type": draft.submit_type,
            "success_url": draft.success_url,
            "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
            "ui_mode": "hosted_page",
            "url": url,
        }
    )


def _filters(draft: SessionDraft) -> dict[str, Any]:
    allowed, excluded = draft.only
    return {"allowed_payment_method_types": allowed or None} | (
        {"excluded_payment_method_types": excluded} if excluded else {}
    )


def line_item(line: Line, now: datetime) -> dict[str, Any]:
    """Return the object of one line, shown when ``line_items`` is expanded."""
    total = line.unit_amount * line.quantity
    return {
        "id": wire.new_id("li_1"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": total,
        "amount_tax": 0,
        "amount_total": total,
        "currency": "jpy",
        "description": line.name,
        "metadata": {},
        "price": _price(line, now),
        "quantity": line.quantity,
    }


def _price(line: Line, now: datetime) -> dict[str, Any]:
    return {
        "id": wire.new_id("price_1"),
        "object": "price",
        "active": False,
        "billing_scheme": "per_unit",
        "created": int(now.timestamp()),
        "currency": "jpy",
        "custom_unit_amount": None,
        "livemode": False,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": wire.new_id("prod_", 14),
        "recurring": None,
        "tax_behavior": line.tax_behavior,
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "one_time",
        "unit_amount": line.unit_amount,
        "unit_amount_decimal": str(line.unit_amount),
    }


_NULL_FIELDS = [
    "after_expiration",
    "allow_promotion_codes",
    "billing_address_collection",
    "client_secret",
    "collected_information",
    "consent",
    "consent_collection",
    "currency_conversion",
    "customer_account",
    "customer_details",
    "integration_identifier",
    "invoice",
    "origin_context",
    "payment_intent",
    "payment_link",
    "payment_method_configuration_details",
    "permissions",
    "recovered_from",
    "saved_payment_method_options",
    "setup_intent",
    "shipping_address_collection",
    "shipping_cost",
    "subscription",
    "wallet_options",
]


def _quiet_fields() -> dict[str, Any]:
    # What Stripe always answers and this sandbox never uses.
    return dict.fromkeys(_NULL_FIELDS) | {
        "adaptive_pricing": {"enabled": False},
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "custom_fields": [],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance")),
        "discounts": [],
        "invoice_creation": {
            "enabled": False,
            "invoice_data": dict.fromkeys(
                ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "rendering_options")
            )
            | {"metadata": {}},
        },
        "phone_number_collection": {"enabled": False},
        "shipping_options": [],
    }
