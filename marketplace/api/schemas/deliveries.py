"""What the API says of deliveries."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, PageQuery, identifier, one_of, page_of
from marketplace.metering.states import DeliveryState


class DeliveryQuery(PageQuery):
    """Which deliveries."""

    grant_id = identifier("grt")
    state = one_of(DeliveryState)


class DeliveryView(Schema):
    """One answer with bytes in it. `sha256` and `content_bytes` are those of the whole content it is a part of.

    `state` is open, complete, broken, stalled or swept; `bytes_acked` is what arrived, null while it is open.
    """

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(required=True)
    grant_id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    release_id = fields.String(required=True)
    file_id = fields.String(required=True)
    sha256 = fields.String(required=True)
    content_bytes = fields.Integer(required=True)
    purpose = fields.String(required=True, allow_none=True, metadata={"description": "null where none was declared"})
    start_byte = fields.Integer(required=True)
    length = fields.Integer(required=True)
    state = fields.String(required=True)
    opened_at = Instant(required=True)
    closed_at = Instant(required=True, allow_none=True)
    bytes_sent = fields.Integer(required=True, allow_none=True)
    bytes_acked = fields.Integer(required=True, allow_none=True)


DeliveryPage = page_of(DeliveryView)
