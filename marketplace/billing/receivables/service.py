"""Applying money to invoices, giving credit and ending it."""

from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger, orders, postings, sales
from marketplace.billing import queries as billing
from marketplace.billing.documents import papers
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import queries, rules
from marketplace.billing.receivables.errors import CreditExhausted, InvoicesOverdue
from marketplace.billing.receivables.models import BuyerAccount, InvoicePayment
from marketplace.billing.states import Dunning, InvoiceState
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db

_FRESH = {"populate_existing": True}


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of what an invoice is owed, and where it comes from."""

    amount_yen: int
    source_ref: str


def take_money(actor: Actor, invoice_id: str, amount_yen: int, source_ref: str, *, account: str) -> int:
    """Apply money to an open invoice; returns how much of it was owed and is paid now.

    Never more than the rest of the invoice: what is left of the money stays with the caller, to be
    booked as unapplied. ``account`` is where the money lies (the gateway's clearing, the bank, unapplied
    money). The invoice's row lock puts parallel payers in line; the same ``source_ref`` pays once and
    then returns what it paid. Raises InvoiceNotFound. This is the half that locks rows: the story changes
    what else follows, and owes ``book_money`` in the same transaction.
    """
    invoice = billing.lock_invoice(invoice_id)
    before = db.session.get(InvoicePayment, (invoice_id, source_ref))
    if before is not None:
        return before.amount_yen
    applied = min(amount_yen, queries.rest_of(invoice))
    if applied <= 0:
        return 0
    db.session.add(_payment(invoice_id, applied, source_ref, account))
    _settle(actor, invoice, _Part(applied, source_ref), Invoice.paid_yen.key)
    return applied


def book_money(actor: Actor, source_ref: str) -> None:
    """Book what a source of money has paid, then issue the receipts; again, it changes nothing."""
    paid = queries.list_paid_by(source_ref)
    for invoice, part in paid:
        entries = postings.invoice_paid(part.amount_yen, invoice.recipient_organization_id, part.account)
        ledger.post(
            "invoice_paid", invoice.id, f"paid:{invoice.id}:{source_ref}", part.applied_on, entries, actor=actor
        )
    for invoice, part in paid:
        # Last, since it holds the counter of the issuer's numbers until the end.
        papers.receipt(actor, invoice, part.amount_yen, part.applied_on, f"{invoice.id}:{source_ref}")


def credit(actor: Actor, invoice_id: str, amount_yen: int, source_ref: str) -> int:
    """Take something off an open invoice by a credit note; returns how much of it was still owed.

    Books nothing: whoever writes the credit note reverses the sale. What exceeds the rest was paid
    already, and is refunded instead. Raises InvoiceNotFound.
    """
    invoice = billing.lock_invoice(invoice_id)
    credited = min(amount_yen, queries.rest_of(invoice))
    if credited > 0:
        _settle(actor, invoice, _Part(credited, source_ref), Invoice.credited_yen.key)
    return max(credited, 0)


def require_credit(organization_id: str, gross_yen: int) -> None:
    """Refuse an order on credit beyond the buyer's limit, or while an invoice of it is overdue.

    Call it before the invoice is issued, in its transaction: the lock of the buyer's account makes
    parallel orders wait and then count each other. Raises CreditExhausted or InvoicesOverdue.
    """
    lock_buyer(organization_id)
    overdue = queries.list_overdue(clock.today(), organization_id)
    if overdue:
        raise InvoicesOverdue(invoices=[invoice.number for invoice in overdue])
    limit, owed = queries.credit_limit_yen(organization_id), queries.owed_yen(organization_id)
    if gross_yen > rules.credit_left(limit, owed):
        raise CreditExhausted(credit_limit_yen=limit, owed_yen=owed)


def set_credit_limit(actor: Actor, organization_id: str, limit_yen: int | None) -> None:
    """Set what a buyer may owe at a time; None goes back to the setting."""
    lock_buyer(organization_id)
    db.session.execute(
        update(BuyerAccount).where(BuyerAccount.organization_id == organization_id).values(credit_limit_yen=limit_yen)
    )
    audit.record(
        actor, Verb.CREDIT_LIMITED, subject=organization_id, counterparty=organization_id, amount_minor=limit_yen
    )


def note_dunning(actor: Actor, invoice_id: str, step: Dunning) -> bool:
    """Note that an overdue invoice has led to a reminder or a suspension; True for exactly one caller."""
    statement = (
        update(Invoice)
        .where(Invoice.id == invoice_id, Invoice.dunning != step.value)
        .values(dunning=step.value)
        .returning(Invoice)
    )
    invoice = db.session.scalars(statement, execution_options=_FRESH).one_or_none()
    if invoice is not None and step is not Dunning.NONE:
        _record(actor, Verb.INVOICE_OVERDUE, invoice, queries.rest_of(invoice), {"dunning": step.value})
    return invoice is not None


def lock_buyer(organization_id: str) -> None:
    """Put in line whoever decides upon the sum of a buyer's debts or money, until the transaction ends."""
    opened = postgresql.insert(BuyerAccount).values(organization_id=organization_id).on_conflict_do_nothing()
    db.session.execute(opened)
    db.session.execute(select(BuyerAccount).where(BuyerAccount.organization_id == organization_id).with_for_update())


def _payment(invoice_id: str, applied: int, source_ref: str, account: str) -> InvoicePayment:
    return InvoicePayment(
        invoice_id=invoice_id,
        source_ref=source_ref,
        amount_yen=applied,
        account=account,
        applied_on=clock.today(),
        applied_at=clock.now(),
    )


def _settle(actor: Actor, invoice: Invoice, part: _Part, column: str) -> None:
    setattr(invoice, column, getattr(invoice, column) + part.amount_yen)
    rest = queries.rest_of(invoice)
    if rest == 0:
        invoice.state, invoice.paid_at = InvoiceState.PAID.value, clock.now()
    db.session.flush()
    in_part = Verb.INVOICE_PAID_IN_PART if column == Invoice.paid_yen.key else Verb.INVOICE_CREDITED
    verb = Verb.INVOICE_PAID if rest == 0 and column == Invoice.paid_yen.key else in_part
    _record(actor, verb, invoice, part.amount_yen, {"source": part.source_ref, "rest_yen": rest})
    if rest == 0:
        _release(invoice)


def _release(invoice: Invoice) -> None:
    # A sale stands in the books under its order, usage under its invoice.
    sales.make_available(invoice.order_id or invoice.id, clock.today())
    if invoice.order_id is not None:
        orders.mark_settled(invoice.order_id)


def _record(actor: Actor, verb: Verb, invoice: Invoice, amount_yen: int, facts: dict[str, object]) -> None:
    acting_recipient = actor.organization_id == invoice.recipient_organization_id
    named = {"number": invoice.number, "issuer": invoice.issuer_organization_id, "sha256": invoice.content_sha256}
    audit.record(
        actor,
        verb,
        subject=invoice.id,
        counterparty=invoice.issuer_organization_id if acting_recipient else invoice.recipient_organization_id,
        amount_minor=amount_yen,
        facts=named | facts,
    )
