"""Announcements of datasets on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, Whole, identifier, line, one_of, page_of, prose
from marketplace.api.schemas.understanding import ColumnNote
from marketplace.catalog.dictionary import NOTES_MAX
from marketplace.catalog.states import Theme
from marketplace.catalog.teasers.rules import PRICE_YEN_MAX
from marketplace.catalog.teasers.states import TeaserState


class TeaserDraft(Strict):
    """What a provider says of a dataset that it does not have yet."""

    title_ja = line(300, required=True, length_min=0)
    title_en = line(300, required=True, length_min=0)
    description_ja = prose(required=True)
    description_en = prose(required=True)
    themes = fields.List(one_of(Theme), required=True, validate=validate.Length(1, len(Theme)))
    region = line(10, required=True, metadata={"description": "JP, or a 6-digit local-government code"})
    expected_on = fields.Date(required=True, metadata={"description": "from today on; it binds nobody"})
    columns = fields.List(fields.Nested(ColumnNote), load_default=list, validate=validate.Length(max=NOTES_MAX))
    price_from_yen = Whole(load_default=None, allow_none=True, validate=validate.Range(0, PRICE_YEN_MAX))
    price_to_yen = Whole(load_default=None, allow_none=True, validate=validate.Range(0, PRICE_YEN_MAX))


class TeaserView(Schema):
    """An announced dataset. It has no offer, and cannot be bought; the price is indicative."""

    id = fields.String(required=True)
    provider = fields.Dict(required=True)
    state = one_of(TeaserState, required=True)
    version = fields.Integer(required=True)
    title_ja = fields.String(required=True)
    title_en = fields.String(required=True)
    description_ja = fields.String(required=True)
    description_en = fields.String(required=True)
    themes = fields.List(fields.String(), required=True)
    region = fields.String(required=True)
    expected_on = fields.Date(required=True)
    columns = fields.List(fields.Dict(), required=True)
    price_from_yen = fields.Integer(allow_none=True, required=True)
    price_to_yen = fields.Integer(allow_none=True, required=True)
    dataset_id = fields.String(allow_none=True, metadata={"description": "what it became, once that is listed"})
    watchers = fields.Integer(metadata={"description": "how many organizations asked to be told; for its provider"})
    created_at = Instant(required=True)
    updated_at = Instant(required=True)


class Becoming(Strict):
    """Which dataset an announcement becomes; without one a draft is made of its words and columns."""

    dataset_id = identifier("ds", load_default=None, allow_none=True)


class BecameView(Schema):
    """An announcement on its way to a listing."""

    teaser_id = fields.String(required=True)
    state = one_of(TeaserState, required=True)
    dataset_id = fields.String(required=True)


TeaserPage = page_of(TeaserView)
