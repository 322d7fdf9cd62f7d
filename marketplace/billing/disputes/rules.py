"""What the gateway's word on a dispute means, in whatever order words come. Pure."""

from marketplace.billing.disputes.states import RANK, DisputeState

_SEEN = {
    "needs_response": DisputeState.OPENED,
    "under_review": DisputeState.OPENED,
    "won": DisputeState.WON,
    "lost": DisputeState.LOST,
}


def seen(gateway_status: str) -> DisputeState:
    """Return what a status of the gateway says; inquiries, and what was prevented, move no money."""
    return _SEEN.get(gateway_status, DisputeState.WARNING)


def raised(before: DisputeState, gateway_status: str) -> DisputeState:
    """Return the state after hearing a status: never a lower one than before, and never another end."""
    after = seen(gateway_status)
    return after if RANK[after] > RANK[before] else before
