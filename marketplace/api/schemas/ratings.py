"""Ratings and reputation on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, PageQuery, Strict, Whole, one_of, prose
from marketplace.api.schemas.groups import NamedOrganization
from marketplace.identity.states import Trust
from marketplace.reputation.rules import REASON_LENGTH_MAX, TEXT_LENGTH_MAX
from marketplace.reputation.states import Telling


class RatingQuery(PageQuery):
    """Which page of ratings."""


class RatingDraft(Strict):
    """What one says of a dataset that one bought."""

    stars = Whole(required=True, validate=validate.Range(1, 5))
    text_ja = prose(TEXT_LENGTH_MAX, load_default="")
    text_en = prose(TEXT_LENGTH_MAX, load_default="")
    shows_name = fields.Boolean(
        load_default=False, metadata={"description": "true: everybody reads who says it, and so that it bought"}
    )


class ReplyDraft(Strict):
    """What the provider replies; without words it takes its reply back."""

    text_ja = prose(TEXT_LENGTH_MAX, load_default="")
    text_en = prose(TEXT_LENGTH_MAX, load_default="")


class HidingDraft(Strict):
    """Why a rating is hidden; its author reads it."""

    reason = prose(REASON_LENGTH_MAX, required=True)


class ReplyView(Schema):
    """A reply of the provider."""

    text_ja = fields.String(required=True)
    text_en = fields.String(required=True)
    replied_at = Instant(required=True)


class HiddenView(Schema):
    """Why and since when a rating is hidden: for its author and overseers."""

    reason = fields.String(required=True)
    at = Instant(required=True)


class RatingView(Schema):
    """A rating; without an author it is of an organization that bought and does not show its name."""

    id = fields.String(required=True)
    dataset_id = fields.String(required=True)
    stars = fields.Integer(required=True)
    text_ja = fields.String(required=True)
    text_en = fields.String(required=True)
    author = fields.Nested(NamedOrganization, required=True, allow_none=True)
    mine = fields.Boolean(required=True)
    created_at = Instant(required=True)
    updated_at = Instant(required=True)
    reply = fields.Nested(ReplyView, required=True, allow_none=True)
    hidden = fields.Nested(HiddenView, required=True, allow_none=True)


class RatingSummary(Schema):
    """How ratings add up, in whole numbers; the mean is in tenths of a star, rounded down."""

    total = fields.Integer(required=True)
    mean_tenths = fields.Integer(required=True, allow_none=True)
    stars = fields.Dict(keys=fields.String(), values=fields.Integer(), required=True)


class RatingPage(Schema):
    """Ratings, newest first, and how all of them add up."""

    summary = fields.Nested(RatingSummary, required=True)
    items = fields.List(fields.Nested(RatingView), required=True)
    next_cursor = fields.String(required=True, allow_none=True)


class PunctualityView(Schema):
    """Releases that were promised by the frequency, and how many came in time."""

    promised = fields.Integer(required=True)
    on_time = fields.Integer(required=True)
    percent = fields.Integer(required=True, allow_none=True)


class SalesView(Schema):
    """Orders that cost something and paid bills of usage, as the lower end of a band; ``few``: of a few buyers."""

    telling = one_of(Telling, required=True)
    at_least = fields.Integer(required=True, allow_none=True)


class ShareView(Schema):
    """Of how many in a hundred of these sales, rounded up; ``few``: a few buyers stand behind these or the others."""

    telling = one_of(Telling, required=True)
    percent = fields.Integer(required=True, allow_none=True)


class ProviderStandingView(Schema):
    """What twelve whole months came to; told once a month, and never changed."""

    first_month = fields.String(required=True)
    last_month = fields.String(required=True)
    punctuality = fields.Nested(PunctualityView, required=True)
    sales = fields.Nested(SalesView, required=True)
    refunds = fields.Nested(ShareView, required=True)
    disputes = fields.Nested(ShareView, required=True)
    disputes_lost = fields.Nested(ShareView, required=True)


class ReputationView(Schema):
    """What is told of a provider; ``standing`` is null until its first month was told."""

    provider = fields.Nested(NamedOrganization, required=True)
    trust = one_of(Trust, required=True)
    ratings = fields.Nested(RatingSummary, required=True)
    standing = fields.Nested(ProviderStandingView, required=True, allow_none=True)
