"""Disputes: reading what buyers contest at their banks."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import givingback as schemas
from marketplace.billing.disputes import queries
from marketplace.billing.disputes.states import DisputeState
from marketplace.identity.permissions import Permission

blp = blueprint("disputes", "/v1/disputes", "Disputes (チャージバック).")


@blp.route("")
@guarded(Permission.DISPUTES_READ)
@blp.arguments(schemas.DisputeQuery, location="query")
@blp.response(200, schemas.DisputePage)
def list_disputes(query: dict[str, Any]) -> Any:
    """List the disputes one is a party to, newest first; overseers see all."""
    state = query.pop("state", None)
    return queries.list_disputes(actor(), **query, state=DisputeState(state) if state else None)


@blp.route("/<dispute_id>")
@guarded(Permission.DISPUTES_READ)
@blp.response(200, schemas.DisputeView)
def read(dispute_id: str) -> Any:
    """Read a dispute; the operator answers it in the pages of the payment gateway, before `evidence_due_at`."""
    return queries.get_dispute(actor(), dispute_id)
