"""What a gateway tells us about a checkout, in our own words; knows no gateway."""

from dataclasses import dataclass, field
from datetime import datetime

from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind


@dataclass(frozen=True, slots=True)
class Checkout:
    """A payment page opened at the gateway."""

    session_id: str
    url: str
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class CheckoutReport:
    """A checkout as the gateway sees it now; amounts in minor units, currencies in capitals.

    ``status`` is open, complete or expired; ``payment_status`` paid, unpaid or no_payment_required.
    ``remaining_minor`` is what a bank transfer still lacks, where a part of it has arrived.
    """

    session_id: str
    payment_id: str | None
    status: str
    payment_status: str
    amount_minor: int | None
    currency: str
    payment_intent_id: str | None = None
    intent_status: str | None = None
    charge_id: str | None = None
    remaining_minor: int | None = None


@dataclass(frozen=True, slots=True)
class EventReading:
    """Which payment a gateway event is about, and what it shows by itself."""

    payment_id: str | None
    session_id: str | None
    payment_intent_id: str | None
    charge_id: str | None
    facts: tuple[Fact, ...] = field(default=())


def facts_of_report(report: CheckoutReport, at: datetime, event_id: str | None = None) -> list[Fact]:
    """Return the facts that a fetched checkout shows; an open one shows none beyond having been opened."""

    def fact(kind: FactKind, object_id: str, amount: int | None, currency: str) -> Fact:
        return Fact(kind, object_id, amount, currency, at, event_id)

    facts = []
    kind = session_fact(report.status, report.payment_status, report.intent_status)
    if kind is not None:
        facts.append(fact(kind, report.session_id, report.amount_minor, report.currency))
    if None not in (report.remaining_minor, report.amount_minor, report.payment_intent_id):
        named = funded_id(str(report.payment_intent_id), int(report.remaining_minor or 0))
        funded = int(report.amount_minor or 0) - int(report.remaining_minor or 0)
        if funded > 0:
            facts.append(fact(FactKind.INTENT_PARTIALLY_FUNDED, named, funded, report.currency))
    return facts


def funded_id(payment_intent_id: str, remaining_minor: int) -> str:
    """Return the name of one step of a transfer that arrives in parts: each step is a fact of its own."""
    return f"{payment_intent_id}:{remaining_minor}"


def session_fact(status: str, payment_status: str, intent_status: str | None = None) -> FactKind | None:
    """Return what the state of a session means, or None while it is open.

    A delayed payment completes the session unpaid; if its intent then asks for another method, it failed.
    """
    if status == "expired":
        return FactKind.SESSION_EXPIRED
    if status != "complete":
        return None
    if payment_status == "paid":
        return FactKind.SESSION_COMPLETED_PAID
    if intent_status in {"requires_payment_method", "canceled"}:
        return FactKind.SESSION_ASYNC_FAILED
    return FactKind.SESSION_COMPLETED_UNPAID
