"""Refund: money, papers and access go back together; what the gateway says later is learnt in any order."""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

from marketplace.billing import postings, sales
from marketplace.billing import queries as billing
from marketplace.billing.disputes import queries as disputes
from marketplace.billing.errors import GatewayFailureKept, GatewayObjectMissing, GatewayRefused, PaymentDeclined
from marketplace.billing.gateways.reports import RefundReport
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import service as receivables
from marketplace.billing.refunds import queries, rules, service, sources
from marketplace.billing.refunds.errors import RefundConflict, RefundDisputed, RefundNotYours, RefundTooLarge
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.rules import Source
from marketplace.billing.refunds.service import RefundDraft
from marketplace.billing.refunds.states import RefundReason, RefundState, RefundWay
from marketplace.exchange import afterpay, facilities, refund_outcome, spending, unapplied, withdrawal
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock, jobs
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
KEY_LIVES = timedelta(hours=23)
"""Stripe forgets an idempotency key after 24 hours (docs.stripe.com/api/idempotent_requests)."""
KEEPING = frozenset({RefundReason.SERVICE_LEVEL, RefundReason.ADJUSTMENT})
"""Reasons that make good for something: though nothing is left of an invoice, access stays."""


@dataclass(frozen=True, slots=True)
class Why:
    """The reason of a refund; ``request`` names what asked for it, so that it happens once.

    A full refund ends access anyhow, unless its reason is one of ``KEEPING``; ``ends_access`` is for the others.
    ``gateway_refund_id`` is given where the money has gone at the gateway already.
    """

    request: str
    reason: RefundReason = RefundReason.REQUESTED
    note: str = ""
    ends_access: bool = False
    gateway_refund_id: str | None = None


def request_refund(actor: Actor, invoice_id: str, amount_yen: int | None, why: Why) -> list[str]:
    """Give back an amount of an invoice, tax included, or all that is left of it; returns the refunds' ids.

    What is still owed is taken off the invoice first; the rest goes back the way it came, each way as one
    refund, to be sent by ``send`` after this transaction. A full refund revokes the grant; a partial one
    keeps it unless ``ends_access``. Raises InvoiceNotFound, RefundNotYours, RefundTooLarge, RefundConflict,
    RefundDisputed.
    """
    invoice = billing.get_invoice(actor, invoice_id)
    if actor.organization_id != withdrawal.provider_of(invoice) and Capacity.OPERATOR not in actor.capacities:
        raise RefundNotYours
    return give_back(actor, invoice_id, amount_yen, why)


def give_back(actor: Actor, invoice_id: str, amount_yen: int | None, why: Why) -> list[str]:
    """Do what ``request_refund`` does for stories that have their own reason to; the caller is checked there."""
    invoice = billing.lock_invoice(invoice_id)
    before = queries.list_of_request(why.request)
    if before:
        return _same_or_conflict(before, invoice_id, amount_yen)
    if disputes.is_standing(invoice_id):
        raise RefundDisputed
    wished = queries.left_yen(invoice) if amount_yen is None else amount_yen
    return _give_back(actor, invoice, wished, why, sources.of_invoice(invoice))


@jobs.task("billing.refund.send")
def send(refund_id: str) -> None:
    """Have the gateway send a refund, outside any transaction; doing it twice sends one.

    The key is stored with the refund before the first attempt. Once the gateway has forgotten keys of that
    age, or only fails under it, it is asked for the refund by our label before a new one is made. Raises
    GatewayUnavailable.
    """
    with transaction():
        asked = _question(queries.require_refund(refund_id))
    if asked is None:
        return
    try:
        report = _sent(asked)
    except (GatewayRefused, GatewayObjectMissing, PaymentDeclined) as refused:
        log.warning("refund %s is refused by the gateway: %s", refund_id, refused)
        _note_refused(refund_id, refused.slug)
        return
    if report is not None:
        _learn_report(refund_id, report)


