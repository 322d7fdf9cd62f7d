"""Ordering: whether an offer can be bought by this buyer now, at what price, and how it will be paid."""

from dataclasses import asdict, dataclass
from datetime import date

from marketplace.billing import pricing, tax
from marketplace.billing.discounts import taking as discounts
from marketplace.billing.discounts.rules import DiscountWish
from marketplace.billing.documents import numbering
from marketplace.billing.orders import OrderDraft, OrderedTerm
from marketplace.billing.subscriptions import rules as terms
from marketplace.billing.subscriptions.models import Subscription
from marketplace.billing.subscriptions.rules import Term
from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.exchange import commerce
from marketplace.exchange.errors import (
    AmountNotCarried,
    LicenceEnded,
    NothingToDeliver,
    OwnOffer,
    RailNotOffered,
    SellerSuspended,
    TermsDiffer,
)
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.states import OrganizationState
from marketplace.kit import clock
from marketplace.kit.ids import new_id
from marketplace.licensing import queries as licensing
from marketplace.licensing import rails
from marketplace.licensing.models import Offer
from marketplace.licensing.states import PriceKind, Rail, ReleaseScope

NOTHING_OFF = DiscountWish()


@dataclass(frozen=True, slots=True)
class OrderWish:
    """How the buyer wants to pay, and what it asks off the price.

    ``rail`` is one of the offer's; without one it is the first of them that carries the amount.
    """

    rail: Rail | None = None
    discounts: DiscountWish = NOTHING_OFF


def check(buyer: Actor, offer: Offer, accepted_sha256: str) -> None:
    """Refuse what this buyer cannot order; the offer itself was found open, and locked, before."""
    if offer.organization_id == buyer.organization_id:
        raise OwnOffer
    if accepted_sha256 != offer.terms_sha256:
        raise TermsDiffer(terms_sha256=offer.terms_sha256)
    require_licensable(offer)
    if catalog.published_release_ids(offer.dataset_id):
        return
    if offer.release_scope == ReleaseScope.CURRENT or not listings.is_listed(offer.dataset_id):
        raise NothingToDeliver


def require_licensable(offer: Offer) -> None:
    """Refuse new money for what its seller may not sell, or its terms do not allow to use any longer."""
    if identity.get_organization(offer.organization_id).state != OrganizationState.VERIFIED:
        raise SellerSuspended
    last_day = licensing.last_day_of(offer)
    if last_day is not None and last_day < clock.today():
        raise LicenceEnded(last_day=last_day.isoformat())


def draft(buyer: Actor, offer: Offer, acceptance_id: str, wish: OrderWish) -> OrderDraft:
    """Return the order at our own price of today, less what the buyer is granted; tax is on what remains."""
    order_id = new_id("ord")
    listed = pricing.upfront_net_yen(licensing.price_of(offer), clock.today())
    deductions = discounts.take(buyer, offer, listed, wish.discounts, order_id)
    quote = _quote(offer, listed - sum(deduction.amount_yen for deduction in deductions))
    return OrderDraft(
        provider_organization_id=offer.organization_id,
        offer_id=offer.id,
        dataset_id=offer.dataset_id,
        acceptance_id=acceptance_id,
        terms_sha256=offer.terms_sha256,
        price_kind=PriceKind(offer.price_kind),
        quote=quote,
        rail=_rail(offer, quote.gross_yen, wish.rail),
        list_net_yen=listed,
        deductions=tuple(asdict(deduction) for deduction in deductions),
        order_id=order_id,
    )


def draft_renewal(subscription: Subscription, term: Term, rail: Rail | None, idem: str) -> OrderDraft:
    """Return the order of a further term at the price at which the subscription began."""
    offer = licensing.get_offer(subscription.offer_id)
    quote = _quote(offer, terms.net_yen(licensing.price_of(offer), term))
    return OrderDraft(
        provider_organization_id=subscription.provider_organization_id,
        offer_id=subscription.offer_id,
        dataset_id=subscription.dataset_id,
        acceptance_id=subscription.acceptance_id,
        terms_sha256=subscription.terms_sha256,
        price_kind=PriceKind(offer.price_kind),
        quote=quote,
        rail=_rail(offer, quote.gross_yen, rail),
        term=OrderedTerm(subscription.id, term.number, term.first, term.last),
        idem=idem,
    )


def registration_of(organization_id: str, day: date) -> str | None:
    """Return the number (登録番号) valid on the day of the order, of whoever sells for this provider."""
    return identity.registration_on(commerce.seller_of(organization_id), day)


def _quote(offer: Offer, net_yen: int) -> tax.Quote:
    today = clock.today()
    return tax.quote(
        net_yen,
        today,
        seller_registered=registration_of(offer.organization_id, today) is not None,
        rounding=numbering.rounding_of(commerce.seller_of(offer.organization_id)),
    )


def _rail(offer: Offer, gross_yen: int, wished: Rail | None) -> Rail | None:
    if gross_yen == 0:
        return None
    offered = licensing.rails_of(offer)
    if wished is not None and wished not in offered:
        raise RailNotOffered(rails=[rail.value for rail in offered])
    carrying = [rail for rail in ([wished] if wished else offered) if rails.carries(rail, gross_yen)]
    if not carrying:
        raise AmountNotCarried(rails=[rail.value for rail in offered], amount_gross_yen=gross_yen)
    return carrying[0]
