"""Trials on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.access import trials
from marketplace.api.schemas.base import Instant, Strict, Whole, identifier, pattern

OF_A_TRIAL = ("terms_id", "terms_sha256", "duration_days", "quota_bytes", "set_at")


class TrialDraft(Strict):
    """What a provider lets each buyer try once."""

    terms_id = identifier("trm", required=True, metadata={"description": "terms of one's own that ask for no fee"})
    duration_days = Whole(required=True, validate=validate.Range(1, trials.DAYS_MAX))
    quota_bytes = Whole(required=True, validate=validate.Range(1, trials.BYTES_MAX))


class TrialView(Schema):
    """What may be tried of a dataset."""

    dataset_id = fields.String(required=True)
    terms_id = fields.String(required=True, allow_none=True)
    terms_sha256 = fields.String(required=True, allow_none=True)
    duration_days = fields.Integer(required=True, allow_none=True)
    quota_bytes = fields.Integer(required=True, allow_none=True)
    set_at = Instant(required=True, allow_none=True)


class TrialWish(Strict):
    """That one accepts the terms of a trial."""

    accept_terms_sha256 = fields.String(required=True, validate=pattern("[0-9a-f]{64}", "64 lower-case hex digits"))
