"""What follows from a payment's facts: the order fulfilled, the invoice paid, or money owed back."""

import logging

from marketplace.billing import orders, payments, postings, queries
from marketplace.billing.models import Payment
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables import service as collecting
from marketplace.billing.states import PaymentState
from marketplace.exchange import afterpay, purchase, spending
from marketplace.identity.actors import on_behalf_of

log = logging.getLogger(__name__)


def apply(change: payments.PaymentChange) -> None:
    """Do, in the open transaction, what a payment's facts ask for; exactly one caller sees each change."""
    payment = change.payment
    if change.before == change.after:
        return
    if change.after == PaymentState.PAID:
        _apply_money(payment)
    elif payment.order_id is not None:
        _close_order(payment.order_id, change.after)


def _apply_money(payment: Payment) -> None:
    applied = _pay_invoice(payment) if payment.order_id is None else purchase.fulfil(payment.order_id)
    if not applied:
        payer = payments.payer_of(payment)
        log.error("payment %s came for what was paid already; its money is owed back to %s", payment.id, payer)
        payments.record_unapplied(payment, payer)


def _pay_invoice(payment: Payment) -> bool:
    """Pay an invoice by card. Where less is owed than came, all of it is the payer's, and pays what is owed."""
    invoice = queries.lock_invoice(payment.invoice_id or "")
    rest, payer = receivables.rest_of(invoice), invoice.recipient_organization_id
    if rest <= 0:
        return False
    exceeds = rest < payment.amount_minor
    account = postings.unapplied(payer) if exceeds else postings.CLEARING
    collecting.take_money(on_behalf_of(payer), invoice.id, payment.amount_minor, payment.id, account=account)
    afterpay.lift_if_paid(on_behalf_of(payer), invoice.id)
    if exceeds:
        # One movement at the gateway is one transaction in the ledger, so it is not split there.
        payments.record_unapplied(payment, payer)
    collecting.book_money(on_behalf_of(payer), payment.id)
    return True


def _close_order(order_id: str, state: PaymentState) -> None:
    buyer = on_behalf_of(queries.require_order(order_id).organization_id)
    if state == PaymentState.EXPIRED:
        orders.mark_expired(buyer, order_id)
    elif state == PaymentState.FAILED:
        orders.mark_failed(buyer, order_id)
    else:
        return
    spending.recount_order(order_id)
