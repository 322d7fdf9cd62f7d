"""Payments: one attempt at a time, its state always computed from the facts known of it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger, postings, queries, rules
from marketplace.billing.checkout import Checkout
from marketplace.billing.errors import InvoiceNotFound, InvoiceNotPayable, PaymentUnknown
from marketplace.billing.models import Invoice, Order, Payment, PaymentFact
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.rules import Fact
from marketplace.billing.states import LIVE_PAYMENT_STATES, FactKind, InvoiceState, OrderState, PaymentState
from marketplace.identity.actors import SYSTEM, Actor, on_behalf_of
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.states import Rail

PAGE_OPEN_FOR = timedelta(hours=23)
"""How long a page takes payments: the gateway allows 24 hours, of which our own retries may use one."""
_UNDER_WAY = (PaymentState.CREATED, PaymentState.OPEN, PaymentState.PROCESSING)
_VERBS = {
    PaymentState.PAID: Verb.PAYMENT_CAPTURED,
    PaymentState.HELD: Verb.PAYMENT_HELD,
    PaymentState.FAILED: Verb.PAYMENT_FAILED,
    PaymentState.EXPIRED: Verb.PAYMENT_EXPIRED,
}


@dataclass(frozen=True, slots=True)
class PaymentChange:
    """A payment and its state before and after some facts became known."""

    payment: Payment
    before: PaymentState
    after: PaymentState


def open_first(actor: Actor, order: Order) -> Payment:
    """Open the first attempt to pay an order that this same transaction placed, so that nobody else knows of it."""
    return _open(actor, Payment(order_id=order.id, amount_minor=order.amount_gross_yen, rail=order.rail))


def open_for_invoice(actor: Actor, invoice_id: str, rail: Rail = Rail.CARD) -> Payment:
    """Return the attempt to pay the rest of the recipient's invoice that is under way, or open one.

    The invoice's row lock lets one caller open; others get the same attempt. Raises InvoiceNotFound to anyone
    but the recipient, and InvoiceNotPayable for an invoice that is not open, owes nothing or is held, and while
    a page for another sum than is owed now waits to be closed.
    """
    invoice = queries.lock_invoice(invoice_id)
    if invoice.recipient_organization_id != actor.organization_id:
        raise InvoiceNotFound
    rest = receivables.rest_of(invoice)
    if invoice.state != InvoiceState.OPEN or rest == 0:
        raise InvoiceNotPayable
    live = _find_live(Payment.invoice_id == invoice_id)
    if live is not None and live.state == PaymentState.HELD:
        raise InvoiceNotPayable("Money of another amount arrived for this invoice; the operator is looking into it.")
    if live is not None and live.amount_minor != rest:
        raise InvoiceNotPayable("A payment page for what was owed before is being closed; try again in some minutes.")
    return live or _open(actor, Payment(invoice_id=invoice_id, amount_minor=rest, rail=rail.value))


def is_wanted(payment: Payment) -> bool:
    """Tell, under lock, whether what a payment pays is still owed, and just so much."""
    if payment.order_id is not None:
        return queries.lock_order(payment.order_id).state == OrderState.PLACED
    invoice = queries.lock_invoice(payment.invoice_id or "")
    return invoice.state == InvoiceState.OPEN and receivables.rest_of(invoice) == payment.amount_minor


def list_unwanted_ids() -> Sequence[str]:
    """Return the payments under way for what is not owed any more, or not so much, oldest first."""
    rest = Invoice.amount_gross_yen - Invoice.paid_yen - Invoice.credited_yen
    query = (
        select(Payment.id)
        .outerjoin(Order, Order.id == Payment.order_id)
        .outerjoin(Invoice, Invoice.id == Payment.invoice_id)
        .where(Payment.state.in_(_UNDER_WAY))
        .where(or_(Order.state != OrderState.PLACED.value, rest != Payment.amount_minor))
    )
    return db.session.scalars(query.order_by(Payment.id)).all()


def list_late_transfer_ids(created_before: datetime) -> Sequence[str]:
    """Return the bank transfers that were begun before that instant and have not arrived in full."""
    query = select(Payment.id).where(
        Payment.state.in_(_UNDER_WAY),
        Payment.rail == Rail.BANK_TRANSFER.value,
        Payment.created_at < created_before,
    )
    return db.session.scalars(query.order_by(Payment.id)).all()


def payer_of(payment: Payment) -> str:
    """Return the organization that pays: the order's buyer, or the invoice's recipient."""
    if payment.order_id is not None:
        return queries.require_order(payment.order_id).organization_id
    return queries.require_invoice(payment.invoice_id or "").recipient_organization_id


def attach_session(payment_id: str, checkout: Checkout) -> PaymentChange:
    """Note the gateway's payment page; the first one noted stays, since one key opens one page."""
    payment = _lock(payment_id)
    if payment.session_id is None:
        payment.session_id = checkout.session_id
        payment.checkout_url = checkout.url
        payment.session_expires_at = checkout.expires_at
    opened = Fact(FactKind.SESSION_OPENED, checkout.session_id, None, payment.currency, clock.now())
    return record_facts(payment_id, [opened])


