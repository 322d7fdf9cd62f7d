"""Eligibilities: evidence that an organization belongs to a class of buyers, and what the operator makes of it."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import prices as schemas
from marketplace.billing.discounts import queries, service
from marketplace.billing.discounts.rules import EligibilityDraft
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import DiscountClass

blp = blueprint("eligibilities", "/v1/eligibilities", "Eligibility for discounts: applied for, judged by the operator.")


@blp.route("", methods=["POST"])
@guarded(Permission.DISCOUNTS_APPLY)
@blp.arguments(schemas.EligibilityDraft)
@blp.response(201, schemas.EligibilityView)
def apply(draft: dict[str, Any]) -> Any:
    """Apply to be judged eligible for a class of discounts."""
    wanted = EligibilityDraft(**draft | {"discount_class": DiscountClass(draft["discount_class"])})
    with transaction():
        made = service.apply(actor(), wanted)
    return created(made, f"/v1/eligibilities/{made.id}")


@blp.route("")
@guarded(Permission.DISCOUNTS_READ)
@blp.arguments(schemas.EligibilityQuery, location="query")
@blp.response(200, schemas.EligibilityPage)
def list_eligibilities(query: dict[str, Any]) -> Any:
    """List one's own applications, newest first; overseers see all."""
    return queries.list_eligibilities(actor(), **query)


@blp.route("/<eligibility_id>")
@guarded(Permission.DISCOUNTS_READ)
@blp.response(200, schemas.EligibilityView)
def read(eligibility_id: str) -> Any:
    """Read an application and how it was decided."""
    return queries.get_eligibility(actor(), eligibility_id)


@blp.route("/<eligibility_id>/grant", methods=["POST"])
@guarded(Permission.DISCOUNTS_JUDGE)
@blp.arguments(schemas.EligibilityGrant)
@blp.response(200, schemas.EligibilityView)
def grant(body: dict[str, Any], eligibility_id: str) -> Any:
    """Find the evidence good until an instant."""
    with transaction():
        return service.grant(actor(), eligibility_id, body["valid_until"], single_use=body["single_use"])


@blp.route("/<eligibility_id>/refuse", methods=["POST"])
@guarded(Permission.DISCOUNTS_JUDGE)
@blp.arguments(schemas.EligibilityRefusal)
@blp.response(200, schemas.EligibilityView)
def refuse(body: dict[str, Any], eligibility_id: str) -> Any:
    """Find the evidence wanting, or take back what was granted; orders placed meanwhile keep their price."""
    with transaction():
        return service.refuse(actor(), eligibility_id, body["reason"])
