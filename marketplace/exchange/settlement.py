"""Settlement: turning metered usage into invoices, each delivered byte once."""

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from marketplace.access import queries as access
from marketplace.access.models import Grant
from marketplace.billing import invoices, ledger, postings, rating, sales, shares, tax
from marketplace.billing.invoices import InvoiceDraft, InvoiceLine
from marketplace.billing.models import Invoice
from marketplace.billing.rating import Rated
from marketplace.billing.states import InvoiceKind, Via
from marketplace.catalog import queries as catalog
from marketplace.exchange import commerce
from marketplace.exchange.errors import SettlementIncomplete
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import decimal_text
from marketplace.licensing.states import UsageUnit
from marketplace.metering import queries as usage
from marketplace.metering import service as metering

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Billed:
    grant: Grant
    offer: Offer
    rated: Rated


@dataclass(frozen=True, slots=True)
class _Period:
    first: date
    last: date


def settle(actor: Actor, until: datetime | None = None) -> list[Invoice]:
    """Bill all usage before ``until`` that nobody has billed; one invoice per seller and buyer.

    Each pair is one transaction of its own: a settlement that dies half-way has billed some pairs
    wholly and the others not at all, and running it again bills the rest. Two at once bill nothing twice.
    A pair that fails does not keep the others from their invoices; raises SettlementIncomplete after them.
    """
    until = until or clock.now()
    issued, failed = [], []
    for (provider_id, buyer_id), grant_ids in sorted(_unbilled_pairs(until).items()):
        try:
            with transaction():
                invoice = _settle_pair(actor, provider_id, buyer_id, sorted(grant_ids), until)
        except LOST_DATABASE:
            raise
        except Exception:
            log.exception("the usage of %s at %s could not be billed", buyer_id, provider_id)
            failed.append({"provider_organization_id": provider_id, "organization_id": buyer_id})
            continue
        if invoice is not None:
            issued.append(invoice)
    if failed:
        raise SettlementIncomplete(failed=failed, issued=[invoice.number for invoice in issued])
    return issued


def _unbilled_pairs(until: datetime) -> dict[tuple[str, str], list[str]]:
    pairs: dict[tuple[str, str], list[str]] = defaultdict(list)
    with transaction():
        for grant_id in usage.list_unclaimed_grant_ids(until):
            grant = access.require_grant(grant_id)
            pairs[grant.provider_organization_id, grant.organization_id].append(grant_id)
    return pairs


def _settle_pair(
    actor: Actor, provider_id: str, buyer_id: str, grant_ids: list[str], until: datetime
) -> Invoice | None:
    settlement_id = new_id("stl")
    billed = [one for grant_id in grant_ids if (one := _rate(actor, grant_id, until, settlement_id))]
    if not billed:
        return None
    period = _period(settlement_id, until)
    due = [one for one in billed if one.rated.line_yen]
    seller = identity.get_organization(provider_id)
    invoice = _issue(actor, seller, buyer_id, due, settlement_id, period) if due else None
    for one in billed:
        rating.keep(one.rated, period.first, period.last, invoice.id if invoice and one.rated.line_yen else None)
    return invoice


def _period(settlement_id: str, until: datetime) -> _Period:
    # Midnight in Japan at the end of a month is the next day already; the usage is that of the day before.
    last = (until - timedelta(microseconds=1)).astimezone(clock.JST).date()
    first = usage.first_claimed_at(settlement_id)
    return _Period(first.astimezone(clock.JST).date() if first else last, last)


def _rate(actor: Actor, grant_id: str, until: datetime, settlement_id: str) -> _Billed | None:
    claim = metering.claim_unbilled(grant_id, until, settlement_id, actor)
    grant = access.require_grant(grant_id)
    offer = licensing.get_offer(grant.offer_id)
    price = licensing.price_of(offer)
    if not claim.bytes_new or price.unit is not UsageUnit.MIB:
        return None
    return _Billed(grant, offer, rating.rate(grant_id, claim.bytes_new, price))


def _issue(
    actor: Actor, seller: Organization, buyer_id: str, due: list[_Billed], settlement_id: str, period: _Period
) -> Invoice:
    rate = tax.rate_on(period.last) if seller.invoice_registration_number else 0
    buyer = identity.get_organization(buyer_id)
    draft = InvoiceDraft(
        kind=InvoiceKind.USAGE,
        idem=f"usage:{settlement_id}",
        issuer=commerce.invoice_party(seller),
        registration_number=seller.invoice_registration_number,
        recipient=commerce.invoice_party(buyer),
        lines=[_line(one, rate) for one in due],
        transaction_on=period.last,
        period_from=period.first,
        period_to=period.last,
    )
    # First, as in a purchase: whoever makes accounts meanwhile may wait for the counter that issuing holds.
    ledger.open_accounts(postings.accounts_of_invoice([seller.id], buyer_id))
    invoice = invoices.issue(actor, draft)
    nets: dict[str, int] = defaultdict(int)
    for one in due:
        nets[one.grant.dataset_id] += one.rated.line_yen
    sales.book_sale(
        actor,
        commerce.sale(shares.alone(seller.id), tax.Quote(invoice.amount_net_yen, invoice.amount_tax_yen, rate)),
        kind="invoice_issued",
        ref=invoice.id,
        idem=f"issued:{invoice.id}",
        via=Via.RECEIVABLE,
        buyer_organization_id=buyer_id,
        nets_by_dataset=nets,
        on=clock.today(),
    )
    return invoice


def _line(one: _Billed, rate: int) -> InvoiceLine:
    dataset = catalog.get_dataset(one.grant.dataset_id)
    unit_yen = decimal_text(licensing.price_of(one.offer).unit_yen)
    return InvoiceLine(
        description_ja=f"データ配信 {dataset.title_ja or dataset.title_en}（1 MiB あたり {unit_yen} 円）",
        description_en=f"Data delivered: {dataset.title_en or dataset.title_ja} ({unit_yen} yen per MiB)",
        quantity=str(one.rated.bytes_to - one.rated.bytes_from),
        unit="byte",
        unit_price_yen=int(licensing.price_of(one.offer).unit_yen),
        amount_net_yen=one.rated.line_yen,
        tax_rate_basis_points=rate,
        grant_id=one.grant.id,
    )
