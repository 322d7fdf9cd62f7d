"""What is tendered: a card, a konbini voucher, money by bank; and what waits for the buyer to act (pure)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from marketplace.kit.clock import JST
from marketplace.sandbox import methods, wire

CARD_PAYS = "4242"
CARD_DECLINES = "0002"
CHAINS = ("familymart", "lawson", "ministop", "seicomart")
_ADDRESS = {
    "city": "千代田区",
    "country": "JP",
    "line1": "丸の内1-1-1",
    "line2": None,
    "postal_code": "100-0005",
    "state": "東京都",
}


@dataclass(frozen=True, slots=True)
class Tender:
    """A way to pay as it is used once: ``method`` is its pm_ id, ``details`` what a charge says of it."""

    kind: str
    method: str
    details: dict[str, Any]

    @property
    def charge_details(self) -> dict[str, Any]:
        """Return ``payment_method_details`` of a charge."""
        return {self.kind: self.details, "type": self.kind}


def card(*, paid: bool, amount: int, challenged: bool = False) -> Tender:
    """Return the card that pays, or the one that its bank refuses."""
    return Tender(methods.CARD, wire.new_id("pm_1"), card_used(paid=paid, amount=amount, challenged=challenged))


def konbini(method: str, chain: str) -> Tender:
    """Return a voucher that was paid at a shop of this chain."""
    return Tender(methods.KONBINI, method, {"store": {"chain": chain}})


def bank_transfer(method: str) -> Tender:
    """Return money that came to the customer's own bank account."""
    return Tender(methods.BANK, method, {})


def card_used(*, paid: bool, amount: int, challenged: bool = False) -> dict[str, Any]:
    """Return what a charge says of the card."""
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
        "three_d_secure": _challenged() if challenged else None,
        "wallet": None,
    }


def _challenged() -> dict[str, Any]:
    return {
        "authentication_flow": "challenge",
        "electronic_commerce_indicator": "05",
        "exemption_indicator": None,
        "result": "authenticated",
        "result_reason": None,
        "transaction_id": wire.new_id("", 32),
        "version": "2.2.0",
    }


def payment_method(kind: str, method: str, now: datetime) -> dict[str, Any]:
    """Return the object of what was tendered, as an error shows it."""
    return {
        "id": method,
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": billing_details(),
        kind: _card_kept() if kind == methods.CARD else {},
        "created": int(now.timestamp()),
        "customer": None,
        "livemode": False,
        "metadata": {},
        "type": kind,
    }


def billing_details(email: str | None = None) -> dict[str, Any]:
    """Return who pays: the sandbox asks for nothing but what the session knows."""
    return dict.fromkeys(("name", "phone", "tax_id")) | {
        "address": dict.fromkeys(("city", "country", "line1", "line2", "postal_code", "state")),
        "email": email,
    }


def _card_kept() -> dict[str, Any]:
    used = card_used(paid=False, amount=0)
    shown = ("brand", "checks", "country", "exp_month", "exp_year", "fingerprint", "funding", "last4")
    rest = {"generated_from": None, "three_d_secure_usage": {"supported": True}, "wallet": None}
    networks = {"networks": {"available": ["visa"], "preferred": None}}
    return {key: used[key] for key in shown} | rest | networks


def voucher_expires_at(days: int | None, now: datetime) -> datetime:
    """Return the last second of the day in Japan that many days ahead."""
    day = now.astimezone(JST) + timedelta(days=days or methods.VOUCHER_DAYS_DEFAULT)
    return day.replace(hour=23, minute=59, second=59, microsecond=0)


def voucher(page: str, expires_at: datetime) -> dict[str, Any]:
    """Return ``next_action`` of a buyer who goes to a konbini with codes for each chain."""
    code = wire.new_digits(11)
    stores = {chain: {"confirmation_number": code, "payment_code": wire.new_digits(6)} for chain in CHAINS}
    details = {"expires_at": int(expires_at.timestamp()), "hosted_voucher_url": page, "stores": stores}
    return {"type": "konbini_display_details", "konbini_display_details": details}


def instructions(page: str, account: dict[str, Any], remaining: int) -> dict[str, Any]:
    """Return ``next_action`` of a buyer who sends ``remaining`` yen to the customer's own account."""
    details = {
        "amount_remaining": remaining,
        "currency": "jpy",
        "financial_addresses": [account],
        "hosted_instructions_url": page,
        "reference": None,
        "type": "jp_bank_transfer",
    }
    return {"type": "display_bank_transfer_instructions", "display_bank_transfer_instructions": details}


def challenge(page: str) -> dict[str, Any]:
    """Return ``next_action`` of a buyer whom the card's bank asks to confirm."""
    return {"type": "redirect_to_url", "redirect_to_url": {"return_url": page, "url": f"{page}/challenge"}}


def account(number: int) -> dict[str, Any]:
    """Return the bank account with this number: ten digits, three of them the branch."""
    digits = f"{number:010d}"[-10:]
    zengin = {
        "account_holder_address": _ADDRESS,
        "account_holder_name": "ムスビサンドボックス（カ",
        "account_number": digits[3:],
        "account_type": "futsu",
        "bank_address": _ADDRESS,
        "bank_code": "9990",
        "bank_name": "サンドボックス銀行",
        "branch_code": digits[:3],
        "branch_name": "サンドボックス支店",
    }
    return {"supported_networks": ["zengin"], "type": "zengin", "zengin": zengin}
