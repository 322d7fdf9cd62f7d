"""Orders: accepting terms, ordering, following the payment."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.schemas import trade as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.billing import queries
from marketplace.exchange import payment, purchase
from marketplace.identity.permissions import Permission

blp = blueprint("orders", "/v1/orders", "Orders of a buyer.")
COLUMNS = (
    "id", "organization_id", "provider_organization_id", "offer_id", "dataset_id", "terms_sha256", "price_kind",
    "amount_net_yen", "amount_tax_yen", "amount_gross_yen", "state", "created_at", "paid_at",
)  # fmt: skip


@blp.route("", methods=["POST"])
@guarded(Permission.ORDERS_PLACE)
@blp.arguments(schemas.OrderDraft)
@blp.response(201, schemas.OrderView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def place(draft: dict[str, Any]) -> Any:
    """Accept the terms named by their hash and order the offer, at the offer's price.

    What costs money comes back with `checkout_url`, where to pay. The same Idempotency-Key gives the
    same order again, at its present state.
    """
    caller = actor()

    def deed() -> dict[str, Any]:
        return {"order_id": purchase.place_order(caller, draft["offer_id"], draft["accept_terms_sha256"])}

    answer, replayed = once(draft, deed)
    placed = purchase.read(caller, answer["order_id"])
    if placed.payment is not None:
        payment.begin(placed.payment.id)
        placed = purchase.read(caller, answer["order_id"])
    return shown(placed), 201, {"Location": f"/v1/orders/{answer['order_id']}"} | replay_mark(replayed)


@blp.route("")
@guarded(Permission.ORDERS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.OrderPage)
def list_orders(query: dict[str, Any]) -> dict[str, Any]:
    """List the orders one is a party to, newest first; overseers see all."""
    page = queries.list_orders(actor(), **query)
    return {"items": [shown(purchase.of_order(order)) for order in page.items], "next_cursor": page.next_cursor}


@blp.route("/<order_id>")
@guarded(Permission.ORDERS_READ)
@blp.response(200, schemas.OrderView)
def read(order_id: str) -> dict[str, Any]:
    """Read an order with its payment, grant and invoice."""
    return shown(purchase.read(actor(), order_id))


def shown(found: purchase.Purchase) -> dict[str, Any]:
    """Return an order as the wire shows it; where to pay is shown while there is something to pay."""
    tried = found.payment
    payable = tried is not None and tried.state in {"created", "open"}
    return {name: getattr(found.order, name) for name in COLUMNS} | {
        "payment_state": tried.state if tried else None,
        "checkout_url": tried.checkout_url if tried and payable else None,
        "grant_id": found.grant_id,
        "invoice_id": found.invoice_id,
    }


def replay_mark(replayed: bool) -> dict[str, str]:
    """Return the header that tells a replayed answer from a first one."""
    return {"Idempotent-Replayed": "true"} if replayed else {}
