"""After-pay (請求書払い): what follows when an invoice is paid, and when it is not paid in time."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from marketplace.access import service as access
from marketplace.access.states import Cause
from marketplace.billing import queries
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables import service as receiving
from marketplace.billing.states import Dunning, InvoiceState
from marketplace.exchange import purchase
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs, settings
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Chased:
    """What a look at the overdue invoices did: the numbers reminded of, suspended for, and lifted."""

    reminded: tuple[str, ...]
    suspended: tuple[str, ...]
    lifted: tuple[str, ...]


@jobs.task("billing.overdue", cron="41 21 * * *")
def work_overdue() -> None:
    """Remind of what is overdue at 06:41 in Japan, end access where that did not help, and open it where it did."""
    chase_overdue(SYSTEM)


def chase_overdue(actor: Actor, on: date | None = None) -> Chased:
    """Take every overdue invoice one step further, each in a transaction of its own; running twice does it once.

    The day after it was due it is reminded of; when the days of grace are over, the grants it bills are
    suspended. What was paid meanwhile, or credited, has its grants opened again.
    """
    day, grace = on or clock.today(), timedelta(days=settings.current().overdue_grace_days)
    with transaction():
        overdue = [(invoice.id, invoice.number) for invoice in receivables.list_overdue(day)]
        late = [(invoice.id, invoice.number) for invoice in receivables.list_overdue(day - grace)]
        paid = [(invoice.id, invoice.number) for invoice in receivables.list_paid_suspended()]
    return Chased(
        reminded=_each(actor, _remind, overdue),
        suspended=_each(actor, _suspend, late),
        lifted=_each(actor, lift_if_paid, paid),
    )


def lift_if_paid(actor: Actor, invoice_id: str) -> bool:
    """Open the grants again that an unpaid invoice had suspended, once it is paid; True if it was one."""
    invoice = queries.lock_invoice(invoice_id)
    if invoice.state != InvoiceState.PAID or invoice.dunning != Dunning.SUSPENDED:
        return False
    receiving.note_dunning(actor, invoice_id, Dunning.NONE)
    for grant_id in billed_grants(invoice):
        access.lift(actor, grant_id, Cause.OVERDUE, invoice_id)
    return True


def billed_grants(invoice: Invoice) -> list[str]:
    """Return the grants that an invoice bills: that of its order, or those whose usage it lists."""
    if invoice.order_id is None:
        return sorted({line["grant_id"] for line in invoice.lines if line.get("grant_id")})
    grant_id = purchase.of_order(queries.require_order(invoice.order_id)).grant_id
    return [grant_id] if grant_id else []


def _remind(actor: Actor, invoice_id: str) -> bool:
    invoice = queries.lock_invoice(invoice_id)
    if invoice.state != InvoiceState.OPEN or invoice.dunning != Dunning.NONE:
        return False
    return receiving.note_dunning(actor, invoice_id, Dunning.REMINDED)


def _suspend(actor: Actor, invoice_id: str) -> bool:
    invoice = queries.lock_invoice(invoice_id)
    if invoice.state != InvoiceState.OPEN or invoice.dunning == Dunning.SUSPENDED:
        return False
    receiving.note_dunning(actor, invoice_id, Dunning.SUSPENDED)
    for grant_id in billed_grants(invoice):
        access.suspend(actor, grant_id, Cause.OVERDUE, invoice_id)
    return True


def _each(actor: Actor, step: Callable[[Actor, str], bool], invoices: Sequence[tuple[str, str]]) -> tuple[str, ...]:
    done = []
    for invoice_id, number in invoices:
        try:
            with transaction():
                if step(actor, invoice_id):
                    done.append(number)
        except LOST_DATABASE:
            raise
        except Exception:
            # One invoice in trouble must not keep the others waiting; the next run comes back to it.
            log.exception("the overdue invoice %s could not be worked on", number)
    return tuple(done)
