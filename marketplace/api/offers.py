"""Offers: a dataset under terms for a price."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded, pointing, visitor
from marketplace.api.schemas import trade as schemas
from marketplace.exchange import discovery, listing
from marketplace.identity.permissions import Permission
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries
from marketplace.licensing.offers import Limits, OfferDraft, Price
from marketplace.licensing.states import PriceKind, ReleaseScope

blp = blueprint("offers", "/v1/offers", "Offers: a dataset under terms for a price. Immutable; superseded by versions.")


@blp.route("", methods=["POST"])
@guarded(Permission.LICENSING_WRITE)
@blp.arguments(schemas.OfferDraft)
@blp.response(201, schemas.OfferView)
def make(draft: dict[str, Any]) -> Any:
    """Offer one's own dataset under one's own terms at a price."""
    with pointing(_in_request), transaction():
        return _created(listing.make_offer(actor(), _draft(draft, draft["dataset_id"])))


@blp.route("")
@guarded(Permission.CATALOG_READ)
@blp.arguments(schemas.OfferQuery, location="query")
@blp.response(200, schemas.OfferPage)
def list_offers(query: dict[str, Any]) -> Any:
    """List the open offers of a dataset, newest first; those of an unlisted one to its parties alone."""
    return discovery.list_offers(visitor(), **query)


@blp.route("/<offer_id>")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.OfferView)
def read(offer_id: str) -> Any:
    """Read an offer, whatever its state."""
    return discovery.read_offer(visitor(), offer_id)


@blp.route("/<offer_id>/supersede", methods=["POST"])
@guarded(Permission.LICENSING_WRITE)
@blp.arguments(schemas.OfferVersionDraft)
@blp.response(201, schemas.OfferView)
def supersede(draft: dict[str, Any], offer_id: str) -> Any:
    """Put a new version in the place of an open offer; orders placed before stay as they are."""
    with pointing(_in_request), transaction():
        before = queries.get_own_offer(actor(), offer_id)
        return _created(listing.supersede_offer(actor(), offer_id, _draft(draft, before.dataset_id)))


@blp.route("/<offer_id>/withdraw", methods=["POST"])
@guarded(Permission.LICENSING_WRITE)
@blp.response(200, schemas.OfferView)
def withdraw(offer_id: str) -> Any:
    """Take an offer from the market; grants bought under it stay."""
    with transaction():
        return listing.withdraw_offer(actor(), offer_id)


def _created(offer: Any) -> Any:
    return created(offer, f"/v1/offers/{offer.id}")


def _in_request(pointer: str) -> str:
    # On the wire the limits lie flat beside the price.
    return pointer.removeprefix("/limits")


def _draft(body: dict[str, Any], dataset_id: str) -> OfferDraft:
    price = body["price"]
    return OfferDraft(
        dataset_id=dataset_id,
        terms_id=body["terms_id"],
        price=Price(PriceKind(price["kind"]), price["amount_yen"], price["included_mib"]),
        limits=Limits(body.get("duration_days"), body.get("quota_bytes"), body.get("quota_downloads")),
        release_scope=ReleaseScope(body["release_scope"]),
    )
