"""Cancellation: a buyer gives up what is left of the paid time, where the offer lets it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from marketplace.access import queries as grants
from marketplace.access.models import Grant
from marketplace.access.states import GrantState
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import queries as billing
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.errors import OrderNotFound
from marketplace.billing.models import Invoice, Order
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds import rules
from marketplace.billing.refunds.errors import RefundDisputed
from marketplace.billing.refunds.states import RefundReason
from marketplace.billing.subscriptions import queries as subscriptions
from marketplace.billing.subscriptions.states import EndCause
from marketplace.exchange import refund, spending, withdrawal
from marketplace.exchange.errors import CancellationExcluded, NothingToCancel
from marketplace.exchange.refund import Why
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.licensing import queries as licensing
from marketplace.licensing.states import Cancellation

REASON = RefundReason.CANCELLATION


@dataclass(frozen=True, slots=True)
class PaidTime:
    """An invoice and the days that it pays, both included, in Japan."""

    invoice: Invoice
    first: date
    last: date


def cancel(actor: Actor, order_id: str) -> list[str]:
    """Give up an order before its time is over; returns the refunds, to be sent after this transaction.

    The price of the days after today goes back, floored, and access ends now, as does the subscription that
    the order belongs to. What was used until now is billed as ever. Again, it returns the same refunds. Raises
    OrderNotFound to anyone but the buyer, CancellationExcluded, NothingToCancel, or RefundDisputed.
    """
    order = billing.get_order(actor, order_id)
    if order.organization_id != actor.organization_id:
        raise OrderNotFound
    if licensing.cancellation_of(licensing.get_offer(order.offer_id)) is not Cancellation.PRO_RATA:
        raise CancellationExcluded
    found = grants.find_grant_of_order(_first(order))
    if found is None:
        raise NothingToCancel
    paid = _paid_times(order, found)
    for time in paid:
        billing.lock_invoice(time.invoice.id)
    withdrawal.lock_orders(order)
    # A renewal may have been paid while we waited; nobody else knows of its invoice yet.
    paid = _paid_times(order, found)
    grant = grants.lock_grant(found.id)
    if grant.revoked_for == _request(grant):
        return refunds.ids_under(_request(grant))
    return _cancel(actor, order, grant, paid)


def _cancel(actor: Actor, order: Order, grant: Grant, paid: Sequence[PaidTime]) -> list[str]:
    if not _is_running(grant):
        raise NothingToCancel
    if any(disputes.is_standing(time.invoice.id) for time in paid):
        raise RefundDisputed
    request = _request(grant)
    withdrawal.end_access_of_order(actor, order.id, f"{REASON.ja} / {REASON.en}", request, EndCause.CANCELLED)
    # A renewal that was not paid yet has lapsed.
    spending.recount_order(order.id)
    given = [refund_id for time in paid for refund_id in _give_back(actor, time, request)]
    _record(actor, order, refunds.sum_yen(given))
    return given


def _give_back(actor: Actor, time: PaidTime, request: str) -> list[str]:
    unused = rules.unused_yen(time.invoice.amount_gross_yen, time.first, time.last, clock.today())
    unused = min(unused, refunds.left_yen(billing.lock_invoice(time.invoice.id)))
    if unused == 0:
        return []
    return refund.give_back(actor, time.invoice.id, unused, Why(f"{request}:{time.invoice.id}", REASON))


def _paid_times(order: Order, grant: Grant) -> list[PaidTime]:
    """Return what was billed in advance, with the days it pays: each paid term, or the time of the grant."""
    if order.subscription_id is not None:
        terms = [term for term in subscriptions.list_terms(order.subscription_id) if term.paid_at is not None]
        times = [(term.order_id, term.term_from, term.term_to) for term in terms]
    else:
        times = [(order.id, *days_of(grant))] if grant.expires_at is not None else []
    found = [(billing.find_invoice_of_order(order_id), first, last) for order_id, first, last in times]
    known = [PaidTime(invoice, first, last) for invoice, first, last in found if invoice is not None]
    return sorted(known, key=lambda time: time.invoice.id)


def days_of(grant: Grant) -> tuple[date, date]:
    """Return the first and last day of a grant that ends, in Japan; the day on which it ends counts."""
    first = grant.starts_at.astimezone(clock.JST).date()
    if grant.expires_at is None:
        raise ValueError(f"{grant.id} has no end")
    # It ends before that instant: at midnight, the day before is its last.
    last = (grant.expires_at - timedelta(microseconds=1)).astimezone(clock.JST).date()
    return first, max(first, last)


def _is_running(grant: Grant) -> bool:
    ended = grant.expires_at is not None and grant.expires_at <= clock.now()
    # Bought for good, it has no unused days; metered, it costs nothing from now on.
    endless = grant.expires_at is None and billing.find_invoice_of_order(grant.order_id) is not None
    return grant.state != GrantState.REVOKED and not ended and not endless


def _first(order: Order) -> str:
    return subscriptions.first_order_id(order.subscription_id) if order.subscription_id else order.id


def _request(grant: Grant) -> str:
    return f"cancellation:{grant.id}"


def _record(actor: Actor, order: Order, given_back_yen: int) -> None:
    audit.record(
        actor,
        Verb.ORDER_CANCELLED,
        subject=order.id,
        counterparty=order.provider_organization_id,
        amount_minor=given_back_yen,
        dataset=order.dataset_id,
        facts={"subscription": order.subscription_id or ""},
    )
