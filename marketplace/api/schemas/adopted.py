"""Adopted records on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, page_of


class AdoptedRecordView(Schema):
    """The record of an exchange that another operator ran before, as its log signed it last."""

    id = fields.String(required=True)
    origin = fields.String(required=True, metadata={"description": "the name of the former log"})
    size = fields.Integer(required=True)
    root = fields.Function(lambda record: record.root.hex(), required=True, metadata={"type": "string"})
    sha256 = fields.String(required=True, metadata={"description": "of the archive, byte for byte"})
    keys = fields.List(
        fields.String(), required=True, metadata={"description": "which were trusted (C2SP signed-note)"}
    )
    note = fields.String(required=True, metadata={"description": "the last checkpoint of the former log, signed"})
    adopted_at = Instant(required=True)


class AdoptedReceiptView(Schema):
    """An entry of the former log and the proof that it holds it."""

    id = fields.String(required=True)
    entry = fields.String(required=True, metadata={"description": "RFC 8785 text; a leaf is SHA-256 over 0x00 and it"})
    position = fields.Integer(required=True)
    proof = fields.String(
        required=True, metadata={"description": "C2SP tlog-proof, to be verified under the keys of the former log"}
    )


AdoptedRecordPage = page_of(AdoptedRecordView)
