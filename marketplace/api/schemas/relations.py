"""What ties datasets together."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Strict, one_of
from marketplace.catalog.key_kinds import KeyKind
from marketplace.exchange.relating import SHOWN_MAX


class RelationQuery(Strict):
    """How many."""

    size = fields.Integer(validate=validate.Range(1, SHOWN_MAX), load_default=10)


class RelatedPublisher(Schema):
    """Who publishes a dataset."""

    id = fields.String(required=True)
    name_ja = fields.String(required=True)
    name_en = fields.String(required=True)


class RelatedDataset(Schema):
    """A dataset that is related to another one, and why."""

    dataset_id = fields.String(required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)
    publisher = fields.Nested(RelatedPublisher, required=True)
    themes = fields.List(fields.String(), required=True)
    region = fields.String(required=True)
    reason_ja = fields.String(required=True)
    reason_en = fields.String(required=True)


class SimilarView(RelatedDataset):
    """A dataset that is about the same; ``words`` are those that both have."""

    words = fields.List(fields.String(), required=True)


class SimilarList(Schema):
    """Datasets that are about the same, nearest first."""

    items = fields.List(fields.Nested(SimilarView), required=True)


class MatchView(Schema):
    """How many of the different values of a key the other dataset has, and the other way round, in percent."""

    share_percent = fields.Integer(required=True)
    other_share_percent = fields.Integer(required=True)
    is_exact = fields.Boolean(required=True)


class JoinKeyView(Schema):
    """A key that two datasets share: its columns on both sides, how fine each is, and how fine both can be made.

    ``areas`` are prefectures (``P01``), grid squares (``M6441``) or first digits of postal codes (``Z06``) in
    which both lie; none where one of them does not say.
    """

    kind = one_of(KeyKind, required=True)
    columns = fields.List(fields.String(), required=True)
    other_columns = fields.List(fields.String(), required=True)
    grain = fields.String(required=True)
    other_grain = fields.String(required=True)
    common_grain = fields.String(required=True)
    areas = fields.List(fields.String(), required=True)
    match = fields.Nested(
        MatchView, required=True, allow_none=True, metadata={"description": "null where nobody has compared the values"}
    )


class JoinView(RelatedDataset):
    """A dataset that can be joined with another one: by which keys, and over which days both reach."""

    keys = fields.List(fields.Nested(JoinKeyView), required=True)
    time_from = fields.Date(required=True, allow_none=True)
    time_to = fields.Date(required=True, allow_none=True)
    score = fields.Integer(required=True)


class JoinList(Schema):
    """Datasets that can be joined, nearest first."""

    items = fields.List(fields.Nested(JoinView), required=True)
