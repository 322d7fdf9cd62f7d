"""A gateway and whoever buys there, without a browser: in our sandbox, and at Stripe with its test cards.

At Stripe a page is paid as Stripe's own command line tool pays one for ``stripe trigger checkout.session.completed``
(github.com/stripe/stripe-cli, pkg/fixtures/triggers), at an address that its documentation does not name. Should Stripe
close it, the journeys that need it are skipped and say so. The cards, and what decides disputes: docs.stripe.com/testing.
"""

import secrets
from abc import ABC, abstractmethod
from datetime import datetime, timedelta
from typing import Any

import pytest
import requests

from marketplace.billing.checkout import Checkout
from marketplace.billing.gateways.stripe import StripeGateway
from marketplace.kit import clock
from marketplace.licensing.states import Rail
from marketplace.sandbox import controls
from tests.live import wait_until

STRIPE = "https://api.stripe.com/v1"
SECONDS = 30
PAYER = {
    "billing_details[name]": "試験 太郎",
    "billing_details[email]": "buyer@example.com",
    "billing_details[address][country]": "JP",
    "billing_details[address][postal_code]": "060-8611",
    "billing_details[address][state]": "北海道",
    "billing_details[address][city]": "札幌市",
    "billing_details[address][line1]": "北1条西2丁目",
}
NO_BROWSER = {"automatic_payment_methods[enabled]": "true", "automatic_payment_methods[allow_redirects]": "never"}


class Shop(ABC):
    """A gateway, the address to which it sends buyers back, and what buyers and their banks do there."""

    def __init__(self, gateway: StripeGateway, site: str) -> None:
        self.gateway, self.site = gateway, site

    def open(self, yen: int = 500, key: str | None = None, **how: Any) -> Checkout:
        """Open a page for some yen."""
        payment_id = f"pay_{secrets.token_hex(8)}"
        asked = {
            "payment_id": payment_id,
            "amount_yen": yen,
            "description": "札幌市 人流データ",
            "success_url": f"{self.site}/checkout/x/done",
            "cancel_url": f"{self.site}/checkout/x/cancelled",
            "idempotency_key": key or f"checkout:{payment_id}",
            "expires_at": clock.now() + timedelta(hours=1),
            "rails": (Rail.CARD,),
        }
        return self.gateway.create_checkout(**(asked | how))

    def event(self, since: datetime, kind: str, **named: str) -> dict[str, Any]:
        """Wait for the event of a type about an object with these fields: a gateway may be late with it."""

        def find() -> dict[str, Any] | None:
            of_kind = (one for one in self.gateway.list_events(since) if one["type"] == kind)
            return next((one for one in of_kind if named.items() <= one["data"]["object"].items()), None)

        found: dict[str, Any] = wait_until(f"{kind} of {named}", find)
        return found

    @abstractmethod
    def charge(self, yen: int) -> str:
        """Pay some yen that no order asked for; returns the payment intent's id."""

    @abstractmethod
    def fail_3d_secure(self, yen: int) -> str:
        """Pay with a card that asks for 3-D Secure, and do not pass it; returns the payment intent's id."""

    @abstractmethod
    def pay(self, session_id: str) -> None:
        """Pay a page by card."""

    @abstractmethod
    def pay_and_dispute(self, session_id: str) -> None:
        """Pay a page by card, and contest that at the bank."""

    @abstractmethod
    def be_asked_for_3d_secure(self, session_id: str) -> None:
        """Pay a page with a card that asks for 3-D Secure, and do not answer."""

    @abstractmethod
    def decide(self, dispute_id: str, outcome: str) -> None:
        """Let the bank decide a dispute: ``won`` or ``lost``."""

    @abstractmethod
    def connected_account(self) -> str:
        """Return an account that takes transfers; skips the test where there is none."""


