"""Reading subscriptions: one's own, and those that the calendar has something to do with."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

from sqlalchemy import ColumnElement, or_, select

from marketplace.billing.models import Order, Payment
from marketplace.billing.states import OrderState, PaymentState
from marketplace.billing.subscriptions import rules
from marketplace.billing.subscriptions.models import Subscription, SubscriptionTerm
from marketplace.billing.subscriptions.rules import Term
from marketplace.billing.subscriptions.states import SubscriptionState
from marketplace.identity.actors import Actor
from marketplace.kit import pages
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import is_id
from marketplace.kit.pages import Page
from marketplace.licensing import queries as licensing
from marketplace.licensing.prices import Price


def get_subscription(actor: Actor, subscription_id: str) -> Subscription:
    """Return a subscription to its two parties and to overseers; NotFound for everyone else."""
    found = db.session.get(Subscription, subscription_id) if is_id(subscription_id) else None
    parties = {found.organization_id, found.provider_organization_id} if found else set()
    if found is None or not (actor.oversees or actor.organization_id in parties):
        raise NotFound
    return found


def require_subscription(subscription_id: str) -> Subscription:
    """Return a subscription whoever asks, for the stories of the exchange itself; raises NotFound."""
    found = db.session.get(Subscription, subscription_id)
    if found is None:
        raise NotFound
    return found


def list_subscriptions(actor: Actor, cursor: str | None = None, size: int = pages.SIZE_DEFAULT) -> Page[Subscription]:
    """List the subscriptions one is a party to, newest first; all of them for overseers."""
    query = select(Subscription).order_by(Subscription.id.desc()).limit(size + 1)
    if not actor.oversees:
        me = actor.organization_id
        query = query.where(or_(Subscription.organization_id == me, Subscription.provider_organization_id == me))
    if key := pages.decode_cursor(cursor, 1):
        query = query.where(Subscription.id < str(key[0]))
    return pages.cut(db.session.scalars(query).all(), size, lambda one: [one.id])


def price_of(subscription: Subscription) -> Price:
    """Return the price at which a subscription was begun, whatever its offer was superseded by.

    Its trial is that of the first order: who had one before got none.
    """
    return price_of_order(db.session.get_one(Order, first_order_id(subscription.id)))


def price_of_order(order: Order) -> Price:
    """Return the price of an order's offer, with the trial that this order has."""
    return replace(licensing.price_of(licensing.get_offer(order.offer_id)), trial_days=order.trial_days)


def next_term(subscription: Subscription) -> Term:
    """Return the term after the latest paid one."""
    return rules.term(price_of(subscription), subscription.starts_on, subscription.term_number + 1)


def list_terms(subscription_id: str) -> Sequence[SubscriptionTerm]:
    """Return the terms that were ordered so far, first ones first."""
    query = select(SubscriptionTerm).where(SubscriptionTerm.subscription_id == subscription_id)
    return db.session.scalars(query.order_by(SubscriptionTerm.number)).all()


def find_term(subscription_id: str, number: int) -> SubscriptionTerm | None:
    """Return a term that was ordered, or None."""
    return db.session.get(SubscriptionTerm, (subscription_id, number), populate_existing=True)


def first_order_id(subscription_id: str) -> str:
    """Return the order that began a subscription, and whose grant it extends."""
    first = find_term(subscription_id, 1)
    if first is None:
        raise NotFound
    return first.order_id


def list_due_ids(coming: date) -> Sequence[str]:
    """Return the running subscriptions whose next term begins by that day and has no order, or a lapsed one."""
    query = select(Subscription.id).where(*_due(coming))
    return db.session.scalars(query.order_by(Subscription.id)).all()


def is_due(subscription_id: str, coming: date) -> bool:
    """Whether a subscription's next term begins by that day and has no order, or a lapsed one."""
    query = select(Subscription.id).where(Subscription.id == subscription_id, *_due(coming))
    return db.session.scalar(query) is not None


def _due(coming: date) -> tuple[ColumnElement[bool], ...]:
    ordered = (
        select(SubscriptionTerm.number)
        .join(Order, Order.id == SubscriptionTerm.order_id)
        .where(SubscriptionTerm.subscription_id == Subscription.id)
        .where(SubscriptionTerm.number > Subscription.term_number)
        .where(Order.state.not_in([OrderState.FAILED.value, OrderState.EXPIRED.value]))
    )
    return (
        Subscription.state != SubscriptionState.ENDED.value,
        Subscription.cancelled_at.is_(None),
        Subscription.term_to < coming,
        ~ordered.exists(),
    )


def list_over_ids(today: date) -> Sequence[str]:
    """Return the subscriptions that have not ended, and whose latest paid term is over."""
    over = (Subscription.state != SubscriptionState.ENDED.value, Subscription.term_to < today)
    return db.session.scalars(select(Subscription.id).where(*over).order_by(Subscription.id)).all()


def list_unopened(today: date, subscription_id: str | None = None) -> Sequence[SubscriptionTerm]:
    """Return the paid terms that have begun and whose quota has not been opened; of one subscription, or of all."""
    term = SubscriptionTerm
    query = select(term).where(term.paid_at.is_not(None), term.opened_at.is_(None), term.term_from <= today)
    if subscription_id is not None:
        query = query.where(term.subscription_id == subscription_id)
    return db.session.scalars(query.order_by(term.subscription_id, term.number)).all()


def list_without_page(subscription_id: str | None = None) -> Sequence[tuple[str, str]]:
    """Return the renewals that wait for money on a payment page which was never opened: subscription and payment."""
    renewal = (Order.term_number > 1, Order.state == OrderState.PLACED.value)
    unopened = (Payment.state == PaymentState.CREATED.value, Payment.session_id.is_(None))
    query = select(Order.subscription_id, Payment.id).join(Payment, Payment.order_id == Order.id)
    if subscription_id is not None:
        query = query.where(Order.subscription_id == subscription_id)
    return [(str(row[0]), row[1]) for row in db.session.execute(query.where(*renewal, *unopened).order_by(Payment.id))]