def learn(gateway_refund_id: str, event_id: str) -> None:
    """Ask the gateway how a refund stands and act on it; one that was made at the gateway is taken over.

    Raises PaymentUnknown where the payment is not in our books (yet), RefundTooLarge where more went back
    there than is left of what the payment paid.
    """
    report = facilities.current().gateway.fetch_refund(gateway_refund_id)
    with transaction():
        refund_id = _find(report) or _adopt(report, event_id)
    if refund_id is not None:
        _learn_report(refund_id, report)


@jobs.task("billing.refunds", cron="*/10 * * * *")
def pursue() -> None:
    """Send every refund that was not sent, and ask about every one whose end nothing was heard of."""
    with transaction():
        known = [(one, queries.require_refund(one).gateway_refund_id) for one in queries.unsent_ids()]
    for refund_id, gateway_refund_id in known:
        try:
            if gateway_refund_id is None:
                send(refund_id)
            else:
                learn(gateway_refund_id, "")
        except Exception:  # one refund in trouble must not keep the others waiting
            log.exception("refund %s could not be pursued", refund_id)


def note_bank_refund(actor: Actor, refund_id: str, *, succeeded: bool, failure: str | None = None) -> Refund:
    """Note that a refund by bank transfer was sent, or came back; raises RefundNotFound or RefundNotByBank."""
    _hold(queries.get_refund(actor, refund_id))
    change = service.settle_by_bank(actor, refund_id, succeeded=succeeded, failure=failure)
    refund_outcome.apply(change, actor)
    return change.refund


def _same_or_conflict(before: Sequence[Refund], invoice_id: str, amount_yen: int | None) -> list[str]:
    same = all(refund.invoice_id == invoice_id for refund in before)
    if not same or amount_yen not in {None, sum(refund.amount_yen for refund in before)}:
        raise RefundConflict
    return [refund.id for refund in before]


def _give_back(actor: Actor, invoice: Invoice, amount_yen: int, why: Why, taken_from: Sequence[Source]) -> list[str]:
    left = queries.left_yen(invoice)
    if not 0 < amount_yen <= min(left, sum(source.left_yen for source in taken_from)):
        raise RefundTooLarge(left_yen=left)
    parts = rules.spread(amount_yen, taken_from)
    refunds = [_open(actor, invoice, part, number, why) for number, part in enumerate(parts)]
    # Orders, subscription and grant before the ledger: see the order of locks in billing's README.
    if why.ends_access or (amount_yen == left and why.reason not in KEEPING):
        withdrawal.end_access(actor, invoice, f"{why.reason.ja} / {why.reason.en}", refunds[0].id)
    afterpay.lift_if_paid(actor, invoice.id)
    if invoice.order_id is not None:
        spending.recount_order(invoice.order_id)
    for refund in refunds:
        _book(actor, refund)
    for refund in refunds:
        # Last, since a note holds the counter of the issuer's numbers until the end.
        if refund.state == RefundState.SUCCEEDED:
            refund_outcome.issue_note(actor, invoice, refund, refund_outcome.reversal_of(refund))
    return [refund.id for refund in refunds]


def _open(actor: Actor, invoice: Invoice, part: tuple[Source, int], number: int, why: Why) -> Refund:
    source, amount_yen = part
    refund = service.open_refund(
        actor,
        RefundDraft(
            request=why.request,
            number=number,
            sale_ref=invoice.order_id or invoice.id,
            invoice_id=invoice.id,
            organization_id=invoice.recipient_organization_id,
            provider_organization_id=withdrawal.provider_of(invoice),
            source=source,
            amount_yen=amount_yen,
            reason=why.reason,
            note=why.note,
            ends_access=why.ends_access,
            gateway_refund_id=why.gateway_refund_id,
        ),
    )
    if source.way is RefundWay.CREDIT:
        receivables.credit(actor, invoice.id, amount_yen, refund.id)
    if source.way is RefundWay.GATEWAY and why.gateway_refund_id is None:
        jobs.enqueue("billing.refund.send", refund_id=refund.id)
    return refund


def _book(actor: Actor, refund: Refund) -> None:
    sales.reverse(
        actor,
        ref=refund.sale_ref,
        amount_yen=refund.amount_yen,
        credit_to=_account(refund),
        kind="refund",
        idem=f"refund:{refund.id}",
        on=clock.today(),
    )


