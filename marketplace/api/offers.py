"""Offers: a dataset under terms for a price."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, created, guarded, pointing, visitor
from marketplace.api.schemas import trade as schemas
from marketplace.exchange import discovery, listing, ordering
from marketplace.identity.permissions import Permission
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries
from marketplace.licensing.offers import LIMIT_NAMES, Discount, Limits, OfferDraft, Share
from marketplace.licensing.prices import read_price
from marketplace.licensing.rails import read_rails
from marketplace.licensing.service_levels import CreditStep
from marketplace.licensing.states import Cancellation, DiscountClass, ReleaseScope

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
    page = discovery.list_offers(visitor(), **query)
    return Page([_shown(offer) for offer in page.items], page.next_cursor)


@blp.route("/<offer_id>")
@guarded(Permission.CATALOG_READ)
@blp.response(200, schemas.OfferView)
def read(offer_id: str) -> Any:
    """Read an offer, whatever its state, with what ordering it would cost now."""
    offer = discovery.read_offer(visitor(), offer_id)
    due = ordering.list_quote(offer)
    amounts = {"amount_net_yen": due.net_yen, "amount_tax_yen": due.tax_yen, "amount_gross_yen": due.gross_yen}
    return _shown(offer) | {"due_now": amounts}


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
        return _shown(listing.withdraw_offer(actor(), offer_id))


def _created(offer: Any) -> Any:
    return created(_shown(offer), f"/v1/offers/{offer.id}")


def _in_request(pointer: str) -> str:
    # On the wire the limits lie flat beside the price.
    return pointer.removeprefix("/limits")


def _draft(body: dict[str, Any], dataset_id: str) -> OfferDraft:
    shares, discounts, rails = body.get("shares", ()), body.get("discounts", ()), body.get("rails")
    return OfferDraft(
        dataset_id=dataset_id,
        terms_id=body["terms_id"],
        price=read_price(body["price"]),
        limits=Limits(**{name: body.get(name) for name in LIMIT_NAMES}),
        release_scope=ReleaseScope(body["release_scope"]),
        rails=None if rails is None else read_rails(rails),
        buyer_organization_id=body.get("buyer_organization_id"),
        valid_until=body.get("valid_until"),
        shares=tuple(Share(**share) for share in shares),
        discounts=tuple(Discount(DiscountClass(one["class"]), one["basis_points"]) for one in discounts),
        fee_ordinance=body.get("fee_ordinance"),
        cancellation=Cancellation(body["cancellation"]),
        service_level=tuple(CreditStep(**step) for step in body.get("service_level", ())),
    )


def _shown(offer: Any) -> dict[str, Any]:
    # Who gets how much of the revenue is nobody's business but theirs.
    apart = {"promises", "due_now"}
    hidden = apart if queries.may_see_shares(visitor(), offer) else apart | {"shares"}
    said = [{"ja": ja, "en": en} for ja, en in queries.promises_of(offer)]
    return {name: getattr(offer, name) for name in schemas.OfferView().fields if name not in hidden} | {
        "promises": said
    }
