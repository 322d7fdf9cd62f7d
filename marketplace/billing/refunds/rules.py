"""How a refund is spread over where the money came from, and what the gateway's word means. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from marketplace.billing.refunds.states import RANK, RefundState, RefundWay

_SEEN = {
    "pending": RefundState.SENT,
    "requires_action": RefundState.SENT,
    "succeeded": RefundState.SUCCEEDED,
    "failed": RefundState.FAILED,
    "canceled": RefundState.FAILED,
}


@dataclass(frozen=True, slots=True)
class Source:
    """Money that an invoice got, and how much of it has not gone back: where a refund can be taken from."""

    way: RefundWay
    left_yen: int
    payment_id: str | None = None


def spread(amount_yen: int, sources: Sequence[Source]) -> list[tuple[Source, int]]:
    """Take an amount from the sources in their order, each up to what is left of it.

    What is still owed comes first in that order: money that was never paid is not sent back.
    Raises ValueError when the sources do not hold so much.
    """
    taken: list[tuple[Source, int]] = []
    for source in sources:
        part = min(amount_yen, source.left_yen)
        if part > 0:
            taken.append((source, part))
            amount_yen -= part
    if amount_yen:
        raise ValueError(f"{amount_yen} yen more than the sources hold")
    return taken


def raised(before: RefundState, gateway_status: str) -> RefundState:
    """Return the state after hearing a status, in whatever order statuses come: never a lower one than before."""
    seen = _SEEN.get(gateway_status, RefundState.SENT)
    return max(before, seen, key=RANK.__getitem__)


def unused_yen(gross_yen: int, first: date, last: date, ends_on: date) -> int:
    """Return what of a period's price falls on its days after ``ends_on``, floored; the last day used is paid."""
    days = (last - first).days + 1
    unused = min(max((last - ends_on).days, 0), days)
    return gross_yen * unused // days
