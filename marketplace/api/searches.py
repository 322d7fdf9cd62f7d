"""Saved searches of the record: shared within the operator's organization, read by auditors."""

from typing import Any

from marketplace.api.audit import shared_with
from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import casework as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.api.schemas.oversight import EntrySearch
from marketplace.audit.searches import queries, service
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("searches", "/v1/audit/searches", "Searches of the record, kept under a name.")


@blp.route("", methods=["POST"])
@guarded(Permission.SEARCHES_SAVE)
@blp.arguments(schemas.SearchDraft)
@blp.response(201, schemas.SearchView)
def save(draft: dict[str, Any]) -> Any:
    """Keep a search under a name, for everybody of one's own organization and for auditors."""
    with transaction():
        # As it came in, with instants as text: it is read as a request is.
        saved = service.save(actor(), draft["name"], dict(EntrySearch().dump(draft["query"])))
    return created(saved, f"/v1/audit/searches/{saved.id}")


@blp.route("")
@guarded(Permission.AUDIT_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.SearchPage)
def list_searches(query: dict[str, Any]) -> Any:
    """List the saved searches of one's own organization, newest first; an auditor sees those of all operators."""
    return queries.list_searches(shared_with(actor()), **query)


@blp.route("/<search_id>")
@guarded(Permission.AUDIT_READ)
@blp.response(200, schemas.SearchView)
def read(search_id: str) -> Any:
    """Read a saved search."""
    return queries.get_search(search_id, shared_with(actor()))


@blp.route("/<search_id>", methods=["DELETE"])
@guarded(Permission.SEARCHES_SAVE)
@blp.response(204)
def remove(search_id: str) -> Any:
    """Remove a saved search of one's own organization."""
    with transaction():
        service.remove(actor(), search_id)
    return "", 204
