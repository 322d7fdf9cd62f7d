"""Unapplied: money that came through the gateway and paid nothing goes back to its payer, the way it came."""

from marketplace.billing import ledger, postings
from marketplace.billing import queries as billing
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.gateways.reports import RefundReport
from marketplace.billing.models import Payment
from marketplace.billing.payments import payer_of
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables import service as receiving
from marketplace.billing.receivables.errors import NothingUnapplied
from marketplace.billing.refunds import queries, service, sources
from marketplace.billing.refunds.errors import RefundConflict
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.rules import Source
from marketplace.billing.refunds.service import RefundDraft
from marketplace.billing.refunds.states import RefundReason, RefundWay
from marketplace.exchange import withdrawal
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock, jobs
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id


def give_back(actor: Actor, payment_id: str, amount_yen: int | None, request: str, note: str = "") -> str:
    """Send back what of a payment pays nothing, or an amount of it; returns the refund, sent after this transaction.

    A card gets it through the gateway; konbini and transfers, and cards that sent it back before, out of the bank
    account. ``request`` names what asked for it, so that it happens once. The caller is checked at the edge.
    Raises NotFound, RefundConflict, or NothingUnapplied where less is left: used for an invoice, sent back, or lost.
    """
    payment = billing.find_payment(payment_id) if is_id(payment_id) else None
    if payment is None:
        raise NotFound
    receiving.lock_buyer(payer_of(payment))
    before = queries.list_of_request(request)
    if before:
        return _same_or_conflict(before[0], payment, amount_yen)
    left = left_yen(payment)
    wished = left if amount_yen is None else amount_yen
    if not 0 < wished <= left:
        raise NothingUnapplied(unapplied_yen=left)
    return _send_back(actor, payment, wished, request, note).id


def left_yen(payment: Payment) -> int:
    """Return what of a payment that paid nothing is there to be sent back, in yen."""
    if not sources.is_unapplied(payment):
        return 0
    gone = queries.given_back_of_payment_yen(payment.id) + disputes.lost_of_payment_yen(payment.id)
    return max(min(payment.amount_minor - gone, receivables.unapplied_yen(payer_of(payment))), 0)


def adopt(payment: Payment, report: RefundReport) -> str:
    """Take over what somebody sent back at the gateway itself of money that paid nothing; again, the same refund.

    Raises NothingUnapplied where more went back there than was the payer's.
    """
    receiving.lock_buyer(payer_of(payment))
    request = f"gateway:{report.refund_id}"
    before = queries.list_of_request(request)
    if before:
        return before[0].id
    left = left_yen(payment)
    if report.amount_minor > left:
        raise NothingUnapplied(unapplied_yen=left)
    return _send_back(SYSTEM, payment, report.amount_minor, request, "", report.refund_id).id


def _same_or_conflict(before: Refund, payment: Payment, amount_yen: int | None) -> str:
    if before.sale_ref != (payment.order_id or payment.invoice_id) or amount_yen not in {None, before.amount_yen}:
        raise RefundConflict
    return before.id


def _send_back(
    actor: Actor, payment: Payment, amount_yen: int, request: str, note: str, gateway_refund_id: str | None = None
) -> Refund:
    payer = payer_of(payment)
    refund = service.open_refund(
        actor,
        RefundDraft(
            request=request,
            number=0,
            sale_ref=payment.order_id or payment.invoice_id or "",
            invoice_id=None,
            organization_id=payer,
            provider_organization_id=_provider_of(payment),
            source=_source(payment, amount_yen, gateway_refund_id),
            amount_yen=amount_yen,
            reason=RefundReason.UNAPPLIED,
            note=note,
            ends_access=False,
            gateway_refund_id=gateway_refund_id,
        ),
    )
    if refund.way == RefundWay.GATEWAY.value and gateway_refund_id is None:
        jobs.enqueue("billing.refund.send", refund_id=refund.id)
    entries = postings.unapplied_returned(amount_yen, payer)
    idem = f"unapplied_returned:{refund.id}"
    ledger.post("unapplied_returned", refund.id, idem, clock.today(), entries, actor=actor)
    return refund


def _source(payment: Payment, amount_yen: int, gateway_refund_id: str | None) -> Source:
    if gateway_refund_id is not None or sources.takes_refunds(payment):
        return Source(RefundWay.GATEWAY, amount_yen, payment.id)
    return Source(RefundWay.BANK, amount_yen)


def _provider_of(payment: Payment) -> str:
    if payment.order_id is not None:
        return billing.require_order(payment.order_id).provider_organization_id
    return withdrawal.provider_of(billing.require_invoice(payment.invoice_id or ""))
