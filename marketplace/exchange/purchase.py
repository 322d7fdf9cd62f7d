"""Purchase: from an accepted offer to a grant, by way of money where it costs any."""

from dataclasses import dataclass

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.access.rules import GrantDraft
from marketplace.billing import invoices, orders, payments, pricing, queries, sales, shares, tax
from marketplace.billing.invoices import InvoiceDraft, InvoiceLine
from marketplace.billing.models import Order, Payment
from marketplace.billing.orders import OrderDraft
from marketplace.billing.states import InvoiceKind, Via
from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.exchange import commerce
from marketplace.exchange.errors import LicenceEnded, NothingToDeliver, OwnOffer, SellerSuspended, TermsDiffer
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.identity.states import OrganizationState
from marketplace.kit import clock
from marketplace.licensing import queries as licensing
from marketplace.licensing import service as acceptances
from marketplace.licensing.models import Offer
from marketplace.licensing.states import PriceKind, Rail, ReleaseScope
from marketplace.metering import service as metering


@dataclass(frozen=True, slots=True)
class OrderWish:
    """How the buyer wants to pay: one of the offer's rails, its first where ``rail`` is None."""

    rail: Rail | None = None


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order with what has come of it so far."""

    order: Order
    payment: Payment | None
    grant_id: str | None
    invoice_id: str | None


def place_order(actor: Actor, offer_id: str, accepted_sha256: str, wish: OrderWish = OrderWish()) -> str:
    """Accept the offer's terms and order it at our own price; returns the order's id.

    What costs nothing now is fulfilled at once; for the rest a payment is opened, to be taken to the
    gateway by ``payment.begin`` after this transaction. Raises OfferNotOpen, OwnOffer, TermsDiffer,
    SellerSuspended, LicenceEnded, NothingToDeliver or NotFound.
    """
    offer = licensing.lock_open_offer(offer_id, actor)
    _check(actor, offer, accepted_sha256)
    acceptance = acceptances.accept_terms(actor, accepted_sha256)
    order = orders.open_order(actor, _draft(offer, acceptance.id, wish))
    if order.amount_gross_yen == 0:
        fulfil(order.id)
    else:
        payments.open_for_order(actor, order.id)
    return order.id


def read(actor: Actor, order_id: str) -> Purchase:
    """Return an order to its parties and to overseers, with its payment, grant and invoice."""
    return of_order(queries.get_order(actor, order_id))


def of_order(order: Order) -> Purchase:
    """Put beside an order what has come of it."""
    tried = queries.list_payments(order_id=order.id)
    grant = grants.find_grant_of_order(order.id)
    invoice = queries.find_invoice_of_order(order.id)
    return Purchase(order, tried[0] if tried else None, grant.id if grant else None, invoice.id if invoice else None)


def fulfil(order_id: str) -> bool:
    """Turn a paid (or free) order into ledger postings, an invoice and a grant: all of it or nothing.

    Exactly one caller gets past the order's move to paid, however often a payment is reported; False for
    every other.
    """
    buyer = on_behalf_of(queries.require_order(order_id).organization_id)
    if not orders.mark_paid(buyer, order_id):
        return False
    order = queries.require_order(order_id)
    _grant(buyer, order)
    orders.mark_fulfilled(buyer, order_id)
    if order.amount_gross_yen:
        _post_sale(buyer, order)
        # Last, since it holds the counter of the issuer's invoice numbers until the end.
        _issue_invoice(buyer, order)
    return True


def _check(actor: Actor, offer: Offer, accepted_sha256: str) -> None:
    if offer.organization_id == actor.organization_id:
        raise OwnOffer
    if accepted_sha256 != offer.terms_sha256:
        raise TermsDiffer(terms_sha256=offer.terms_sha256)
    if identity.get_organization(offer.organization_id).state != OrganizationState.VERIFIED:
        raise SellerSuspended
    last_day = licensing.last_day_of(offer)
    if last_day is not None and last_day < clock.today():
        raise LicenceEnded(last_day=last_day.isoformat())
    if catalog.published_release_ids(offer.dataset_id):
        return
    if offer.release_scope == ReleaseScope.CURRENT or not listings.is_listed(offer.dataset_id):
        raise NothingToDeliver


def _draft(offer: Offer, acceptance_id: str, wish: OrderWish) -> OrderDraft:
    kind = PriceKind(offer.price_kind)
    seller = identity.get_organization(offer.organization_id)
    net = pricing.upfront_net_yen(licensing.price_of(offer), clock.today())
    return OrderDraft(
        provider_organization_id=offer.organization_id,
        offer_id=offer.id,
        dataset_id=offer.dataset_id,
        acceptance_id=acceptance_id,
        terms_sha256=offer.terms_sha256,
        price_kind=kind,
        rail=wish.rail or Rail.CARD,
        quote=tax.quote(net, clock.today(), seller_registered=seller.invoice_registration_number is not None),
    )


def _post_sale(buyer: Actor, order: Order) -> None:
    quote = tax.Quote(order.amount_net_yen, order.amount_tax_yen, order.tax_rate_basis_points)
    sales.book_sale(
        buyer,
        commerce.sale(shares.alone(order.provider_organization_id), quote),
        kind="sale",
        ref=order.id,
        idem=f"sale:{order.id}",
        via=Via.GATEWAY,
        buyer_organization_id=order.organization_id,
        nets_by_dataset={order.dataset_id: order.amount_net_yen},
        on=clock.today(),
    )


def _issue_invoice(buyer: Actor, order: Order) -> None:
    dataset = catalog.get_dataset(order.dataset_id)
    line = InvoiceLine(
        description_ja=f"データ利用許諾料 {dataset.title_ja or dataset.title_en}",
        description_en=f"Data licence: {dataset.title_en or dataset.title_ja}",
        quantity="1",
        unit="licence",
        unit_price_yen=order.amount_net_yen,
        amount_net_yen=order.amount_net_yen,
        tax_rate_basis_points=order.tax_rate_basis_points,
    )
    seller = identity.get_organization(order.provider_organization_id)
    draft = InvoiceDraft(
        kind=InvoiceKind.SALE,
        idem=f"order:{order.id}",
        issuer=commerce.invoice_party(seller),
        registration_number=seller.invoice_registration_number if order.tax_rate_basis_points else None,
        recipient=commerce.invoice_party(identity.get_organization(order.organization_id)),
        lines=[line],
        transaction_on=clock.today(),
        order_id=order.id,
    )
    invoices.issue(buyer, draft, paid_at=clock.now())


def _grant(buyer: Actor, order: Order) -> None:
    offer = licensing.get_offer(order.offer_id)
    # What the buyer saw when ordering, also if it was replaced or withdrawn before the money came.
    seen = catalog.release_ids_at(order.dataset_id, order.created_at)
    scope = ReleaseScope(offer.release_scope)
    grant = access.issue(
        buyer,
        GrantDraft(
            order_id=order.id,
            organization_id=order.organization_id,
            provider_organization_id=order.provider_organization_id,
            offer_id=order.offer_id,
            dataset_id=order.dataset_id,
            acceptance_id=order.acceptance_id,
            terms_sha256=order.terms_sha256,
            release_scope=scope,
            release_ids=tuple(seen[:1] if scope == ReleaseScope.CURRENT else seen),
            duration_days=offer.duration_days,
            last_day=licensing.last_day_of(offer),
        ),
    )
    metering.open_quota(grant.id, offer.quota_bytes, offer.quota_downloads)
