"""What is missing from the trail of a trade: the links that each of its parts must have by its state. Pure."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

from marketplace.audit.queries import Mention
from marketplace.billing.disputes.models import Dispute
from marketplace.billing.models import Invoice, Order
from marketplace.billing.payouts.models import Payout
from marketplace.billing.payouts.states import PayoutState, PayoutWay
from marketplace.billing.refunds.models import Refund
from marketplace.billing.refunds.states import RefundState, RefundWay
from marketplace.billing.states import InvoiceKind, OrderState, PaymentState, Via
from marketplace.billing.trail import Billed
from marketplace.exchange.trail_entries import silences
from marketplace.exchange.trail_links import loose_ends, unbooked
from marketplace.exchange.trail_nodes import Found, Gap, Node, Part
from marketplace.licensing import queries as licensing
from marketplace.licensing.states import Rail, UsageUnit

AT_THE_GATEWAY = frozenset({Rail.CARD, Rail.KONBINI, Rail.BANK_TRANSFER})
_PARTS = frozenset(str(part) for part in Part)
_COUNTED = {UsageUnit.ROW: "rows_new", UsageUnit.REQUEST: "requests", UsageUnit.DOWNLOAD: "downloads_new"}
_HIDDEN = {Part.ENTRY, Part.POSTING, Part.PAYMENT, Part.EARNING, Part.PAYOUT, Part.BANK_LINE}
SHOWN_TO_PARTIES = frozenset(Part) - _HIDDEN
"""Links whose absence both parties are told of; what one of them cannot see is for overseers to look after."""


@dataclass(frozen=True, slots=True)
class _Known:
    """The names by which links are looked for."""

    found: Found
    earned: frozenset[str]
    booked: frozenset[str]
    filed: frozenset[str]

    @property
    def billed(self) -> Billed:
        return self.found.billed


def gaps(found: Found, nodes: Sequence[Node], mentions: Sequence[Mention]) -> list[Gap]:
    """Return every link that a trade lacks; none where its trail closes as far as it has come.

    ``mentions`` are what the record says under all names of the trade.
    """
    billed = found.billed
    known = _Known(
        found,
        frozenset(one.idem for one in billed.earnings),
        frozenset(one.idem for one in billed.postings),
        frozenset(one.idem for one in billed.documents),
    )
    of_money = (_of_payments, _of_invoices, _of_postings, _of_earnings, _of_refunds, _of_disputes, _of_payouts)
    of_all = chain.from_iterable(question(known) for question in (_of_orders, *of_money, _of_grants, _of_usage))
    by_name = chain(loose_ends(nodes), unbooked(found, nodes, mentions))
    return [*dict.fromkeys(chain(of_all, by_name, silences(nodes)))]


def _of_orders(known: _Known) -> Iterator[Gap]:
    if known.found.order_id not in {one.id for one in known.billed.orders}:
        yield Gap(Part.ORDER, known.found.order_id, Part.ORDER, known.found.order_id)
    for order in known.billed.orders:
        yield from _agreed(known.found, order)
        if order.state == OrderState.FULFILLED:
            yield from _fulfilled(known, order)


def _agreed(found: Found, order: Order) -> Iterator[Gap]:
    if order.terms_sha256 not in {one.sha256 for one in found.terms}:
        yield Gap(Part.ORDER, order.id, Part.TERMS, order.terms_sha256)
    # An acceptance of another text, or of another organization, is not the one that the order stands on.
    accepted = {(one.id, one.organization_id, one.terms_sha256) for one in found.acceptances}
    if (order.acceptance_id, order.organization_id, order.terms_sha256) not in accepted:
        yield Gap(Part.ORDER, order.id, Part.ACCEPTANCE, order.acceptance_id)
    if order.offer_id not in {one.id for one in found.offers}:
        yield Gap(Part.ORDER, order.id, Part.OFFER, order.offer_id)
    if order.subscription_id and order.subscription_id not in {one.id for one in found.billed.subscriptions}:
        yield Gap(Part.ORDER, order.id, Part.SUBSCRIPTION, order.subscription_id)


def _fulfilled(known: _Known, order: Order) -> Iterator[Gap]:
    billed = known.billed
    if order.id == known.found.order_id and order.id not in {one.order_id for one in known.found.grants}:
        yield Gap(Part.ORDER, order.id, Part.GRANT, order.id)
    if not order.amount_gross_yen:
        return
    if f"sale:{order.id}" not in known.earned:
        yield Gap(Part.ORDER, order.id, Part.EARNING, f"sale:{order.id}")
    if order.id not in {one.order_id for one in billed.invoices}:
        yield Gap(Part.ORDER, order.id, Part.INVOICE, order.id)
    paid = {one.order_id for one in billed.payments if one.state == PaymentState.PAID}
    if order.rail in AT_THE_GATEWAY and order.id not in paid:
        yield Gap(Part.ORDER, order.id, Part.PAYMENT, order.id)
    # By invoice, receipts come with the money.
    if order.rail != Rail.INVOICE:
        yield from _unfiled(known, Part.ORDER, order.id, f"receipt:{order.id}")


def _of_payments(known: _Known) -> Iterator[Gap]:
    there = {one.id for one in known.billed.payments} | {one.id for one in known.billed.bank_lines}
    for part in known.billed.applied:
        kind = Part.BANK_LINE if part.source_ref.startswith("bnk_") else Part.PAYMENT
        if part.source_ref.startswith(("bnk_", "pay_")) and part.source_ref not in there:
            yield Gap(Part.INVOICE, part.invoice_id, kind, part.source_ref)
        paid = f"{part.invoice_id}:{part.source_ref}"
        yield from _unbooked(known, Part.INVOICE, part.invoice_id, f"paid:{paid}")
        yield from _unfiled(known, Part.INVOICE, part.invoice_id, f"receipt:{paid}")


def _of_invoices(known: _Known) -> Iterator[Gap]:
    billed = known.billed
    numbers = {one.number for one in billed.documents}
    rails = {one.id: one.rail for one in billed.orders}
    for invoice in billed.invoices:
        if invoice.number not in numbers:
            yield Gap(Part.INVOICE, invoice.id, Part.DOCUMENT, invoice.number)
        if invoice.kind == InvoiceKind.USAGE and f"issued:{invoice.id}" not in known.earned:
            yield Gap(Part.INVOICE, invoice.id, Part.EARNING, f"issued:{invoice.id}")
        # What was paid before its invoice was issued is not applied to it.
        by_invoice = rails.get(invoice.order_id or "", Rail.INVOICE) == Rail.INVOICE
        if by_invoice and _applied(billed, invoice) < invoice.paid_yen:
            yield Gap(Part.INVOICE, invoice.id, Part.PAYMENT, invoice.id)


def _applied(billed: Billed, invoice: Invoice) -> int:
    return sum(one.amount_yen for one in billed.applied if one.invoice_id == invoice.id)


def _of_postings(known: _Known) -> Iterator[Gap]:
    for posting in known.billed.postings:
        if not posting.entries or sum(line.amount_minor for line in posting.entries) != 0:
            yield Gap(Part.POSTING, str(posting.id), Part.POSTING, posting.idem)


def _of_earnings(known: _Known) -> Iterator[Gap]:
    booked = {one.id for one in known.billed.postings}
    payouts = {one.id for one in known.billed.payouts}
    for one in known.billed.earnings:
        # Of a sale paid outside without any commission nothing is booked.
        owes_nothing = one.txn_id is None and one.via == Via.OUTSIDE
        if one.txn_id not in booked and not owes_nothing:
            yield Gap(Part.EARNING, one.id, Part.POSTING, str(one.txn_id or one.idem))
    for item in known.billed.items:
        if item.payout_id not in payouts:
            yield Gap(Part.EARNING, item.earning_id, Part.PAYOUT, item.payout_id)


def _of_refunds(known: _Known) -> Iterator[Gap]:
    for refund in known.billed.refunds:
        if refund.invoice_id is None:
            yield from _unbooked(known, Part.REFUND, refund.id, f"unapplied_returned:{refund.id}")
        else:
            yield from _taken_back(known, refund)
        if refund.state == RefundState.SUCCEEDED and refund.way in {RefundWay.GATEWAY, RefundWay.BANK}:
            yield from _unbooked(known, Part.REFUND, refund.id, f"refund_settled:{refund.id}")


def _taken_back(known: _Known, refund: Refund) -> Iterator[Gap]:
    undone = {f"refund_failed:{refund.id}"} if refund.state == RefundState.FAILED else set()
    for idem in sorted({f"refund:{refund.id}", *undone} - known.earned):
        yield Gap(Part.REFUND, refund.id, Part.EARNING, idem)
    if refund.state == RefundState.SUCCEEDED:
        yield from _unfiled(known, Part.REFUND, refund.id, f"credit_note:{refund.id}")


def _of_disputes(known: _Known) -> Iterator[Gap]:
    for dispute in known.billed.disputes:
        name = dispute.gateway_dispute_id
        if dispute.absorbed_yen:
            yield from _unbooked(known, Part.DISPUTE, dispute.id, f"dispute_absorbed:{name}")
        if dispute.lost_yen:
            yield from _lost(known, dispute)


def _lost(known: _Known, dispute: Dispute) -> Iterator[Gap]:
    idem = f"dispute_lost:{dispute.gateway_dispute_id}"
    if dispute.invoice_id is None:
        yield from _unbooked(known, Part.DISPUTE, dispute.id, idem)
        return
    if idem not in known.earned:
        yield Gap(Part.DISPUTE, dispute.id, Part.EARNING, idem)
    yield from _unfiled(known, Part.DISPUTE, dispute.id, f"credit_note:{dispute.id}")


def _of_payouts(known: _Known) -> Iterator[Gap]:
    for payout in known.billed.payouts:
        yield from _paid_out(known, payout)


def _paid_out(known: _Known, payout: Payout) -> Iterator[Gap]:
    # A claim of commission alone moves nothing until it is paid: the provider owes it already.
    names = [] if payout.way == PayoutWay.CLAIM else [f"payout:{payout.id}"]
    names += [f"payout_paid:{payout.id}"] if payout.state == PayoutState.PAID else []
    names += [f"payout_failed:{payout.id}"] if payout.state in {PayoutState.FAILED, PayoutState.CANCELLED} else []
    for idem in names:
        yield from _unbooked(known, Part.PAYOUT, payout.id, idem)
    sold = {one.id for one in known.billed.earnings if one.via != Via.OUTSIDE}
    if any(one.shown and one.earning_id in sold for one in known.billed.items if one.payout_id == payout.id):
        yield from _unfiled(known, Part.PAYOUT, payout.id, f"purchase_statement:{payout.id}")
    # More may have been given back than was charged.
    commission = known.billed.commissions.get(payout.id, 0)
    if commission:
        paper = "commission_invoice" if commission > 0 else "commission_note"
        yield from _unfiled(known, Part.PAYOUT, payout.id, f"{paper}:{payout.id}")


def _unbooked(known: _Known, kind: Part, name: str, idem: str) -> Iterator[Gap]:
    if idem not in known.booked:
        yield Gap(kind, name, Part.POSTING, idem)


def _unfiled(known: _Known, kind: Part, name: str, idem: str) -> Iterator[Gap]:
    if idem not in known.filed:
        yield Gap(kind, name, Part.DOCUMENT, idem)


def _of_grants(known: _Known) -> Iterator[Gap]:
    invoices = {one.id for one in known.billed.invoices}
    accepted = {one.id for one in known.found.acceptances}
    for grant in known.found.grants:
        if grant.acceptance_id not in accepted:
            yield Gap(Part.GRANT, grant.id, Part.ACCEPTANCE, grant.acceptance_id)
        if _rated(known, grant.id) < _settled(known, grant.id, grant.order_id, grant.offer_id):
            yield Gap(Part.GRANT, grant.id, Part.RATED_LINE, grant.id)
    for line in known.billed.rated_lines:
        if line.invoice_id is not None and line.invoice_id not in invoices:
            yield Gap(Part.RATED_LINE, line.id, Part.INVOICE, line.invoice_id)


def _rated(known: _Known, grant_id: str) -> int:
    return sum(one.quantity_to - one.quantity_from for one in known.billed.rated_lines if one.grant_id == grant_id)


def _settled(known: _Known, grant_id: str, order_id: str, offer_id: str) -> int:
    """Return how many units of its price a grant was settled for; what of it a trial made free is not told apart."""
    offer = next((one for one in known.found.offers if one.id == offer_id), None)
    in_trial = any(one.id == order_id and one.trial_days for one in known.billed.orders)
    unit = licensing.price_of(offer).unit if offer is not None and not in_trial else None
    if unit is None:
        return 0
    counted = _COUNTED.get(unit, "bytes_new")
    return sum(int(getattr(one, counted)) for one in known.found.used.settlements if one.grant_id == grant_id)


def _of_usage(known: _Known) -> Iterator[Gap]:
    for loose in known.found.used.loose:
        # What is no part of a trade is a verb of the record.
        missing = Part(loose.missing) if loose.missing in _PARTS else Part.ENTRY
        yield Gap(Part(loose.what), loose.id, missing, loose.missing if missing is Part.ENTRY else loose.id)
