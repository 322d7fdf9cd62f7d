"""Orders: placed, paid, fulfilled; or failed, or expired."""

from dataclasses import dataclass

from sqlalchemy import update

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import queries
from marketplace.billing.models import Order
from marketplace.billing.states import ORDER_MOVES, OrderState
from marketplace.billing.tax import Quote
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.licensing.states import PriceKind

_VERBS = {
    OrderState.PAID: Verb.ORDER_PAID,
    OrderState.FULFILLED: Verb.ORDER_FULFILLED,
    OrderState.FAILED: Verb.ORDER_FAILED,
    OrderState.EXPIRED: Verb.ORDER_EXPIRED,
}
# The row that comes back is the truth; SQLAlchemy need not work out which objects the update touched.
_AS_RETURNED = {"populate_existing": True, "synchronize_session": False}


@dataclass(frozen=True, slots=True)
class OrderDraft:
    """What is ordered, from whom, on which accepted terms, and what it costs now."""

    provider_organization_id: str
    offer_id: str
    dataset_id: str
    acceptance_id: str
    terms_sha256: str
    price_kind: PriceKind
    quote: Quote


def open_order(actor: Actor, draft: OrderDraft) -> Order:
    """Place an order that awaits its payment, at the price of this moment."""
    order = Order(
        id=new_id("ord"),
        organization_id=actor.organization_id,
        client_id=actor.client_id,
        provider_organization_id=draft.provider_organization_id,
        offer_id=draft.offer_id,
        dataset_id=draft.dataset_id,
        acceptance_id=draft.acceptance_id,
        terms_sha256=draft.terms_sha256,
        price_kind=draft.price_kind.value,
        amount_net_yen=draft.quote.net_yen,
        amount_tax_yen=draft.quote.tax_yen,
        amount_gross_yen=draft.quote.gross_yen,
        tax_rate_basis_points=draft.quote.rate_basis_points,
        state=OrderState.PLACED.value,
        created_at=clock.now(),
    )
    db.session.add(order)
    db.session.flush()
    facts = {"offer": order.offer_id, "acceptance": order.acceptance_id, "terms_sha256": order.terms_sha256}
    _record(actor, Verb.ORDER_PLACED, order, facts)
    return order


def mark_paid(actor: Actor, order_id: str) -> bool:
    """Note that the money is here; True for exactly one caller, False where it was noted before."""
    return _move(actor, order_id, OrderState.PAID)


def mark_fulfilled(actor: Actor, order_id: str) -> bool:
    """Note that the grant is issued; True for exactly one caller."""
    return _move(actor, order_id, OrderState.FULFILLED)


def mark_failed(actor: Actor, order_id: str) -> bool:
    """Note that the payment failed for good; never takes back a paid order."""
    return _move(actor, order_id, OrderState.FAILED)


def mark_expired(actor: Actor, order_id: str) -> bool:
    """Note that the time to pay ran out; never takes back a paid order."""
    return _move(actor, order_id, OrderState.EXPIRED)


def _move(actor: Actor, order_id: str, to: OrderState) -> bool:
    values: dict[str, object] = {"state": to.value}
    if to is OrderState.PAID:
        values["paid_at"] = clock.now()
    statement = (
        update(Order).where(Order.id == order_id, Order.state.in_(ORDER_MOVES[to])).values(values).returning(Order)
    )
    order = db.session.scalars(statement, execution_options=_AS_RETURNED).one_or_none()
    if order is None:
        queries.require_order(order_id)
        return False
    _record(actor, _VERBS[to], order, {})
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
