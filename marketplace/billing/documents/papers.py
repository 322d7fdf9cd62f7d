"""The papers that follow from others: credit notes, receipts, corrections, commission invoices, purchase statements.

Those that need to know an offer, an order or a grant stand in ``exchange.paperwork``.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Protocol

from marketplace.billing.documents import queries, rules, service, words
from marketplace.billing.documents.errors import (
    CorrectionChangesAmount,
    CreditExceedsInvoice,
    DocumentConflict,
    DocumentNotFound,
)
from marketplace.billing.documents.models import Document
from marketplace.billing.documents.rules import DocumentDraft, DocumentLine, Party, Remark, TaxTotal
from marketplace.billing.documents.states import DocumentKind
from marketplace.billing.models import Invoice
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor

SILENCE_DAYS = 7


class Reversed(Protocol):
    """What was taken back of a sale, in whole yen above zero."""

    @property
    def net(self) -> int:
        """Taken back of the price before tax."""
        ...

    @property
    def tax(self) -> int:
        """Taken back of the tax."""
        ...


@dataclass(frozen=True, slots=True)
class Changes:
    """What a correction says instead; None leaves it as it was. Amounts and rates cannot be changed."""

    recipient_name_ja: str | None = None
    recipient_name_en: str | None = None
    issuer_registration_number: str | None = None
    transaction_on: date | None = None
    descriptions: Sequence[tuple[str, str]] | None = None


def party(organization_id: str, day: date) -> Party:
    """Return an organization as it is called today, with the registration number valid on the day."""
    organization = identity.get_organization(organization_id)
    number = identity.registration_on(organization_id, day)
    return Party(organization_id, organization.name_ja, organization.name_en, number)


def document_of(invoice: Invoice) -> Document:
    """Return the document of an invoice."""
    document = queries.find_by_number(invoice.number)
    if document is None:
        raise RuntimeError(f"{invoice.number} was issued without its document")
    return document


def credit_note(actor: Actor, invoice: Invoice, reversal: Reversed, reason: Remark, ref: str, on: date) -> Document:
    """Issue a qualified credit note (適格返還請求書) over what was taken back of an invoice; call it last.

    ``ref`` names the refund: the same one returns the note issued before. Net and tax are spread over the
    invoice's rates so that all its notes together never exceed any of them, and the last one ends at zero.
    Raises CreditExceedsInvoice, or DocumentConflict when the same refund comes with other amounts.
    """
    # Two notes at once would each see the whole invoice left.
    origin = queries.lock(document_of(invoice).id)
    before = queries.find_by_idem(f"credit_note:{ref}")
    if before is not None:
        return _same_amount(before, -(reversal.net + reversal.tax))
    left = rules.left_of(origin.content, [note.content for note in queries.list_credit_notes(origin.id)])
    sums = _credited(left, reversal)
    draft = replace(
        draft_of(origin),
        kind=CREDIT,
        idem=f"credit_note:{ref}",
        lines=[_credit_line(total, origin.number) for total in sums],
        transaction_on=on,
        due_on=None,
        totals=sums,
        about=(invoice.id, *([invoice.order_id] if invoice.order_id else []), ref),
        corrects=origin.id,
        remarks=(reason,),
        facts={"original_transaction_on": origin.transaction_on.isoformat()},
    )
    return service.issue(actor, draft)


def cancel_credit_note(actor: Actor, ref: str, reason: Remark) -> Document:
    """Take back the credit note of a refund that failed: a correction of it over nothing, linked to it.

    Its amount can be given back again. Doing it twice returns the first; raises DocumentNotFound.
    """
    note = queries.find_by_idem(f"credit_note:{ref}")
    if note is None:
        raise DocumentNotFound
    before = draft_of(queries.lock(note.id))
    draft = replace(
        before,
        kind=DocumentKind.CORRECTION,
        idem=f"correction:{note.id}",
        lines=[replace(line, amount_net_yen=0) for line in before.lines],
        totals=tuple(replace(total, net_yen=0, tax_yen=0) for total in before.totals or ()),
        about=tuple(dict.fromkeys((*before.about, note.id))),
        corrects=note.id,
        remarks=(*before.remarks, reason),
        facts=before.facts | {"corrected_kind": note.kind},
    )
    return service.issue(actor, draft)


def receipt(
    actor: Actor, invoice: Invoice, amount_yen: int, on: date, ref: str, remark: Remark | None = None
) -> Document:
    """Issue a receipt (領収書) over money that came for an invoice; ``ref`` names the payment.

    A part of an invoice shows its share of each rate's net and tax.
    """
    origin = document_of(invoice)
    sums = rules.part_of(rules.read_totals(origin.content["totals"]), amount_yen)
    draft = replace(
        draft_of(origin),
        kind=DocumentKind.RECEIPT,
        idem=f"receipt:{ref}",
        lines=[_receipt_line(total, origin.number) for total in sums],
        transaction_on=on,
        due_on=None,
        totals=sums,
        about=(invoice.id, *([invoice.order_id] if invoice.order_id else []), ref),
        remarks=(remark, UNSTAMPED) if remark else (UNSTAMPED,),
        facts={"invoice_number": origin.number},
    )
    return service.issue(actor, draft)


def correct(actor: Actor, document_id: str, changes: Changes, reason: Remark) -> Document:
    """Issue a document anew as it should have been (修正適格請求書 and the like), linked to the one before.

    Who corrects twice gets the first correction; another correction of the same document raises
    DocumentConflict: the correction itself is corrected then. Raises DocumentNotFound, or
    CorrectionChangesAmount where a number would have to go from a document that charges tax.
    """
    origin = queries.lock(document_id)
    before = draft_of(origin)
    issuer, recipient = _renamed(before, changes)
    if changes.issuer_registration_number == "" and int(origin.content["amount_tax_yen"]):
        raise CorrectionChangesAmount
    draft = replace(
        before,
        kind=DocumentKind.CORRECTION,
        idem=f"correction:{origin.id}",
        issuer=issuer,
        recipient=recipient,
        lines=_redescribed(before.lines, changes.descriptions),
        transaction_on=changes.transaction_on or before.transaction_on,
        about=tuple(dict.fromkeys((*before.about, origin.id))),
        corrects=origin.id,
        remarks=(*before.remarks, reason),
        facts=before.facts | {"corrected_kind": words.kind_of(origin.content).value},
    )
    return service.issue(actor, draft)


def commission_invoice(
    actor: Actor,
    provider_id: str,
    lines: Sequence[DocumentLine],
    idem: str,
    on: date,
    *,
    period: tuple[date, date] | None = None,
    about: tuple[str, ...] = (),
    totals: tuple[TaxTotal, ...] | None = None,
) -> Document:
    """Issue the operator's invoice to a provider over its commission (販売手数料); raises NotFound, DocumentConflict.

    ``totals`` where the tax was booked sale by sale; otherwise it is computed once per rate.
    """
    draft = _to_provider(DocumentKind.COMMISSION_INVOICE, provider_id, lines, idem, on, period)
    return service.issue(actor, replace(draft, about=about, totals=totals))


def purchase_statement(
    actor: Actor,
    provider_id: str,
    lines: Sequence[DocumentLine],
    idem: str,
    on: date,
    *,
    period: tuple[date, date] | None = None,
    about: tuple[str, ...] = (),
    totals: tuple[TaxTotal, ...] | None = None,
) -> Document:
    """Issue the statement over what a provider is paid (仕入明細書), which the provider confirms by its silence.

    The operator makes it, the provider is the seller on it; raises NotFound or DocumentConflict.
    """
    draft = _to_provider(DocumentKind.PURCHASE_STATEMENT, provider_id, lines, idem, on, period)
    return service.issue(actor, replace(draft, about=about, totals=totals, remarks=(_silence(on),)))


def draft_of(document: Document) -> DocumentDraft:
    """Return the draft that would issue a document's content anew."""
    said = document.content
    return DocumentDraft(
        kind=DocumentKind(said["kind"]),
        idem=document.idem,
        issuer=Party(**said["issuer"]),
        recipient=Party(**said["recipient"]),
        lines=[rules.read_line(line) for line in said["lines"]],
        transaction_on=document.transaction_on,
        period_from=_day(said["period_from"]),
        period_to=_day(said["period_to"]),
        due_on=_day(said["due_on"]),
        valid_until=_day(said["valid_until"]),
        about=tuple(said["about"]),
        corrects=document.corrects,
        totals=rules.read_totals(said["totals"]),
        reverse_charge=said["reverse_charge"],
        remarks=tuple(Remark(**remark) for remark in said["remarks"]),
        facts=dict(said["facts"]),
    )


