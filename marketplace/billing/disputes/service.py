"""Deeds of disputes: keeping what the gateway says. What follows in other rooms is the story's to do."""

from dataclasses import dataclass

from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.disputes import queries, rules
from marketplace.billing.disputes.models import Dispute
from marketplace.billing.disputes.states import DisputeState
from marketplace.billing.gateways.reports import DisputeReport
from marketplace.billing.models import Invoice, Payment
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

_VERBS = {
    DisputeState.WARNING: Verb.DISPUTE_WARNED,
    DisputeState.OPENED: Verb.DISPUTE_OPENED,
    DisputeState.WON: Verb.DISPUTE_WON,
    DisputeState.LOST: Verb.DISPUTE_LOST,
}


@dataclass(frozen=True, slots=True)
class Contested:
    """What a disputed payment paid; no invoice and no provider where it paid nothing."""

    payment: Payment
    payer: str
    invoice: Invoice | None
    provider: str | None


@dataclass(frozen=True, slots=True)
class DisputeChange:
    """A dispute and its state before and after something was learnt; before is None when it was new."""

    dispute: Dispute
    before: DisputeState | None
    after: DisputeState


def learn(contested: Contested, report: DisputeReport) -> DisputeChange:
    """Keep a dispute once, and raise it to what the gateway says of it; hearing less than is known changes nothing.

    The row's lock puts parallel callers in line, so that exactly one of them sees each change.
    """
    statement = postgresql.insert(Dispute).values(_columns(contested, report)).on_conflict_do_nothing()
    is_new = db.session.scalar(statement.returning(Dispute.id)) is not None
    dispute = queries.lock_by_gateway(report.dispute_id)
    if dispute is None:
        raise LookupError(f"{report.dispute_id} was kept and is not there")
    before = None if is_new else DisputeState(dispute.state)
    after = rules.raised(DisputeState(dispute.state), report.status)
    dispute.state, dispute.evidence_due_at = after.value, report.evidence_due_at
    if after in {DisputeState.WON, DisputeState.LOST} and dispute.closed_at is None:
        dispute.closed_at = clock.now()
    db.session.flush()
    if after != before:
        _record(dispute, after)
    return DisputeChange(dispute, before, after)


def note_loss(dispute: Dispute, lost_yen: int, absorbed_yen: int) -> None:
    """Note what a lost dispute took of its sale, and what the exchange bears of it."""
    dispute.lost_yen, dispute.absorbed_yen = lost_yen, absorbed_yen
    db.session.flush()


def _columns(contested: Contested, report: DisputeReport) -> dict[str, object]:
    invoice = contested.invoice
    return {
        "id": new_id("dsp"),
        "gateway_dispute_id": report.dispute_id,
        "payment_id": contested.payment.id,
        "sale_ref": (invoice.order_id or invoice.id) if invoice else None,
        "invoice_id": invoice.id if invoice else None,
        "organization_id": contested.payer,
        "provider_organization_id": contested.provider,
        "amount_yen": report.amount_minor,
        "lost_yen": 0,
        "absorbed_yen": 0,
        "reason": report.reason,
        "state": DisputeState.WARNING.value,
        "evidence_due_at": report.evidence_due_at,
        "opened_at": clock.now(),
        "closed_at": None,
    }


def _record(dispute: Dispute, after: DisputeState) -> None:
    audit.record(
        SYSTEM,
        _VERBS[after],
        subject=dispute.id,
        counterparty=dispute.organization_id,
        amount_minor=dispute.amount_yen,
        facts={
            "dispute": dispute.gateway_dispute_id,
            "payment": dispute.payment_id,
            "sale": dispute.sale_ref or "",
            "reason": dispute.reason,
        },
    )
