"""Upstreams on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, Whole, line
from marketplace.catalog.upstreams import rules


class InjectedHeader(Strict):
    """A header field that goes with each request to the provider."""

    name = line(100, required=True)
    value = line(rules.HEADER_LENGTH_MAX, required=True, metadata={"description": "sealed, and never shown again"})


class UpstreamDraft(Strict):
    """What of a provider's API the buyers of a dataset may ask."""

    base_url = line(2000, required=True, metadata={"description": "https, on the open internet"})
    paths = fields.List(
        line(rules.URL_LENGTH_MAX),
        required=True,
        validate=validate.Length(1, rules.PATHS_MAX),
        metadata={"description": "such as /stations/{id}, or /stations/* for all below; all others are refused"},
    )
    parameters = fields.List(
        line(100),
        load_default=list,
        validate=validate.Length(0, rules.PARAMETERS_MAX),
        metadata={"description": "names of query parameters; all others are refused"},
    )
    headers = fields.List(
        fields.Nested(InjectedHeader), load_default=list, validate=validate.Length(0, rules.HEADERS_MAX)
    )
    requests_per_minute = Whole(required=True, validate=validate.Range(1, rules.REQUESTS_PER_MINUTE_MAX))
    openapi = fields.Dict(
        load_default=None, allow_none=True, metadata={"description": "shown to buyers as it is, and never read"}
    )


class UpstreamView(Schema):
    """An upstream, without the values of its header fields."""

    dataset_id = fields.String(required=True)
    base_url = fields.String(required=True, metadata={"description": "for overseers its host alone"})
    paths = fields.List(fields.String(), required=True)
    parameters = fields.List(fields.String(), required=True)
    header_names = fields.List(fields.String(), required=True)
    requests_per_minute = fields.Integer(required=True)
    has_openapi = fields.Boolean(required=True)
    updated_at = Instant(required=True)
