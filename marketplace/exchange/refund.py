"""Refund: money, papers and access go back together; what the gateway says later is learnt in any order."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.billing import ledger, postings, sales
from marketplace.billing import queries as billing
from marketplace.billing.documents import papers
from marketplace.billing.documents.rules import Remark
from marketplace.billing.errors import GatewayObjectMissing, GatewayRefused, PaymentDeclined
from marketplace.billing.gateways.reports import RefundReport
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import service as receivables
from marketplace.billing.refunds import queries, rules, service, sources
from marketplace.billing.refunds.errors import RefundConflict, RefundNotYours, RefundTooLarge
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.rules import Source
from marketplace.billing.refunds.service import RefundChange, RefundDraft
from marketplace.billing.refunds.states import RefundReason, RefundState, RefundWay
from marketplace.billing.sales import Reversal
from marketplace.billing.states import InvoiceState
from marketplace.billing.subscriptions import queries as subscriptions
from marketplace.exchange import facilities
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
CAME_BACK = Remark("返金が組み戻されたため取消し", "Cancelled: the refund came back")
KEY_LIVES = timedelta(hours=23)
"""Stripe forgets an idempotency key after 24 hours (docs.stripe.com/api/idempotent_requests)."""


@dataclass(frozen=True, slots=True)
class Why:
    """The reason of a refund; ``idem`` names the request, so that it happens once."""

    idem: str
    reason: RefundReason = RefundReason.REQUESTED
    note: str = ""
    ends_access: bool = False
    gateway_refund_id: str | None = None


def request_refund(actor: Actor, invoice_id: str, amount_yen: int | None, why: Why) -> list[str]:
    """Give back an amount of an invoice, tax included, or all that is left of it; returns the refunds' ids.

    What is still owed is taken off the invoice first; the rest goes back the way it came, each way as one
    refund, to be sent by ``send`` after this transaction. A full refund revokes the grant; a partial one
    keeps it unless ``ends_access``. Raises InvoiceNotFound, RefundNotYours, RefundTooLarge, RefundConflict.
    """
    invoice = billing.get_invoice(actor, invoice_id)
    if actor.organization_id != _provider_of(invoice) and Capacity.OPERATOR not in actor.capacities:
        raise RefundNotYours
    return give_back(actor, invoice_id, amount_yen, why)


def give_back(actor: Actor, invoice_id: str, amount_yen: int | None, why: Why) -> list[str]:
    """Do what ``request_refund`` does for stories that have their own reason to; the caller is checked there."""
    invoice = billing.lock_invoice(invoice_id)
    before = queries.find_by_idem(why.idem)
    if before:
        return _same_or_conflict(before, invoice_id, amount_yen)
    left = queries.left_yen(invoice)
    amount_yen = left if amount_yen is None else amount_yen
    if not 0 < amount_yen <= left:
        raise RefundTooLarge(left_yen=left)
    parts = rules.spread(amount_yen, sources.of_invoice(invoice))
    opened = [_open(actor, invoice, source, part, _nth(why, n)) for n, (source, part) in enumerate(parts)]
    if why.ends_access or amount_yen == left:
        _end_access(actor, invoice, opened[0][0])
    for refund, reversal in opened:
        # Last, since a note holds the counter of the issuer's numbers until the end.
        if refund.state == RefundState.SUCCEEDED.value:
            _issue_note(actor, invoice, refund, reversal)
    return [refund.id for refund, _reversal in opened]


@jobs.task("billing.refund.send")
def send(refund_id: str) -> None:
    """Have the gateway send a refund, outside any transaction; doing it twice sends one.

    The key is stored with the refund before the first attempt. Once the gateway has forgotten keys of
    that age, it is asked for the refund by our label before a new one is made. Raises GatewayUnavailable.
    """
    with transaction():
        asked = _question(queries.require_refund(refund_id))
    if asked is None:
        return
    payment_intent_id, refund = asked
    try:
        report = _sent_before(payment_intent_id, refund) or facilities.current().gateway.create_refund(
            refund_id=refund_id,
            payment_intent_id=payment_intent_id,
            amount_minor=refund.amount_yen,
            idempotency_key=refund.idempotency_key,
        )
    except (GatewayRefused, GatewayObjectMissing, PaymentDeclined) as refused:
        log.warning("refund %s is refused by the gateway: %s", refund_id, refused)
        with transaction():
            _apply(service.learn(SYSTEM, refund_id, "failed", refused.slug))
        return
    _learn_report(refund_id, report)


def learn(gateway_refund_id: str, event_id: str) -> None:
    """Ask the gateway how a refund stands and act on it; one that was made at the gateway is taken over."""
    report = facilities.current().gateway.fetch_refund(gateway_refund_id)
    with transaction():
        refund_id = _find(report) or _adopt(report, event_id)
    if refund_id is not None:
        _learn_report(refund_id, report)


@jobs.task("billing.refunds", cron="*/10 * * * *")
def pursue() -> None:
    """Send every refund that was not sent, and ask about every one whose end nothing was heard of."""
    with transaction():
        waiting = [queries.require_refund(refund_id) for refund_id in queries.unsent_ids()]
    for refund in waiting:
        try:
            if refund.gateway_refund_id is None:
                send(refund.id)
            else:
                learn(refund.gateway_refund_id, "")
        except Exception:  # one refund in trouble must not keep the others waiting
            log.exception("refund %s could not be pursued", refund.id)


def note_bank_refund(actor: Actor, refund_id: str, *, succeeded: bool, failure: str | None = None) -> Refund:
    """Note that a refund by bank transfer was sent, or came back; raises RefundNotFound or RefundNotByBank."""
    change = service.settle_by_bank(actor, refund_id, succeeded=succeeded, failure=failure)
    _apply(change, actor)
    return change.refund


def _same_or_conflict(before: Sequence[Refund], invoice_id: str, amount_yen: int | None) -> list[str]:
    same = all(refund.invoice_id == invoice_id for refund in before)
    if not same or amount_yen not in {None, sum(refund.amount_yen for refund in before)}:
        raise RefundConflict
    return [refund.id for refund in before]


def _nth(why: Why, number: int) -> Why:
    return replace(why, idem=f"{why.idem}#{number}") if number else why


def _open(actor: Actor, invoice: Invoice, source: Source, amount_yen: int, why: Why) -> tuple[Refund, Reversal]:
    draft = RefundDraft(
        idem=why.idem,
        invoice=invoice,
        provider_organization_id=_provider_of(invoice),
        source=source,
        amount_yen=amount_yen,
        reason=why.reason,
        note=why.note,
        ends_access=why.ends_access,
        gateway_refund_id=why.gateway_refund_id,
    )
    refund = service.open_refund(actor, draft)
    if source.way is RefundWay.CREDIT:
        receivables.credit(actor, invoice.id, amount_yen, refund.id)
    reversal = sales.reverse(
        actor,
        ref=refund.sale_ref,
        amount_yen=amount_yen,
        credit_to=_account(refund),
        kind="refund",
        idem=f"refund:{refund.id}",
        on=clock.today(),
    )
    if source.way is RefundWay.CREDIT and invoice.state == InvoiceState.PAID:
        sales.make_available(refund.sale_ref, clock.today())
    if source.way is RefundWay.GATEWAY and why.gateway_refund_id is None:
        jobs.enqueue("billing.refund.send", refund_id=refund.id)
    return refund, reversal


def _account(refund: Refund) -> str:
    owed = refund.way in {RefundWay.CREDIT.value, RefundWay.OUTSIDE.value}
    return postings.receivable(refund.organization_id) if owed else postings.REFUNDS_IN_TRANSIT


def _provider_of(invoice: Invoice) -> str:
    if invoice.order_id is None:
        return invoice.issuer_organization_id
    return billing.require_order(invoice.order_id).provider_organization_id


def _end_access(actor: Actor, invoice: Invoice, refund: Refund) -> None:
    """Revoke the grant that an order gave or carried on; usage that is given back ends no grant."""
    order = billing.require_order(invoice.order_id) if invoice.order_id else None
    if order is None:
        return
    order_id = subscriptions.first_order_id(order.subscription_id) if order.subscription_id else order.id
    grant = grants.find_grant_of_order(order_id)
    if grant is not None:
        access.revoke_for(actor, grant.id, f"{RefundReason(refund.reason).ja} / {refund.reason}", refund.id)


def _question(refund: Refund) -> tuple[str, Refund] | None:
    if refund.state != RefundState.CREATED.value or refund.payment_id is None:
        return None
    payment = billing.get_payment(refund.payment_id)
    return (payment.payment_intent_id, refund) if payment.payment_intent_id else None


def _sent_before(payment_intent_id: str, refund: Refund) -> RefundReport | None:
    if clock.now() - refund.created_at < KEY_LIVES:
        return None
    told = facilities.current().gateway.list_refunds(payment_intent_id)
    return next((report for report in told if report.labels.get("refund_id") == refund.id), None)


def _learn_report(refund_id: str, report: RefundReport) -> None:
    with transaction():
        service.note_gateway_id(refund_id, report.refund_id)
        _apply(service.learn(SYSTEM, refund_id, report.status, report.failure_reason))


def _find(report: RefundReport) -> str | None:
    found = queries.find_by_gateway(report.refund_id)
    label = report.labels.get("refund_id")
    return found.id if found else label


def _adopt(report: RefundReport, event_id: str) -> str | None:
    """Take over a refund that somebody made at the gateway itself, so that books and access follow it."""
    payment = billing.find_payment(None, None, report.payment_intent_id)
    invoice_id = payment.invoice_id if payment else None
    if payment is not None and payment.order_id is not None:
        invoice = billing.find_invoice_of_order(payment.order_id)
        invoice_id = invoice.id if invoice else None
    if invoice_id is None or report.status in {"failed", "canceled"}:
        log.error("refund %s (event %s) is of nothing that was sold here", report.refund_id, event_id)
        return None
    why = Why(f"gateway:{report.refund_id}", RefundReason.GATEWAY, gateway_refund_id=report.refund_id)
    return give_back(SYSTEM, invoice_id, report.amount_minor, why)[0]


def _apply(change: RefundChange, actor: Actor = SYSTEM) -> None:
    """Do, in the open transaction, what a refund's new state asks for; exactly one caller sees each change."""
    if change.after == change.before:
        return
    refund = change.refund
    if change.after is RefundState.SUCCEEDED:
        _settle(refund, actor)
    elif change.after is RefundState.FAILED:
        _undo(refund, actor, bounced=change.before is RefundState.SUCCEEDED)