class Sandbox(Shop):
    """Our own sandbox, where buyers and banks do as its controls say."""

    def charge(self, yen: int) -> str:
        session_id = self.open(yen).session_id
        controls.pay(session_id)
        return self.gateway.fetch_checkout(session_id).payment_intent_id or ""

    def fail_3d_secure(self, yen: int) -> str:
        session_id = self.open(yen).session_id
        controls.challenge(session_id)
        controls.answer_challenge(session_id, passed=False)
        return self.gateway.fetch_checkout(session_id).payment_intent_id or ""

    def pay(self, session_id: str) -> None:
        controls.pay(session_id)

    def pay_and_dispute(self, session_id: str) -> None:
        controls.pay(session_id)
        controls.open_dispute(self.gateway.fetch_checkout(session_id).charge_id or "")

    def be_asked_for_3d_secure(self, session_id: str) -> None:
        controls.challenge(session_id)

    def decide(self, dispute_id: str, outcome: str) -> None:
        controls.submit_evidence(dispute_id)
        controls.close_dispute(dispute_id, outcome)

    def connected_account(self) -> str:
        return "acct_1SandboxSapporo"


class Stripe(Shop):
    """Stripe's test mode, asked past our own code: what buyers do there is not the exchange's doing."""

    def __init__(self, gateway: StripeGateway, site: str, api_key: str) -> None:
        super().__init__(gateway, site)
        self._auth = (api_key, "")

    def charge(self, yen: int) -> str:
        return str(self._sent("payment_intents", **self._intent(yen, "pm_card_visa"))["id"])

    def fail_3d_secure(self, yen: int) -> str:
        asked = self._intent(yen, "pm_card_authenticationRequired", error_on_requires_action="true")
        error = self._post("payment_intents", asked, 402)["error"]
        assert "authentication" in error["code"], error
        return str(error["payment_intent"]["id"])

    def pay(self, session_id: str) -> None:
        self._on_page(session_id, "tok_visa")

    def pay_and_dispute(self, session_id: str) -> None:
        self._on_page(session_id, "tok_createDispute")

    def be_asked_for_3d_secure(self, session_id: str) -> None:
        self._on_page(session_id, "tok_threeDSecure2Required")

    def decide(self, dispute_id: str, outcome: str) -> None:
        evidence = {"won": "winning_evidence", "lost": "losing_evidence"}[outcome]
        self._sent(f"disputes/{dispute_id}", **{"evidence[uncategorized_text]": evidence, "submit": "true"})

    def connected_account(self) -> str:
        answer = requests.get(f"{STRIPE}/accounts", {"limit": "100"}, auth=self._auth, timeout=SECONDS)
        listed = answer.json().get("data", []) if answer.ok else []
        able = [one["id"] for one in listed if one.get("capabilities", {}).get("transfers") == "active"]
        if not able:
            pytest.skip("this account has no connected account that takes transfers")
        return str(able[0])

    def _intent(self, yen: int, card: str, **more: str) -> dict[str, str]:
        return {"amount": str(yen), "currency": "jpy", "payment_method": card, "confirm": "true"} | NO_BROWSER | more

    def _on_page(self, session_id: str, token: str) -> None:
        card = self._sent("payment_methods", **{"type": "card", "card[token]": token}, **PAYER)["id"]
        page = requests.get(f"{STRIPE}/checkout/sessions/{session_id}", auth=self._auth, timeout=SECONDS).json()
        asked = {"payment_method": card, "expected_amount": str(page["amount_total"])}
        answer = self._answer(f"payment_pages/{session_id}/confirm", asked)
        if answer.status_code in {400, 403, 404}:
            pytest.skip(f"Stripe lets no program pay its pages: {answer.text}")
        assert answer.status_code == 200, answer.text

    def _sent(self, address: str, **asked: str) -> dict[str, Any]:
        return self._post(address, asked, 200)

    def _post(self, address: str, asked: dict[str, str], status: int) -> dict[str, Any]:
        answer = self._answer(address, asked)
        assert answer.status_code == status, answer.text
        said: dict[str, Any] = answer.json()
        return said

    def _answer(self, address: str, asked: dict[str, str]) -> requests.Response:
        return requests.post(f"{STRIPE}/{address}", asked, auth=self._auth, timeout=SECONDS)
