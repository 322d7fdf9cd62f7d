"""Invoices: numbered without gaps, taxed once per rate, never changed after issue."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import queries, tax
from marketplace.billing.errors import InvoiceConflict
from marketplace.billing.models import Invoice, InvoiceCounter, InvoiceIssuer
from marketplace.billing.states import InvoiceKind, InvoiceState
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.ids import new_id


@dataclass(frozen=True, slots=True)
class InvoiceParty:
    """An issuer or recipient, as it is called on the day of issue."""

    organization_id: str
    name_ja: str
    name_en: str


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line in whole yen before tax; ``quantity`` is a decimal text, since bytes outgrow JSON numbers."""

    description_ja: str
    description_en: str
    quantity: str
    unit: str
    unit_price_yen: int
    amount_net_yen: int
    tax_rate_basis_points: int
    grant_id: str | None = None


@dataclass(frozen=True, slots=True)
class InvoiceDraft:
    """What to bill. ``registration_number`` (T + 13 digits) makes it a qualified invoice (適格請求書).

    Without one the issuer charges no tax: every line's rate is 0 and the invoice has no tax block.
    ``idem`` names the thing billed, such as ``order:ord_…`` or ``usage:<issuer>:<recipient>:2026-11``.
    """

    kind: InvoiceKind
    idem: str
    issuer: InvoiceParty
    registration_number: str | None
    recipient: InvoiceParty
    lines: Sequence[InvoiceLine]
    transaction_on: date
    order_id: str | None = None
    period_from: date | None = None
    period_to: date | None = None


def issue(actor: Actor, draft: InvoiceDraft, *, paid_at: datetime | None = None) -> Invoice:
    """Issue an invoice under the next number of its issuer and year; call it last in the story.

    The number's row lock is held until the transaction ends: parallel issues wait, so that no number is
    missing or double, also when one of them rolls back. The same ``idem`` with the same content returns
    the invoice issued before; other content raises InvoiceConflict. Raises ValueError for a draft
    without lines or with tax but no registration number.
    """
    _check(draft)
    digest = _digest(draft)
    issued_on = clock.today()
    counter = _lock_counter(draft.issuer.organization_id, issued_on.year)
    before = db.session.scalar(select(Invoice).where(Invoice.idem == draft.idem))
    if before is not None:
        return _same_or_conflict(before, digest)
    counter.last_serial += 1
    number = f"M{_issuer_code(draft.issuer.organization_id):04d}-{issued_on.year}-{counter.last_serial:06d}"
    invoice = _compose(draft, digest, number, issued_on, paid_at)
    db.session.add(invoice)
    db.session.flush()
    _record(actor, Verb.INVOICE_ISSUED, invoice)
    return invoice


def mark_paid(actor: Actor, invoice_id: str) -> bool:
    """Note that the invoice is paid; True for exactly one caller. Raises InvoiceNotFound."""
    statement = (
        update(Invoice)
        .where(Invoice.id == invoice_id, Invoice.state == InvoiceState.OPEN.value)
        .values(state=InvoiceState.PAID.value, paid_at=clock.now())
        .returning(Invoice)
    )
    invoice = db.session.scalars(statement, execution_options={"populate_existing": True}).one_or_none()
    if invoice is None:
        queries.require_invoice(invoice_id)
        return False
    _record(actor, Verb.INVOICE_PAID, invoice)
    return True


def _check(draft: InvoiceDraft) -> None:
    if not draft.lines:
        raise ValueError("an invoice has lines")
    if draft.registration_number is None and any(line.tax_rate_basis_points for line in draft.lines):
        raise ValueError("an issuer without a registration number charges no tax")


def _digest(draft: InvoiceDraft) -> str:
    return digest_of(
        {
            name: value.isoformat() if isinstance(value, date) else value
            for name, value in (asdict(draft) | {"lines": [asdict(line) for line in draft.lines]}).items()
        }
    )


def _lock_counter(issuer_id: str, year: int) -> InvoiceCounter:
    start = postgresql.insert(InvoiceCounter).values(issuer_organization_id=issuer_id, year=year, last_serial=0)
    db.session.execute(start.on_conflict_do_nothing())
    query = select(InvoiceCounter).where(
        InvoiceCounter.issuer_organization_id == issuer_id, InvoiceCounter.year == year
    )
    return db.session.scalars(query.with_for_update(), execution_options={"populate_existing": True}).one()


def _issuer_code(issuer_id: str) -> int:
    db.session.execute(postgresql.insert(InvoiceIssuer).values(organization_id=issuer_id).on_conflict_do_nothing())
    query = select(InvoiceIssuer.code).where(InvoiceIssuer.organization_id == issuer_id)
    return db.session.execute(query).scalar_one()


def _same_or_conflict(before: Invoice, digest: str) -> Invoice:
    if before.content_sha256 != digest:
        raise InvoiceConflict(f"{before.number} was issued for {before.idem} with other content.")
    return before


def _compose(draft: InvoiceDraft, digest: str, number: str, issued_on: date, paid_at: datetime | None) -> Invoice:
    rates = tax.totals((line.amount_net_yen, line.tax_rate_basis_points) for line in draft.lines)
    net, tax_total = sum(rate.net_yen for rate in rates), sum(rate.tax_yen for rate in rates)
    return Invoice(
        id=new_id("inv"),
        number=number,
        idem=draft.idem,
        content_sha256=digest,
        kind=draft.kind.value,
        issuer_organization_id=draft.issuer.organization_id,
        issuer_name_ja=draft.issuer.name_ja,
        issuer_name_en=draft.issuer.name_en,
        registration_number=draft.registration_number,
        recipient_organization_id=draft.recipient.organization_id,
        recipient_name_ja=draft.recipient.name_ja,
        recipient_name_en=draft.recipient.name_en,
        order_id=draft.order_id,
        period_from=draft.period_from,
        period_to=draft.period_to,
        transaction_on=draft.transaction_on,
        issued_on=issued_on,
        lines=[asdict(line) for line in draft.lines],
        rate_totals=[asdict(rate) for rate in rates] if draft.registration_number else [],
        amount_net_yen=net,
        amount_tax_yen=tax_total,
        amount_gross_yen=net + tax_total,
        state=(InvoiceState.OPEN if paid_at is None else InvoiceState.PAID).value,
        created_at=clock.now(),
        paid_at=paid_at,
    )


def _record(actor: Actor, verb: Verb, invoice: Invoice) -> None:
    acting_recipient = actor.organization_id == invoice.recipient_organization_id
    facts: dict[str, Any] = {
        "number": invoice.number,
        "issuer": invoice.issuer_organization_id,
        "sha256": invoice.content_sha256,
    }
    audit.record(
        actor,
        verb,
        subject=invoice.id,
        counterparty=invoice.issuer_organization_id if acting_recipient else invoice.recipient_organization_id,
        amount_minor=invoice.amount_gross_yen,
        facts=facts,
    )
