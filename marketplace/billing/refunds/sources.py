"""Where the money of an invoice came from, and what of it can still go back."""

from marketplace.billing import postings
from marketplace.billing import queries as billing
from marketplace.billing.models import Invoice, Payment
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.refunds import queries
from marketplace.billing.refunds.rules import Source
from marketplace.billing.refunds.states import RefundWay
from marketplace.billing.states import PaymentState
from marketplace.licensing.states import Rail


def of_invoice(invoice: Invoice) -> list[Source]:
    """Return what can be given back of a locked invoice: first what is still owed, then what came last.

    Cards get their money back by themselves. Konbini and transfers the gateway could only send back after
    asking the payer for an account, so these go out of the bank account, as does what came there.
    """
    left = queries.left_yen(invoice)
    if _is_paid_outside(invoice):
        return [Source(RefundWay.OUTSIDE, left)]
    owed = receivables.rest_of(invoice)
    cards = [_of_card(payment, amount) for payment, amount in _gateway_payments(invoice) if _is_card(payment)]
    bank = left - owed - sum(source.left_yen for source in cards)
    return [Source(RefundWay.CREDIT, owed), *cards, Source(RefundWay.BANK, bank)]


def _is_paid_outside(invoice: Invoice) -> bool:
    return invoice.order_id is not None and billing.require_order(invoice.order_id).rail == Rail.OUTSIDE.value


def _is_card(payment: Payment) -> bool:
    return payment.rail == Rail.CARD.value and payment.payment_intent_id is not None


def _of_card(payment: Payment, amount_yen: int) -> Source:
    left = amount_yen - queries.given_back_of_payment_yen(payment.id)
    return Source(RefundWay.GATEWAY, max(left, 0), payment.id)


def _gateway_payments(invoice: Invoice) -> list[tuple[Payment, int]]:
    applied = [one for one in receivables.list_payments(invoice.id) if one.account == postings.CLEARING]
    if applied or invoice.order_id is None:
        return [(billing.get_payment(one.source_ref), one.amount_yen) for one in reversed(applied)]
    tried = billing.list_payments(order_id=invoice.order_id)
    paid = [one for one in tried if one.state == PaymentState.PAID.value]
    # Of two payments of one order the first pays it; the money of the other is owed back by itself.
    return [(paid[-1], paid[-1].amount_minor)] if paid else []
