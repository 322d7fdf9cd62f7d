"""Webhook endpoints: where an organization is told what changed."""

from dataclasses import asdict
from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, expected_version, guarded, version_tag
from marketplace.api.openapi import IF_MATCH
from marketplace.api.schemas import webhooks as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.webhooks import queries, sending, service
from marketplace.webhooks.rules import EndpointDraft
from marketplace.webhooks.states import EventType

blp = blueprint("webhook_endpoints", "/v1/webhooks", "Webhooks: what changed, told as it happens, signed.")
JOBS = (sending.deliver, sending.deliver_left, sending.forget)
"""Registered with the queue by being there."""


@blp.route("", methods=["POST"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.arguments(schemas.WebhookDraft)
@blp.response(201, schemas.WebhookSecretView)
def register(draft: dict[str, Any]) -> Any:
    """Register an endpoint. Its secret is shown this once."""
    wanted = EndpointDraft(
        draft["url"],
        tuple(EventType(one) for one in draft["events"]),
        _named(draft["dataset_ids"]),
        _named(draft["publisher_ids"]),
        draft["description"],
    )
    with transaction():
        endpoint, secret = service.register(actor(), wanted)
        shown = asdict(queries.view(endpoint)) | {"secret": secret}
    return created(shown, f"/v1/webhooks/{shown['id']}", ETag=version_tag(shown["version"]))


@blp.route("")
@guarded(Permission.WEBHOOKS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.WebhookPage)
def list_endpoints(query: dict[str, Any]) -> Any:
    """List the endpoints of one's organization, newest first."""
    return queries.list_endpoints(actor(), **query)


@blp.route("/<webhook_id>")
@guarded(Permission.WEBHOOKS_READ)
@blp.response(200, schemas.WebhookView)
def read(webhook_id: str) -> Any:
    """Read an endpoint. Its version is in ETag, to be sent back in If-Match with a change."""
    return _shown(queries.get_endpoint(actor(), webhook_id))


@blp.route("/<webhook_id>", methods=["PATCH"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.arguments(schemas.WebhookChanges)
@blp.response(200, schemas.WebhookView)
@blp.doc(parameters=[IF_MATCH])
def change(changes: dict[str, Any], webhook_id: str) -> Any:
    """Change an endpoint, if it is still at the version in If-Match."""
    with transaction():
        return _shown(service.change(actor(), webhook_id, expected_version(), changes))


@blp.route("/<webhook_id>", methods=["DELETE"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.response(204)
def remove(webhook_id: str) -> Any:
    """Remove an endpoint with its messages."""
    with transaction():
        service.remove(actor(), webhook_id)
    return "", 204


@blp.route("/<webhook_id>/rotate", methods=["POST"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.response(200, schemas.WebhookSecretView)
def rotate(webhook_id: str) -> Any:
    """Give an endpoint a new secret, shown this once. For a day the one before signs as well."""
    with transaction():
        endpoint, secret = service.rotate(actor(), webhook_id)
        return asdict(queries.view(endpoint)) | {"secret": secret}


@blp.route("/<webhook_id>/enable", methods=["POST"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.response(200, schemas.WebhookView)
def enable(webhook_id: str) -> Any:
    """Have messages go to an endpoint again that was disabled."""
    with transaction():
        return _shown(service.enable(actor(), webhook_id))


@blp.route("/<webhook_id>/disable", methods=["POST"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.response(200, schemas.WebhookView)
def disable(webhook_id: str) -> Any:
    """Have no messages go to an endpoint. What happens meanwhile is not kept for it."""
    with transaction():
        return _shown(service.disable(actor(), webhook_id, "asked"))


@blp.route("/<webhook_id>/test", methods=["POST"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.response(202)
def test(webhook_id: str) -> Any:
    """Send an endpoint a message of the type `webhook.tested`."""
    with transaction():
        service.test(actor(), webhook_id)
    return "", 202


@blp.route("/<webhook_id>/messages")
@guarded(Permission.WEBHOOKS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.WebhookMessagePage)
def list_messages(query: dict[str, Any], webhook_id: str) -> Any:
    """List what was sent to an endpoint within a month, newest first, and what came of it."""
    return queries.list_messages(actor(), webhook_id, **query)


@blp.route("/<webhook_id>/messages/<event_id>/resend", methods=["POST"])
@guarded(Permission.WEBHOOKS_MANAGE)
@blp.response(202)
def resend(webhook_id: str, event_id: str) -> Any:
    """Have a message go out again, under the same id."""
    with transaction():
        service.resend(actor(), webhook_id, event_id)
    return "", 202


def _named(ids: list[str] | None) -> tuple[str, ...] | None:
    return None if ids is None else tuple(ids)


def _shown(endpoint: Any) -> Any:
    shown = queries.view(endpoint)
    return shown, 200, {"ETag": version_tag(shown.version)}
