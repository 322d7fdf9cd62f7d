"""Ways to pay: which of them a page offers, and what was wished about each (pure)."""

from typing import Any

from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

CARD = "card"
KONBINI = "konbini"
BANK = "customer_balance"
PLAYED = (CARD, KONBINI, BANK)
KONBINI_YEN = range(120, 300_001)
VOUCHER_DAYS_DEFAULT = 3
VOUCHER_DAYS_MAX = 60
# Names that may be narrowed to or excluded: whatever Stripe knows besides is no wish about this page.
_NAMED = (*PLAYED, "link", "paypay", "alipay", "wechat_pay", "klarna", "amazon_pay", "revolut_pay")


def read_options(form: Reader) -> dict[str, Any]:
    """Read ``payment_method_options`` of a session; raises WireError."""
    options = form.child("payment_method_options")
    card, konbini, bank = options.child(CARD), options.child(KONBINI), options.child(BANK)
    transfer = bank.child("bank_transfer")
    wish: dict[str, Any] = {
        "three_d_secure": card.choice("request_three_d_secure", ("automatic", "any", "challenge")) or "automatic",
        "voucher_days": konbini.integer("expires_after_days", 1, VOUCHER_DAYS_MAX),
        "bank_transfer": bank.choice("funding_type", ("bank_transfer",)) is not None,
    }
    kind = transfer.choice("type", ("jp_bank_transfer",))
    transfer.choices("requested_address_types", ("zengin",))
    if wish["bank_transfer"] and kind is None:
        raise transfer.absent("type")
    return wish


def read_filter(form: Reader) -> tuple[list[str], list[str]]:
    """Read what shall be offered alone, and what shall not be offered; raises WireError."""
    allowed = form.choices("allowed_payment_method_types", _NAMED)
    excluded = form.choices("excluded_payment_method_types", _NAMED)
    return allowed, excluded


def offered(amount: int, customer: str | None, options: dict[str, Any], only: tuple[list[str], list[str]]) -> list[str]:
    """Return what the page offers, as Stripe would choose; raises WireError when nothing is left."""
    allowed, excluded = only
    if options["bank_transfer"] and customer is None:
        message = "A `customer` is required to pay by `customer_balance`."
        raise WireError(message, code="parameter_missing", param="customer")
    possible = {CARD: True, KONBINI: amount in KONBINI_YEN, BANK: options["bank_transfer"]}
    found = [name for name in PLAYED if possible[name] and name not in excluded and (name in allowed or not allowed)]
    if not found:
        raise WireError("No valid payment method types for this Checkout Session.")
    return found


def of_session(options: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return ``payment_method_options`` of a session."""
    every = {
        CARD: {"request_three_d_secure": options["three_d_secure"]},
        KONBINI: {"expires_after_days": options["voucher_days"]},
        BANK: _bank_transfer(),
    }
    return {name: every[name] for name in names}


def of_intent(options: dict[str, Any], names: list[str]) -> dict[str, Any]:
    """Return ``payment_method_options`` of a payment intent."""
    card = dict.fromkeys(("installments", "mandate_options", "network"))
    konbini = dict.fromkeys(("confirmation_number", "expires_at", "product_description"))
    every = {
        CARD: card | {"request_three_d_secure": options["three_d_secure"]},
        KONBINI: konbini | {"expires_after_days": options["voucher_days"]},
        BANK: _bank_transfer(),
    }
    return {name: every[name] for name in names}


def _bank_transfer() -> dict[str, Any]:
    return {"bank_transfer": {"type": "jp_bank_transfer"}, "funding_type": "bank_transfer"}
