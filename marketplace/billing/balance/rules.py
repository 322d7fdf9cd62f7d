"""What a movement of the gateway's balance is booked as where no story of ours has booked it. Pure."""

import re
from datetime import datetime, timedelta

from marketplace.billing import postings
from marketplace.billing.postings import Entry

GRACE = timedelta(hours=1)
"""How long a movement waits for the posting it belongs to: the gateway may be ahead of our own inbox."""

# Booked by purchase, refund, dispute and payout, each in its own story; here they are only found again.
TOLD_ELSEWHERE = frozenset(
    {
        "charge",
        "payment",
        "refund",
        "payment_refund",
        "refund_failure",
        "payment_failure_refund",
        "payment_reversal",
        "adjustment",
        "transfer",
        "transfer_refund",
        "transfer_cancel",
        "transfer_failure",
    }
)
_FEES = frozenset({"stripe_fee", "stripe_fx_fee", "tax_fee"})
_TO_THE_BANK = frozenset({"payout"})
_FROM_THE_BANK = frozenset({"payout_failure", "payout_cancel", "topup"})
INCOMING = frozenset({"charge", "payment"})
"""Movements that a payment by a buyer causes."""
OUTGOING = frozenset({"refund", "payment_refund"})
"""Movements that a refund to a buyer causes."""
IN_PARTS = frozenset({"transfer_refund"})
"""Movements of which several may make one posting of ours."""
# What these hold, invoices, refunds, disputes, payouts and earnings say, each by its own deed (I2, I3 and I5).
_KEPT_BY_DEEDS = re.compile(
    r"(Assets:(Clearing|Suspense|Receivable|DisputesHeld)"
    r"|Liabilities:(Provider|RefundsInTransit|PayoutsInTransit))(:|$)"
)


def own_entries(kind: str, amount_minor: int, currency: str) -> list[Entry]:
    """Return the entries of a movement that only the balance tells of, or none where it is not such a one.

    A payout carries money from the gateway to the exchange's bank account, a fee of its own what the gateway
    charges beside payments. A movement against the direction of its kind is none that we know.
    """
    if kind in _TO_THE_BANK and amount_minor < 0:
        return in_currency(postings.gateway_payout(-amount_minor), currency)
    if kind in _FROM_THE_BANK and amount_minor > 0:
        return in_currency(postings.gateway_payout_failed(amount_minor), currency)
    if kind in _FEES:
        return fee_entries(-amount_minor, currency)
    return []


def fee_entries(fee_minor: int, currency: str) -> list[Entry]:
    """Return the entries of what the gateway keeps back, or (below zero) gives back."""
    if fee_minor < 0:
        return in_currency(postings.processing_fee_returned(-fee_minor), currency)
    return in_currency(postings.processing_fee(fee_minor), currency)


def in_currency(entries: list[Entry], currency: str) -> list[Entry]:
    """Return the entries on the accounts' twins in a currency."""
    return [(postings.in_currency(entry[0], currency), entry[1]) for entry in entries]


def explained(account: str, net_minor: int, currency: str) -> list[Entry]:
    """Return the entries that take a movement out of suspense to the account where it belongs."""
    return in_currency(postings.explained(account, net_minor), currency)


def is_kept_by_deeds(account: str) -> bool:
    """Tell whether only deeds of ours may move an account, so that a correction by hand would break the books."""
    return _KEPT_BY_DEEDS.match(account) is not None


def is_exchange(sold: tuple[int, str], bought: tuple[int, str]) -> bool:
    """Tell whether two movements, each an amount and its currency, can be foreign money changed into yen."""
    return sold[0] < 0 < bought[0] and sold[1] != postings.HOME == bought[1]


def may_wait(kind: str, created_at: datetime, now: datetime) -> bool:
    """Tell whether a movement that nothing explains yet may still be explained by our own inbox."""
    return kind in TOLD_ELSEWHERE and now - created_at < GRACE
