"""Saved searches of the catalogue."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, line, page_of
from marketplace.catalog.narrowing import FACETS, SPANS
from marketplace.demand.watching import NAME_LENGTH_MAX, VALUE_LENGTH_MAX, VALUES_MAX, WORDS_LENGTH_MAX


class WatchDraft(Strict):
    """A search to be saved: words, and filters as ``GET /v1/catalog`` takes them, each with a list of values."""

    name = line(NAME_LENGTH_MAX, required=True)
    q = line(WORDS_LENGTH_MAX, length_min=0, load_default="")
    filters = fields.Dict(
        keys=fields.String(validate=validate.OneOf([*FACETS, *SPANS])),
        values=fields.List(line(VALUE_LENGTH_MAX), validate=validate.Length(1, VALUES_MAX)),
        load_default=dict,
    )


class WatchView(Schema):
    """A saved search; ``ended_at`` is there once nobody hears of it any more."""

    id = fields.String(required=True)
    name = fields.String(required=True)
    q = fields.String(required=True, attribute="words")
    filters = fields.Dict(keys=fields.String(), values=fields.List(fields.String()), required=True)
    created_at = Instant(required=True)
    ended_at = Instant(required=True, allow_none=True)


class WatchHitView(Schema):
    """A dataset that came after a search was saved and that it finds; read it at ``/v1/catalog/{id}``."""

    dataset_id = fields.String(required=True)
    found_at = Instant(required=True)
    told_at = Instant(required=True, allow_none=True)


WatchPage = page_of(WatchView)
WatchHitPage = page_of(WatchHitView)
