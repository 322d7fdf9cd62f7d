"""Webhook endpoints and messages on the wire."""

from marshmallow import Schema, fields, validate

from marketplace.api.schemas.base import Instant, Strict, identifier, line, one_of, page_of, prose
from marketplace.webhooks.rules import DESCRIPTION_LENGTH_MAX, NAMED_MAX, URL_LENGTH_MAX
from marketplace.webhooks.states import EndpointState, EventType, MessageState

_NAMED = validate.Length(1, NAMED_MAX)


class WebhookDraft(Strict):
    """Where one wants to be told of what; without ``dataset_ids`` of all public datasets, and so with publishers."""

    url = line(URL_LENGTH_MAX, required=True, metadata={"description": "https on port 443"})
    events = fields.List(one_of(EventType), required=True, validate=validate.Length(1, len(EventType)))
    dataset_ids = fields.List(identifier("ds"), allow_none=True, load_default=None, validate=_NAMED)
    publisher_ids = fields.List(identifier("org"), allow_none=True, load_default=None, validate=_NAMED)
    description = prose(DESCRIPTION_LENGTH_MAX, load_default="")


class WebhookChanges(Strict):
    """What may be changed of an endpoint."""

    url = line(URL_LENGTH_MAX)
    events = fields.List(one_of(EventType), validate=validate.Length(1, len(EventType)))
    dataset_ids = fields.List(identifier("ds"), allow_none=True, validate=_NAMED)
    publisher_ids = fields.List(identifier("org"), allow_none=True, validate=_NAMED)
    description = prose(DESCRIPTION_LENGTH_MAX)


class WebhookView(Schema):
    """An endpoint; ``public_key`` verifies its ``v1a`` signatures."""

    id = fields.String(required=True)
    url = fields.String(required=True)
    description = fields.String(required=True)
    events = fields.List(one_of(EventType), required=True)
    dataset_ids = fields.List(fields.String(), allow_none=True, required=True)
    publisher_ids = fields.List(fields.String(), allow_none=True, required=True)
    state = one_of(EndpointState, required=True)
    failures = fields.Integer(required=True, metadata={"description": "attempts in a row that were not taken"})
    disabled_reason = fields.String(allow_none=True, required=True)
    public_key = fields.String(required=True)
    previous_until = Instant(
        allow_none=True, required=True, metadata={"description": "until then the secret before signs as well"}
    )
    version = fields.Integer(required=True)
    created_at = Instant(required=True)


class WebhookSecretView(WebhookView):
    """An endpoint with the secret that is shown this once."""

    secret = fields.String(required=True)


class WebhookMessageView(Schema):
    """A message and how far it is; ``id`` is what receivers see as ``webhook-id``."""

    id = fields.String(required=True)
    type = one_of(EventType, required=True)
    created_at = Instant(required=True)
    state = one_of(MessageState, required=True)
    attempts = fields.Integer(required=True)
    due_at = Instant(required=True)
    delivered_at = Instant(allow_none=True, required=True)
    last_status = fields.Integer(allow_none=True, required=True)
    last_trouble = fields.String(allow_none=True, required=True)


WebhookPage = page_of(WebhookView)
WebhookMessagePage = page_of(WebhookMessageView)
