"""Reading what was measured."""

from collections.abc import Sequence

from sqlalchemy import select

from marketplace.billing.models import Invoice, Order, RatedLine
from marketplace.billing.service_levels.models import Measurement
from marketplace.billing.service_levels.rules import Month
from marketplace.billing.states import InvoiceKind
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.pages import Page


def find_measurement(dataset_id: str, month: str) -> Measurement | None:
    """Return what was measured of a dataset in a month, if it was."""
    query = select(Measurement).where(Measurement.dataset_id == dataset_id, Measurement.month == month)
    return db.session.scalar(query)


def list_measured(months: Sequence[str]) -> Sequence[Measurement]:
    """Return what was measured in these months, oldest first."""
    query = select(Measurement).where(Measurement.month.in_(months))
    return db.session.scalars(query.order_by(Measurement.id)).all()


def list_measurements(
    cursor: str | None = None, size: int = pages.SIZE_DEFAULT, *, dataset_id: str | None = None
) -> Page[Measurement]:
    """List measurements, newest first; of one dataset where it is given."""
    query = select(Measurement).order_by(Measurement.id.desc()).limit(size + 1)
    if dataset_id is not None:
        query = query.where(Measurement.dataset_id == dataset_id)
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Measurement.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda one: [one.id])


def list_sold(dataset_id: str, month: Month) -> Sequence[tuple[Order, Invoice]]:
    """Return the orders of a dataset that were placed before a month's end and billed, with their invoices."""
    query = (
        select(Order, Invoice)
        .join(Invoice, Invoice.order_id == Order.id)
        .where(Order.dataset_id == dataset_id, Order.created_at < month.ends_at)
        .order_by(Invoice.id)
    )
    return [(row[0], row[1]) for row in db.session.execute(query)]


def list_usage_invoices(provider_id: str, month: Month) -> Sequence[Invoice]:
    """Return the invoices of a provider that bill usage within a month, or in a period that touches it."""
    query = select(Invoice).where(
        Invoice.kind == InvoiceKind.USAGE.value,
        Invoice.issuer_organization_id == provider_id,
        Invoice.period_from <= month.last,
        Invoice.period_to >= month.first,
    )
    return db.session.scalars(query.order_by(Invoice.id)).all()


def list_billed(invoice_id: str) -> Sequence[RatedLine]:
    """Return what of grants' usage an invoice bills."""
    query = select(RatedLine).where(RatedLine.invoice_id == invoice_id)
    return db.session.scalars(query.order_by(RatedLine.grant_id, RatedLine.id)).all()
