"""The states and ways of payouts, and the moves between them."""

from enum import StrEnum

from marketplace.kit.labels import Labelled


class PayoutState(StrEnum):
    """How far a payout has come. What failed or was cancelled may be drawn again, in another payout."""

    CREATED = "created"
    APPROVED = "approved"
    SENT = "sent"
    PAID = "paid"
    FAILED = "failed"
    CANCELLED = "cancelled"


class PayoutWay(StrEnum):
    """How the money travels: by bank transfer, as a transfer inside the gateway, or (a claim) from the provider."""

    BANK = "bank"
    CONNECT = "connect"
    CLAIM = "claim"


class AccountType(Labelled):
    """The type of a Japanese bank account, as the banks' transfer file numbers it."""

    ORDINARY = "1", "普通", "Ordinary"
    CURRENT = "2", "当座", "Current"
    SAVINGS = "4", "貯蓄", "Savings"


# What the bank has may still bounce, also after it was noted as paid; what it has not may be called off.
MOVES = {
    PayoutState.APPROVED: {PayoutState.CREATED},
    PayoutState.SENT: {PayoutState.APPROVED},
    PayoutState.PAID: {PayoutState.SENT},
    PayoutState.FAILED: {PayoutState.SENT, PayoutState.PAID},
    PayoutState.CANCELLED: {PayoutState.CREATED, PayoutState.APPROVED},
}
"""From which states a payout may come into the state named by the key."""
