"""What the API says of download tickets."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, Strict, identifier, line


class TicketDraft(Strict):
    """Which file, of which release where several hold the name, and for what purpose where that is declared."""

    file_name = line(1000, required=True)
    release_id = identifier("rel", allow_none=True)
    purpose = line(40, allow_none=True, metadata={"description": "a code of item 13030 of CADDE, such as `research`"})


class TicketView(Schema):
    """A ticket. `url` is told this once; the first byte must be asked for by `begin_by`.

    From then on the file can be asked for again, and by ranges, for `resumable_seconds`.
    """

    id = fields.String(required=True)
    url = fields.String(required=True)
    grant_id = fields.String(required=True)
    release_id = fields.String(required=True)
    file_name = fields.String(required=True)
    sha256 = fields.String(required=True)
    size_bytes = fields.Integer(required=True)
    purpose = fields.String(required=True, allow_none=True)
    begin_by = Instant(required=True)
    resumable_seconds = fields.Integer(required=True)
