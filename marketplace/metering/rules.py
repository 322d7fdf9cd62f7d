"""How a delivery is judged when it ends: pure."""

from dataclasses import asdict, dataclass
from datetime import timedelta

from marketplace.metering.states import DeliveryState

FREE_AGAIN = timedelta(hours=24)
"""For how long after a download fell due its content may be fetched again without another one."""


@dataclass(frozen=True, slots=True)
class Allowance:
    """What a grant may fetch in all, and how many downloads may run at once; None is no limit."""

    bytes: int | None = None
    downloads: int | None = None
    rows: int | None = None
    requests: int | None = None
    streams: int | None = None

    def limits(self) -> dict[str, int | None]:
        """Return the limits by the names of their columns."""
        return {f"limit_{name}": value for name, value in asdict(self).items()}


@dataclass(frozen=True, slots=True)
class Ending:
    """The final figures of a delivery: 0 <= ``bytes_acked`` <= ``bytes_sent`` <= its length."""

    state: DeliveryState
    bytes_sent: int
    bytes_acked: int


def judge(length: int, sent: int, acked: int, outcome: str) -> Ending:
    """Return what a reported end amounts to, in doubt to the buyer's favour.

    Complete is what was acknowledged to the last byte, whatever the outcome says. Figures that cannot
    be (more acknowledged than sent, more sent than asked for, below zero) are cut down, never up.
    """
    bytes_sent = max(0, min(sent, length))
    bytes_acked = max(0, min(acked, bytes_sent))
    if bytes_acked == length:
        return Ending(DeliveryState.COMPLETE, bytes_sent, bytes_acked)
    unfinished = {DeliveryState.STALLED.value, DeliveryState.SWEPT.value}
    state = DeliveryState(outcome) if outcome in unfinished else DeliveryState.BROKEN
    return Ending(state, bytes_sent, bytes_acked)
