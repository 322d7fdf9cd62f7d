"""Deeds of refunds: opening, learning what became of them. What follows in other rooms is the story's to do."""

from dataclasses import dataclass

from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.refunds import queries, rules
from marketplace.billing.refunds.errors import RefundConflict, RefundNotByBank
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.rules import Source
from marketplace.billing.refunds.states import RefundReason, RefundState, RefundWay
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

_VERBS = {RefundState.SUCCEEDED: Verb.REFUND_SUCCEEDED, RefundState.FAILED: Verb.REFUND_FAILED}


@dataclass(frozen=True, slots=True)
class RefundDraft:
    """What to give back from one source, and why; ``invoice_id`` is None for money that paid nothing."""

    request: str
    number: int
    sale_ref: str
    invoice_id: str | None
    organization_id: str
    provider_organization_id: str
    source: Source
    amount_yen: int
    reason: RefundReason
    note: str
    ends_access: bool
    gateway_refund_id: str | None = None


@dataclass(frozen=True, slots=True)
class RefundChange:
    """A refund and its state before and after something was learnt of it."""

    refund: Refund
    before: RefundState
    after: RefundState


def open_refund(actor: Actor, draft: RefundDraft) -> Refund:
    """Keep a refund under its key. Raises RefundConflict where the key is taken.

    Call it with the invoice's row locked: what is left of the invoice must not change meanwhile.
    """
    statement = postgresql.insert(Refund).values(_columns(new_id("rfd"), draft)).on_conflict_do_nothing()
    refund = db.session.scalars(statement.returning(Refund)).one_or_none()
    if refund is None:
        raise RefundConflict
    facts = {"reason": refund.reason, "way": refund.way, "request": refund.request}
    _record(actor, Verb.REFUND_OPENED, refund, facts)
    return refund


def note_gateway_id(refund_id: str, gateway_refund_id: str) -> None:
    """Note under which name the gateway knows a refund; the first name stays."""
    refund = queries.lock_refund(refund_id)
    refund.gateway_refund_id = refund.gateway_refund_id or gateway_refund_id
    db.session.flush()


def renew_key(refund_id: str, spent: str) -> Refund:
    """Keep another key than the one under which the gateway only fails; parallel callers get the same. The refund."""
    refund = queries.lock_refund(refund_id)
    if refund.idempotency_key == spent:
        refund.idempotency_key = f"refund-{refund.id}-{new_id('key')}"
        db.session.flush()
    return refund


def note_refused(actor: Actor, refund_id: str, why: str) -> RefundChange:
    """Note that the gateway would not send a refund; one that it has sent after all stays as it is."""
    refund = queries.lock_refund(refund_id)
    before = RefundState(refund.state)
    if before is not RefundState.CREATED:
        return RefundChange(refund, before, before)
    _move(actor, refund, RefundState.FAILED, why)
    return RefundChange(refund, before, RefundState.FAILED)


def learn(actor: Actor, refund_id: str, gateway_status: str, failure: str | None = None) -> RefundChange:
    """Raise a refund to what the gateway says of it; hearing less than is known changes nothing."""
    refund = queries.lock_refund(refund_id)
    before = RefundState(refund.state)
    after = rules.raised(before, gateway_status)
    if after != before:
        _move(actor, refund, after, failure)
    return RefundChange(refund, before, after)


def settle_by_bank(actor: Actor, refund_id: str, *, succeeded: bool, failure: str | None = None) -> RefundChange:
    """Note that a refund out of the bank account was sent, or came back. Raises RefundNotFound, RefundNotByBank."""
    refund = queries.lock_refund(refund_id)
    before = RefundState(refund.state)
    after = RefundState.SUCCEEDED if succeeded else RefundState.FAILED
    if refund.way != RefundWay.BANK.value or before is RefundState.FAILED:
        raise RefundNotByBank
    if after != before:
        _move(actor, refund, after, failure)
    return RefundChange(refund, before, after)


def _move(actor: Actor, refund: Refund, after: RefundState, failure: str | None) -> None:
    refund.state = after.value
    if after in _VERBS:
        refund.settled_at = clock.now()
        refund.failure = (failure or "unknown") if after is RefundState.FAILED else None
        _record(actor, _VERBS[after], refund, {"way": refund.way})
    db.session.flush()


def _columns(refund_id: str, draft: RefundDraft) -> dict[str, object]:
    # Money that never was with us, or is still owed, needs nobody to send it: such a refund is done at once.
    done = draft.source.way in {RefundWay.CREDIT, RefundWay.OUTSIDE}
    return {
        "id": refund_id,
        "request": draft.request,
        "number": draft.number,
        "sale_ref": draft.sale_ref,
        "invoice_id": draft.invoice_id,
        "payment_id": draft.source.payment_id,
        "organization_id": draft.organization_id,
        "provider_organization_id": draft.provider_organization_id,
        "amount_yen": draft.amount_yen,
        "way": draft.source.way.value,
        "reason": draft.reason.value,
        "note": draft.note,
        "ends_access": draft.ends_access,
        "state": (RefundState.SUCCEEDED if done else RefundState.CREATED).value,
        "idempotency_key": f"refund-{refund_id}",
        "gateway_refund_id": draft.gateway_refund_id,
        "failure": None,
        "created_at": clock.now(),
        "settled_at": clock.now() if done else None,
    }


def _record(actor: Actor, verb: Verb, refund: Refund, facts: dict[str, str]) -> None:
    acting_buyer = actor.organization_id == refund.organization_id
    audit.record(
        actor,
        verb,
        subject=refund.id,
        counterparty=refund.provider_organization_id if acting_buyer else refund.organization_id,
        amount_minor=refund.amount_yen,
        facts=facts | {"invoice": refund.invoice_id or "", "sale": refund.sale_ref},
    )
