"""Purchase: from an accepted offer to a grant, by way of money where it costs any."""

from dataclasses import dataclass
from datetime import date

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.access.rules import GrantDraft
from marketplace.billing import invoices, orders, payments, queries, sales, tax
from marketplace.billing.documents import papers
from marketplace.billing.invoices import InvoiceDraft
from marketplace.billing.models import Order, Payment
from marketplace.billing.orders import OrderedTerm, Slip
from marketplace.billing.receivables import service as receivables
from marketplace.billing.states import InvoiceKind, OrderState, Via
from marketplace.billing.subscriptions import queries as subscribed
from marketplace.billing.subscriptions import service as subscriptions
from marketplace.billing.subscriptions.models import Subscription
from marketplace.billing.subscriptions.rules import Term
from marketplace.catalog import queries as catalog
from marketplace.catalog.groups import queries as groups
from marketplace.exchange import commerce, halting, ordering, spending, subscribing
from marketplace.exchange.ordering import OrderWish
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.kit import clock
from marketplace.licensing import queries as licensing
from marketplace.licensing import service as acceptances
from marketplace.licensing.models import Offer
from marketplace.licensing.states import PriceKind, Rail, ReleaseScope
from marketplace.metering import service as metering

DEFAULT = OrderWish()
VIAS = {Rail.INVOICE: Via.RECEIVABLE, Rail.OUTSIDE: Via.OUTSIDE}
"""Where the money of a sale is; on the rails not named here it lies at the gateway."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order with what has come of it so far."""

    order: Order
    payment: Payment | None
    grant_id: str | None
    invoice_id: str | None


def place_order(actor: Actor, offer_id: str, accepted_sha256: str, wish: OrderWish = DEFAULT) -> str:
    """Accept the offer's terms and order it at our own price; returns the order's id.

    What costs nothing now, or is paid by invoice afterwards, is fulfilled at once. What is paid at the
    gateway has a payment opened, to be taken there by ``payment.begin`` after this transaction; what is
    paid outside waits until that is noted. Raises OfferNotOpen, OwnOffer, TermsDiffer, SellerSuspended,
    LicenceEnded, NothingToDeliver, RailNotOffered, AmountNotCarried, CreditExhausted, InvoicesOverdue,
    BudgetExhausted, the refusals of discounts, those of admission to the dataset, or NotFound.
    """
    offer = licensing.lock_open_offer(offer_id, actor, groups.sight_of(actor))
    ordering.check(actor, offer, accepted_sha256)
    acceptance = acceptances.accept_terms(actor, accepted_sha256)
    order = orders.open_order(actor, ordering.draft(actor, offer, acceptance.id, wish))
    if licensing.price_of(offer).is_metered:
        receivables.require_credit(actor.organization_id, 0)
    _proceed(actor, order)
    return order.id


def place_renewal(subscription: Subscription, term: Term) -> str:
    """Order a further term of a subscription as its first order was paid, once; returns the order's id.

    An order that lapsed unpaid is placed again. Raises SellerSuspended, LicenceEnded, AmountNotCarried,
    CreditExhausted, InvoicesOverdue or BudgetExhausted.
    """
    lock_for_renewal(subscription.id)
    tried = orders.list_of_term(subscription.id, term.number)
    if tried and tried[-1].state not in orders.LAPSED:
        return tried[-1].id
    ordering.require_licensable(licensing.get_offer(subscription.offer_id))
    first = queries.require_order(subscribed.first_order_id(subscription.id))
    idem = f"renewal:{subscription.id}:{term.number}" + (f":{len(tried) + 1}" if tried else "")
    buyer = on_behalf_of(subscription.organization_id)
    order = orders.open_order(buyer, ordering.draft_renewal(subscription, term, first, idem))
    _proceed(buyer, order)
    return order.id


def lock_for_renewal(subscription_id: str) -> Subscription:
    """Return a subscription, held; where it may be paid by invoice, its buyer's account is held before it."""
    known = subscribed.require_subscription(subscription_id)
    if Rail.INVOICE in licensing.rails_of(licensing.get_offer(known.offer_id)):
        receivables.lock_buyer(known.organization_id)
    return subscriptions.lock(subscription_id)


def read(actor: Actor, order_id: str) -> Purchase:
    """Return an order to its parties and to overseers, with its payment, grant and invoice."""
    return of_order(queries.get_order(actor, order_id))


