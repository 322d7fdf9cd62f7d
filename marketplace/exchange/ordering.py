"""Ordering: whether an offer can be bought by this buyer now, at what price, and how it will be paid."""

from dataclasses import asdict, dataclass, replace
from datetime import date

from marketplace.billing import orders, pricing, tax
from marketplace.billing.discounts import taking as discounts
from marketplace.billing.discounts.rules import DiscountWish
from marketplace.billing.documents import numbering
from marketplace.billing.models import Order
from marketplace.billing.orders import OrderDraft, OrderedTerm
from marketplace.billing.receivables import service as receivables
from marketplace.billing.subscriptions import queries as subscribed
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
from marketplace.identity import admission
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.identity.states import OrganizationState
from marketplace.incidents import queries as incidents
from marketplace.incidents.errors import SalesHalted
from marketplace.kit import clock
from marketplace.kit.ids import new_id
from marketplace.licensing import queries as licensing
from marketplace.licensing import rails
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail, ReleaseScope

NOTHING_OFF = DiscountWish()


@dataclass(frozen=True, slots=True)
class OrderWish:
    """How the buyer wants to pay, and what it asks off the price.

    ``rail`` is one of the offer's; without one it is the first of them that carries the amount. Where nothing
    is to be paid yet, such as in a trial, it is kept for what is.
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
    _require_admission(buyer, offer.dataset_id)
    if incidents.are_sales_halted(offer.dataset_id):
        raise SalesHalted
    if catalog.published_release_ids(offer.dataset_id):
        return
    if offer.release_scope == ReleaseScope.CURRENT or not listings.is_listed(offer.dataset_id):
        raise NothingToDeliver


def _require_admission(buyer: Actor, dataset_id: str) -> None:
    dataset = catalog.get_dataset(dataset_id)
    admission.require(buyer, dataset.trust_required, dataset.assurance_required)


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
    price = _price_for(buyer, offer)
    listed = pricing.upfront_net_yen(price, clock.today())
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
        rail_wished=wish.rail,
        trial_days=price.trial_days,
    )


def draft_renewal(subscription: Subscription, term: Term, first: Order, idem: str) -> OrderDraft:
    """Return the order of a further term at the price at which the subscription began, paid as its first order.

    Where that rail does not carry the amount, it is the first of the offer's that does. What the first order
    took off for a class of buyers comes off again while an eligibility for it stands; a coupon was for once.
    """
    offer = licensing.get_offer(subscription.offer_id)
    order_id = new_id("ord")
    listed = terms.net_yen(subscribed.price_of(subscription), term)
    wish = discounts.standing_wish(first.organization_id, first.deductions)
    deductions = discounts.take(on_behalf_of(first.organization_id), offer, listed, wish, order_id)
    quote = _quote(offer, listed - sum(deduction.amount_yen for deduction in deductions))
    return OrderDraft(
        provider_organization_id=subscription.provider_organization_id,
        offer_id=subscription.offer_id,
        dataset_id=subscription.dataset_id,
        acceptance_id=subscription.acceptance_id,
        terms_sha256=subscription.terms_sha256,
        price_kind=PriceKind(offer.price_kind),
        quote=quote,
        rail=_renewal_rail(offer, quote.gross_yen, first.rail or first.rail_wished),
        list_net_yen=listed,
        deductions=tuple(asdict(deduction) for deduction in deductions),
        order_id=order_id,
        term=OrderedTerm(subscription.id, term.number, term.first, term.last),
        idem=idem,
    )


def registration_of(organization_id: str, day: date) -> str | None:
    """Return the number (登録番号) valid on the day of the order, of whoever sells for this provider."""
    return identity.registration_on(commerce.seller_of(organization_id), day)


def list_quote(offer: Offer) -> tax.Quote:
    """Return what ordering an offer costs today with tax: before anybody's discount, its trial not yet had."""
    return _quote(offer, pricing.upfront_net_yen(licensing.price_of(offer), clock.today()))


def _price_for(buyer: Actor, offer: Offer) -> Price:
    """Return the price as this buyer gets it: a trial is had once, whatever version of the offer it was of."""
    price = licensing.price_of(offer)
    if not price.trial_days:
        return price
    # Two orders at once would each find no trial before them.
    receivables.lock_buyer(buyer.organization_id)
    is_over = orders.has_had_trial(buyer.organization_id, licensing.line_of(offer))
    return replace(price, trial_days=0) if is_over else price


def _quote(offer: Offer, net_yen: int) -> tax.Quote:
    today = clock.today()
    return tax.quote(
        net_yen,
        today,
        seller_registered=registration_of(offer.organization_id, today) is not None,
        rounding=numbering.rounding_of(commerce.seller_of(offer.organization_id)),
    )


def _rail(offer: Offer, gross_yen: int, wished: Rail | None) -> Rail | None:
    offered = licensing.rails_of(offer)
    if wished is not None and offered and wished not in offered:
        raise RailNotOffered(rails=[rail.value for rail in offered])
    if gross_yen == 0:
        return None
    carrying = [rail for rail in ([wished] if wished else offered) if rails.carries(rail, gross_yen)]
    if not carrying:
        raise AmountNotCarried(rails=[rail.value for rail in offered], amount_gross_yen=gross_yen)
    return carrying[0]


def _renewal_rail(offer: Offer, gross_yen: int, before: str | None) -> Rail | None:
    kept = Rail(before) if before else None
    return _rail(offer, gross_yen, kept if kept and rails.carries(kept, gross_yen) else None)
