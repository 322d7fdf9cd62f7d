"""Invoices: numbered without gaps, taxed once per rate, never changed after issue."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy import select

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import tax
from marketplace.billing.documents import numbering
from marketplace.billing.documents import service as documents
from marketplace.billing.documents.rules import DocumentDraft, DocumentLine, Party, Remark
from marketplace.billing.documents.states import DocumentKind, TaxCategory
from marketplace.billing.errors import InvoiceConflict
from marketplace.billing.models import Invoice
from marketplace.billing.receivables import rules as receivables
from marketplace.billing.states import InvoiceKind, InvoiceState
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.kit import clock, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

LATER = frozenset({"tax_category", "unit_price", "due_on", "reverse_charge", "remarks"})


@dataclass(frozen=True, slots=True)
class InvoiceParty:
    """An issuer or recipient, as it is called on the day of issue."""

    organization_id: str
    name_ja: str
    name_en: str


@dataclass(frozen=True, slots=True)
class InvoiceLine:
    """One line in whole yen before tax; ``quantity`` is a decimal text, since bytes outgrow JSON numbers.

    ``unit_price``, a decimal text, is told instead of ``unit_price_yen`` where a unit costs less than a yen.
    """

    description_ja: str
    description_en: str
    quantity: str
    unit: str
    unit_price_yen: int
    amount_net_yen: int
    tax_rate_basis_points: int
    grant_id: str | None = None
    tax_category: TaxCategory | None = None
    unit_price: str | None = None


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
    due_on: date | None = None
    reverse_charge: bool = False
    remarks: Sequence[Remark] = ()


def issue(actor: Actor, draft: InvoiceDraft, *, paid_at: datetime | None = None) -> Invoice:
    """Issue an invoice, and file its document, under the next number of its issuer and year; call it last.

    The number's row lock is held until the transaction ends: parallel issues wait, so that no number is
    missing or double, also when one of them rolls back. The same ``idem`` with the same content returns
    the invoice issued before; other content raises InvoiceConflict. Raises ValueError for a draft
    without lines or with tax but no registration number.
    """
    paper = _paper(draft)
    content, paper_digest = documents.prepared(paper)
    digest = _digest(draft)
    issued_on = clock.today()
    number = numbering.draw(draft.issuer.organization_id, paper.kind, issued_on.year, paper.idem)
    if number is None:
        before = db.session.scalars(select(Invoice).where(Invoice.idem == draft.idem)).one()
        return _same_or_conflict(before, digest)
    invoice = _compose(draft, digest, number, issued_on, paid_at)
    db.session.add(invoice)
    db.session.flush()
    # The paper is about the invoice too, which has an id only now.
    filed = replace(paper, about=(invoice.id, *paper.about))
    documents.file(filed, content | {"about": list(filed.about)}, paper_digest, number, issued_on)
    _record(actor, Verb.INVOICE_ISSUED, invoice)
    return invoice


def _paper(draft: InvoiceDraft) -> DocumentDraft:
    grants = dict.fromkeys(line.grant_id for line in draft.lines if line.grant_id)
    return DocumentDraft(
        kind=DocumentKind.INVOICE,
        idem=f"invoice:{draft.idem}",
        issuer=_party(draft.issuer, draft.registration_number),
        recipient=_party(
            draft.recipient, identity.registration_on(draft.recipient.organization_id, draft.transaction_on)
        ),
        lines=[paper_line(line) for line in draft.lines],
        transaction_on=draft.transaction_on,
        period_from=draft.period_from,
        period_to=draft.period_to,
        due_on=draft.due_on,
        about=(*([draft.order_id] if draft.order_id else []), *grants),
        reverse_charge=draft.reverse_charge,
        remarks=tuple(draft.remarks),
    )


def _party(party: InvoiceParty, registration_number: str | None) -> Party:
    return Party(party.organization_id, party.name_ja, party.name_en, registration_number)


def paper_line(line: InvoiceLine) -> DocumentLine:
    """Return an invoice's line as its document has it."""
    return DocumentLine(
        description_ja=line.description_ja,
        description_en=line.description_en,
        amount_net_yen=line.amount_net_yen,
        tax_rate_basis_points=line.tax_rate_basis_points,
        quantity=line.quantity,
        unit=line.unit,
        unit_price_yen=line.unit_price or str(line.unit_price_yen),
        category=line.tax_category,
        grant_id=line.grant_id,
    )


def _digest(draft: InvoiceDraft) -> str:
    fields = _told(asdict(draft)) | {"lines": [_told(asdict(line)) for line in draft.lines]}
    return digest_of(fields)


def _told(fields: dict[str, Any]) -> dict[str, Any]:
    # Fields that came later count only where they say something: drafts of before keep their digest.
    return {
        name: _plain(value) for name, value in fields.items() if name not in LATER or value not in (None, False, (), [])
    }


def _plain(value: Any) -> Any:
    if isinstance(value, date):
        return value.isoformat()
    # Canonical JSON has no integer beyond 2**53 - 1.
    return str(value) if isinstance(value, int) and value >= 2**53 else value


def _same_or_conflict(before: Invoice, digest: str) -> Invoice:
    if before.content_sha256 != digest:
        raise InvoiceConflict(f"{before.number} was issued for {before.idem} with other content.")
    return before


def _compose(draft: InvoiceDraft, digest: str, number: str, issued_on: date, paid_at: datetime | None) -> Invoice:
    rounding = numbering.rounding_of(draft.issuer.organization_id)
    rates = tax.totals(((line.amount_net_yen, line.tax_rate_basis_points) for line in draft.lines), rounding)
    net, tax_total = sum(rate.net_yen for rate in rates), sum(rate.tax_yen for rate in rates)
    if net + tax_total == 0:
        paid_at = clock.now()  # nothing is owed on it
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
        paid_yen=0 if paid_at is None else net + tax_total,
        due_on=receivables.due_on(issued_on, settings.current().invoice_due) if paid_at is None else None,
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
