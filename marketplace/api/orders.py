"""Orders: accepting terms, ordering, following the payment."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded, once, pointing
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.schemas import givingback
from marketplace.api.schemas import trade as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.billing import queries
from marketplace.billing.discounts.rules import DiscountWish
from marketplace.billing.orders import Slip
from marketplace.billing.refunds import queries as refunds
from marketplace.exchange import cancellation, outside, payment, purchase
from marketplace.exchange.ordering import OrderWish
from marketplace.identity.actors import Actor
from marketplace.identity.permissions import Permission
from marketplace.identity.states import Capacity
from marketplace.licensing.rails import read_rails

blp = blueprint("orders", "/v1/orders", "Orders of a buyer.")
COLUMNS = (
    "id", "organization_id", "provider_organization_id", "offer_id", "dataset_id", "terms_sha256", "price_kind",
    "rail", "rail_wished", "trial_days", "list_net_yen", "deductions", "amount_net_yen", "amount_tax_yen",
    "amount_gross_yen", "state", "created_at", "paid_at", "subscription_id", "term_number", "term_from", "term_to",
    "slip_number", "slip_paid_on", "slip_ordinance",
)  # fmt: skip


@blp.route("", methods=["POST"])
@guarded(Permission.ORDERS_PLACE)
@blp.arguments(schemas.OrderDraft)
@blp.response(201, schemas.OrderView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def place(draft: dict[str, Any]) -> Any:
    """Accept the terms named by their hash and order the offer, at the offer's price less what is granted off it.

    What is paid by card, convenience store or bank transfer comes back with `checkout_url`, where to pay;
    what is paid by invoice or costs nothing is delivered at once. The same Idempotency-Key gives the same
    order again, at its present state.
    """
    caller = actor()
    wish = _wish(draft)

    def deed() -> dict[str, Any]:
        return {"order_id": purchase.place_order(caller, draft["offer_id"], draft["accept_terms_sha256"], wish)}

    answer, replayed = once(draft, deed)
    placed = purchase.read(caller, answer["order_id"])
    if placed.payment is not None:
        payment.begin(placed.payment.id)
        placed = purchase.read(caller, answer["order_id"])
    return shown(caller, placed), 201, {"Location": f"/v1/orders/{answer['order_id']}"} | replay_mark(replayed)


@blp.route("")
@guarded(Permission.ORDERS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.OrderPage)
def list_orders(query: dict[str, Any]) -> dict[str, Any]:
    """List the orders one is a party to, newest first; overseers see all."""
    caller = actor()
    page = queries.list_orders(caller, **query)
    return {"items": [shown(caller, purchase.of_order(order)) for order in page.items], "next_cursor": page.next_cursor}


@blp.route("/<order_id>")
@guarded(Permission.ORDERS_READ)
@blp.response(200, schemas.OrderView)
def read(order_id: str) -> dict[str, Any]:
    """Read an order with its payment, grant and invoice."""
    caller = actor()
    return shown(caller, purchase.read(caller, order_id))


@blp.route("/<order_id>/slip", methods=["POST"])
@guarded(Permission.ORDERS_NOTE_SLIP)
@blp.arguments(schemas.SlipDraft)
@blp.response(201, schemas.OrderView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def note_slip(slip: dict[str, Any], order_id: str) -> Any:
    """Note the municipal payment slip (納付書) that paid an order outside the exchange; it is delivered then."""
    caller = actor()
    paid = Slip(slip["number"], slip["paid_on"], slip["ordinance"])
    request = {name: str(value) for name, value in slip.items()}
    _answer, replayed = once(request, lambda: {"fulfilled": outside.note_payment(caller, order_id, paid)})
    return shown(caller, purchase.read(caller, order_id)), 201, replay_mark(replayed)


@blp.route("/<order_id>/cancel", methods=["POST"])
@guarded(Permission.ORDERS_CANCEL)
@blp.response(200, givingback.RefundsView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def cancel(order_id: str) -> Any:
    """Give up an order before its time is over, where its offer says `pro_rata`: unused days are given back.

    Access ends at once, and so does the subscription that the order belongs to. What was used until now of a
    metered offer is billed as ever. The answer lists what goes back.
    """
    caller = actor()
    answer, replayed = once({}, lambda: {"refund_ids": cancellation.cancel(caller, order_id)})
    made = [refunds.get_refund(caller, refund_id) for refund_id in answer["refund_ids"]]
    return {"items": made}, 200, replay_mark(replayed)


def _wish(draft: dict[str, Any]) -> OrderWish:
    with pointing(lambda _pointer: "/rail"):
        rails = read_rails([draft["rail"]] if "rail" in draft else [])
    asked = DiscountWish(draft.get("eligibility_id"), draft.get("coupon_code"))
    return OrderWish(rails[0] if rails else None, asked)


def may_pay(caller: Actor, payer_organization_id: str) -> bool:
    """Tell whether somebody is shown where to pay: who pays, and the operator, who may be asked for it."""
    return caller.organization_id == payer_organization_id or Capacity.OPERATOR in caller.capacities


def shown(caller: Actor, found: purchase.Purchase) -> dict[str, Any]:
    """Return an order as the wire shows it; where to pay, to the buyer while there is something to pay."""
    tried = found.payment
    payable = tried is not None and tried.state in {"created", "open"} and may_pay(caller, found.order.organization_id)
    return {name: getattr(found.order, name) for name in COLUMNS} | {
        "payment_state": tried.state if tried else None,
        "checkout_url": tried.checkout_url if tried and payable else None,
        "grant_id": found.grant_id,
        "invoice_id": found.invoice_id,
    }


def replay_mark(replayed: bool) -> dict[str, str]:
    """Return the header that tells a replayed answer from a first one."""
    return {"Idempotent-Replayed": "true"} if replayed else {}
