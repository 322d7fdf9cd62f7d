"""The papers of a payout: what the provider sold (仕入明細書), and what the exchange charged for it."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from marketplace.billing import ledger, postings, tax
from marketplace.billing.documents import numbering, papers
from marketplace.billing.documents import queries as issued
from marketplace.billing.documents import service as documents
from marketplace.billing.documents.queries import Wanted
from marketplace.billing.documents.rules import DocumentDraft, DocumentLine, Party, Remark, TaxTotal
from marketplace.billing.documents.states import DocumentKind, TaxCategory
from marketplace.billing.earning_models import Earning
from marketplace.billing.payouts import queries, service
from marketplace.billing.payouts.models import Payout
from marketplace.billing.states import SellerRole, Via
from marketplace.catalog import queries as catalog
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor, on_behalf_of

_Period = tuple[date, date]
GIVEN_BACK = Remark("返品・返金に伴う販売手数料の返還", "Commission given back with refunds")


def issue(actor: Actor, payout: Payout, on: date) -> None:
    """Issue the statement and the commission invoice over the earnings that no papers have shown; twice is as once.

    The statement is over what the exchange received for the provider, or (as principal) bought of it. The
    commission of what was paid to the provider outside stands on the commission invoice alone.
    """
    earnings = queries.unshown_of(payout.id)
    if not earnings:
        return
    service.mark_shown(payout.id, earnings)
    period = (min(one.occurred_on for one in earnings), max(one.occurred_on for one in earnings))
    charged = [one for one in earnings if one.via == Via.OUTSIDE.value or one.role == SellerRole.AGENT.value]
    _charge(actor, payout, charged, on, period)
    received = [one for one in earnings if one.via != Via.OUTSIDE.value]
    if received:
        lines, totals = _sold(received, papers.party(payout.organization_id, on))
        about = (payout.id,)
        papers.purchase_statement(
            actor, payout.organization_id, lines, payout.id, on, period=period, about=about, totals=totals
        )


def _charge(actor: Actor, payout: Payout, earnings: Sequence[Earning], on: date, period: _Period) -> None:
    """Invoice the commission, or give it back where more was given back than charged.

    Its tax is rounded once on its invoice; by how much that differs from the tax of the single sales is
    booked, so that the invoice and the ledger say the same. The difference is the exchange's to bear.
    """
    commission = sum(one.commission_yen for one in earnings)
    booked = sum(one.commission_tax_yen for one in earnings)
    operator = papers.party(identity.operator_organization().id, on)
    rate = tax.rate_on(on) if operator.registration_number else 0
    if not rate:  # an issuer without a registration number shows no tax: what was booked as such is price
        commission, stated = commission + booked, 0
    else:
        stated = _tax(commission, rate, operator.organization_id)
        entries = postings.commission_tax_rounded(stated - booked)
        ledger.post("commission_tax_rounded", payout.id, f"commission_tax:{payout.id}", on, entries, actor=actor)
    if not commission and not stated:
        return
    line = DocumentLine("データ取引所 販売手数料", "Commission of the data exchange", commission, rate)
    about = (payout.id,)
    if commission > 0:
        papers.commission_invoice(actor, payout.organization_id, [line], payout.id, on, period=period, about=about)
        return
    note = DocumentDraft(
        kind=DocumentKind.CREDIT_NOTE,
        idem=f"commission_note:{payout.id}",
        issuer=operator,
        recipient=papers.party(payout.organization_id, on),
        lines=[line],
        transaction_on=on,
        period_from=period[0],
        period_to=period[1],
        about=about,
        corrects=_last_invoice(payout.organization_id),
        remarks=(GIVEN_BACK,),
    )
    documents.issue(actor, note)


def _last_invoice(provider_id: str) -> str:
    # More was given back than charged: what is given back was charged on an invoice before.
    charged = Wanted(kind=DocumentKind.COMMISSION_INVOICE)
    [invoice] = issued.search(on_behalf_of(provider_id), charged, size=1).items
    return invoice.id


def _tax(commission: int, rate: int, operator_id: str) -> int:
    # As the invoice rounds it: what is given back is rounded by its size.
    rounded = tax.tax_on(abs(commission), rate, numbering.rounding_of(operator_id))
    return rounded if commission >= 0 else -rounded


def _sold(earnings: Sequence[Earning], provider: Party) -> tuple[list[DocumentLine], tuple[TaxTotal, ...]]:
    """Return one line for each dataset and rate, and the totals as the sales were booked."""
    registered = provider.registration_number is not None
    rates = queries.rates_of(one.ref for one in earnings)
    nets: dict[tuple[str, int], int] = {}
    sums: dict[int, TaxTotal] = {}
    for one in earnings:
        rate = rates.get(one.ref, 0)
        net, taxed = _amounts(one)
        nets[one.dataset_id, rate] = nets.get((one.dataset_id, rate), 0) + net
        before = sums.get(rate) or TaxTotal(_category(rate, registered=registered), rate, 0, 0)
        sums[rate] = replace(before, net_yen=before.net_yen + net, tax_yen=before.tax_yen + taxed)
    lines = [_line(dataset_id, rate, net) for (dataset_id, rate), net in nets.items()]
    return lines, tuple(sums[rate] for rate in sorted(sums, reverse=True))


def _amounts(earning: Earning) -> tuple[int, int]:
    """Return net and tax of what the exchange received for the provider, or as principal bought from it."""
    if earning.role == SellerRole.AGENT.value:
        return earning.net_yen, earning.tax_yen
    return earning.net_yen - earning.commission_yen, earning.tax_yen - earning.commission_tax_yen


def _line(dataset_id: str, rate: int, net: int) -> DocumentLine:
    dataset = catalog.get_dataset(dataset_id)
    return DocumentLine(
        description_ja=f"データ提供 {dataset.title_ja or dataset.title_en}",
        description_en=f"Data provided: {dataset.title_en or dataset.title_ja}",
        amount_net_yen=net,
        tax_rate_basis_points=rate,
    )


def _category(rate: int, *, registered: bool) -> TaxCategory:
    if rate:
        return TaxCategory.REDUCED if rate == 800 else TaxCategory.STANDARD
    return TaxCategory.EXEMPT if registered else TaxCategory.OUTSIDE
