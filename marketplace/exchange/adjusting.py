"""Adjusting: usage of a closed month that came late and made it cheaper is given back, where nothing offsets it."""

import logging
from datetime import datetime

from marketplace.billing import queries as billing
from marketplace.billing import rating, tax
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.documents import numbering
from marketplace.billing.models import Invoice, RatedLine
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.states import RefundReason
from marketplace.billing.subscriptions.rules import months_after
from marketplace.exchange import refund
from marketplace.exchange.refund import Why
from marketplace.identity.actors import Actor
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.transaction import transaction
from marketplace.metering import periods

log = logging.getLogger(__name__)
CARRIED_MONTHS = 2
"""For so many months after its own an adjustment may be offset by usage of the same dataset; then it is given back."""


def give_back_overdue(actor: Actor, until: datetime) -> list[str]:
    """Give back the adjustments that were carried long enough; returns the refunds, to be sent after it.

    Each goes off the last invoice that billed its period and still holds it, with its tax and a credit note, and
    is then settled as if billed. Run again, or by two at once, it gives nothing back twice. What no invoice holds
    any more, or while one of them is disputed, is carried on.
    """
    before = months_after(periods.month_of(until), -CARRIED_MONTHS)
    with transaction():
        line_ids = rating.list_adjustments(f"{before:%Y-%m}")
    return [refund_id for line_id in line_ids for refund_id in _attempted(actor, line_id)]


def _attempted(actor: Actor, line_id: str) -> list[str]:
    try:
        with transaction():
            line = rating.lock_open_line(line_id)
            return _give_back(actor, line) if line is not None else []
    except LOST_DATABASE:
        raise
    except Exception:  # one in trouble must not keep the others from their money
        log.exception("the adjustment %s could not be given back", line_id)
        return []


def _give_back(actor: Actor, line: RatedLine) -> list[str]:
    billed = [billing.require_invoice(invoice_id) for invoice_id in rating.list_invoices_of(line)]
    holding = [(invoice, gross) for invoice in billed if (gross := _gross(line, invoice)) <= refunds.left_yen(invoice)]
    if not holding or any(disputes.is_standing(invoice.id) for invoice in billed):
        log.warning("%s over %d yen is carried on: its invoices are disputed or do not hold it", line.id, line.line_yen)
        return []
    invoice, gross = holding[0]
    rating.bill([line.id], invoice.id)
    why = Why(f"adjustment:{line.id}", RefundReason.ADJUSTMENT, note=line.period)
    return refund.give_back(actor, invoice.id, gross, why)


def _gross(line: RatedLine, invoice: Invoice) -> int:
    rate = tax.rate_on(line.period_to) if invoice.registration_number else 0
    return -line.line_yen + tax.tax_on(-line.line_yen, rate, numbering.rounding_of(invoice.issuer_organization_id))
