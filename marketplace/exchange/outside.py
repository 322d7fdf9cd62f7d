"""Paid outside: a municipality took the money on its own payment slip (納付書), and says so."""

from sqlalchemy.exc import IntegrityError

from marketplace.billing import queries
from marketplace.billing.errors import OrderNotFound
from marketplace.billing.models import Order
from marketplace.billing.orders import Slip
from marketplace.billing.states import OrderState
from marketplace.exchange import purchase
from marketplace.exchange.errors import OrderNotOutside, SlipDiffers
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.licensing.states import Rail

OPEN = {OrderState.PLACED, OrderState.EXPIRED, OrderState.FAILED}


def note_payment(actor: Actor, order_id: str, slip: Slip) -> bool:
    """Note that an order was paid outside, and fulfil it; only the commission is booked. True for one caller.

    For the provider of the order and the operator. The same slip again changes nothing. Raises
    OrderNotFound, OrderNotOutside, SlipDiffers, or Invalid for a day in the future.
    """
    order = queries.get_order(actor, order_id)
    if actor.organization_id != order.provider_organization_id and Capacity.OPERATOR not in actor.capacities:
        raise OrderNotFound
    if slip.paid_on > clock.today():
        raise Invalid(errors=[{"pointer": "/paid_on", "detail": "the day is in the future"}])
    order = queries.lock_order(order_id)
    if order.rail != Rail.OUTSIDE:
        raise OrderNotOutside(rail=order.rail, state=order.state)
    return _fulfil(order, slip) if order.state in OPEN else _same(order, slip)


def _fulfil(order: Order, slip: Slip) -> bool:
    try:
        with db.session.begin_nested():
            return purchase.fulfil(order.id, slip)
    except IntegrityError as error:
        if "slip_number" not in str(error.orig):
            raise
        raise SlipDiffers(slip_number=slip.number) from error


def _same(order: Order, slip: Slip) -> bool:
    if order.slip_number is None:
        raise OrderNotOutside(rail=order.rail, state=order.state)
    if (order.slip_number, order.slip_paid_on) != (slip.number, slip.paid_on):
        raise SlipDiffers(slip_number=order.slip_number)
    return False
