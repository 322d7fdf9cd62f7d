"""Legal holds: what must not be deleted while somebody goes to law about it."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import holds as schemas
from marketplace.api.schemas.identity import Reason
from marketplace.audit import holds
from marketplace.exchange import holding
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("holds", "/v1/holds", "Legal holds (法的保全).")


@blp.route("", methods=["POST"])
@guarded(Permission.HOLDS_PLACE)
@blp.arguments(schemas.HoldDraft)
@blp.response(201, schemas.HoldView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def place(draft: dict[str, str]) -> Any:
    """Put a hold on an organization, an order, a document or a dataset: nothing of it is deleted until it is lifted."""
    caller = actor()
    answer, replayed = once(draft, lambda: {"id": holding.place(caller, draft["subject"], draft["reason"]).id})
    hold = holds.get_hold(answer["id"])
    return created(hold, f"/v1/holds/{hold.id}", **replay_mark(replayed))


@blp.route("")
@guarded(Permission.HOLDS_READ)
@blp.arguments(schemas.HoldQuery, location="query")
@blp.response(200, schemas.HoldPage)
def list_holds(query: dict[str, Any]) -> Any:
    """List holds, newest first, those that were lifted among them."""
    return holds.list_holds(**query)


@blp.route("/<hold_id>")
@guarded(Permission.HOLDS_READ)
@blp.response(200, schemas.HoldView)
def read(hold_id: str) -> Any:
    """Read a hold."""
    return holds.get_hold(hold_id)


@blp.route("/<hold_id>/lift", methods=["POST"])
@guarded(Permission.HOLDS_PLACE)
@blp.arguments(Reason)
@blp.response(200, schemas.HoldView)
def lift(reason: dict[str, str], hold_id: str) -> Any:
    """Lift a hold for a reason; others on the same thing stay."""
    with transaction():
        return holds.lift(actor(), hold_id, reason["reason"])
