"""The trail of a trade through billing: what belongs to its orders, and which orders a thing belongs to."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, Select, Text, and_, any_, func, literal, or_, select, true

from marketplace.billing import ledger_queries, queries
from marketplace.billing.bank.models import BankLine
from marketplace.billing.disputes.models import Dispute
from marketplace.billing.documents.models import Document
from marketplace.billing.earning_models import Earning
from marketplace.billing.ledger_models import LedgerTxn
from marketplace.billing.ledger_queries import Transaction
from marketplace.billing.models import Invoice, Order, Payment, RatedLine
from marketplace.billing.payouts.models import Payout, PayoutItem
from marketplace.billing.receivables.models import InvoicePayment
from marketplace.billing.refunds.models import Refund
from marketplace.billing.states import SellerRole, Via
from marketplace.billing.subscriptions.models import Subscription, SubscriptionTerm
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.licensing.models import Acceptance, Offer

TRADES_MAX = 10_000
"""So many orders of one text of terms, or of one offer, are looked at, the newest."""


@dataclass(slots=True)
class Billed:
    """All that billing holds of one trade, and of what it shares with others: payouts, invoices over usage.

    ``commissions`` are what the papers of each payout charge, by its id, over all trades that it pays.
    ``booked_under`` are the names under which the ledger knows its parts: all that is booked under them is here.
    """

    orders: Sequence[Order] = ()
    subscriptions: Sequence[Subscription] = ()
    payments: Sequence[Payment] = ()
    rated_lines: Sequence[RatedLine] = ()
    invoices: Sequence[Invoice] = ()
    applied: Sequence[InvoicePayment] = ()
    bank_lines: Sequence[BankLine] = ()
    refunds: Sequence[Refund] = ()
    disputes: Sequence[Dispute] = ()
    earnings: Sequence[Earning] = ()
    items: Sequence[PayoutItem] = ()
    payouts: Sequence[Payout] = ()
    commissions: dict[str, int] = field(default_factory=dict)
    documents: Sequence[Document] = ()
    booked_under: set[str] = field(default_factory=set)
    postings: Sequence[Transaction] = field(default_factory=list)


class TradeLine(NamedTuple):
    """One trade in a list, named by its first order; only ``order_id`` where that order is there no longer."""

    order_id: str
    organization_id: str | None
    provider_organization_id: str | None
    dataset_id: str | None
    state: str | None
    amount_gross_yen: int | None
    created_at: datetime | None


def list_trades(actor: Actor, order_ids: Collection[str], after: str | None, most: int) -> list[TradeLine]:
    """Return ``most`` of the trades that some orders belong to, newest first, from the one ``after`` that was last.

    All terms of a subscription are one trade. A party's own; overseers see all, also those whose order was taken away.
    """
    asked = select(func.unnest(_array(order_ids)).label("id")).subquery()
    member, first, root = Order.__table__.alias(), SubscriptionTerm.__table__.alias(), Order
    root_id = func.coalesce(first.c.order_id, asked.c.id)
    named = (getattr(root, name) for name in TradeLine._fields[1:])
    query = (
        select(root_id, *named)
        .select_from(asked)
        .outerjoin(member, member.c.id == asked.c.id)
        .outerjoin(first, and_(first.c.subscription_id == member.c.subscription_id, first.c.number == 1))
        .outerjoin(root, root.id == root_id)
        .where(true() if actor.oversees else queries.order_visible(actor))
    )
    query = query if after is None else query.where(root_id < after)
    return [TradeLine(*row) for row in db.session.execute(query.distinct().order_by(root_id.desc()).limit(most))]


def find_orders(order_id: str) -> Sequence[Order]:
    """Return the first order of a trade with those of all further terms, oldest first."""
    own = select(Order.subscription_id).where(Order.id == order_id).scalar_subquery()
    query = select(Order).where(or_(Order.id == order_id, Order.subscription_id == own))
    return db.session.scalars(query.order_by(Order.id)).all()


def find(orders: Sequence[Order], order_id: str, grant_ids: Collection[str]) -> Billed:
    """Return what belongs to the orders and grants of one trade: a fixed number of queries, whatever is found."""
    found, refs = Billed(orders), {order_id, *(one.id for one in orders)}
    found.subscriptions = _all(Subscription, Subscription.id.in_(_ids(orders, "subscription_id")))
    found.rated_lines = _all(RatedLine, RatedLine.grant_id.in_(grant_ids))
    billed = Invoice.id.in_(_ids(found.rated_lines, "invoice_id"))
    found.invoices = _all(Invoice, or_(Invoice.order_id.in_(refs), billed))
    invoice_ids = _ids(found.invoices)
    found.applied = db.session.scalars(select(InvoicePayment).where(InvoicePayment.invoice_id.in_(invoice_ids))).all()
    found.payments = _all(Payment, or_(Payment.order_id.in_(refs), Payment.invoice_id.in_(invoice_ids)))
    found.bank_lines = _all(BankLine, BankLine.id.in_(_ids(found.applied, "source_ref")))
    _find_ways_back(found, refs)
    found.earnings = _all(Earning, Earning.ref.in_(refs | invoice_ids))
    _find_payouts(found)
    about = refs | invoice_ids | set(grant_ids) | _ids(found.refunds) | _ids(found.disputes) | _ids(found.payouts)
    found.documents = _all(Document, Document.about.op("?|")(_array(about)))
    found.booked_under = _booked_under(found, refs)
    found.postings = ledger_queries.list_of(found.booked_under, _ids(found.earnings, "txn_id"))
    return found


def _find_ways_back(found: Billed, refs: set[str]) -> None:
    invoice_ids, payment_ids = _ids(found.invoices), _ids(found.payments)
    # What paid nothing goes back by bank without its payment: its buyer's refunds are looked through.
    unapplied = and_(
        Refund.organization_id.in_(_ids(found.orders, "organization_id")), Refund.sale_ref.in_(refs | invoice_ids)
    )
    of_these = or_(Refund.invoice_id.in_(invoice_ids), Refund.payment_id.in_(payment_ids), unapplied)
    found.refunds = _all(Refund, of_these)
    found.disputes = _all(Dispute, Dispute.payment_id.in_(payment_ids))


def _find_payouts(found: Billed) -> None:
    of_earnings = PayoutItem.earning_id.in_(_ids(found.earnings))
    found.items = db.session.scalars(select(PayoutItem).where(of_earnings)).all()
    payout_ids = _ids(found.items, "payout_id")
    found.payouts = _all(Payout, Payout.id.in_(payout_ids))
    found.commissions = _commissions(payout_ids)


def _commissions(payout_ids: Collection[str]) -> dict[str, int]:
    charged = or_(Earning.via == Via.OUTSIDE.value, Earning.role == SellerRole.AGENT.value)
    query = (
        select(PayoutItem.payout_id, func.sum(Earning.commission_yen))
        .join(Earning, Earning.id == PayoutItem.earning_id)
        .where(PayoutItem.payout_id.in_(payout_ids), PayoutItem.shown, charged)
        .group_by(PayoutItem.payout_id)
    )
    return {payout_id: int(yen) for payout_id, yen in db.session.execute(query)}


def _booked_under(found: Billed, refs: set[str]) -> set[str]:
    """Return the names under which the ledger knows these things: ours, and the gateway's own."""
    ours = (found.invoices, found.payments, found.bank_lines, found.refunds, found.payouts)
    named = refs.union(*map(_ids, ours))
    theirs = (
        (found.refunds, "gateway_refund_id"),
        (found.disputes, "gateway_dispute_id"),
        (found.payouts, "gateway_transfer_id"),
    )
    return named.union(*(_ids(rows, name) for rows, name in theirs))