CREDIT = DocumentKind.CREDIT_NOTE
UNSTAMPED = Remark(
    "電磁的記録として発行した領収書であり、印紙税の課税文書には当たりません。",
    "Issued as an electronic record, which no stamp duty is due on.",
)


def _credited(left: Sequence[TaxTotal], reversal: Reversed) -> tuple[TaxTotal, ...]:
    net, taxed = sum(total.net_yen for total in left), sum(total.tax_yen for total in left)
    if not (0 <= reversal.net <= net and 0 <= reversal.tax <= taxed and reversal.net + reversal.tax):
        raise CreditExceedsInvoice(left_net_yen=net, left_tax_yen=taxed)
    nets = rules.shared(reversal.net, [total.net_yen for total in left])
    taxes = rules.shared(reversal.tax, [total.tax_yen for total in left])
    spread = zip(left, nets, taxes, strict=True)
    return tuple(TaxTotal(one.category, one.rate_basis_points, -n, -t) for one, n, t in spread if n or t)


def _credit_line(total: TaxTotal, number: str) -> DocumentLine:
    return DocumentLine(
        description_ja=f"請求書 {number} に係る返還（{rules.rate_text(total.rate_basis_points)} 対象）",
        description_en=f"Given back of invoice {number} (at {rules.rate_text(total.rate_basis_points)})",
        amount_net_yen=total.net_yen,
        tax_rate_basis_points=total.rate_basis_points,
        category=total.category,
    )


