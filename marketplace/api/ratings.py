"""Ratings: what organizations say of datasets that they bought, and what is told of providers."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded, visitor
from marketplace.api.schemas import ratings as schemas
from marketplace.exchange import reputing
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.reputation import queries, service
from marketplace.reputation.rules import RatingDraft

blp = blueprint("ratings", "/v1", "Ratings by those who bought, and what is told of providers.")


@blp.route("/datasets/<dataset_id>/ratings")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.RatingQuery, location="query")
@blp.response(200, schemas.RatingPage)
def list_ratings(query: dict[str, Any], dataset_id: str) -> dict[str, Any]:
    """List what is said of a dataset, newest first, and how it adds up."""
    page, summary = reputing.list_ratings(visitor(), dataset_id, **query)
    return {"summary": summary, "items": page.items, "next_cursor": page.next_cursor}


@blp.route("/datasets/<dataset_id>/rating", methods=["PUT"])
@guarded(Permission.RATINGS_GIVE)
@blp.arguments(schemas.RatingDraft)
@blp.response(200, schemas.RatingView)
def rate(draft: dict[str, Any], dataset_id: str) -> Any:
    """Say what one thinks of a dataset that one bought, in place of what one said before."""
    with transaction():
        return reputing.rate(actor(), dataset_id, RatingDraft(**draft))


@blp.route("/datasets/<dataset_id>/rating", methods=["DELETE"])
@guarded(Permission.RATINGS_GIVE)
@blp.response(204)
def withdraw(dataset_id: str) -> Any:
    """Take back what one said; its words are deleted."""
    with transaction():
        reputing.withdraw(actor(), dataset_id)
    return "", 204


@blp.route("/ratings/<rating_id>/reply", methods=["PUT"])
@guarded(Permission.RATINGS_REPLY)
@blp.arguments(schemas.ReplyDraft)
@blp.response(200, schemas.RatingView)
def reply(draft: dict[str, Any], rating_id: str) -> Any:
    """Reply to a rating of one's own dataset, in place of what one replied before."""
    with transaction():
        return queries.show(actor(), service.reply(actor(), rating_id, draft["text_ja"], draft["text_en"]))


@blp.route("/ratings/<rating_id>/hide", methods=["POST"])
@guarded(Permission.RATINGS_MODERATE)
@blp.arguments(schemas.HidingDraft)
@blp.response(200, schemas.RatingView)
def hide(draft: dict[str, Any], rating_id: str) -> Any:
    """Hide a rating from all but its author and overseers; it counts no more, however it is changed."""
    with transaction():
        return reputing.hide(actor(), rating_id, draft["reason"])


@blp.route("/ratings/<rating_id>/unhide", methods=["POST"])
@guarded(Permission.RATINGS_MODERATE)
@blp.response(200, schemas.RatingView)
def unhide(rating_id: str) -> Any:
    """Show a rating again, and count it."""
    with transaction():
        return reputing.unhide(actor(), rating_id)


@blp.route("/organizations/<provider_id>/reputation")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.ReputationView)
def read_reputation(provider_id: str) -> dict[str, Any]:
    """Read what is told of a provider: ratings, punctuality, and shares of sales given back or contested."""
    provider, told = reputing.read_provider(provider_id)
    return {"provider": provider} | told
