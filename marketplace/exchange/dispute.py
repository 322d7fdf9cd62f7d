"""Dispute: a buyer contests a payment at its bank. Money, access and papers follow what the gateway says."""

import logging

from marketplace.access import service as access
from marketplace.access.states import Cause
from marketplace.billing import ledger, payments, postings, sales
from marketplace.billing import queries as billing
from marketplace.billing.disputes import service
from marketplace.billing.disputes.models import Dispute
from marketplace.billing.disputes.service import Contested
from marketplace.billing.disputes.states import DisputeState
from marketplace.billing.documents import papers
from marketplace.billing.documents.rules import Remark
from marketplace.billing.errors import PaymentUnknown
from marketplace.billing.gateways.reports import BalanceTransaction, DisputeReport
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import service as receivables
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.refunds import sources
from marketplace.exchange import afterpay, facilities, spending, unapplied, withdrawal
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
LOST = Remark("異議申立て(チャージバック)による返還", "Given back by a chargeback")


def learn(gateway_dispute_id: str, event_id: str) -> None:
    """Ask the gateway how a dispute stands and act on it; in whatever order events come, the end is the same.

    While the bank holds the money, access rests. Won, it opens again; lost, the sale is taken back in
    proportion, and where nothing is left of it, so is the grant. An inquiry moves nothing. Raises
    PaymentUnknown where the payment, or what it paid, is not in our books yet: the event is tried again.
    """
    report = facilities.current().gateway.fetch_dispute(gateway_dispute_id)
    with transaction():
        contested = _contested(report, event_id)
        change = service.learn(contested, report)
        lost = _noted_loss(change, contested, report)
        # Access before the ledger: see the order of locks in billing's README.
        _move_access(change, contested, lost)
        if lost and contested.invoice is not None and contested.invoice.order_id is not None:
            spending.recount_order(contested.invoice.order_id)
        for movement in report.movements:
            _book(report, movement)
        if lost is not None:
            _book_loss(contested, change.dispute)


def _contested(report: DisputeReport, event_id: str) -> Contested:
    payment = billing.find_payment(None, None, report.payment_intent_id)
    invoice = sources.find_invoice_of(payment) if payment else None
    if payment is None or (invoice is None and not sources.is_unapplied(payment)):
        log.warning("dispute %s (event %s) is of no payment in our books yet", report.dispute_id, event_id)
        raise PaymentUnknown
    payer = payments.payer_of(payment)
    locked = billing.lock_invoice(invoice.id) if invoice else None
    if locked is None:
        # What is unapplied is decided upon under this lock alone: else it pays an invoice while it is lost.
        receivables.lock_buyer(payer)
    return Contested(payment, payer, locked, withdrawal.provider_of(locked) if locked else None)


def _book(report: DisputeReport, movement: BalanceTransaction) -> None:
    """Book one movement of the gateway's balance under the dispute's name there, once."""
    amount, fee = movement.amount_minor, movement.fee_minor
    if amount < 0:
        kind, entries = "dispute_opened", postings.dispute_opened(-amount, fee)
    else:
        kind, entries = "dispute_won", postings.dispute_won(amount, max(-fee, 0))
    idem = f"{kind}:{report.dispute_id}:{movement.transaction_id}"
    ledger.post(kind, report.dispute_id, idem, movement.created_at.astimezone(clock.JST).date(), entries)


def _noted_loss(change: service.DisputeChange, contested: Contested, report: DisputeReport) -> int | None:
    """Note once what a lost dispute takes of its sale, and return that; what was refunded before we bear."""
    dispute, held_yen = change.dispute, -sum(movement.amount_minor for movement in report.movements)
    if change.after is not DisputeState.LOST or held_yen <= 0 or dispute.lost_yen + dispute.absorbed_yen:
        return None
    lost = min(held_yen, _left_yen(contested))
    service.note_loss(dispute, lost, held_yen - lost)
    return lost


def _left_yen(contested: Contested) -> int:
    if contested.invoice is not None:
        return refunds.left_yen(contested.invoice)
    # What has paid an invoice since, or went back, is the payer's own no longer; other money is not contested.
    return unapplied.left_yen(contested.payment)


def _move_access(change: service.DisputeChange, contested: Contested, lost: int | None) -> None:
    invoice, dispute = contested.invoice, change.dispute
    if invoice is None:
        return
    if lost and refunds.left_yen(invoice) == 0:
        withdrawal.end_access(SYSTEM, invoice, f"{LOST.ja} / {LOST.en}", dispute.id)
    for grant_id in afterpay.billed_grants(invoice):
        if lost is not None or (change.after is DisputeState.WON and change.before is not DisputeState.WON):
            access.lift(SYSTEM, grant_id, Cause.DISPUTE, dispute.id)
        elif change.after is DisputeState.OPENED and change.before is not DisputeState.OPENED:
            access.suspend(SYSTEM, grant_id, Cause.DISPUTE, dispute.id)


def _book_loss(contested: Contested, dispute: Dispute) -> None:
    name = dispute.gateway_dispute_id
    entries = postings.dispute_absorbed(dispute.absorbed_yen)
    ledger.post("dispute_absorbed", name, f"dispute_absorbed:{name}", clock.today(), entries)
    if contested.invoice is None:
        entries = postings.dispute_lost_unapplied(dispute.lost_yen, contested.payer)
        ledger.post("dispute_lost", name, f"dispute_lost:{name}", clock.today(), entries)
    elif dispute.lost_yen:
        _take_back(contested.invoice, dispute)


def _take_back(invoice: Invoice, dispute: Dispute) -> None:
    reversal = sales.reverse(
        SYSTEM,
        ref=str(dispute.sale_ref),
        amount_yen=dispute.lost_yen,
        credit_to=postings.DISPUTES_HELD,
        kind="dispute_lost",
        idem=f"dispute_lost:{dispute.gateway_dispute_id}",
        on=clock.today(),
    )
    # Last, since a note holds the counter of the issuer's numbers until the end.
    papers.credit_note(SYSTEM, invoice, reversal, LOST, dispute.id, clock.today())
