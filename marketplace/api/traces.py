"""The trail of a trade from any of its ends. That an overseer looks is itself recorded."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import traces as schemas
from marketplace.exchange import trail
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("traces", "/v1/traces", "Trades from end to end: terms, order, money, papers, access, usage, earnings.")


@blp.route("/<traced_id>")
@guarded(Permission.TRADES_TRACE)
@blp.arguments(schemas.TraceQuery, location="query")
@blp.response(200, schemas.TraceView)
def read(query: dict[str, Any], traced_id: str) -> Any:
    """Trace a trade from any of its things: the hash of its terms, the id of an order, a payment, a delivery, a payout.

    Where several trades share the thing, `trades` lists them and `trail` is null. A trail says what is missing from it.
    """
    with transaction():
        return trail.trace(actor(), traced_id, **query)
