"""Where the money of an invoice came from, and what of it can still go back."""

from collections.abc import Sequence

from marketplace.billing import postings
from marketplace.billing import queries as billing
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.ledger_queries import TransactionFilter, list_transactions
from marketplace.billing.models import Invoice, Payment
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.refunds import queries
from marketplace.billing.refunds.rules import Source
from marketplace.billing.refunds.states import RefundWay
from marketplace.billing.states import PaymentState
from marketplace.licensing.states import Rail


def of_invoice(invoice: Invoice) -> list[Source]:
    """Return what can be given back of a locked invoice: first what is still owed, then what came last.

    Cards get their money back by themselves, but for those that sent it back once. Konbini and transfers the
    gateway could only return after asking the payer for an account, so these go out of the bank account, as
    does what came there.
    """
    left = queries.left_yen(invoice)
    if _is_paid_outside(invoice):
        return [Source(RefundWay.OUTSIDE, left)]
    owed = receivables.rest_of(invoice)
    cards = [_of_card(payment, amount) for payment, amount in payments_of(invoice) if takes_refunds(payment)]
    bank = left - owed - sum(source.left_yen for source in cards)
    return [Source(RefundWay.CREDIT, owed), *cards, Source(RefundWay.BANK, max(bank, 0))]


def of_payment(invoice: Invoice, payment: Payment) -> Source:
    """Return what the gateway itself can give back of one payment of a locked invoice, whatever its method."""
    amount = {paid.id: amount for paid, amount in payments_of(invoice)}.get(payment.id, 0)
    left = _of_card(payment, amount).left_yen
    return Source(RefundWay.GATEWAY, min(left, queries.left_yen(invoice)), payment.id)


def payments_of(invoice: Invoice) -> Sequence[tuple[Payment, int]]:
    """Return the payments through the gateway that paid an invoice, and how much each did, the last first."""
    applied = [one for one in receivables.list_payments(invoice.id) if one.account == postings.CLEARING]
    if applied or invoice.order_id is None:
        return [(billing.get_payment(one.source_ref), one.amount_yen) for one in reversed(applied)]
    tried = billing.list_payments(order_id=invoice.order_id)
    # Of two payments of one order one pays it; the money of the other is owed back by itself.
    paid = [one for one in tried if one.state == PaymentState.PAID.value and not is_unapplied(one)]
    return [(one, one.amount_minor) for one in paid]


def find_invoice_of(payment: Payment) -> Invoice | None:
    """Return the invoice that a payment paid; None where none is issued yet, or its money paid nothing."""
    if payment.invoice_id is not None:
        invoice = billing.require_invoice(payment.invoice_id)
    else:
        found = billing.find_invoice_of_order(str(payment.order_id))
        if found is None:
            return None
        invoice = found
    return invoice if any(paid.id == payment.id for paid, _amount in payments_of(invoice)) else None


def is_unapplied(payment: Payment) -> bool:
    """Tell whether a payment came for what was paid already, so that all its money is its payer's own."""
    booked = list_transactions(chosen=TransactionFilter(ref=payment.id)).items
    return any(one.kind == "payment_unapplied" for one in booked)


def _is_paid_outside(invoice: Invoice) -> bool:
    return invoice.order_id is not None and billing.require_order(invoice.order_id).rail == Rail.OUTSIDE


def takes_refunds(payment: Payment) -> bool:
    """Tell whether the gateway can send the money of a payment back by itself."""
    is_card = Rail(payment.rail) is Rail.CARD and payment.payment_intent_id is not None
    return is_card and not queries.has_bounced(payment.id)


def _of_card(payment: Payment, amount_yen: int) -> Source:
    gone = queries.given_back_of_payment_yen(payment.id) + disputes.lost_of_payment_yen(payment.id)
    return Source(RefundWay.GATEWAY, max(amount_yen - gone, 0), payment.id)