def of_order(order: Order) -> Purchase:
    """Put beside an order what has come of it; a renewal stands by the grant that it extends."""
    tried = queries.list_payments(order_id=order.id)
    renews = order.subscription_id is not None and order.term_number != 1
    grant = grants.find_grant_of_order(subscribed.first_order_id(order.subscription_id or "") if renews else order.id)
    invoice = queries.find_invoice_of_order(order.id)
    if grant is not None and order.state == OrderState.PLACED:
        # Fulfilled, it may be, between two of these questions: never a placed order beside what came of it.
        queries.reread(order, *tried)
    return Purchase(order, tried[0] if tried else None, grant.id if grant else None, invoice.id if invoice else None)


def fulfil(order_id: str, slip: Slip | None = None) -> bool:
    """Turn a paid (or free) order into a grant, ledger postings and an invoice: all of it or nothing.

    Exactly one caller gets past the order's move to paid, however often a payment is reported; False for
    every other, and for a lapsed renewal whose term another order pays. What was paid is delivered even
    if the offer was withdrawn meanwhile.
    """
    order = queries.lock_order(order_id)
    buyer = on_behalf_of(order.organization_id)
    if orders.is_replaced(order) or not orders.mark_paid(buyer, order_id, slip):
        return False
    _deliver(buyer, order)
    return True


def _proceed(buyer: Actor, order: Order) -> None:
    if order.rail is None:
        fulfil(order.id)
    elif order.rail == Rail.INVOICE:
        receivables.require_credit(order.organization_id, order.amount_gross_yen)
        orders.mark_credited(buyer, order.id)
        _deliver(buyer, order)
    else:
        if order.rail != Rail.OUTSIDE:
            payments.open_first(buyer, order)
        spending.count_order(order.id)


def _deliver(buyer: Actor, order: Order) -> None:
    offer = licensing.get_offer(order.offer_id)
    if order.subscription_id is not None:
        subscribing.extend(buyer, order)
    else:
        _grant(buyer, order, offer, _begin(order))
    orders.mark_fulfilled(buyer, order.id)
    if order.amount_gross_yen:
        # Budgets before the ledger: see the order of locks in billing's README. What is paid was counted when placed.
        (spending.count_order if order.rail == Rail.INVOICE else spending.recount_order)(order.id)
        _book(buyer, order, offer)
        # Last, since it holds the counter of the issuer's invoice numbers until the end.
        _issue_invoice(buyer, order)


def _begin(order: Order) -> date | None:
    """Begin the subscription that an order may be; returns the last day of what it pays."""
    if order.price_kind != PriceKind.SUBSCRIPTION:
        return None
    begun = subscriptions.begin(order)
    orders.belong_to(order.id, OrderedTerm(begun.id, begun.term_number, begun.term_from, begun.term_to))
    return begun.term_to


def _grant(buyer: Actor, order: Order, offer: Offer, term_to: date | None) -> None:
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
            last_day=subscribing.last_day(offer, term_to) if term_to else licensing.last_day_of(offer),
        ),
    )
    halting.heed(grant.id)
    metering.open_quota(grant.id, subscribing.allowance_of(offer), licensing.price_of(offer).falls_due)


def _book(buyer: Actor, order: Order, offer: Offer) -> None:
    quote = tax.Quote(order.amount_net_yen, order.amount_tax_yen, order.tax_rate_basis_points)
    sales.book_sale(
        buyer,
        commerce.sale(licensing.shares_of(offer), quote),
        kind="sale",
        ref=order.id,
        idem=f"sale:{order.id}",
        via=via_of(order),
        buyer_organization_id=order.organization_id,
        nets_by_dataset={order.dataset_id: order.amount_net_yen},
        on=clock.today(),
    )


def via_of(order: Order) -> Via:
    """Return where the money of an order's sale is."""
    return VIAS.get(Rail(order.rail), Via.GATEWAY) if order.rail else Via.GATEWAY


def _issue_invoice(buyer: Actor, order: Order) -> None:
    seller = identity.get_organization(commerce.seller_of(order.provider_organization_id))
    ordered_on = order.created_at.astimezone(clock.JST).date()
    draft = InvoiceDraft(
        kind=InvoiceKind.SALE,
        idem=f"order:{order.id}",
        issuer=commerce.invoice_party(seller),
        # The tax was quoted on the day of the order, under the number that was valid then.
        registration_number=ordering.registration_of(order.provider_organization_id, ordered_on)
        if order.tax_rate_basis_points
        else None,
        recipient=commerce.invoice_party(identity.get_organization(order.organization_id)),
        lines=commerce.order_lines(order),
        transaction_on=clock.today(),
        order_id=order.id,
    )
    is_paid = via_of(order) is not Via.RECEIVABLE
    invoice = invoices.issue(buyer, draft, paid_at=clock.now() if is_paid else None)
    if is_paid:
        papers.receipt(buyer, invoice, order.amount_gross_yen, clock.today(), order.id)
