"""Service level: what was measured of a month gives buyers back what the offers promised for it."""

import logging
from collections.abc import Iterator
from datetime import datetime

from marketplace.access import queries as grants
from marketplace.access.models import Grant
from marketplace.billing import queries as billing
from marketplace.billing.models import Invoice, Order, RatedLine
from marketplace.billing.rating import LIFETIME
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds.errors import RefundDisputed
from marketplace.billing.refunds.states import RefundReason
from marketplace.billing.service_levels import queries, rules, service
from marketplace.billing.service_levels.models import Measurement
from marketplace.billing.service_levels.rules import Month
from marketplace.billing.service_levels.service import MeasurementDraft
from marketplace.catalog import queries as catalog
from marketplace.exchange import cancellation, refund
from marketplace.exchange.refund import Why
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing import service_levels
from marketplace.metering import periods

log = logging.getLogger(__name__)
LOOKED_BACK_MONTHS = 3
"""How long after its month usage may still be billed, and then be credited."""


def measure(actor: Actor, draft: MeasurementDraft) -> Measurement:
    """Keep what was measured of a dataset in a month, and have its credits given; the same again changes nothing.

    Raises NotFound, MonthNotOver or ServiceLevelConflict.
    """
    catalog.get_dataset(draft.dataset_id)
    measured = service.measure(actor, draft)
    jobs.enqueue("billing.service_level.credit", dataset_id=measured.dataset_id, month=measured.month)
    return measured


@jobs.task("billing.service_level.credit")
def work_credit(dataset_id: str, month: str) -> None:
    """Give the credits of a measurement in the background."""
    credit(dataset_id, month)


def credit(dataset_id: str, month: str) -> list[str]:
    """Give every buyer back what a missed month is worth; returns the refunds. Again, it gives none.

    Each in a transaction of its own. What is disputed is left until the dispute has ended, and what is billed
    later is credited then: ``catch_up`` comes back to both.
    """
    with transaction():
        measured = queries.find_measurement(dataset_id, month)
        due = list(_due(measured)) if measured is not None else []
    return [refund_id for invoice_id, yen in due for refund_id in _give_back(dataset_id, month, invoice_id, yen)]


@jobs.task("billing.service_levels", cron="17 20 * * *")
def catch_up_nightly() -> None:
    """Give what could not be given before, at 05:17 in Japan."""
    catch_up(clock.now())


def catch_up(at: datetime) -> list[str]:
    """Give what could not be given before, for the last months that were over by an instant; returns the refunds."""
    with transaction():
        months = rules.recent(periods.month_of(at), LOOKED_BACK_MONTHS)
        measured = [(one.dataset_id, one.month) for one in queries.list_measured(months)]
    return [refund_id for dataset_id, month in measured for refund_id in credit(dataset_id, month)]


def _give_back(dataset_id: str, month: str, invoice_id: str, amount_yen: int) -> list[str]:
    request = f"service_level:{dataset_id}:{month}:{invoice_id}"
    try:
        with transaction():
            left = refunds.left_yen(billing.lock_invoice(invoice_id))
            if refunds.list_of_request(request) or not left:
                return []
            note = f"{month} {dataset_id}"
            return refund.give_back(
                SYSTEM, invoice_id, min(amount_yen, left), Why(request, RefundReason.SERVICE_LEVEL, note)
            )
    except RefundDisputed:
        return []
    except Exception:  # one invoice in trouble must not keep the others from their credit
        log.exception("the service level of %s in %s could not be credited on %s", dataset_id, month, invoice_id)
        return []


def _due(measured: Measurement) -> Iterator[tuple[str, int]]:
    month = rules.month_of(measured.month)
    for order, invoice in queries.list_sold(measured.dataset_id, month):
        yen = _of_order(order, invoice, month, measured.availability_basis_points)
        if yen > 0:
            yield invoice.id, yen
    provider_id = catalog.get_dataset(measured.dataset_id).organization_id
    for invoice in queries.list_usage_invoices(provider_id, month):
        yen = _of_usage(invoice, month, measured)
        if yen > 0:
            yield invoice.id, yen


def _of_order(order: Order, invoice: Invoice, month: Month, measured: int) -> int:
    """Return what of a price paid in advance comes back: the month's share of it, by days, times the credit."""
    steps = licensing.service_level_of(licensing.get_offer(order.offer_id))
    missed = service_levels.credit_of(steps, measured)
    grant = grants.find_grant_of_order(order.id)
    if order.term_from is not None and order.term_to is not None:
        first, last = order.term_from, order.term_to
    elif missed and grant is not None and grant.expires_at is not None and not _ended_before(grant, month):
        first, last = cancellation.days_of(grant)
    else:
        return 0
    return rules.credit_yen(rules.share_yen(invoice.amount_gross_yen, first, last, month), missed)


def _of_usage(invoice: Invoice, month: Month, measured: Measurement) -> int:
    """Return what of a usage invoice comes back: the credit of its lines for that dataset and month, with their tax."""
    if invoice.amount_net_yen == 0:
        return 0
    net = sum(_of_line(line, month, measured) for line in queries.list_billed(invoice.id))
    return net * invoice.amount_gross_yen // invoice.amount_net_yen


def _of_line(line: RatedLine, month: Month, measured: Measurement) -> int:
    grant = grants.require_grant(line.grant_id)
    if grant.dataset_id != measured.dataset_id:
        return 0
    steps = licensing.service_level_of(licensing.get_offer(grant.offer_id))
    missed = service_levels.credit_of(steps, measured.availability_basis_points)
    if line.period == month.text:
        return rules.credit_yen(line.line_yen, missed)
    if line.period != LIFETIME:
        return 0
    return rules.credit_yen(rules.share_yen(line.line_yen, line.period_from, line.period_to, month), missed)


def _ended_before(grant: Grant, month: Month) -> bool:
    return grant.revoked_at is not None and grant.revoked_at < month.begins_at
