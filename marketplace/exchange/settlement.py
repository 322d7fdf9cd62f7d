"""Settlement: turning metered usage into invoices, each delivered unit once."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from marketplace.access import queries as access
from marketplace.access.models import Grant
from marketplace.billing import invoices, ledger, postings, rating, sales, tax
from marketplace.billing import queries as orders
from marketplace.billing.invoices import InvoiceDraft
from marketplace.billing.models import Invoice
from marketplace.billing.rating import Metered, OpenLine, Rated, Stretch
from marketplace.billing.shares import Shares
from marketplace.billing.states import InvoiceKind, Via
from marketplace.billing.subscriptions import queries as subscribed
from marketplace.exchange import adjusting, commerce, usage_wording
from marketplace.exchange.errors import SettlementIncomplete
from marketplace.identity import queries as identity
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.ids import new_id
from marketplace.kit.jobs import task
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer
from marketplace.licensing.prices import Price
from marketplace.licensing.rails import CARRIED_YEN
from marketplace.licensing.states import UsageUnit
from marketplace.metering import periods
from marketplace.metering import queries as usage
from marketplace.metering import service as metering
from marketplace.metering.service import Claim

log = logging.getLogger(__name__)
Pairs = dict[tuple[str, str], set[str]]


@dataclass(frozen=True, slots=True)
class Settled:
    """What a settlement did: usage invoices, refunds of what became cheaper; and the pairs that it could not bill."""

    invoices: tuple[Invoice, ...]
    adjusted: tuple[str, ...]
    failed: tuple[dict[str, str], ...]


@dataclass(frozen=True, slots=True)
class _Settling:
    """Who settles, until when, and under which name usage is claimed."""

    actor: Actor
    until: datetime
    claimed_by: str


def settle(actor: Actor, until: datetime | None = None) -> list[Invoice]:
    """Bill all usage before ``until`` as ``bill`` does; raises SettlementIncomplete where a pair was not billed."""
    settled = bill(actor, until or clock.now())
    if settled.failed:
        raise SettlementIncomplete(failed=list(settled.failed), issued=[one.number for one in settled.invoices])
    return list(settled.invoices)


def bill(actor: Actor, until: datetime) -> Settled:
    """Bill all usage before ``until`` that nobody has billed; one invoice per seller and buyer.

    Each pair is one transaction of its own: a settlement that dies half-way has billed some pairs
    wholly and the others not at all, and running it again bills the rest. Two at once bill nothing twice.
    A pair that fails does not keep the others from their invoices.
    Adjustments below zero that nothing has offset in time are given back by credit note.
    Volume prices, minimums and flat fees are billed when their month is over, all else up to ``until``.
    """
    issued, failed = [], []
    for (provider_id, buyer_id), grant_ids in sorted(_unbilled_pairs(until).items()):
        try:
            with transaction():
                issued += _settle_pair(actor, provider_id, buyer_id, sorted(grant_ids), until)
        except LOST_DATABASE:
            raise
        except Exception:
            log.exception("the usage of %s at %s could not be billed", buyer_id, provider_id)
            failed.append({"provider_organization_id": provider_id, "organization_id": buyer_id})
    return Settled(tuple(issued), tuple(adjusting.give_back_overdue(actor, until)), tuple(failed))


@task("settlement.months", cron="20 15 * * *")
def settle_months() -> None:
    """Bill the months that are over, at 00:20 in Japan; on most days there is nothing left of them."""
    settle(SYSTEM, periods.month_start(clock.now()))


def _unbilled_pairs(until: datetime) -> Pairs:
    pairs: Pairs = defaultdict(set)
    with transaction():
        grants = [access.require_grant(grant_id) for grant_id in usage.list_unclaimed_grant_ids(until)]
        for grant in (*grants, *_with_fees_due(until)):
            pairs[grant.provider_organization_id, grant.organization_id].add(grant.id)
    return pairs


def _with_fees_due(until: datetime) -> list[Grant]:
    grants = access.list_grants_charged_unused(periods.month_start(until))
    closed = rating.list_closed([grant.id for grant in grants])
    return [
        grant for grant in grants if any((grant.id, f"{month:%Y-%m}") not in closed for month in _over(grant, until))
    ]


def _over(grant: Grant, until: datetime) -> list[date]:
    price = _price_of(grant)
    ends = [at for at in (grant.expires_at, grant.revoked_at) if at is not None]
    return periods.months_over(_charged_from(grant, price), min(ends, default=None), until)


def _price_of(grant: Grant) -> Price:
    return subscribed.price_of_order(orders.require_order(grant.order_id))


def _charged_from(grant: Grant, price: Price) -> datetime:
    return grant.starts_at + timedelta(days=price.trial_days)


def _settle_pair(actor: Actor, provider_id: str, buyer_id: str, grant_ids: list[str], until: datetime) -> list[Invoice]:
    settling = _Settling(actor, until, new_id("stl"))
    for grant_id in grant_ids:
        for rated in _rate(settling, grant_id):
            rating.keep(rated)
    parts = _by_shares(rating.lock_open_lines(provider_id, buyer_id))
    due = {among: part for among, lines in parts.items() if (part := _billable(lines))}
    for among in due:
        # First, as in a purchase: whoever makes accounts meanwhile may wait for the counter that issuing holds.
        ledger.open_accounts(postings.accounts_of_invoice([party for party, _points in among], buyer_id))
    return [_issue(actor, among, part) for among, part in due.items()]


def _rate(settling: _Settling, grant_id: str) -> Iterable[Rated]:
    grant = access.require_grant(grant_id)
    price = _price_of(grant)
    # What only the end of its month tells is not claimed before: the events wait for their month.
    along = not price.is_metered or rating.is_billed_along(price)
    until = settling.until if along else periods.month_start(settling.until)
    free_until = _charged_from(grant, price) if price.trial_days else None
    claims = metering.claim_unbilled(grant_id, until, settling.claimed_by, settling.actor, free_until=free_until)
    if price.unit is None:
        return []
    off = usage_wording.shares_off(orders.require_order(grant.order_id))
    of = Metered(grant.id, grant.provider_organization_id, grant.organization_id, off)
    stretches = _stretches(grant, price, claims, settling.until)
    return [rated for stretch in stretches if (rated := rating.rate(of, stretch, price))]


def _stretches(grant: Grant, price: Price, claims: Sequence[Claim], until: datetime) -> list[Stretch]:
    """Return the claimed usage by period, with the months in between that may cost something unused."""
    by_month = {claim.month: claim for claim in claims}
    unused = _over(grant, until) if rating.has_closing_fee(price) else []
    of_months = [_stretch(price, month, by_month.get(month), until) for month in sorted({*by_month, *unused})]
    return [_together(of_months)] if len({one.period for one in of_months}) < len(of_months) else of_months


def _stretch(price: Price, month: date, claim: Claim | None, until: datetime) -> Stretch:
    last = min(periods.last_day(month), periods.day_before(until))
    return Stretch(
        period=rating.period_of(price, month),
        closed=rating.period_of(price, month) != rating.LIFETIME and month < periods.month_of(until),
        period_from=claim.first_day if claim else month,
        period_to=last,
        quantity_new=_counted(price.unit, claim) if claim else 0,
    )


def _counted(unit: UsageUnit | None, claim: Claim) -> int:
    counts = {
        UsageUnit.ROW: claim.rows_new, UsageUnit.REQUEST: claim.requests, UsageUnit.DOWNLOAD: claim.downloads_new,
    }  # fmt: skip
    return counts.get(unit, claim.bytes_new) if unit else claim.bytes_new


def _together(months: Sequence[Stretch]) -> Stretch:
    """Join the months of a price that counts over the whole life of a grant."""
    quantity = sum(month.quantity_new for month in months)
    return replace(months[0], period_to=months[-1].period_to, quantity_new=quantity)


def _by_shares(lines: Iterable[OpenLine]) -> dict[Shares, list[OpenLine]]:
    """Return the lines by who shares their revenue: one sale is split one way."""
    parts: dict[Shares, list[OpenLine]] = defaultdict(list)
    for one in lines:
        parts[licensing.shares_of(_offer_of(one))].append(one)
    return parts


def _billable(lines: Sequence[OpenLine]) -> list[OpenLine]:
    """Return what may be billed now; the rest is carried forward to the next settlement.

    Carried are adjustments that outweigh the other lines of their dataset and tax rate, and a sum so small
    that no rail of these offers carries it (no card carries less than 50 yen).
    """
    nets: dict[tuple[str, int], int] = defaultdict(int)
    for one in lines:
        nets[_dataset_of(one), tax.rate_on(one.line.period_to)] += one.line.line_yen
    due = [one for one in lines if nets[_dataset_of(one), tax.rate_on(one.line.period_to)] > 0]
    number = _registration(due)
    taxed = tax.totals((one.line.line_yen, _rate_of(one, number)) for one in due)
    gross = sum(rate.net_yen + rate.tax_yen for rate in taxed)
    chosen = {rail for one in due for rail in licensing.rails_of(_offer_of(one))}
    least = min((CARRIED_YEN.get(rail, (0, 0))[0] for rail in chosen), default=0)
    return due if gross >= least else []


def _offer_of(one: OpenLine) -> Offer:
    return licensing.get_offer(access.require_grant(one.line.grant_id).offer_id)


def _dataset_of(one: OpenLine) -> str:
    return access.require_grant(one.line.grant_id).dataset_id


def _last_day(lines: Iterable[OpenLine]) -> date:
    return max((one.line.period_to for one in lines), default=clock.today())


def _registration(lines: Sequence[OpenLine]) -> str | None:
    """Return the seller's invoice registration number on the last day billed, without which there is no tax."""
    if not lines:
        return None
    return identity.registration_on(commerce.seller_of(lines[0].line.provider_organization_id), _last_day(lines))


