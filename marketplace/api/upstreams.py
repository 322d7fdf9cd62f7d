"""Upstreams: what of a provider's own API the buyers of a dataset may ask through the exchange."""

from typing import Any

from flask import Response

from marketplace.api.endpoint import actor, blueprint, guarded, visitor
from marketplace.api.schemas import upstreams as schemas
from marketplace.catalog.groups.queries import sight_of
from marketplace.catalog.upstreams import queries, rules, service
from marketplace.catalog.upstreams.rules import UpstreamDraft
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import Invalid
from marketplace.kit.transaction import transaction

blp = blueprint("upstreams", "/v1/datasets", "What of a provider's API the buyers of a dataset may ask.")
PLAIN = ("dataset_id", "paths", "parameters", "header_names", "requests_per_minute", "updated_at")


@blp.route("/<dataset_id>/upstream", methods=["PUT"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.UpstreamDraft)
@blp.response(200, schemas.UpstreamView)
def put(draft: dict[str, Any], dataset_id: str) -> Any:
    """Let buyers ask an API, in place of what they could ask before; values of headers are given anew each time."""
    given = UpstreamDraft(**draft | {"headers": _named(draft["headers"])})
    with transaction():
        return _shown(service.set_upstream(actor(), dataset_id, given))


@blp.route("/<dataset_id>/upstream")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.UpstreamView)
def read(dataset_id: str) -> Any:
    """Read what buyers may ask; the values of headers are shown to nobody."""
    return _shown(queries.get_visible_upstream(actor(), dataset_id))


@blp.route("/<dataset_id>/upstream", methods=["DELETE"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(204)
def remove(dataset_id: str) -> Any:
    """Let buyers ask nothing more; their grants and the dataset's releases stay."""
    with transaction():
        service.remove_upstream(actor(), dataset_id)
    return "", 204


@blp.route("/<dataset_id>/upstream/openapi")
@guarded(Permission.CATALOG_READ)
@blp.doc(responses={"200": {"description": "The provider's document", "content": {"application/json": {}}}})
def describe(dataset_id: str) -> Response:
    """Read the provider's own description of its API, as it gave it; servers and security in it are the provider's."""
    return Response(queries.get_openapi(dataset_id, sight_of(visitor())), content_type="application/json")


def _named(headers: list[dict[str, str]]) -> dict[str, str]:
    named = {header["name"].lower(): header["value"] for header in headers}
    if len(named) < len(headers):
        raise Invalid(errors=[{"pointer": "/headers", "detail": "must name each header field once"}])
    return named


def _shown(upstream: Any) -> dict[str, Any]:
    own = upstream.organization_id == actor().organization_id
    base_url = upstream.base_url if own else f"https://{rules.host_of(upstream.base_url)}/"
    told = {"base_url": base_url, "has_openapi": upstream.openapi is not None}
    return {name: getattr(upstream, name) for name in PLAIN} | told
