"""Documents: searching and reading them as JSON, PDF and JP PINT, and correcting them."""

from datetime import date
from typing import Any

from flask import Response, request

from marketplace.api.endpoint import actor, blueprint, created, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import documents as schemas
from marketplace.billing.documents import numbering, queries, ubl
from marketplace.billing.documents.papers import Changes
from marketplace.billing.documents.pdf import drawing
from marketplace.billing.documents.queries import Wanted
from marketplace.billing.documents.rules import Remark
from marketplace.billing.tax import Rounding
from marketplace.exchange import paperwork
from marketplace.identity.permissions import Permission
from marketplace.kit.canonical import canonical_json
from marketplace.kit.transaction import transaction

blp = blueprint("documents", "/v1/documents", "Invoices, credit notes, receipts and all other papers (帳票).")
JSON, PDF, XML = "application/json", "application/pdf", "application/xml"
FORMS = [JSON, PDF, XML]


@blp.route("")
@guarded(Permission.DOCUMENTS_READ)
@blp.arguments(schemas.DocumentQuery, location="query")
@blp.response(200, schemas.DocumentPage)
def search(query: dict[str, Any]) -> Any:
    """Search the documents one is a party to, newest first, by any combination; overseers search all."""
    page = {name: query.pop(name) for name in ("cursor", "size") if name in query}
    return queries.search(actor(), Wanted(**query), **page)


@blp.route("/<document_id>")
@guarded(Permission.DOCUMENTS_READ)
@blp.response(200, schemas.DocumentView)
def read(document_id: str) -> Any:
    """Read a document; `Accept: application/pdf` or `application/xml` gives it in that form."""
    document = queries.get_document(actor(), document_id)
    form = request.accept_mimetypes.best_match(FORMS, default=JSON)
    if form == PDF:
        return _file(document, "pdf", PDF, drawing.render(document))
    if form == XML:
        return _file(document, "xml", XML, ubl.render(document))
    return document


@blp.route("/<document_id>.json")
@guarded(Permission.DOCUMENTS_READ)
@blp.doc(responses={"200": {"description": "The canonical JSON whose SHA-256 names the document"}})
def read_json(document_id: str) -> Response:
    """Fetch what a document says as canonical JSON (RFC 8785), byte for byte as it was hashed."""
    document = queries.get_document(actor(), document_id)
    return _file(document, "json", JSON, canonical_json(document.content))


@blp.route("/<document_id>.pdf")
@guarded(Permission.DOCUMENTS_READ)
@blp.doc(responses={"200": {"description": "A4 pages", "content": {PDF: {}}}})
def read_pdf(document_id: str) -> Response:
    """Fetch a document as PDF, to print or to send; the bytes are the same each time."""
    document = queries.get_document(actor(), document_id)
    return _file(document, "pdf", PDF, drawing.render(document))


@blp.route("/<document_id>.xml")
@guarded(Permission.DOCUMENTS_READ)
@blp.doc(responses={"200": {"description": "UBL 2.1 as JP PINT has it", "content": {XML: {}}}})
def read_xml(document_id: str) -> Response:
    """Fetch an invoice, a credit note or a purchase statement as JP PINT (デジタルインボイス)."""
    document = queries.get_document(actor(), document_id)
    return _file(document, "xml", XML, ubl.render(document))


@blp.route("/<document_id>/corrections", methods=["POST"])
@guarded(Permission.DOCUMENTS_CORRECT)
@blp.arguments(schemas.CorrectionDraft)
@blp.response(201, schemas.DocumentView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def correct(draft: dict[str, Any], document_id: str) -> Any:
    """Issue a document one issued anew as it should have been (修正適格請求書); amounts stay."""
    caller, reason = actor(), Remark(draft["reason_ja"], draft["reason_en"])
    changes = _changes(draft)
    told = {name: value.isoformat() if isinstance(value, date) else value for name, value in draft.items()}
    answer, replayed = once(told, lambda: {"id": paperwork.correct(caller, document_id, changes, reason).id})
    document = queries.get_document(caller, answer["id"])
    return created(document, f"/v1/documents/{document.id}", **replay_mark(replayed))


@blp.route("/rounding", methods=["POST"])
@guarded(Permission.DOCUMENTS_ROUND)
@blp.arguments(schemas.RoundingDraft)
@blp.response(200, schemas.RoundingDraft)
def choose_rounding(draft: dict[str, str]) -> dict[str, str]:
    """Choose how one rounds tax (端数処理), before the first price is quoted; it never changes afterwards."""
    with transaction():
        return {"tax_rounding": numbering.choose_rounding(actor(), Rounding(draft["tax_rounding"])).value}


def _changes(draft: dict[str, Any]) -> Changes:
    said = {name: draft.get(name) for name in ("recipient_name_ja", "recipient_name_en", "transaction_on")}
    described = draft.get("descriptions")
    return Changes(
        **said,
        issuer_registration_number=draft.get("issuer_registration_number"),
        descriptions=[(one["ja"], one["en"]) for one in described] if described else None,
    )


def _file(document: Any, extension: str, media_type: str, body: bytes) -> Response:
    answer = Response(body, mimetype=media_type)
    answer.headers["Content-Disposition"] = f'inline; filename="{document.number}.{extension}"'
    return answer
