"""Coupons: secret codes with which a provider takes something off its own offers."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import prices as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.billing.discounts import queries, service
from marketplace.billing.discounts.rules import CouponDraft
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("coupons", "/v1/coupons", "Coupons: secret codes that take percent or yen off a provider's offers.")


@blp.route("", methods=["POST"])
@guarded(Permission.COUPONS_ISSUE)
@blp.arguments(schemas.CouponDraft)
@blp.response(201, schemas.NewCouponView)
def issue(draft: dict[str, Any]) -> Any:
    """Issue a coupon for one's own offers; its code is shown this once."""
    with transaction():
        coupon, code = service.issue_coupon(actor(), CouponDraft(**draft))
        shown = {name: getattr(coupon, name) for name in schemas.CouponView().fields}
    return created(shown | {"code": code}, f"/v1/coupons/{coupon.id}")


@blp.route("")
@guarded(Permission.COUPONS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.CouponPage)
def list_coupons(query: dict[str, Any]) -> Any:
    """List one's own coupons, newest first; overseers see all."""
    return queries.list_coupons(actor(), **query)


@blp.route("/<coupon_id>")
@guarded(Permission.COUPONS_READ)
@blp.response(200, schemas.CouponView)
def read(coupon_id: str) -> Any:
    """Read a coupon and how often it was redeemed."""
    return queries.get_coupon(actor(), coupon_id)


@blp.route("/<coupon_id>/end", methods=["POST"])
@guarded(Permission.COUPONS_ISSUE)
@blp.response(200, schemas.CouponView)
def end(coupon_id: str) -> Any:
    """Let a coupon be redeemed no longer; what was ordered with it keeps its price."""
    with transaction():
        return service.end_coupon(actor(), coupon_id)
