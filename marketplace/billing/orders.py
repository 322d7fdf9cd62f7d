"""Orders: placed, paid, fulfilled; or failed, or expired."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import select, update

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import queries
from marketplace.billing.discounts import taking as discounts
from marketplace.billing.models import Order
from marketplace.billing.states import ORDER_MOVES, OrderState
from marketplace.billing.tax import Quote
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.states import PriceKind, Rail

_VERBS = {
    OrderState.CREDITED: Verb.ORDER_CREDITED,
    OrderState.PAID: Verb.ORDER_PAID,
    OrderState.FULFILLED: Verb.ORDER_FULFILLED,
    OrderState.FAILED: Verb.ORDER_FAILED,
    OrderState.EXPIRED: Verb.ORDER_EXPIRED,
}
LAPSED = (OrderState.FAILED, OrderState.EXPIRED)
"""States in which an order waits for nothing any more; money that comes after all is still honoured."""
# The row that comes back is the truth; SQLAlchemy need not work out which objects the update touched.
_AS_RETURNED = {"populate_existing": True, "synchronize_session": False}


@dataclass(frozen=True, slots=True)
class OrderedTerm:
    """Which term of a subscription an order pays; the first and last day are both included."""

    subscription_id: str
    number: int
    first: date
    last: date


@dataclass(frozen=True, slots=True)
class Slip:
    """A municipal payment slip (納付書) paid outside the exchange, and the ordinance (条例) behind its fee."""

    number: str
    paid_on: date
    ordinance: str


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """What is ordered, from whom, on which accepted terms, what it costs now, and how it will be paid.

    ``quote`` is what remains of ``list_net_yen`` after the ``deductions``; what costs nothing has no rail.
    ``rail_wished`` is what the buyer asked for, also where nothing is to be paid yet; ``trial_days`` is the trial
    that this order has. ``idem`` names what may be ordered only once, such as ``renewal:sub_…:2``.
    """

    provider_organization_id: str
    offer_id: str
    dataset_id: str
    acceptance_id: str
    terms_sha256: str
    price_kind: PriceKind
    quote: Quote
    rail: Rail | None = None
    list_net_yen: int | None = None
    deductions: tuple[dict[str, Any], ...] = ()
    term: OrderedTerm | None = None
    idem: str | None = None
    order_id: str | None = None
    rail_wished: Rail | None = None
    trial_days: int = 0


def open_order(actor: Actor, draft: OrderDraft) -> Order:
    """Place an order that awaits its payment, at the price of this moment."""
    term = draft.term
    order = Order(
        id=draft.order_id or new_id("ord"),
        organization_id=actor.organization_id,
        client_id=actor.client_id,
        provider_organization_id=draft.provider_organization_id,
        offer_id=draft.offer_id,
        dataset_id=draft.dataset_id,
        acceptance_id=draft.acceptance_id,
        terms_sha256=draft.terms_sha256,
        price_kind=draft.price_kind.value,
        rail=draft.rail.value if draft.rail and draft.quote.gross_yen else None,
        rail_wished=draft.rail_wished.value if draft.rail_wished else None,
        trial_days=draft.trial_days,
        list_net_yen=draft.quote.net_yen if draft.list_net_yen is None else draft.list_net_yen,
        deductions=list(draft.deductions),
        amount_net_yen=draft.quote.net_yen,
        amount_tax_yen=draft.quote.tax_yen,
        amount_gross_yen=draft.quote.gross_yen,
        tax_rate_basis_points=draft.quote.rate_basis_points,
        state=OrderState.PLACED.value,
        created_at=clock.now(),
        idem=draft.idem,
        subscription_id=term.subscription_id if term else None,
        term_number=term.number if term else None,
        term_from=term.first if term else None,
        term_to=term.last if term else None,
    )
    db.session.add(order)
    db.session.flush()
    facts = {"offer": order.offer_id, "acceptance": order.acceptance_id, "terms_sha256": order.terms_sha256}
    _record(actor, Verb.ORDER_PLACED, order, facts)
    return order


def has_had_trial(organization_id: str, offer_ids: Sequence[str]) -> bool:
    """Whether an organization has begun a trial of one of these offers; orders that lapsed began none."""
    tried = (Order.organization_id == organization_id, Order.offer_id.in_(offer_ids), Order.trial_days > 0)
    query = select(Order.id).where(*tried, Order.state.not_in([state.value for state in LAPSED]))
    return db.session.scalar(query.limit(1)) is not None


def list_unpaid_outside(placed_before: datetime) -> Sequence[str]:
    """Return the orders to be paid outside that were placed before that instant and that no slip has paid."""
    waiting = (Order.state == OrderState.PLACED.value, Order.rail == Rail.OUTSIDE.value)
    return db.session.scalars(
        select(Order.id).where(*waiting, Order.created_at < placed_before).order_by(Order.id)
    ).all()


def list_of_term(subscription_id: str, number: int) -> Sequence[Order]:
    """Return the orders that were placed to pay one term of a subscription, in their order."""
    of_term = (Order.subscription_id == subscription_id, Order.term_number == number)
    query = select(Order).where(*of_term).order_by(Order.id)
    return db.session.scalars(query, execution_options={"populate_existing": True}).all()


def is_replaced(order: Order) -> bool:
    """Whether a locked, lapsed order of a term has another one in its place, so that money for it came too late."""
    if order.state not in LAPSED or order.subscription_id is None or order.term_number is None:
        return False
    return any(other.state not in LAPSED for other in list_of_term(order.subscription_id, order.term_number))


def belong_to(order_id: str, term: OrderedTerm) -> None:
    """Note which term of which subscription an order pays, once the subscription has begun."""
    values = {
        "subscription_id": term.subscription_id,
        "term_number": term.number,
        "term_from": term.first,
        "term_to": term.last,
    }
    db.session.execute(update(Order).where(Order.id == order_id).values(values))


def mark_credited(actor: Actor, order_id: str) -> bool:
    """Note that the order is delivered before it is paid; True for exactly one caller."""
    return _move(actor, order_id, OrderState.CREDITED)


def mark_paid(actor: Actor, order_id: str, slip: Slip | None = None) -> bool:
    """Note that the money is here; True for exactly one caller, False where it was noted before."""
    return _move(actor, order_id, OrderState.PAID, slip)


def mark_settled(order_id: str) -> None:
    """Note when an order delivered on credit was paid after all; its state stays."""
    settled = Order.id == order_id, Order.paid_at.is_(None)
    db.session.execute(update(Order).where(*settled).values(paid_at=clock.now()))


def mark_fulfilled(actor: Actor, order_id: str) -> bool:
    """Note that the grant is issued; True for exactly one caller."""
    return _move(actor, order_id, OrderState.FULFILLED)


def mark_failed(actor: Actor, order_id: str) -> bool:
    """Note that the payment failed for good; never takes back a paid order."""
    return _move(actor, order_id, OrderState.FAILED)


def mark_expired(actor: Actor, order_id: str) -> bool:
    """Note that the time to pay ran out; never takes back a paid order."""
    return _move(actor, order_id, OrderState.EXPIRED)


def _move(actor: Actor, order_id: str, to: OrderState, slip: Slip | None = None) -> bool:
    values: dict[str, object] = {"state": to.value}
    if to is OrderState.PAID:
        values["paid_at"] = clock.now()
    if slip is not None:
        values |= {"slip_number": slip.number, "slip_paid_on": slip.paid_on, "slip_ordinance": slip.ordinance}
    statement = (
        update(Order).where(Order.id == order_id, Order.state.in_(ORDER_MOVES[to])).values(values).returning(Order)
    )
    order = db.session.scalars(statement, execution_options=_AS_RETURNED).one_or_none()
    if order is None:
        queries.require_order(order_id)
        return False
    _record(actor, _VERBS[to], order, {})
    if to in LAPSED:
        discounts.give_back(actor, order_id)
    return True


def _record(actor: Actor, verb: Verb, order: Order, facts: dict[str, str]) -> None:
    # The counterparty is whoever of the two did not act, so that both find the deed under their name.
    acting_provider = actor.organization_id == order.provider_organization_id
    audit.record(
        actor,
        verb,
        subject=order.id,
        counterparty=order.organization_id if acting_provider else order.provider_organization_id,
        dataset=order.dataset_id,
        amount_minor=order.amount_gross_yen,
        facts=facts,
    )
