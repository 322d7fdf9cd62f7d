"""The states of a subscription, and the moves between them."""

from enum import StrEnum


class SubscriptionState(StrEnum):
    """How a subscription stands; ``ended`` is final, whatever is heard of it later."""

    ACTIVE = "active"
    PAST_DUE = "past_due"
    ENDED = "ended"


MOVES = {
    SubscriptionState.ACTIVE: {SubscriptionState.PAST_DUE},
    SubscriptionState.PAST_DUE: {SubscriptionState.ACTIVE},
    SubscriptionState.ENDED: {SubscriptionState.ACTIVE, SubscriptionState.PAST_DUE},
}
"""From which states a subscription may come into the state named by the key."""


class EndCause(StrEnum):
    """Why a subscription ended."""

    CANCELLED = "cancelled"
    UNPAID = "unpaid"
    LICENCE_ENDED = "licence_ended"
    GRANT_REVOKED = "grant_revoked"
