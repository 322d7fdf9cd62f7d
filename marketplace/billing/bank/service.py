"""Bank lines: taken in once, booked where they belong, settled by the operator where nothing says whose they are."""

from collections.abc import Callable, Sequence

from sqlalchemy import or_, select
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger, postings
from marketplace.billing import queries as billing
from marketplace.billing.bank import queries, rules
from marketplace.billing.bank.errors import BankLineSettled
from marketplace.billing.bank.models import BankLine
from marketplace.billing.bank.rules import Known, Owed, Plan
from marketplace.billing.bank.statements import Transfer
from marketplace.billing.bank.states import BankLineState, MatchRule
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import queries as receivables
from marketplace.billing.receivables import service as receiving
from marketplace.billing.receivables.errors import NothingUnapplied
from marketplace.billing.states import InvoiceState
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.ids import new_id
from marketplace.kit.money import AMOUNT_MAX

Follow = Callable[[Sequence[str]], object]
"""What follows elsewhere for invoices that money was just taken for; called before anything is booked."""


def _nothing(_invoice_ids: Sequence[str]) -> None:
    """Follow nothing: for callers to whom only the money matters."""


_RECEIVE = postgresql.insert(BankLine).on_conflict_do_nothing(index_elements=["fingerprint"]).returning(BankLine)


def receive(actor: Actor, transfer: Transfer, follow: Follow = _nothing) -> BankLine | None:
    """Take in one incoming transfer and book it; None where an earlier file brought it already.

    What it pays is planned under the locks of the buyer and of its open invoices, so that no payment
    beside it is lost or counted twice. What nobody can be named for lies in suspense.
    """
    line = _store(transfer)
    if line is None:
        return None
    numbers = rules.numbers_in(transfer.reference)
    holder = queries.holder_of(transfer.account)
    plan = _planned(transfer.amount_yen, holder, _named(numbers))
    _carry_out(actor, line, plan, postings.BANK, follow)
    _record(actor, Verb.BANK_LINE_RECEIVED, line, {"fingerprint": line.fingerprint, "state": line.state})
    return line


def assign(
    actor: Actor,
    line_id: str,
    *,
    organization_id: str | None = None,
    invoice_id: str | None = None,
    follow: Follow = _nothing,
) -> BankLine:
    """Say whose transfer a line in suspense was, by the buyer or by the invoice it pays.

    With a buyer alone, what it pays follows the same rule as for a virtual account. Raises
    BankLineNotFound, BankLineSettled, InvoiceNotFound, or Invalid where the invoice is another buyer's.
    """
    line = queries.lock_line(line_id)
    if line.state != BankLineState.SUSPENSE:
        raise BankLineSettled(state=line.state)
    named = [_owed(billing.get_invoice(actor, invoice_id))] if invoice_id else []
    holder = organization_id or named[0].organization_id
    if rules.payer_of(holder, named) is None:
        raise Invalid(errors=[{"pointer": "/invoice_id", "detail": "not an invoice of this organization"}])
    _carry_out(actor, line, _planned(line.amount_yen, holder, named), postings.SUSPENSE, follow)
    line.rule = MatchRule.OPERATOR.value
    _record(actor, Verb.BANK_LINE_ASSIGNED, line, {})
    return line


def send_back(actor: Actor, line_id: str, reason: str) -> BankLine:
    """Note that the bank was told to send back what of a transfer pays nothing.

    Raises BankLineNotFound, BankLineSettled, or NothingUnapplied when the payer's money has paid
    something since.
    """
    line = queries.lock_line(line_id)
    waiting = line.amount_yen if line.state == BankLineState.SUSPENSE else line.unapplied_yen
    if line.state == BankLineState.RETURNED or not waiting:
        raise BankLineSettled(state=line.state)
    if line.organization_id is not None:
        _require_unapplied(line.organization_id, waiting)
    _book(actor, line, "transfer_returned", postings.transfer_returned(waiting, line.organization_id))
    line.returned_yen, line.unapplied_yen = waiting, 0
    if not line.applied_yen:
        line.state = BankLineState.RETURNED.value
    db.session.flush()
    _record(actor, Verb.BANK_LINE_RETURNED, line, {"reason_sha256": sha256_hex(reason.encode())})
    return line


