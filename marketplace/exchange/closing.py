"""Closing: everything that the calendar asks of the exchange's money, in one deed that may be repeated at will."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from marketplace.billing import sales
from marketplace.billing.models import Invoice
from marketplace.exchange import afterpay, outside, renewal, service_level, settlement
from marketplace.exchange.afterpay import Chased
from marketplace.exchange.errors import SettlementIncomplete
from marketplace.exchange.renewal import Renewals
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.jobs import task
from marketplace.kit.transaction import transaction
from marketplace.metering import periods


@dataclass(frozen=True, slots=True)
class Closing:
    """What a closing did; each part names what it did now, and nothing that was done before.

    ``expired``: orders for which no payment slip came. ``invoices``: of usage. ``adjusted``, ``credited``: refunds of
    usage that became cheaper, and for missed service levels. ``released``: sales that providers may now draw.
    """

    expired: tuple[str, ...]
    invoices: tuple[Invoice, ...]
    adjusted: tuple[str, ...]
    credited: tuple[str, ...]
    renewals: Renewals
    released: int
    chased: Chased


class ClosingIncomplete(SettlementIncomplete):
    """A closing that did all but bill the pairs in ``failed``; what it did is in ``done``."""

    def __init__(self, done: Closing, failed: Sequence[dict[str, str]]) -> None:
        super().__init__(failed=list(failed), issued=[invoice.number for invoice in done.invoices])
        self.done = done


def close(actor: Actor, until: datetime) -> Closing:
    """Expire, bill and credit before an instant, then renew, release and chase as of the day in Japan that it ends.

    Each part is in transactions of its own and does only what has not been done: after a failure, run it
    again. Raises ClosingIncomplete where usage could not be billed, after everything else is done.
    """
    day = periods.day_before(until)
    expired = outside.expire_unpaid(actor, until)
    settled = settlement.bill(actor, until)
    # After the bills, which may be credited at once, and before anybody is reminded of what was credited.
    credited = service_level.catch_up(until)
    renewals, released = renewal.renew(day), release(actor, day)
    chased = afterpay.chase_overdue(actor, day)
    done = Closing(tuple(expired), settled.invoices, settled.adjusted, tuple(credited), renewals, released, chased)
    if settled.failed:
        raise ClosingIncomplete(done, settled.failed)
    return done


@task("billing.release", cron="35 15 * * *")
def release_nightly() -> None:
    """Let providers draw what was held long enough, at 00:35 in Japan."""
    release(SYSTEM, clock.today())


def release(actor: Actor, day: date) -> int:
    """Let providers draw the sales whose hold period is over on a day in Japan; returns how many.

    In transactions of some hundred sales each: after a failure, what was released stays so.
    """
    released = 0
    while done := _release_some(actor, day):
        released += done
    return released


def _release_some(actor: Actor, day: date) -> int:
    with transaction():
        return sales.release_due(actor, day)