def _settle(refund: Refund, actor: Actor) -> None:
    entries = postings.refund_settled(refund.amount_yen, _left_from(refund))
    ledger.post("refund_settled", _told_as(refund), f"refund_settled:{refund.id}", clock.today(), entries)
    reversal = sales.get_reversal(f"refund:{refund.id}")
    _issue_note(actor, billing.lock_invoice(refund.invoice_id), refund, reversal)


def _undo(refund: Refund, actor: Actor, *, bounced: bool) -> None:
    if bounced:
        entries = postings.refund_bounced(refund.amount_yen, _left_from(refund))
        ledger.post("refund_bounced", _told_as(refund), f"refund_bounced:{refund.id}", clock.today(), entries)
    sales.restore(
        actor,
        reversal_idem=f"refund:{refund.id}",
        kind="refund_failed",
        idem=f"refund_failed:{refund.id}",
        on=clock.today(),
    )
    order_grant = grants.find_grant_revoked_for(refund.id)
    if order_grant is not None:
        access.reinstate(actor, order_grant.id, refund.id)
    if bounced:
        papers.cancel_credit_note(
            actor, refund.id, Remark("返金が組み戻されたため取消し", "Cancelled: the refund came back")
        )


def _left_from(refund: Refund) -> str:
    return postings.BANK if refund.way == RefundWay.BANK.value else postings.CLEARING


def _told_as(refund: Refund) -> str:
    # The gateway's own name ties the posting to its balance transaction.
    return refund.gateway_refund_id or refund.id


def _issue_note(actor: Actor, invoice: Invoice, refund: Refund, reversal: Reversal) -> None:
    reason = RefundReason(refund.reason)
    papers.credit_note(actor, invoice, reversal, Remark(reason.ja, reason.en), refund.id, clock.today())
