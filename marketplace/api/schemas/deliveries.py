"""What the API says of deliveries."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import (
    WHOLE_MAX,
    Instant,
    PageQuery,
    Strict,
    Whole,
    identifier,
    one_of,
    page_of,
    pattern,
)
from marketplace.metering.edge import Noted
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


class ReportDraft(Strict):
    """What a provider's own server sent of a delivery. The first report of a delivery counts."""

    report_id = fields.String(
        required=True,
        validate=pattern("[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, dots, underscores and hyphens"),
        metadata={"description": "yours, the same each time this report is sent: letters, digits, `.`, `_`, `-`"},
    )
    bytes_sent = Whole(required=True, validate=validate.Range(0, WHOLE_MAX))
    complete = fields.Boolean(required=True, metadata={"description": "all bytes of the permit were sent"})


class ReportView(Schema):
    """What became of a report, and how its delivery stands."""

    report_id = fields.String(required=True)
    noted = one_of(Noted, required=True, metadata={"description": "new, known (sent before), late (not charged)"})
    delivery = fields.Nested(DeliveryView, required=True)


class UsageCorrectionDraft(Strict):
    """What to add to the usage of a delivery; below zero to take it off."""

    reference = fields.String(
        required=True,
        validate=pattern("[A-Za-z0-9._-]{1,64}", "1 to 64 letters, digits, dots, underscores and hyphens"),
        metadata={"description": "yours, the same each time this correction is sent"},
    )
    reason = fields.String(required=True, metadata={"description": "for both parties to read"})
    bytes = Whole(validate=validate.Range(-WHOLE_MAX, WHOLE_MAX))
    rows = Whole(validate=validate.Range(-WHOLE_MAX, WHOLE_MAX))
    requests = Whole(validate=validate.Range(-1, 1))
    downloads = Whole(validate=validate.Range(-1, 1))


class UsageCorrectionView(Schema):
    """A correction as it is kept: an event of its own, which counts at the instant of the one it corrects."""

    id = fields.String(required=True)
    delivery_id = fields.String(required=True)
    corrects_event_id = fields.String(required=True)
    reference = fields.String(required=True)
    reason = fields.String(required=True)
    bytes = fields.Integer(required=True, attribute="bytes_new")
    rows = fields.Integer(required=True, attribute="rows_new")
    requests = fields.Integer(required=True)
    downloads = fields.Integer(required=True, attribute="downloads_new")
    occurred_at = Instant(required=True)
    corrected_at = Instant(required=True)


DeliveryPage = page_of(DeliveryView)
