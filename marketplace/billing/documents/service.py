"""Issuing documents. A story that issues several does so in the order of ``DocumentKind``, last of all it does."""

from datetime import date
from typing import Any

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import tax
from marketplace.billing.documents import numbering, queries, rules
from marketplace.billing.documents.errors import DocumentConflict
from marketplace.billing.documents.models import Document
from marketplace.billing.documents.rules import DocumentDraft
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.kit import clock, settings
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from marketplace.kit.ids import new_id


def issue(actor: Actor, draft: DocumentDraft) -> Document:
    """Issue a document under the next number of its issuer, series and year.

    The counter stays locked until the transaction ends, so that no number is missing or double. The same
    ``idem`` with the same content returns the document issued before; other content raises
    DocumentConflict. Raises ValueError for a draft that is no document.
    """
    content, digest = prepared(draft)
    issued_on = clock.today()
    number = numbering.draw(draft.issuer.organization_id, draft.kind, issued_on.year, draft.idem)
    if number is None:
        return _same_or_conflict(queries.require_by_idem(draft.idem), digest)
    document = file(draft, content, digest, number, issued_on)
    _record(actor, document)
    return document


def prepared(draft: DocumentDraft) -> tuple[dict[str, Any], str]:
    """Return what the draft will say and the SHA-256 of it; ValueError for a draft that is no document."""
    sums = rules.totals(draft, numbering.rounding_of(draft.issuer.organization_id))
    rules.check(draft, sums)
    content = rules.content(draft, sums)
    return content, digest_of(content | {"corrects": draft.corrects})


def file(draft: DocumentDraft, content: dict[str, Any], digest: str, number: str, issued_on: date) -> Document:
    """Keep a document under a number that was drawn for it; ``issue`` is the way for all but invoices."""
    full = content | {
        "number": number,
        "issued_on": issued_on.isoformat(),
        "corrects": _corrected(draft),
        "delivered_by": _delivered_by(draft),
        "transitional_credit_percent": _credit_percent(draft, int(content["amount_net_yen"])),
    }
    document = Document(
        id=new_id("doc"),
        kind=draft.kind.value,
        number=number,
        idem=draft.idem,
        draft_sha256=digest,
        content=full,
        content_sha256=digest_of(full),
        issuer_organization_id=draft.issuer.organization_id,
        recipient_organization_id=draft.recipient.organization_id,
        transaction_on=draft.transaction_on,
        issued_on=issued_on,
        amount_yen=int(full["amount_gross_yen"]),
        corrects=draft.corrects,
        about=list(draft.about),
        retain_until=rules.retain_until(issued_on, settings.current().documents_years_kept),
        created_at=clock.now(),
    )
    db.session.add(document)
    db.session.flush()
    return document


def _credit_percent(draft: DocumentDraft, net_yen: int) -> int | None:
    if draft.kind not in rules.SELLER_ISSUES or draft.issuer.registration_number or draft.reverse_charge:
        return None
    table = settings.current().transitional_credit_table
    return tax.transitional_percent(draft.transaction_on, table) if net_yen else None


def _delivered_by(draft: DocumentDraft) -> dict[str, str] | None:
    """Name the operator where it hands the document over in the issuer's stead (代理交付)."""
    operator = identity.find_operator()
    if operator is None or operator.id == draft.issuer.organization_id:
        return None
    return {"organization_id": operator.id, "name_ja": operator.name_ja, "name_en": operator.name_en}


def _corrected(draft: DocumentDraft) -> dict[str, str] | None:
    if draft.corrects is None:
        return None
    before = queries.require(draft.corrects)
    return {"id": before.id, "number": before.number, "issued_on": before.issued_on.isoformat()}


def _same_or_conflict(before: Document, digest: str) -> Document:
    if before.draft_sha256 != digest:
        raise DocumentConflict(f"{before.number} was issued for {before.idem} with other content.")
    return before


def _record(actor: Actor, document: Document) -> None:
    acting_recipient = actor.organization_id == document.recipient_organization_id
    audit.record(
        actor,
        Verb.DOCUMENT_ISSUED,
        subject=document.id,
        counterparty=document.issuer_organization_id if acting_recipient else document.recipient_organization_id,
        amount_minor=document.amount_yen,
        facts={"kind": document.kind, "number": document.number, "sha256": document.content_sha256},
    )