def apply_unapplied(actor: Actor, invoice_id: str, amount_yen: int, follow: Follow = _nothing) -> int:
    """Pay an open invoice with money that its buyer sent before; returns how much of it was owed.

    Raises InvoiceNotFound or NothingUnapplied.
    """
    buyer = billing.require_invoice(invoice_id).recipient_organization_id
    receiving.lock_buyer(buyer)
    _require_unapplied(buyer, amount_yen)
    source = new_id("apl")
    applied = receiving.take_money(actor, invoice_id, amount_yen, source, account=postings.unapplied(buyer))
    follow([invoice_id])
    receiving.book_money(actor, source)
    if applied:
        audit.record(
            actor,
            Verb.UNAPPLIED_APPLIED,
            subject=invoice_id,
            counterparty=buyer,
            amount_minor=applied,
            facts={"source": source},
        )
    return applied


def _store(transfer: Transfer) -> BankLine | None:
    columns = {
        "id": new_id("bnk"),
        "fingerprint": transfer.fingerprint,
        "booked_on": transfer.booked_on,
        "amount_yen": transfer.amount_yen,
        "payer": transfer.payer,
        "account": transfer.account,
        "reference": transfer.reference,
        "raw": transfer.raw,
        "state": BankLineState.SUSPENSE.value,
        "rule": MatchRule.UNKNOWN_PAYER.value,
        "hint_organization_id": queries.hint_of(transfer.payer),
        "applied_yen": 0,
        "unapplied_yen": 0,
        "returned_yen": 0,
        "imported_at": clock.now(),
    }
    return db.session.scalars(_RECEIVE.values(columns)).one_or_none()


def _planned(amount_yen: int, holder: str | None, named: Sequence[Owed]) -> Plan:
    buyer = rules.payer_of(holder, named)
    if buyer is None:
        return rules.plan(amount_yen, Known(holder, named))
    receiving.lock_buyer(buyer)
    _lock_invoices(buyer, [one.invoice_id for one in named])
    fresh = [_owed(billing.lock_invoice(one.invoice_id)) for one in named]
    return rules.plan(amount_yen, Known(holder, fresh, [_owed(invoice) for invoice in receivables.list_open(buyer)]))


def _named(numbers: Sequence[str]) -> list[Owed]:
    found = db.session.scalars(select(Invoice).where(Invoice.number.in_(numbers))).all() if numbers else []
    by_number = {invoice.number: _owed(invoice) for invoice in found}
    return [by_number[number] for number in numbers if number in by_number]


def _owed(invoice: Invoice) -> Owed:
    return Owed(invoice.id, invoice.recipient_organization_id, receivables.rest_of(invoice))


def _lock_invoices(buyer: str, named: Sequence[str]) -> None:
    # All at once and by their ids, as everyone who needs several: two never wait for each other.
    wanted = or_(Invoice.state == InvoiceState.OPEN.value, Invoice.id.in_(named))
    own = select(Invoice).where(Invoice.recipient_organization_id == buyer, wanted)
    db.session.scalars(own.order_by(Invoice.id).with_for_update(), execution_options={"populate_existing": True}).all()


def _carry_out(actor: Actor, line: BankLine, plan: Plan, money: str, follow: Follow) -> None:
    applied = sum(
        receiving.take_money(actor, invoice_id, part, line.id, account=money) for invoice_id, part in plan.parts
    )
    # Rows first, then the ledger, then the receipts with their counters: see the order of locks in the README.
    follow([invoice_id for invoice_id, _part in plan.parts])
    rest = line.amount_yen - applied
    if plan.organization_id is None:
        _book(actor, line, "transfer_unexplained", postings.unexplained(money, rest))
    elif rest:
        _book(actor, line, "transfer_unapplied", postings.transfer_unapplied(rest, plan.organization_id, money))
    line.rule, line.state, line.organization_id = plan.rule.value, plan.state.value, plan.organization_id
    line.applied_yen, line.unapplied_yen = applied, rest if plan.organization_id else 0
    db.session.flush()
    receiving.book_money(actor, line.id)


def _book(actor: Actor, line: BankLine, kind: str, entries: Sequence[postings.Entry]) -> None:
    ledger.post(kind, line.id, f"{kind}:{line.id}", clock.today(), entries, actor=actor)


def _require_unapplied(organization_id: str, amount_yen: int) -> None:
    receiving.lock_buyer(organization_id)
    on_hand = receivables.unapplied_yen(organization_id)
    if not 0 < amount_yen <= min(on_hand, AMOUNT_MAX):
        raise NothingUnapplied(unapplied_yen=on_hand)


def _record(actor: Actor, verb: Verb, line: BankLine, facts: dict[str, object]) -> None:
    parts = ("applied_yen", "unapplied_yen", "returned_yen")
    taken: dict[str, object] = {"rule": line.rule} | {part: getattr(line, part) for part in parts}
    audit.record(
        actor,
        verb,
        subject=line.id,
        counterparty=line.organization_id,
        amount_minor=line.amount_yen,
        facts=facts | taken,
    )
