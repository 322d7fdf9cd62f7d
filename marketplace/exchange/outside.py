"""Paid outside: a municipality took the money on its own payment slip (納付書), and says so."""

import logging
from datetime import datetime, timedelta

from sqlalchemy.exc import IntegrityError

from marketplace.billing import orders, queries
from marketplace.billing.errors import OrderNotFound
from marketplace.billing.models import Order
from marketplace.billing.orders import Slip
from marketplace.billing.states import OrderState
from marketplace.exchange import purchase, spending
from marketplace.exchange.errors import OrderNotOutside, SlipDiffers
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.jobs import task
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import Rail

log = logging.getLogger(__name__)
OPEN = {OrderState.PLACED, OrderState.EXPIRED, OrderState.FAILED}


def note_payment(actor: Actor, order_id: str, slip: Slip) -> bool:
    """Note that an order was paid outside, and fulfil it; only the commission is booked. True for one caller.

    For the provider of the order and the operator. The same slip again changes nothing. A slip that comes
    after the order expired is honoured as late money is, at the price of the order, unless another order has
    taken its place. Raises OrderNotFound, OrderNotOutside, SlipDiffers, or Invalid for a day in the future.
    """
    order = queries.get_order(actor, order_id)
    if actor.organization_id != order.provider_organization_id and Capacity.OPERATOR not in actor.capacities:
        raise OrderNotFound
    if slip.paid_on > clock.today():
        raise Invalid(errors=[{"pointer": "/paid_on", "detail": "the day is in the future"}])
    order = queries.lock_order(order_id)
    if order.rail != Rail.OUTSIDE or orders.is_replaced(order):
        raise OrderNotOutside(rail=order.rail, state=order.state)
    return _fulfil(order, slip) if order.state in OPEN else _same(order, slip)


@task("orders.outside", cron="41 * * * *")
def expire_hourly() -> None:
    """Give up the orders that no slip has paid by now."""
    expire_unpaid(SYSTEM, clock.now())


def expire_unpaid(actor: Actor, at: datetime) -> list[str]:
    """Give up the orders that no slip has paid in time by an instant; returns them. Run again, it finds no others.

    Each in a transaction of its own. What they took off the price, they give back.
    """
    patience = timedelta(days=settings.current().outside_days)
    with transaction():
        late = orders.list_unpaid_outside(at - patience)
    return [order_id for order_id in late if _gave_up(actor, order_id)]


def _gave_up(actor: Actor, order_id: str) -> bool:
    try:
        with transaction():
            expired = orders.mark_expired(actor, order_id)
            spending.recount_order(order_id)
            return expired
    except LOST_DATABASE:
        raise
    except Exception:
        # One order in trouble must not keep the others waiting; the next run comes back to it.
        log.exception("the unpaid order %s could not be given up", order_id)
        return False


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
