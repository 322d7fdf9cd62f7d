"""The parts of a trade's trail: what each row that belongs to a trade is, and to whom it may be shown. Pure."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time
from typing import Any

from marketplace.access.models import Grant
from marketplace.audit.queries import Mention
from marketplace.audit.verbs import Verb
from marketplace.billing.documents.states import DocumentKind
from marketplace.billing.ledger_queries import Transaction
from marketplace.billing.trail import Billed
from marketplace.kit import clock
from marketplace.kit.labels import Labelled
from marketplace.licensing.models import Acceptance, Offer, Terms
from marketplace.metering.trail import Used


class Part(Labelled):
    """What a node of a trail is, in the order in which a trade comes about."""

    TERMS = "terms", "利用条件", "Terms"
    OFFER = "offer", "販売条件", "Offer"
    ACCEPTANCE = "acceptance", "同意", "Acceptance"
    SUBSCRIPTION = "subscription", "定期購入", "Subscription"
    ORDER = "order", "注文", "Order"
    PAYMENT = "payment", "支払い", "Payment"
    BANK_LINE = "bank_line", "銀行入金", "Bank line"
    INVOICE = "invoice", "請求", "Invoice"
    POSTING = "posting", "仕訳", "Ledger transaction"
    DOCUMENT = "document", "帳票", "Document"
    GRANT = "grant", "利用権", "Grant"
    DELIVERY = "delivery", "配信", "Delivery"
    RECEIPT = "receipt", "受領証", "Receipt of a delivery"
    USAGE = "usage", "利用量", "Usage event"
    SETTLEMENT = "settlement", "締め", "Settlement"
    RATED_LINE = "rated_line", "利用料明細", "Rated line"
    REFUND = "refund", "返金", "Refund"
    DISPUTE = "dispute", "異議", "Dispute"
    EARNING = "earning", "売上", "Earning"
    PAYOUT = "payout", "振込み", "Payout"
    ENTRY = "entry", "監査記録", "Entry of the record"


@dataclass(frozen=True, slots=True)
class Node:
    """One thing of a trade. ``leads_to`` are the ids it names, ``entries`` the deeds of the record that are about it.

    ``parties`` may see it beside overseers; ``names`` are those under which the record and others know it.
    """

    kind: Part
    id: str
    state: str | None
    at: datetime
    amounts: dict[str, int] = field(default_factory=dict)
    leads_to: list[str] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    entries: list[Mention] = field(default_factory=list)
    parties: frozenset[str] = frozenset()
    names: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Gap:
    """That a part of a trade lacks a link: which part, and what is missing; ``name`` is what it should be known by."""

    kind: Part
    id: str
    missing: Part
    name: str


@dataclass(slots=True)
class Found:
    """The rows of one trade, as the domains hold them; ``order_id`` names it, also where that row is gone."""

    order_id: str
    terms: Sequence[Terms]
    acceptances: Sequence[Acceptance]
    offers: Sequence[Offer]
    billed: Billed
    grants: Sequence[Grant]
    used: Used


def nodes(found: Found) -> list[Node]:
    """Return every row of a trade as a node, in the order in which a trade comes about."""
    of_billing = (_ordered, _papers, _given_back, _earned)
    made = [*_agreed(found), *_delivered(found), *(node for question in of_billing for node in question(found.billed))]
    order = list(Part)
    return sorted(made, key=lambda node: (order.index(node.kind), node.at, node.id))


def with_entries(made: Iterable[Node], mentions: Iterable[Mention]) -> list[Node]:
    """Return the nodes with the entries of the record that are about them."""
    about: dict[str, list[Mention]] = {}
    for mention in mentions:
        for name in _told_of(mention):
            about.setdefault(name, []).append(mention)
    return [_told(node, about) for node in made]


def subjects_of(found: Found, made: Iterable[Node]) -> set[str]:
    """Return under which names the record may speak of a trade."""
    return {node.id for node in made} | found.billed.booked_under | {one.ref for one in found.billed.postings}


def has(made: Iterable[Node], asked: str) -> bool:
    """Tell whether one of the nodes is known by that id."""
    return any(asked == node.id or asked in node.names for node in made)


def seen_by(organization_id: str, made: Iterable[Node]) -> list[Node]:
    """Return the nodes that a party may see, without the entries of the record, which overseers read."""
    return [replace(node, entries=[]) for node in made if organization_id in node.parties]


def _told(node: Node, about: dict[str, list[Mention]]) -> Node:
    return replace(node, entries=[mention for name in sorted(node.names) for mention in about.get(name, [])])


def _told_of(mention: Mention) -> list[str]:
    """Return what an entry is about, by the names of nodes."""
    if mention.verb == Verb.LEDGER_POSTED:
        return [f"posted {mention.facts.get('idem')}"]
    if mention.verb == Verb.RECEIPT_SIGNED:
        return [f"receipt {mention.subject}"]
    beside = ("usage_event_id", "claimed_by") + (("number",) if mention.verb == Verb.INVOICE_ISSUED else ())
    return [mention.subject, *(str(mention.facts[name]) for name in beside if mention.facts.get(name))]


def _node(
    kind: Part,
    row: Any,
    at: datetime,
    parties: Iterable[str | None],
    *,
    amounts: dict[str, int] | None = None,
    leads_to: Iterable[str | None] = (),
    facts: dict[str, Any] | None = None,
    names: Iterable[str] = (),
) -> Node:
    # A receipt has the name of its delivery.
    row_id = str(getattr(row, "id", None) or row.delivery_id)
    return Node(
        kind=kind,
        id=row_id,
        state=getattr(row, "state", None),
        at=at,
        amounts=amounts or {},
        leads_to=[name for name in leads_to if name],
        facts={name: str(value) for name, value in (facts or {}).items() if value is not None},
        parties=frozenset(name for name in parties if name),
        names=frozenset(names or {row_id}),
    )


def _yen(row: Any, *names: str) -> dict[str, int]:
    """Return amounts of a row by their names, those that are there."""
    return {name: value for name in names if (value := getattr(row, name)) is not None}


def _both(row: Any) -> tuple[str, str]:
    return row.organization_id, row.provider_organization_id


def _agreed(found: Found) -> Iterator[Node]:
    both = [party for row in (*found.billed.orders, *found.grants) for party in _both(row)]
    for terms in found.terms:
        facts = {"sha256": terms.sha256, "template": terms.template}
        yield _node(Part.TERMS, terms, terms.created_at, both, facts=facts, names={terms.id, terms.sha256})
    for offer in found.offers:
        links, amounts = [offer.terms_id, offer.supersedes], _yen(offer, "amount_yen")
        facts = {"price_kind": offer.price_kind, "version": str(offer.version)}
        yield _node(Part.OFFER, offer, offer.created_at, both, amounts=amounts, leads_to=links, facts=facts)
    for accepted in found.acceptances:
        facts = {"terms_sha256": accepted.terms_sha256}
        yield _node(Part.ACCEPTANCE, accepted, accepted.accepted_at, both, facts=facts)


def _ordered(billed: Billed) -> Iterator[Node]:
    for one in billed.subscriptions:
        yield _node(Part.SUBSCRIPTION, one, one.created_at, _both(one), leads_to=[one.acceptance_id, one.offer_id])
    owners = {one.id: one.recipient_organization_id for one in billed.invoices}
    owners |= {one.id: one.organization_id for one in billed.orders}
    for order in billed.orders:
        amounts = _yen(order, "amount_net_yen", "amount_tax_yen", "amount_gross_yen")
        links = [order.acceptance_id, order.offer_id, order.subscription_id]
        facts = {"rail": order.rail, "terms_sha256": order.terms_sha256, "term_number": order.term_number}
        yield _node(Part.ORDER, order, order.created_at, _both(order), amounts=amounts, leads_to=links, facts=facts)
    for paid in billed.payments:
        pays = paid.order_id or paid.invoice_id or ""
        facts = {"rail": paid.rail, "payment_intent_id": paid.payment_intent_id, "charge_id": paid.charge_id}
        payer = [owners.get(pays)]
        yield _node(
            Part.PAYMENT, paid, paid.created_at, payer, amounts=_yen(paid, "amount_minor"), leads_to=[pays], facts=facts
        )
    for line in billed.bank_lines:
        amounts = _yen(line, "amount_yen", "applied_yen", "unapplied_yen", "returned_yen")
        pays_for = [one.invoice_id for one in billed.applied if one.source_ref == line.id]
        yield _node(Part.BANK_LINE, line, line.imported_at, (), amounts=amounts, leads_to=pays_for)


def _papers(billed: Billed) -> Iterator[Node]:
    for invoice in billed.invoices:
        parties = (invoice.issuer_organization_id, invoice.recipient_organization_id)
        amounts = _yen(invoice, "amount_net_yen", "amount_tax_yen", "amount_gross_yen", "paid_yen", "credited_yen")
        facts, links = {"number": invoice.number, "kind": invoice.kind}, [invoice.order_id]
        yield _node(Part.INVOICE, invoice, invoice.created_at, parties, amounts=amounts, leads_to=links, facts=facts)
    for posting in billed.postings:
        yield _posting(posting)
    for paper in billed.documents:
        parties = (paper.issuer_organization_id, paper.recipient_organization_id)
        facts = {"kind": paper.kind, "number": paper.number, "content_sha256": paper.content_sha256}
        # An invoice and its document have one entry, which tells of their number.
        names = {paper.id, paper.number if paper.kind == DocumentKind.INVOICE else paper.id}
        yield _node(
            Part.DOCUMENT, paper, paper.created_at, parties, amounts=_yen(paper, "amount_yen"),
            leads_to=[*paper.about, paper.corrects], facts=facts, names=names,
        )  # fmt: skip


def _posting(posting: Transaction) -> Node:
    amounts: dict[str, int] = {}
    for line in posting.entries:
        amounts[line.account] = amounts.get(line.account, 0) + line.amount_minor
    facts = {"kind": posting.kind, "idem": posting.idem, "effective_on": posting.effective_on}
    links = [posting.ref, str(posting.reverses) if posting.reverses else ""]
    names = {f"posted {posting.idem}"}
    return _node(
        Part.POSTING, posting, posting.posted_at, (), amounts=amounts, leads_to=links, facts=facts, names=names
    )


def _delivered(found: Found) -> Iterator[Node]:
    used, both = found.used, [party for row in (*found.billed.orders, *found.grants) for party in _both(row)]
    for grant in found.grants:
        yield _node(Part.GRANT, grant, grant.starts_at, _both(grant), leads_to=[grant.order_id, grant.acceptance_id])
    for one in used.deliveries:
        amounts = _yen(one, "length", "bytes_sent", "bytes_acked")
        facts = {"sha256": one.sha256, "meter": one.meter, "release_id": one.release_id}
        yield _node(
            Part.DELIVERY, one, one.opened_at, _both(one), amounts=amounts, leads_to=[one.grant_id], facts=facts
        )
    for receipt in used.receipts:
        names = {f"receipt {receipt.delivery_id}"}
        yield _node(Part.RECEIPT, receipt, receipt.signed_at, both, leads_to=[receipt.delivery_id], names=names)
    for event in used.events:
        counts = _yen(event, "bytes_new", "rows_new", "requests", "downloads_new")
        links = [event.delivery_id, event.corrects_event_id, used.claims.get(event.id)]
        yield _node(Part.USAGE, event, event.occurred_at, _both(event), amounts=counts, leads_to=links)
    for settled in used.settlements:
        counts = _yen(settled, "events", "bytes_new", "rows_new", "requests", "downloads_new")
        yield _node(Part.SETTLEMENT, settled, settled.claimed_at, both, amounts=counts, leads_to=[settled.grant_id])


def _given_back(billed: Billed) -> Iterator[Node]:
    for refund in billed.refunds:
        links, amounts = [refund.invoice_id, refund.payment_id, refund.sale_ref], _yen(refund, "amount_yen")
        facts = {"way": refund.way, "reason": refund.reason, "gateway_refund_id": refund.gateway_refund_id}
        yield _node(Part.REFUND, refund, refund.created_at, _both(refund), amounts=amounts, leads_to=links, facts=facts)
    for one in billed.disputes:
        links, amounts = [one.payment_id, one.invoice_id], _yen(one, "amount_yen", "lost_yen", "absorbed_yen")
        facts = {"gateway_dispute_id": one.gateway_dispute_id}
        yield _node(Part.DISPUTE, one, one.opened_at, _both(one), amounts=amounts, leads_to=links, facts=facts)


def _earned(billed: Billed) -> Iterator[Node]:
    issued = {one.id: one.created_at for one in billed.invoices}
    for line in billed.rated_lines:
        at = issued.get(line.invoice_id or "") or datetime.combine(line.period_to, time.max, clock.JST)
        facts, links = {"period": line.period, "unit": line.unit}, [line.grant_id, line.invoice_id]
        amounts = _yen(line, "quantity_from", "quantity_to", "line_yen")
        yield _node(Part.RATED_LINE, line, at, _both(line), amounts=amounts, leads_to=links, facts=facts)
    for earning in billed.earnings:
        amounts = _yen(earning, "net_yen", "tax_yen", "commission_yen", "commission_tax_yen", "payable_yen")
        paid_by = [one.payout_id for one in billed.items if one.earning_id == earning.id]
        links = [earning.ref, str(earning.txn_id or ""), *paid_by]
        facts = {"kind": earning.kind, "via": earning.via, "dataset_id": earning.dataset_id, "idem": earning.idem}
        parties = [earning.organization_id]
        yield _node(Part.EARNING, earning, earning.created_at, parties, amounts=amounts, leads_to=links, facts=facts)
    for payout in billed.payouts:
        parties, amounts = [payout.organization_id], _yen(payout, "amount_yen", "offset_yen")
        yield _node(Part.PAYOUT, payout, payout.created_at, parties, amounts=amounts, facts={"way": payout.way})
