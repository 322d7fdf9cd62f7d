"""The papers of a payout: what the provider sold (仕入明細書), and what the exchange charged for it."""

from collections.abc import Sequence
from datetime import date

from marketplace.billing import ledger, postings, tax
from marketplace.billing import queries as billing
from marketplace.billing.documents import papers
from marketplace.billing.documents.rules import DocumentLine, Party, TaxTotal
from marketplace.billing.documents.states import TaxCategory
from marketplace.billing.earning_models import Earning
from marketplace.billing.payouts import queries
from marketplace.billing.payouts.models import Payout
from marketplace.catalog import queries as catalog
from marketplace.identity.actors import Actor


def issue(actor: Actor, payout: Payout, on: date) -> None:
    """Issue the statement and the commission invoice over the earnings that no earlier payout has shown.

    The tax of the commission is rounded once on its invoice; by how much that differs from the tax of the
    single sales is booked, so that the invoice and the ledger say the same.
    """
    earnings = queries.undocumented_of(payout.id)
    if not earnings:
        return
    period = (min(one.occurred_on for one in earnings), max(one.occurred_on for one in earnings))
    provider = papers.party(payout.organization_id, on)
    about = (payout.id,)
    commission = sum(one.commission_yen for one in earnings)
    if commission > 0:
        _round_tax(actor, payout, earnings, on)
        lines = [_commission_line(commission, tax.rate_on(on))]
        papers.commission_invoice(actor, provider.organization_id, lines, payout.id, on, period=period, about=about)
    lines, totals = _sold(earnings, provider)
    papers.purchase_statement(
        actor, provider.organization_id, lines, payout.id, on, period=period, about=about, totals=totals
    )


def _round_tax(actor: Actor, payout: Payout, earnings: Sequence[Earning], on: date) -> None:
    commission = sum(one.commission_yen for one in earnings)
    difference = tax.tax_on(commission, tax.rate_on(on)) - sum(one.commission_tax_yen for one in earnings)
    entries = postings.commission_tax_rounded(difference)
    ledger.post("commission_tax_rounded", payout.id, f"commission_tax:{payout.id}", on, entries, actor=actor)


def _commission_line(commission: int, rate: int) -> DocumentLine:
    return DocumentLine(
        description_ja="データ取引所 販売手数料",
        description_en="Commission of the data exchange",
        amount_net_yen=commission,
        tax_rate_basis_points=rate,
    )


def _sold(earnings: Sequence[Earning], provider: Party) -> tuple[list[DocumentLine], tuple[TaxTotal, ...]]:
    """Return one line for each dataset and rate, and the totals as the invoices had them."""
    registered = provider.registration_number is not None
    nets: dict[tuple[str, int], int] = {}
    sums: dict[int, tuple[int, int]] = {}
    for one in earnings:
        rate = _rate_of(one)
        nets[one.dataset_id, rate] = nets.get((one.dataset_id, rate), 0) + one.net_yen
        net, taxed = sums.get(rate, (0, 0))
        sums[rate] = (net + one.net_yen, taxed + one.tax_yen)
    lines = [_line(dataset_id, rate, net) for (dataset_id, rate), net in nets.items()]
    totals = [TaxTotal(_category(rate, registered=registered), rate, net, taxed) for rate, (net, taxed) in sums.items()]
    return lines, tuple(sorted(totals, key=lambda total: -total.rate_basis_points))


def _line(dataset_id: str, rate: int, net: int) -> DocumentLine:
    dataset = catalog.get_dataset(dataset_id)
    return DocumentLine(
        description_ja=f"データ提供 {dataset.title_ja or dataset.title_en}",
        description_en=f"Data provided: {dataset.title_en or dataset.title_ja}",
        amount_net_yen=net,
        tax_rate_basis_points=rate,
    )


def _rate_of(earning: Earning) -> int:
    """Return the rate on the invoice of the sale."""
    invoice = billing.find_invoice_of_order(earning.ref) or billing.require_invoice(earning.ref)
    return max((int(total["rate_basis_points"]) for total in invoice.rate_totals), default=0)


def _category(rate: int, *, registered: bool) -> TaxCategory:
    if rate:
        return TaxCategory.REDUCED if rate == 800 else TaxCategory.STANDARD
    return TaxCategory.EXEMPT if registered else TaxCategory.OUTSIDE
