"""Paperwork: the papers of a trade that know an offer, an order or a grant. All are issued on demand."""

from dataclasses import replace
from datetime import date, timedelta

from marketplace.access import queries as grants
from marketplace.billing import invoices, pricing, queries
from marketplace.billing.documents import papers, rules, service
from marketplace.billing.documents import queries as registry
from marketplace.billing.documents.errors import DocumentNotFound
from marketplace.billing.documents.models import Document
from marketplace.billing.documents.papers import Changes
from marketplace.billing.documents.rules import DocumentDraft, DocumentLine, Remark
from marketplace.billing.documents.states import DocumentKind
from marketplace.billing.models import Order
from marketplace.billing.tax import rate_on
from marketplace.catalog import queries as catalog
from marketplace.catalog.groups import queries as groups
from marketplace.exchange import commerce, ordering
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.canonical import canonical_json
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id
from marketplace.licensing import prices
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer

QUOTE_DAYS = 30


def quote(actor: Actor, offer_id: str) -> Document:
    """Issue a quote (見積書) over an open offer to the caller: what it costs in advance, under which terms.

    It names this version of the offer with its price, and is valid for 30 days or as long as the offer.
    Raises OfferNotOpen, OwnOffer, SellerSuspended, LicenceEnded, NothingToDeliver or NotFound.
    """
    offer = licensing.lock_open_offer(offer_id, actor, groups.sight_of(actor))
    ordering.check(actor, offer, offer.terms_sha256)
    return service.issue(actor, _quote_draft(actor, offer))


def order_papers(actor: Actor, order_id: str) -> tuple[Document, Document]:
    """Issue the purchase order (注文書) and its acknowledgement (注文請書), once; returns both.

    For the order's buyer; raises OrderNotFound for anybody else's.
    """
    order = _own_order(actor, order_id)
    ordered_on = order.created_at.astimezone(clock.JST).date()
    first = service.issue(actor, _order_draft(order, DocumentKind.PURCHASE_ORDER, ordered_on))
    return first, service.issue(actor, _order_draft(order, DocumentKind.ORDER_ACKNOWLEDGEMENT, ordered_on))


def inspection(actor: Actor, grant_id: str, remark: Remark | None = None) -> Document:
    """Issue the buyer's certificate (検収書) that what a grant delivers was inspected and accepted, once.

    For the grant's own organization; raises NotFound for anybody else's.
    """
    grant = grants.get_grant(actor, grant_id)
    if grant.organization_id != actor.organization_id:
        raise NotFound
    before = registry.find_by_idem(f"inspection:{grant.id}")
    if before is not None:
        return before
    order = queries.require_order(grant.order_id)
    draft = replace(
        _order_draft(order, DocumentKind.INSPECTION, clock.today()),
        idem=f"inspection:{grant.id}",
        about=(grant.id, order.id),
        remarks=(remark,) if remark else (),
        facts={"grant_id": grant.id, "terms_sha256": grant.terms_sha256},
    )
    return service.issue(actor, draft)


def correct(actor: Actor, document_id: str, changes: Changes, reason: Remark) -> Document:
    """Issue anew, as it should have been, a document that the caller issued; operators correct anybody's.

    A registration number is stated as it was valid for the issuer on the day of the transaction, or not at all.
    Raises DocumentNotFound, also for those who only received it, Invalid, CorrectionChangesAmount or
    DocumentConflict.
    """
    document = registry.get_document(actor, document_id)
    if document.issuer_organization_id != actor.organization_id and Capacity.OPERATOR not in actor.capacities:
        raise DocumentNotFound
    number, on = changes.issuer_registration_number, changes.transaction_on or document.transaction_on
    if number and number != identity.registration_on(document.issuer_organization_id, on):
        raise Invalid(errors=[{"pointer": "/issuer_registration_number", "detail": f"not the issuer's on {on}"}])
    return papers.correct(actor, document.id, changes, reason)


def _own_order(actor: Actor, order_id: str) -> Order:
    order = queries.get_order(actor, order_id)
    if order.organization_id != actor.organization_id:
        raise NotFound
    return order


def _quote_draft(actor: Actor, offer: Offer) -> DocumentDraft:
    today = clock.today()
    price = licensing.price_of(offer)
    seller = papers.party(commerce.seller_of(offer.organization_id), today)
    rate = rate_on(today) if seller.registration_number else 0
    net = pricing.upfront_net_yen(price, today)
    dataset = catalog.get_dataset(offer.dataset_id)
    return DocumentDraft(
        kind=DocumentKind.QUOTE,
        idem=f"quote:{new_id('qt')}",
        issuer=seller,
        recipient=papers.party(actor.organization_id, today),
        lines=[
            DocumentLine(
                description_ja=f"データ利用許諾料 {dataset.title_ja or dataset.title_en}",
                description_en=f"Data licence: {dataset.title_en or dataset.title_ja}",
                amount_net_yen=net,
                tax_rate_basis_points=rate,
                unit="licence",
                unit_price_yen=str(net),
            )
        ],
        transaction_on=today,
        valid_until=_valid_until(offer, today),
        about=(offer.id,),
        remarks=(_metered(),) if price.is_metered else (),
        facts={
            "offer_id": offer.id,
            "offer_version": str(offer.version),
            "terms_sha256": offer.terms_sha256,
            "price": canonical_json(prices.price_document(price)).decode(),
        },
    )


def _valid_until(offer: Offer, today: date) -> date:
    usual = today + timedelta(days=QUOTE_DAYS)
    if offer.valid_until is None:
        return usual
    return min(usual, offer.valid_until.astimezone(clock.JST).date())


def _metered() -> Remark:
    return Remark(
        "利用実績に応じた料金は、記載の価格条件により月ごとに別途請求されます。",
        "Usage is billed month by month at the price stated here.",
    )


def _order_draft(order: Order, kind: DocumentKind, on: date) -> DocumentDraft:
    ordered_on = order.created_at.astimezone(clock.JST).date()
    buyer, seller = (
        papers.party(order.organization_id, on),
        papers.party(commerce.seller_of(order.provider_organization_id), ordered_on),
    )
    if not order.tax_rate_basis_points:
        seller = replace(seller, registration_number=None)
    by_seller = kind is DocumentKind.ORDER_ACKNOWLEDGEMENT
    lines = [invoices.paper_line(line) for line in commerce.order_lines(order)]
    registered = seller.registration_number is not None
    return DocumentDraft(
        kind=kind,
        idem=f"{kind.value}:{order.id}",
        issuer=seller if by_seller else buyer,
        recipient=buyer if by_seller else seller,
        lines=[replace(line, category=rules.category_of(line, ordered_on, registered=registered)) for line in lines],
        transaction_on=on,
        about=(order.id, order.offer_id),
        totals=(
            rules.TaxTotal(
                rules.category_of(lines[0], ordered_on, registered=registered),
                order.tax_rate_basis_points,
                order.amount_net_yen,
                order.amount_tax_yen,
            ),
        ),
        facts={"order_id": order.id, "terms_sha256": order.terms_sha256},
    )