def _all(table: Any, condition: Any) -> Sequence[Any]:
    return db.session.scalars(select(table).where(condition).order_by(table.id)).all()


def _ids(rows: Sequence[Any], name: str = "id") -> set[Any]:
    return {value for row in rows if (value := getattr(row, name)) is not None}


def _array(ids: Collection[str]) -> Any:
    # One array: a list of parameters ends at 65,535 of them.
    return literal(list(ids), ARRAY(Text))


def _either(*columns: Any) -> Callable[[Any, Any], Select[Any]]:
    """Return the question for the first of some columns that holds a name, of the rows with these ids."""
    return lambda key, ids: select(func.coalesce(*columns)).where(key == any_(ids))


def _of_terms(key: Any, ids: Any) -> Select[Any]:
    return select(Order.id).where(key == any_(ids)).order_by(Order.id.desc()).limit(TRADES_MAX)


def _accepted(key: Any, ids: Any) -> Select[Any]:
    # Orders are found by their terms, of which they are some.
    sha256s = select(Acceptance.terms_sha256).where(Acceptance.id == any_(ids))
    return _of_terms(key, ids).where(Order.terms_sha256.in_(sha256s))


def _offered(key: Any, ids: Any) -> Select[Any]:
    sha256s = select(Offer.terms_sha256).where(Offer.id == any_(ids))
    return _of_terms(key, ids).where(Order.terms_sha256.in_(sha256s))


