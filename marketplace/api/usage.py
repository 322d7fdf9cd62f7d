"""Usage statements, and settling usage into invoices."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.invoices import shown
from marketplace.api.schemas import trade as schemas
from marketplace.exchange import settlement
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.metering import queries

blp = blueprint("usage", "/v1", "What was delivered, and billing it.")


@blp.route("/usage")
@guarded(Permission.USAGE_READ)
@blp.arguments(schemas.UsageQuery, location="query")
@blp.response(200, schemas.UsagePage)
def read(query: dict[str, Any]) -> dict[str, Any]:
    """State the usage one is a party to, by day and grant, at any time; overseers see all."""
    page = {name: query.pop(name) for name in ("cursor", "size") if name in query}
    wanted = queries.UsageFilter(**query)
    lines, total = queries.statement(actor(), wanted, **page), queries.total(actor(), wanted)
    return {
        "items": lines.items,
        "next_cursor": lines.next_cursor,
        "total_bytes": total.bytes_new,
        "total_bytes_acked": total.bytes_acked,
        "total_rows": total.rows_new,
        "total_requests": total.requests,
        "total_downloads": total.downloads_new,
        "total_deliveries": total.deliveries,
    }


@blp.route("/settlements", methods=["POST"])
@guarded(Permission.SETTLEMENT_CLOSE)
@blp.arguments(schemas.SettlementDraft)
@blp.response(201, schemas.SettlementView)
def settle(draft: dict[str, Any]) -> dict[str, Any]:
    """Bill all metered usage until an instant, one invoice per seller and buyer; each unit once.

    Volume prices, minimums and flat fees of a month are billed when that month is over.
    """
    until = min(draft.get("until") or clock.now(), clock.now())
    caller = actor()
    invoices = settlement.settle(caller, until)
    return {"until": until, "invoices": [shown(caller, invoice) for invoice in invoices]}
