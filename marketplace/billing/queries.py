"""Reading orders, payments and invoices. Parties see their own, overseers all, others nothing."""

from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import ColumnElement, Select, func, or_, select, true

from marketplace.billing.errors import InvoiceNotFound, OrderNotFound, PaymentUnknown
from marketplace.billing.models import Invoice, Order, Payment, PaymentFact
from marketplace.billing.states import InvoiceKind, InvoiceState, OrderState, PaymentState
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page

Listed = TypeVar("Listed", Order, Invoice)


def get_order(actor: Actor, order_id: str) -> Order:
    """Return an order that the actor is a party to or oversees; raises OrderNotFound."""
    own = select(Order).where(Order.id == order_id, order_visible(actor))
    order = db.session.scalar(own) if is_id(order_id) else None
    if order is None:
        raise OrderNotFound
    return order


def reread(*rows: Order | Payment) -> None:
    """Read rows as they are committed now."""
    for row in rows:
        db.session.refresh(row)


def require_order(order_id: str) -> Order:
    """Return an order for a story of the exchange itself; raises OrderNotFound."""
    order = db.session.get(Order, order_id)
    if order is None:
        raise OrderNotFound
    return order


def lock_order(order_id: str) -> Order:
    """Return the order as committed last, locked until the transaction ends; raises OrderNotFound."""
    query = select(Order).where(Order.id == order_id).with_for_update()
    order = db.session.scalar(query, execution_options={"populate_existing": True}) if is_id(order_id) else None
    if order is None:
        raise OrderNotFound
    return order


def list_orders(
    actor: Actor,
    cursor: str | None = None,
    size: int = pages.SIZE_DEFAULT,
    *,
    state: OrderState | None = None,
) -> Page[Order]:
    """Return the orders that the actor may see, newest first."""
    query = select(Order).where(order_visible(actor))
    if state is not None:
        query = query.where(Order.state == state.value)
    return _page(query, Order, cursor, size)


def get_invoice(actor: Actor, invoice_id: str) -> Invoice:
    """Return an invoice that the actor is a party to or oversees; raises InvoiceNotFound."""
    own = select(Invoice).where(Invoice.id == invoice_id, _invoice_visible(actor))
    invoice = db.session.scalar(own) if is_id(invoice_id) else None
    if invoice is None:
        raise InvoiceNotFound
    return invoice


def require_invoice(invoice_id: str) -> Invoice:
    """Return an invoice for a story of the exchange itself; raises InvoiceNotFound."""
    invoice = db.session.get(Invoice, invoice_id)
    if invoice is None:
        raise InvoiceNotFound
    return invoice


def lock_invoice(invoice_id: str) -> Invoice:
    """Return the invoice as committed last, locked until the transaction ends; raises InvoiceNotFound."""
    query = select(Invoice).where(Invoice.id == invoice_id).with_for_update()
    invoice = db.session.scalar(query, execution_options={"populate_existing": True}) if is_id(invoice_id) else None
    if invoice is None:
        raise InvoiceNotFound
    return invoice


def list_orders_since(organization_id: str, since: datetime) -> Sequence[Order]:
    """Return the orders that an organization has placed from an instant on, those that cost something before tax."""
    placed = (Order.organization_id == organization_id, Order.created_at >= since, Order.amount_net_yen > 0)
    return db.session.scalars(select(Order).where(*placed).order_by(Order.id)).all()


def list_orders_beside(order: Order) -> Sequence[Order]:
    """Return all orders of the subscription that an order belongs to, or that order alone."""
    if order.subscription_id is None:
        return [order]
    same = select(Order).where(Order.subscription_id == order.subscription_id).order_by(Order.id)
    return db.session.scalars(same, execution_options={"populate_existing": True}).all()


def find_invoice_of_order(order_id: str) -> Invoice | None:
    """Return the invoice of a sale, if it has been issued."""
    return db.session.scalar(select(Invoice).where(Invoice.order_id == order_id).order_by(Invoice.id).limit(1))


def list_invoices(
    actor: Actor,
    cursor: str | None = None,
    size: int = pages.SIZE_DEFAULT,
    *,
    state: InvoiceState | None = None,
    kind: InvoiceKind | None = None,
) -> Page[Invoice]:
    """Return the invoices that the actor may see, newest first."""
    query = select(Invoice).where(_invoice_visible(actor))
    if state is not None:
        query = query.where(Invoice.state == state.value)
    if kind is not None:
        query = query.where(Invoice.kind == kind.value)
    return _page(query, Invoice, cursor, size)


def get_payment(payment_id: str) -> Payment:
    """Return a payment; raises PaymentUnknown."""
    payment = db.session.get(Payment, payment_id)
    if payment is None:
        raise PaymentUnknown
    return payment


def find_payment(
    payment_id: str | None = None,
    session_id: str | None = None,
    payment_intent_id: str | None = None,
) -> Payment | None:
    """Return the payment that a gateway object names, by the first of these ids that is given and known."""
    for column, value in (
        (Payment.id, payment_id),
        (Payment.session_id, session_id),
        (Payment.payment_intent_id, payment_intent_id),
    ):
        payment = db.session.scalar(select(Payment).where(column == value)) if value else None
        if payment is not None:
            return payment
    return None


def list_payments(*, order_id: str | None = None, invoice_id: str | None = None) -> Sequence[Payment]:
    """Return all attempts to pay an order or an invoice, newest first."""
    purpose = Payment.order_id == order_id if order_id else Payment.invoice_id == invoice_id
    return db.session.scalars(select(Payment).where(purpose).order_by(Payment.id.desc())).all()


def list_overdue_payment_ids(closed_before: datetime) -> Sequence[str]:
    """Return the payments that are under way though their page closed before that instant, oldest first.

    One whose page was never noted counts from its own beginning: the page may be there, and be paid.
    """
    under_way = (PaymentState.CREATED, PaymentState.OPEN, PaymentState.PROCESSING)
    closed_at = func.coalesce(Payment.session_expires_at, Payment.created_at)
    query = select(Payment.id).where(Payment.state.in_(under_way), closed_at < closed_before)
    return db.session.scalars(query.order_by(Payment.id)).all()


def list_facts(payment_id: str) -> Sequence[PaymentFact]:
    """Return what is known of a payment, oldest first."""
    query = (
        select(PaymentFact)
        .where(PaymentFact.payment_id == payment_id)
        .order_by(PaymentFact.occurred_at, PaymentFact.kind, PaymentFact.object_id)
    )
    return db.session.scalars(query).all()


def order_visible(actor: Actor) -> ColumnElement[bool]:
    """Return the condition of the orders that the actor is a party to; of all for overseers."""
    if actor.oversees:
        return true()
    return or_(
        Order.organization_id == actor.organization_id,
        Order.provider_organization_id == actor.organization_id,
    )


def _invoice_visible(actor: Actor) -> ColumnElement[bool]:
    if actor.oversees:
        return true()
    return or_(
        Invoice.issuer_organization_id == actor.organization_id,
        Invoice.recipient_organization_id == actor.organization_id,
    )


def _page(query: Select[Listed], table: type[Listed], cursor: str | None, size: int) -> Page[Listed]:
    after = pages.decode_cursor(cursor, 1)
    if after:
        query = query.where(table.id < _text(after[0]))
    rows = db.session.scalars(query.order_by(table.id.desc()).limit(size + 1)).all()
    return pages.cut(rows, size, lambda row: [row.id])


def _text(part: object) -> str:
    if not isinstance(part, str):
        raise pages.broken_cursor()
    return part