def _receipt_line(total: TaxTotal, number: str) -> DocumentLine:
    return DocumentLine(
        description_ja=f"データ利用料として（請求書 {number}、{rules.rate_text(total.rate_basis_points)} 対象）",
        description_en=f"For data, invoice {number} (at {rules.rate_text(total.rate_basis_points)})",
        amount_net_yen=total.net_yen,
        tax_rate_basis_points=total.rate_basis_points,
        category=total.category,
    )


def _same_amount(before: Document, amount_yen: int) -> Document:
    if before.amount_yen != amount_yen:
        raise DocumentConflict(f"{before.number} was issued for {before.idem} over {before.amount_yen} yen.")
    return before


def _renamed(before: DocumentDraft, changes: Changes) -> tuple[Party, Party]:
    issuer, number = before.issuer, changes.issuer_registration_number
    if number is not None:
        issuer = replace(issuer, registration_number=number or None)
    recipient = replace(
        before.recipient,
        name_ja=changes.recipient_name_ja or before.recipient.name_ja,
        name_en=changes.recipient_name_en or before.recipient.name_en,
    )
    return issuer, recipient


def _redescribed(
    lines: Sequence[DocumentLine], descriptions: Sequence[tuple[str, str]] | None
) -> Sequence[DocumentLine]:
    if descriptions is None:
        return lines
    if len(descriptions) != len(lines):
        raise CorrectionChangesAmount("A correction describes each line of the document before, in its order.")
    told = zip(lines, descriptions, strict=True)
    return [replace(line, description_ja=ja, description_en=en) for line, (ja, en) in told]


def _to_provider(
    kind: DocumentKind,
    provider_id: str,
    lines: Sequence[DocumentLine],
    idem: str,
    on: date,
    period: tuple[date, date] | None,
) -> DocumentDraft:
    """Return the draft of a paper that the operator makes for a provider."""
    return DocumentDraft(
        kind=kind,
        idem=f"{kind.value}:{idem}",
        issuer=party(identity.operator_organization().id, on),
        recipient=party(provider_id, on),
        lines=lines,
        transaction_on=on,
        period_from=period[0] if period else None,
        period_to=period[1] if period else None,
    )


def _silence(on: date) -> Remark:
    until = on + timedelta(days=SILENCE_DAYS)
    return Remark(
        f"本書の記載内容について {until.isoformat()} までにご連絡がない場合は、ご確認いただいたものとみなします。",
        f"Unless you object by {until.isoformat()}, this statement counts as confirmed by you, the seller.",
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
