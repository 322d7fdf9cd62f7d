"""Saved searches: hearing of new listings that a search finds, each once."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import watches as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.demand import watching
from marketplace.demand.watching import WatchDraft
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("watches", "/v1/saved-searches", "Saved searches: hearing of new listings.")


@blp.route("", methods=["POST"])
@guarded(Permission.WATCHES_SAVE)
@blp.arguments(schemas.WatchDraft)
@blp.response(201, schemas.WatchView)
def save(body: dict[str, Any]) -> Any:
    """Save a search: what is listed from now on and that it finds is told, each dataset once."""
    with transaction():
        saved = watching.save(actor(), WatchDraft(body["name"], body["q"], body["filters"]))
    return created(saved, f"/v1/saved-searches/{saved.id}")


@blp.route("")
@guarded(Permission.WATCHES_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.WatchPage)
def list_saved(query: dict[str, Any]) -> Any:
    """List the saved searches of one's organization, newest first."""
    return watching.list_own(actor(), **query)


@blp.route("/<watch_id>")
@guarded(Permission.WATCHES_READ)
@blp.response(200, schemas.WatchView)
def read(watch_id: str) -> Any:
    """Read a saved search, also one that has ended."""
    return watching.get(actor(), watch_id)


@blp.route("/<watch_id>/hits")
@guarded(Permission.WATCHES_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.WatchHitPage)
def list_hits(query: dict[str, Any], watch_id: str) -> Any:
    """List what came since a search was saved and that it finds, newest first."""
    return watching.list_hits(actor(), watch_id, **query)


@blp.route("/<watch_id>", methods=["DELETE"])
@guarded(Permission.WATCHES_SAVE)
@blp.response(204)
def end(watch_id: str) -> Any:
    """Hear no more of a saved search."""
    with transaction():
        watching.end(actor(), watch_id)
    return "", 204
