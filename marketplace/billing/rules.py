"""What follows from what: the state of a payment out of its facts, and where a payer may be sent. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from marketplace.billing.errors import ForeignReturnUrl
from marketplace.billing.states import FactKind, PaymentState

_MONEY_ARRIVED = {FactKind.SESSION_COMPLETED_PAID, FactKind.INTENT_SUCCEEDED}
# A declined intent raises nothing: the payer may try another card in the same session.
_RAISES = (
    (FactKind.SESSION_ASYNC_FAILED, PaymentState.FAILED),
    (FactKind.SESSION_EXPIRED, PaymentState.EXPIRED),
    (FactKind.SESSION_COMPLETED_UNPAID, PaymentState.PROCESSING),
    (FactKind.INTENT_PARTIALLY_FUNDED, PaymentState.PROCESSING),
    (FactKind.SESSION_OPENED, PaymentState.OPEN),
)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing known of a payment, named by the gateway object that shows it."""

    kind: FactKind
    object_id: str
    amount_minor: int | None
    currency: str
    occurred_at: datetime
    event_id: str | None = None


def payment_state(amount_minor: int, currency: str, facts: Iterable[Fact]) -> PaymentState:
    """Return the state that a set of facts amounts to, whatever their order and however often each came.

    Adding a fact never lowers the state. Money of another amount or currency than asked for is held:
    it never fulfils anything until the asked amount is seen.
    """
    known = list(facts)
    arrived = [fact for fact in known if fact.kind in _MONEY_ARRIVED]
    if any((fact.amount_minor, fact.currency) == (amount_minor, currency) for fact in arrived):
        return PaymentState.PAID
    if arrived:
        return PaymentState.HELD
    kinds = {fact.kind for fact in known}
    return next((state for kind, state in _RAISES if kind in kinds), PaymentState.CREATED)


def require_own_url(url: str, site_url: str) -> str:
    """Return the address if it lies on our own origin; raises ForeignReturnUrl (an open redirect) otherwise."""
    try:
        ours, theirs = urlsplit(site_url), urlsplit(url)
        same = (ours.scheme, ours.netloc) == (theirs.scheme, theirs.netloc)
    except ValueError:
        same = False
    if not same or "\\" in url or any(character <= " " for character in url):
        raise ForeignReturnUrl
    return url
