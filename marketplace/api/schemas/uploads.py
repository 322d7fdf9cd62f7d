"""Uploads in pieces on the wire."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, page_of


class UploadView(Schema):
    """An upload: how far it is, and the file that it has become."""

    id = fields.String(required=True)
    release_id = fields.String(required=True)
    name = fields.String(required=True)
    media_type = fields.String(required=True)
    sha256 = fields.String(allow_none=True, metadata={"description": "what the sender announced, in hex"})
    size_bytes = fields.Integer(required=True)
    offset_bytes = fields.Integer(required=True, metadata={"description": "how many bytes are safely kept"})
    file_id = fields.String(allow_none=True, metadata={"description": "there once all bytes are"})
    created_at = Instant(required=True)
    expires_at = Instant(required=True)


UploadPage = page_of(UploadView)
