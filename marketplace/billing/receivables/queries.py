"""Reading what buyers owe."""

from collections.abc import Sequence
from datetime import date

from sqlalchemy import func, select

from marketplace.billing import ledger_queries, postings
from marketplace.billing.models import Invoice
from marketplace.billing.receivables.models import BuyerAccount, InvoicePayment
from marketplace.billing.states import Dunning, InvoiceState
from marketplace.kit import settings
from marketplace.kit.db import db

_REST = Invoice.amount_gross_yen - Invoice.paid_yen - Invoice.credited_yen
_OPEN = Invoice.state == InvoiceState.OPEN.value


def rest_of(invoice: Invoice) -> int:
    """Return what is still owed on an invoice, in yen."""
    return invoice.amount_gross_yen - invoice.paid_yen - invoice.credited_yen


def owed_yen(organization_id: str) -> int:
    """Return what a buyer owes on all its open invoices, in yen with tax."""
    query = select(func.coalesce(func.sum(_REST), 0)).where(_OPEN, Invoice.recipient_organization_id == organization_id)
    return int(db.session.execute(query).scalar_one())


def unapplied_yen(organization_id: str) -> int:
    """Return the money of a payer that pays nothing yet, in yen, as the ledger has it."""
    return -ledger_queries.balance_of(postings.unapplied(organization_id))


def credit_limit_yen(organization_id: str) -> int:
    """Return what a buyer may owe at a time: its own limit, or that of the settings."""
    own = db.session.scalar(
        select(BuyerAccount.credit_limit_yen).where(BuyerAccount.organization_id == organization_id)
    )
    return settings.current().credit_limit_yen if own is None else own


def list_open(organization_id: str) -> Sequence[Invoice]:
    """Return a buyer's open invoices in the order in which money pays them: first due first."""
    query = select(Invoice).where(_OPEN, Invoice.recipient_organization_id == organization_id)
    return db.session.scalars(query.order_by(Invoice.due_on, Invoice.issued_on, Invoice.number)).all()


def list_overdue(before: date, organization_id: str | None = None) -> Sequence[Invoice]:
    """Return the open invoices that were due before that day, first due first."""
    query = select(Invoice).where(_OPEN, Invoice.due_on < before).order_by(Invoice.due_on, Invoice.id)
    if organization_id is not None:
        query = query.where(Invoice.recipient_organization_id == organization_id)
    return db.session.scalars(query).all()


def list_paid_suspended() -> Sequence[Invoice]:
    """Return the invoices that are paid by now, and whose access still rests because they were not."""
    paid = (Invoice.state == InvoiceState.PAID.value, Invoice.dunning == Dunning.SUSPENDED.value)
    return db.session.scalars(select(Invoice).where(*paid).order_by(Invoice.id)).all()


def list_payments(invoice_id: str) -> Sequence[InvoicePayment]:
    """Return every sum applied to an invoice, oldest first."""
    query = select(InvoicePayment).where(InvoicePayment.invoice_id == invoice_id)
    return db.session.scalars(query.order_by(InvoicePayment.applied_at, InvoicePayment.source_ref)).all()


def list_paid_by(source_ref: str) -> Sequence[tuple[Invoice, InvoicePayment]]:
    """Return the invoices to which money of one source was applied, and how much, issuer by issuer.

    Whoever issues their receipts draws the numbers of several issuers, and draws them in this order.
    """
    query = (
        select(Invoice, InvoicePayment)
        .join(InvoicePayment, InvoicePayment.invoice_id == Invoice.id)
        .where(InvoicePayment.source_ref == source_ref)
        .order_by(Invoice.issuer_organization_id, Invoice.id)
    )
    return [(row[0], row[1]) for row in db.session.execute(query)]
