"""What the API says of subscriptions."""

from marshmallow import Schema, fields

from marketplace.api.schemas.base import Instant, page_of


class SubscriptionView(Schema):
    """A subscription and the latest term that is paid; days are Japanese, both included.

    `state` is active, past_due (the paid term is over and the next one not paid) or ended.
    """

    id = fields.String(required=True)
    organization_id = fields.String(required=True)
    provider_organization_id = fields.String(required=True)
    offer_id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    terms_sha256 = fields.String(required=True)
    state = fields.String(required=True)
    starts_on = fields.Date(required=True)
    term_number = fields.Integer(required=True)
    term_from = fields.Date(required=True)
    term_to = fields.Date(required=True)
    created_at = Instant(required=True)
    cancelled_at = Instant(required=True, allow_none=True)
    ended_at = Instant(required=True, allow_none=True)
    end_cause = fields.String(required=True, allow_none=True)


class SubscriptionTermView(Schema):
    """One term and the order that bills it."""

    number = fields.Integer(required=True)
    term_from = fields.Date(required=True)
    term_to = fields.Date(required=True)
    order_id = fields.String(required=True)
    placed_at = Instant(required=True)
    paid_at = Instant(required=True, allow_none=True)


class SubscriptionDetails(SubscriptionView):
    """A subscription with its terms; `next_term_from` is null where it will not be renewed."""

    terms = fields.List(fields.Nested(SubscriptionTermView), required=True)
    next_term_from = fields.Date(required=True, allow_none=True)


SubscriptionPage = page_of(SubscriptionView)
