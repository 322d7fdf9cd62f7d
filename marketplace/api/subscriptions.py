"""Subscriptions: reading them and cancelling at the end of what is paid."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded
from marketplace.api.schemas import subscriptions as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.billing.subscriptions import queries
from marketplace.billing.subscriptions import service as subscriptions
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction

blp = blueprint("subscriptions", "/v1/subscriptions", "Offers paid term by term (定期購読).")
COLUMNS = (
    "id", "organization_id", "provider_organization_id", "offer_id", "dataset_id", "terms_sha256", "state",
    "starts_on", "term_number", "term_from", "term_to", "created_at", "cancelled_at", "ended_at", "end_cause",
)  # fmt: skip
TERM_COLUMNS = ("number", "term_from", "term_to", "order_id", "placed_at", "paid_at")


@blp.route("")
@guarded(Permission.SUBSCRIPTIONS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.SubscriptionPage)
def list_subscriptions(query: dict[str, Any]) -> dict[str, Any]:
    """List the subscriptions one is a party to, newest first; overseers see all."""
    page = queries.list_subscriptions(actor(), **query)
    return {"items": [_shown(one) for one in page.items], "next_cursor": page.next_cursor}


@blp.route("/<subscription_id>")
@guarded(Permission.SUBSCRIPTIONS_READ)
@blp.response(200, schemas.SubscriptionDetails)
def read(subscription_id: str) -> dict[str, Any]:
    """Read a subscription, the order of each of its terms, and when the next term would begin."""
    found = queries.get_subscription(actor(), subscription_id)
    terms = [{name: getattr(term, name) for name in TERM_COLUMNS} for term in queries.list_terms(found.id)]
    goes_on = found.cancelled_at is None and found.ended_at is None
    return _shown(found) | {"terms": terms, "next_term_from": queries.next_term(found).first if goes_on else None}


@blp.route("/<subscription_id>/cancel", methods=["POST"])
@guarded(Permission.SUBSCRIPTIONS_CANCEL)
@blp.response(200, schemas.SubscriptionView)
def cancel(subscription_id: str) -> dict[str, Any]:
    """Cancel at the end of what is paid: no further term is ordered. Buyer and provider may; twice is once."""
    with transaction():
        return _shown(subscriptions.cancel(actor(), subscription_id))


def _shown(subscription: Any) -> dict[str, Any]:
    return {name: getattr(subscription, name) for name in COLUMNS}