def _about(key: Any, ids: Any) -> Select[Any]:
    # Order papers are about their offer too, which is that of many trades.
    about = func.jsonb_array_elements_text(Document.about).table_valued("value")
    things = select(about.c.value).select_from(Document).join(about, true())
    return things.where(key == any_(ids), ~about.c.value.startswith("ofr_"))


_TOWARDS_ORDERS: Mapping[str, tuple[Any, Callable[[Any, Any], Select[Any]]]] = {
    "sub": (Order.subscription_id, _either(Order.id)),
    "pay": (Payment.id, _either(Payment.order_id, Payment.invoice_id)),
    "inv": (Invoice.id, _either(Invoice.order_id)),
    "rtl": (RatedLine.id, _either(RatedLine.grant_id)),
    "rfd": (Refund.id, _either(Refund.invoice_id, Refund.payment_id, Refund.sale_ref)),
    "dsp": (Dispute.id, _either(Dispute.payment_id)),
    "bnk": (InvoicePayment.source_ref, _either(InvoicePayment.invoice_id)),
    "ern": (Earning.id, _either(Earning.ref)),
    "pyt": (PayoutItem.payout_id, _either(PayoutItem.earning_id)),
    "doc": (Document.id, _about),
    "acc": (Order.acceptance_id, _accepted),
    "ofr": (Order.offer_id, _offered),
    "sha256": (Order.terms_sha256, _of_terms),
}

_BY_GATEWAY = (
    (Refund.gateway_refund_id, _either(Refund.id)),
    (Dispute.gateway_dispute_id, _either(Dispute.id)),
    (Payout.gateway_transfer_id, _either(Payout.id)),
)


def list_towards_orders(prefix: str, ids: Collection[str]) -> set[str]:
    """Return the names of what things with such ids belong to, one step nearer to their orders."""
    if prefix == "inv":
        return _names(_TOWARDS_ORDERS["inv"], ids) | _names((RatedLine.invoice_id, _either(RatedLine.grant_id)), ids)
    return _names(_TOWARDS_ORDERS[prefix], ids) if prefix in _TOWARDS_ORDERS else set()


def list_named_by_gateway(names: Collection[str]) -> set[str]:
    """Return what of ours the gateway knows by these names."""
    return {name for step in _BY_GATEWAY for name in _names(step, names)}


def list_booked_by(txn_ids: Collection[int]) -> set[str]:
    """Return the names under which ledger transactions are booked."""
    return set(db.session.scalars(select(LedgerTxn.ref).where(LedgerTxn.id.in_(txn_ids))))


def _names(step: tuple[Any, Callable[[Any, Any], Select[Any]]], ids: Collection[str]) -> set[str]:
    key, question = step
    return {name for name in db.session.scalars(question(key, _array(ids))) if name is not None}
