"""Documents on the wire: searching them, reading them, and asking for those that are issued on demand."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, identifier, line, one_of, page_of, pattern
from marketplace.billing.documents.states import DocumentKind
from marketplace.billing.tax import Rounding

AMOUNT_MAX = 2**62
REGISTRATION = pattern("T[0-9]{13}", "Not T and 13 digits.")


class DocumentQuery(PageQuery):
    """Which documents: all that is given must hold; both ends of ranges are included."""

    kind = one_of(DocumentKind)
    number = line(40)
    counterparty = identifier("org", metadata={"description": "the other party; for overseers either party"})
    transacted_from = fields.Date()
    transacted_to = fields.Date()
    issued_from = fields.Date()
    issued_to = fields.Date()
    amount_from = fields.Integer(validate=validate.Range(-AMOUNT_MAX, AMOUNT_MAX))
    amount_to = fields.Integer(validate=validate.Range(-AMOUNT_MAX, AMOUNT_MAX))
    about = line(40, metadata={"description": "id of an order, invoice, grant, offer, refund or payout"})


class DocumentSummary(Schema):
    """A document as a search shows it; `amount_yen` includes tax and is below zero on credit notes."""

    id = fields.String(required=True)
    kind = one_of(DocumentKind, required=True)
    number = fields.String(required=True)
    issuer_organization_id = fields.String(required=True)
    recipient_organization_id = fields.String(required=True)
    transaction_on = fields.Date(required=True)
    issued_on = fields.Date(required=True)
    amount_yen = fields.Integer(required=True)
    corrects = fields.String(allow_none=True)
    about = fields.List(fields.String(), required=True)
    content_sha256 = fields.String(required=True)
    retain_until = fields.Date(required=True)
    created_at = Instant(required=True)


class DocumentView(DocumentSummary):
    """A document with all that it says; `content_sha256` is of its canonical JSON (RFC 8785)."""

    content = fields.Dict(required=True, metadata={"description": "amounts in it are decimal texts"})


class QuoteDraft(Strict):
    """What is to be quoted."""

    offer_id = identifier("ofr", required=True)


class InspectionDraft(Strict):
    """What the buyer says of what it inspected, in both languages; nothing is needed."""

    remark_ja = line(500)
    remark_en = line(500)


class Description(Strict):
    """What a line is said to be."""

    ja = line(300, required=True)
    en = line(300, required=True)


class CorrectionDraft(Strict):
    """What a document should have said, and why it is corrected; what is absent stays, amounts always do."""

    recipient_name_ja = line()
    recipient_name_en = line()
    issuer_registration_number = fields.String(validate=REGISTRATION)
    transaction_on = fields.Date()
    descriptions = fields.List(
        fields.Nested(Description),
        validate=validate.Length(1, 2000),
        metadata={"description": "one for each line, in their order"},
    )
    reason_ja = line(500, required=True)
    reason_en = line(500, required=True)


class RoundingDraft(Strict):
    """How the tax of each rate becomes whole yen."""

    tax_rounding = one_of(Rounding, required=True)


class RegistrationDraft(Strict):
    """From which day to which, both included, a number is valid; `valid_to` null means until further notice."""

    number = fields.String(required=True, validate=REGISTRATION)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(allow_none=True)


class RegistrationView(Schema):
    """One stretch of days on which an invoice registration number is valid."""

    organization_id = fields.String(required=True)
    number = fields.String(required=True)
    valid_from = fields.Date(required=True)
    valid_to = fields.Date(allow_none=True, required=True)
    recorded_at = Instant(required=True)


class OrderPapersView(Schema):
    """The purchase order (注文書) and its acknowledgement (注文請書)."""

    purchase_order = fields.Nested(DocumentView, required=True)
    order_acknowledgement = fields.Nested(DocumentView, required=True)


DocumentPage = page_of(DocumentSummary)
DocumentPage.__doc__ = "A page of documents."