def record_facts(
    payment_id: str,
    facts: Iterable[Fact],
    *,
    payment_intent_id: str | None = None,
    charge_id: str | None = None,
) -> PaymentChange:
    """Add facts to what is known of a payment and move it to the state that all of them amount to.

    Facts known already change nothing. The payment's row lock puts parallel callers in line, so that
    exactly one of them sees the change. Raises PaymentUnknown.
    """
    payment = _lock(payment_id)
    _store(payment_id, facts)
    before = PaymentState(payment.state)
    after = rules.payment_state(payment.amount_minor, payment.currency, _known(payment_id))
    payment.payment_intent_id = payment.payment_intent_id or payment_intent_id
    payment.charge_id = payment.charge_id or charge_id
    if after != before:
        payment.state = after.value
        _record(payment, after)
    db.session.flush()
    return PaymentChange(payment, before, after)


def renew_key(payment_id: str, spent: str) -> None:
    """Keep another key for the page of a payment, in place of one under which the gateway only fails; once."""
    payment = _lock(payment_id)
    if payment.session_id is None and payment.idempotency_key == spent:
        payment.idempotency_key = f"checkout:{payment.id}:{new_id('key')}"
        db.session.flush()


def record_unapplied(payment: Payment, payer: str) -> None:
    """Note, once per payment, that its money came for what was paid already, and owe it to the payer.

    Two attempts can both succeed when the first one's money arrives after it was given up.
    """
    entries = postings.paid_twice_by_card(payment.amount_minor, payer)
    ledger.post("payment_unapplied", payment.id, f"unapplied:{payment.id}", clock.today(), entries)
    audit.record(
        SYSTEM,
        Verb.PAYMENT_UNAPPLIED,
        subject=payment.id,
        counterparty=payer,
        amount_minor=payment.amount_minor,
        facts={"pays": payment.order_id or payment.invoice_id},
    )


def _open(actor: Actor, payment: Payment) -> Payment:
    payment.id = new_id("pay")
    payment.currency = "JPY"
    payment.state = PaymentState.CREATED.value
    payment.gateway = "stripe"
    # Kept with the row before the gateway is first asked: a retry after a crash asks with the same key.
    payment.idempotency_key = f"checkout:{payment.id}"
    payment.created_at = clock.now()
    db.session.add(payment)
    db.session.flush()
    audit.record(
        actor,
        Verb.PAYMENT_OPENED,
        subject=payment.id,
        amount_minor=payment.amount_minor,
        facts={"pays": payment.order_id or payment.invoice_id},
    )
    return payment


def _find_live(purpose: ColumnElement[bool]) -> Payment | None:
    query = select(Payment).where(purpose, Payment.state.in_(LIVE_PAYMENT_STATES))
    return db.session.scalar(query, execution_options={"populate_existing": True})


def _lock(payment_id: str) -> Payment:
    query = select(Payment).where(Payment.id == payment_id).with_for_update()
    payment = db.session.scalar(query, execution_options={"populate_existing": True})
    if payment is None:
        raise PaymentUnknown
    return payment


def _store(payment_id: str, facts: Iterable[Fact]) -> None:
    rows = [
        {
            "payment_id": payment_id,
            "kind": fact.kind.value,
            "object_id": fact.object_id,
            "amount_minor": fact.amount_minor,
            "currency": fact.currency,
            "occurred_at": fact.occurred_at,
            "event_id": fact.event_id,
        }
        for fact in facts
    ]
    if rows:
        db.session.execute(postgresql.insert(PaymentFact).on_conflict_do_nothing(), rows)


def _known(payment_id: str) -> list[Fact]:
    return [
        Fact(FactKind(row.kind), row.object_id, row.amount_minor, row.currency, row.occurred_at, row.event_id)
        for row in queries.list_facts(payment_id)
    ]


def _record(payment: Payment, after: PaymentState) -> None:
    if after in _VERBS:
        audit.record(
            on_behalf_of(payer_of(payment)),
            _VERBS[after],
            subject=payment.id,
            amount_minor=payment.amount_minor,
            facts={"pays": payment.order_id or payment.invoice_id},
        )