def _rate_of(one: OpenLine, number: str | None) -> int:
    return tax.rate_on(one.line.period_to) if number else 0


def _issue(actor: Actor, among: Shares, lines: Sequence[OpenLine]) -> Invoice:
    invoice = invoices.issue(actor, _draft(lines))
    rating.bill((one.line.id for one in lines), invoice.id)
    rate = max(_rate_of(one, invoice.registration_number) for one in lines)
    nets: dict[str, int] = defaultdict(int)
    for one in lines:
        nets[_dataset_of(one)] += one.line.line_yen
    sales.book_sale(
        actor,
        commerce.sale(among, tax.Quote(invoice.amount_net_yen, invoice.amount_tax_yen, rate)),
        kind="invoice_issued",
        ref=invoice.id,
        idem=f"issued:{invoice.id}",
        via=Via.RECEIVABLE,
        buyer_organization_id=invoice.recipient_organization_id,
        nets_by_dataset=nets,
        on=clock.today(),
    )
    return invoice


def _draft(lines: Sequence[OpenLine]) -> InvoiceDraft:
    first, last_day, number = lines[0].line, _last_day(lines), _registration(lines)
    return InvoiceDraft(
        kind=InvoiceKind.USAGE,
        # A line is billed once, so its id names the invoice for good.
        idem=f"usage:{first.id}",
        issuer=commerce.invoice_party(identity.get_organization(commerce.seller_of(first.provider_organization_id))),
        registration_number=number,
        recipient=commerce.invoice_party(identity.get_organization(first.organization_id)),
        lines=[usage_wording.usage_line(one, _rate_of(one, number)) for one in lines],
        transaction_on=last_day,
        period_from=min(one.line.period_from for one in lines),
        period_to=last_day,
    )
