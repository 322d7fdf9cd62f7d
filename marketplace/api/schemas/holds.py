"""What is said of legal holds."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, PageQuery, Strict, line, page_of, pattern
from marketplace.audit.holds import REASON_LENGTH_MAX

_SUBJECT = pattern(
    r"(org|ord|doc|ds)_[0-9a-f]{32}", "Must be the id of an organization, an order, a document or a dataset."
)


class HoldQuery(PageQuery):
    """Which holds."""

    subject = fields.String(validate=_SUBJECT)


class HoldDraft(Strict):
    """What must not be deleted, and why."""

    subject = fields.String(required=True, validate=_SUBJECT)
    reason = line(REASON_LENGTH_MAX, required=True)


class HoldView(Schema):
    """A legal hold; it stands until it was lifted."""

    id = fields.String(required=True)
    subject = fields.String(required=True)
    reason = fields.String(required=True)
    placed_by = fields.String(required=True)
    placed_at = Instant(required=True)
    lifted_at = Instant(required=True, allow_none=True)
    lifted_by = fields.String(required=True, allow_none=True)
    lifted_reason = fields.String(required=True, allow_none=True)


HoldPage = page_of(HoldView)
