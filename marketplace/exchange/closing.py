"""Closing: everything that the calendar asks of the exchange's money, in one deed that may be repeated at will."""

from dataclasses import dataclass
from datetime import date, datetime

from marketplace.billing import sales
from marketplace.billing.models import Invoice
from marketplace.exchange import afterpay, renewal, settlement
from marketplace.exchange.afterpay import Chased
from marketplace.exchange.renewal import Renewals
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.jobs import task
from marketplace.kit.transaction import transaction
from marketplace.metering import periods


@dataclass(frozen=True, slots=True)
class Closing:
    """What a closing did: usage invoices, renewals, sales that providers may now draw, overdue invoices."""

    invoices: tuple[Invoice, ...]
    renewals: Renewals
    released: int
    chased: Chased


def close(actor: Actor, until: datetime) -> Closing:
    """Bill usage before an instant, then renew, release and chase as of the day in Japan that it ends.

    Each part is in transactions of its own and does only what has not been done: after a failure, run it
    again. Raises SettlementIncomplete where usage could not be billed, before anything else is done.
    """
    day = periods.day_before(until)
    invoices = settlement.settle(actor, until)
    renewals = renewal.renew(day)
    released = release(actor, day)
    return Closing(tuple(invoices), renewals, released, afterpay.chase_overdue(actor, day))


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