def _account(refund: Refund) -> str:
    owed = refund.way in {RefundWay.CREDIT, RefundWay.OUTSIDE}
    return postings.receivable(refund.organization_id) if owed else postings.REFUNDS_IN_TRANSIT


@dataclass(frozen=True, slots=True)
class _Question:
    """What the gateway is asked; read in one transaction, asked after it."""

    refund_id: str
    payment_intent_id: str
    amount_yen: int
    idempotency_key: str
    is_old: bool


def _question(refund: Refund) -> _Question | None:
    if refund.state != RefundState.CREATED or refund.payment_id is None:
        return None
    intent = billing.get_payment(refund.payment_id).payment_intent_id
    if intent is None:
        return None
    is_old = clock.now() - refund.created_at >= KEY_LIVES
    return _Question(refund.id, intent, refund.amount_yen, refund.idempotency_key, is_old)


def _sent(asked: _Question) -> RefundReport | None:
    """Have it sent once; where the key is spent on a failure, look for what it sent, else ask under a new one.

    None where somebody else has heard of it meanwhile.
    """
    try:
        return (_find_sent(asked) if asked.is_old else None) or _ask(asked)
    except GatewayFailureKept:
        found = _find_sent(asked)
    if found is not None:
        return found
    with transaction():
        # Kept before it is used, so that whoever comes next, after a crash too, asks with the same.
        again = _question(service.renew_key(asked.refund_id, asked.idempotency_key))
    return _ask(again) if again else None


def _ask(asked: _Question) -> RefundReport:
    return facilities.current().gateway.create_refund(
        refund_id=asked.refund_id,
        payment_intent_id=asked.payment_intent_id,
        amount_minor=asked.amount_yen,
        idempotency_key=asked.idempotency_key,
    )


def _find_sent(asked: _Question) -> RefundReport | None:
    told = facilities.current().gateway.list_refunds(asked.payment_intent_id)
    return next((report for report in told if report.labels.get("refund_id") == asked.refund_id), None)


def _note_refused(refund_id: str, why: str) -> None:
    with transaction():
        _hold(queries.require_refund(refund_id))
        refund_outcome.apply(service.note_refused(SYSTEM, refund_id, why))


def _learn_report(refund_id: str, report: RefundReport) -> None:
    with transaction():
        _hold(queries.require_refund(refund_id))
        service.note_gateway_id(refund_id, report.refund_id)
        change = service.learn(SYSTEM, refund_id, report.status, report.failure_reason)
        refund_outcome.apply(change, was_away=report.failure_balance_transaction_id is not None)


def _hold(refund: Refund) -> None:
    # First, as whoever gives back does: everything of one invoice, or one payer, happens one after another.
    if refund.invoice_id is None:
        receivables.lock_buyer(refund.organization_id)
    else:
        billing.lock_invoice(refund.invoice_id)


def _find(report: RefundReport) -> str | None:
    found = queries.find_by_gateway(report.refund_id) or queries.find_refund(report.labels.get("refund_id"))
    return found.id if found else None


def _adopt(report: RefundReport, event_id: str) -> str | None:
    """Take over a refund that somebody made at the gateway itself, so that books and access follow it."""
    payment = billing.find_payment(None, None, report.payment_intent_id)
    if payment is not None and sources.is_unapplied(payment):
        return unapplied.adopt(payment, report)
    invoice = sources.find_invoice_of(payment) if payment else None
    if payment is None or invoice is None:
        log.error("refund %s (event %s) is of nothing that was sold here", report.refund_id, event_id)
        return None
    locked = billing.lock_invoice(invoice.id)
    why = Why(f"gateway:{report.refund_id}", RefundReason.GATEWAY, gateway_refund_id=report.refund_id)
    before = queries.list_of_request(why.request)
    if before:
        return before[0].id
    return _give_back(SYSTEM, locked, report.amount_minor, why, [sources.of_payment(locked, payment)])[0]
