"""Delegations: who manages the listings of whom."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import delegations as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.identity import delegations
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("delegations", "/v1/delegations", "Delegations: who manages the listings of whom, in their name.")


@blp.route("", methods=["POST"])
@guarded(Permission.DELEGATIONS_MANAGE)
@blp.arguments(schemas.DelegationDraft)
@blp.response(201, schemas.DelegationView)
def give(draft: dict[str, Any]) -> Any:
    """Let another organization manage one's own listings; it names yours in `On-Behalf-Of` with each request."""
    with transaction():
        made = delegations.open_delegation(actor(), draft["delegate_id"], draft["permissions"])
    return created(made, f"/v1/delegations/{made.id}")


@blp.route("")
@guarded(Permission.DELEGATIONS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.DelegationPage)
def list_delegations(query: dict[str, Any]) -> Any:
    """List the delegations that one gave or got, newest first; those that have ended too."""
    return delegations.list_delegations(actor(), **query)


@blp.route("/<delegation_id>")
@guarded(Permission.DELEGATIONS_READ)
@blp.response(200, schemas.DelegationView)
def read(delegation_id: str) -> Any:
    """Read a delegation that one gave or got."""
    return delegations.get_delegation(actor(), delegation_id)


@blp.route("/<delegation_id>/end", methods=["POST"])
@guarded(Permission.DELEGATIONS_MANAGE)
@blp.response(200, schemas.DelegationView)
def end(delegation_id: str) -> Any:
    """End a delegation that one gave or got; the other side's next request counts no more."""
    with transaction():
        return delegations.end_delegation(actor(), delegation_id)
