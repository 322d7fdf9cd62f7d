"""What follows when a refund has ended: the books, the papers and the access, in one transaction."""

from marketplace.billing import ledger, postings, sales
from marketplace.billing import queries as billing
from marketplace.billing.documents import papers
from marketplace.billing.documents.rules import Remark
from marketplace.billing.models import Invoice
from marketplace.billing.refunds import queries
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.service import RefundChange
from marketplace.billing.refunds.states import RefundReason, RefundState, RefundWay
from marketplace.billing.sales import Reversal
from marketplace.exchange import spending, withdrawal
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock

CAME_BACK = Remark("返金が組み戻されたため取消し", "Taken back: the refund did not reach the buyer")


def apply(change: RefundChange, actor: Actor = SYSTEM, *, was_away: bool = False) -> None:
    """Do, in the open transaction, what a refund's new state asks for; exactly one caller sees each change.

    Call it with the invoice's row locked. ``was_away`` says of a refund that failed that its money had left
    us, though nobody told us before.
    """
    if change.after == change.before:
        return
    refund = change.refund
    if refund.invoice_id is None:
        _end_return(change, was_away=was_away)
    elif change.after is RefundState.SUCCEEDED:
        _send_off(refund)
        issue_note(actor, billing.require_invoice(refund.invoice_id), refund, reversal_of(refund))
    elif change.after is RefundState.FAILED:
        had_succeeded = change.before is RefundState.SUCCEEDED
        # Grants and budgets before the ledger: see the order of locks in billing's README.
        withdrawal.restore_access(actor, _revokers(refund))
        _recount(refund)
        if was_away and not had_succeeded:
            _send_off(refund)
        _undo(actor, refund, came_back=was_away or had_succeeded, had_succeeded=had_succeeded)


def issue_note(actor: Actor, invoice: Invoice, refund: Refund, reversal: Reversal) -> None:
    """Issue the credit note over what a refund gave back; last in its transaction, as it holds a counter."""
    reason = RefundReason(refund.reason)
    papers.credit_note(actor, invoice, reversal, Remark(reason.ja, reason.en), refund.id, clock.today())


def reversal_of(refund: Refund) -> Reversal:
    """Return what a refund took back of its sale."""
    return sales.get_reversal(f"refund:{refund.id}")


def _end_return(change: RefundChange, *, was_away: bool) -> None:
    """Book the end of a return of money that paid nothing: it has left, or it is the payer's again."""
    refund, had_left = change.refund, change.before is RefundState.SUCCEEDED
    if change.after is RefundState.SUCCEEDED or (was_away and not had_left):
        _send_off(refund)
    if change.after is not RefundState.FAILED:
        return
    if was_away or had_left:
        _bounce(refund)
    entries = postings.unapplied_again(refund.amount_yen, refund.organization_id)
    ledger.post("unapplied_return_failed", refund.id, f"unapplied_return_failed:{refund.id}", clock.today(), entries)


def _bounce(refund: Refund) -> None:
    entries = postings.refund_bounced(refund.amount_yen, _left_from(refund))
    ledger.post("refund_bounced", _told_as(refund), f"refund_bounced:{refund.id}", clock.today(), entries)


def _send_off(refund: Refund) -> None:
    entries = postings.refund_settled(refund.amount_yen, _left_from(refund))
    ledger.post("refund_settled", _told_as(refund), f"refund_settled:{refund.id}", clock.today(), entries)


def _undo(actor: Actor, refund: Refund, *, came_back: bool, had_succeeded: bool) -> None:
    if came_back:
        _bounce(refund)
    sales.restore(
        actor,
        reversal_idem=f"refund:{refund.id}",
        kind="refund_failed",
        idem=f"refund_failed:{refund.id}",
        on=clock.today(),
    )
    if had_succeeded:
        papers.cancel_credit_note(actor, refund.id, CAME_BACK)


def _recount(refund: Refund) -> None:
    order_id = billing.require_invoice(refund.invoice_id or "").order_id
    if order_id is not None:
        spending.recount_order(order_id)


def _revokers(failed: Refund) -> list[str]:
    """Return under which refunds the access may have been revoked that must come back now.

    Those of the same request, and those that revoked only because nothing was left of the invoice.
    """
    of_invoice = queries.list_of_invoice(failed.invoice_id or "")
    return [one.id for one in of_invoice if one.request == failed.request or not one.ends_access]


def _left_from(refund: Refund) -> str:
    return postings.BANK if refund.way == RefundWay.BANK else postings.CLEARING


def _told_as(refund: Refund) -> str:
    # The gateway's own name ties the posting to its balance transaction.
    return refund.gateway_refund_id or refund.id
