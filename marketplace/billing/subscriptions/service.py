"""Subscriptions: begun by a fulfilled order, carried on by each paid renewal, ended once and for ever."""

from datetime import date
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.models import Order
from marketplace.billing.subscriptions import queries, rules
from marketplace.billing.subscriptions.errors import SubscriptionEnded
from marketplace.billing.subscriptions.models import Subscription, SubscriptionTerm
from marketplace.billing.subscriptions.rules import Term
from marketplace.billing.subscriptions.states import MOVES, EndCause, SubscriptionState
from marketplace.identity.actors import SYSTEM, Actor, on_behalf_of
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.ids import new_id

# The row that comes back is the truth; SQLAlchemy need not work out which objects the update touched.
_AS_RETURNED = {"populate_existing": True, "synchronize_session": False}


def begin(order: Order) -> Subscription:
    """Begin the subscription of a fulfilled order, once: a second call returns the first subscription.

    Its first term is paid by that order and opened with it. Raises ValueError for a price that does not recur.
    """
    begun = db.session.scalar(select(SubscriptionTerm).where(SubscriptionTerm.order_id == order.id))
    if begun is not None:
        return queries.require_subscription(begun.subscription_id)
    price = queries.price_of_order(order)
    starts_on = rules.anchor(price, order.created_at.astimezone(clock.JST).date(), clock.today())
    subscription = _draft(order, rules.term(price, starts_on, 1))
    db.session.add(subscription)
    db.session.flush()
    now = clock.now()
    _keep_term(subscription.id, rules.term(price, starts_on, 1), order.id, paid_at=now, opened_at=now)
    _record(on_behalf_of(order.organization_id), Verb.SUBSCRIPTION_BEGUN, subscription, order_id=order.id)
    return subscription


def _draft(order: Order, first: Term) -> Subscription:
    return Subscription(
        id=new_id("sub"),
        organization_id=order.organization_id,
        client_id=order.client_id,
        provider_organization_id=order.provider_organization_id,
        offer_id=order.offer_id,
        dataset_id=order.dataset_id,
        acceptance_id=order.acceptance_id,
        terms_sha256=order.terms_sha256,
        state=SubscriptionState.ACTIVE.value,
        starts_on=first.first,
        term_number=first.number,
        term_from=first.first,
        term_to=first.last,
        created_at=clock.now(),
    )


def lock(subscription_id: str) -> Subscription:
    """Return a subscription as it is now, and keep it to ourselves until the transaction ends."""
    query = select(Subscription).where(Subscription.id == subscription_id).with_for_update()
    return db.session.scalars(query.execution_options(populate_existing=True)).one()


def due(coming: date) -> list[tuple[Subscription, Term]]:
    """Return the subscriptions, with the term each, that a renewal order must be placed for by that day."""
    found = [queries.require_subscription(one) for one in queries.list_due_ids(coming)]
    return [(one, queries.next_term(one)) for one in found]


def note_placed(subscription_id: str, term: Term, order_id: str) -> bool:
    """Note the order that bills a term, in place of one that lapsed; False where the term is paid."""
    return _keep_term(subscription_id, term, order_id)


def _keep_term(subscription_id: str, term: Term, order_id: str, **stamps: Any) -> bool:
    columns = {
        "subscription_id": subscription_id,
        "number": term.number,
        "term_from": term.first,
        "term_to": term.last,
        "order_id": order_id,
        "placed_at": clock.now(),
    }
    statement = postgresql.insert(SubscriptionTerm).values(columns | stamps)
    replaced = statement.on_conflict_do_update(
        index_elements=["subscription_id", "number"],
        set_={"order_id": order_id, "placed_at": columns["placed_at"]},
        where=SubscriptionTerm.paid_at.is_(None) & (SubscriptionTerm.order_id != order_id),
    )
    return db.session.execute(replaced.returning(SubscriptionTerm.number)).first() is not None


def advance(order: Order) -> Term | None:
    """Take a fulfilled renewal order as the payment of its term; None where that is known already.

    The subscription moves on to the latest paid term, never back, and a past-due one is active again. One
    that has ended stays ended: what was paid after all is used to the end of its term, and not renewed.
    """
    if order.subscription_id is None or order.term_number is None:
        raise ValueError(f"{order.id} renews nothing")
    subscription = lock(order.subscription_id)
    term = rules.term(queries.price_of(subscription), subscription.starts_on, order.term_number)
    note_placed(subscription.id, term, order.id)
    if not _mark_paid(subscription.id, term, order.id):
        return None
    if term.number > subscription.term_number:
        subscription.term_number, subscription.term_from, subscription.term_to = term.number, term.first, term.last
    if subscription.state in MOVES[SubscriptionState.ACTIVE]:
        subscription.state = SubscriptionState.ACTIVE.value
    db.session.flush()
    buyer = on_behalf_of(order.organization_id)
    _record(buyer, Verb.SUBSCRIPTION_RENEWED, subscription, order_id=order.id, term=term.number)
    return term


def _mark_paid(subscription_id: str, term: Term, order_id: str) -> bool:
    statement = (
        update(SubscriptionTerm)
        .where(
            SubscriptionTerm.subscription_id == subscription_id,
            SubscriptionTerm.number == term.number,
            SubscriptionTerm.order_id == order_id,
            SubscriptionTerm.paid_at.is_(None),
        )
        .values(paid_at=clock.now())
        .returning(SubscriptionTerm.number)
    )
    return db.session.execute(statement).first() is not None


def mark_opened(subscription_id: str, number: int) -> bool:
    """Note that the quota of a paid term was opened; True for exactly one caller."""
    key = (SubscriptionTerm.subscription_id == subscription_id, SubscriptionTerm.number == number)
    statement = (
        update(SubscriptionTerm)
        .where(*key, SubscriptionTerm.paid_at.is_not(None), SubscriptionTerm.opened_at.is_(None))
        .values(opened_at=clock.now())
        .returning(SubscriptionTerm.number)
    )
    return db.session.execute(statement).first() is not None


def cancel(actor: Actor, subscription_id: str) -> Subscription:
    """Cancel at the end of what is paid; no further term is ordered. Open to buyer and provider.

    Cancelling twice changes nothing. Raises NotFound, or SubscriptionEnded where there is nothing left to cancel.
    """
    found = queries.get_subscription(actor, subscription_id)
    if actor.organization_id not in {found.organization_id, found.provider_organization_id}:
        raise NotFound  # overseers read the subscriptions of others, and cancel none
    subscription = lock(subscription_id)
    if subscription.state == SubscriptionState.ENDED:
        raise SubscriptionEnded
    if subscription.cancelled_at is None:
        subscription.cancelled_at, subscription.cancelled_by = clock.now(), actor.organization_id
        db.session.flush()
        _record(actor, Verb.SUBSCRIPTION_CANCELLED, subscription, term_to=subscription.term_to.isoformat())
    return subscription


def lapse(subscription_id: str, today: date, grace_days: int) -> SubscriptionState | None:
    """Take the consequence of a paid term that is over; the state it came into, None where nothing changed.

    Cancelled ones end. The others wait for their money as past due, and end when the days of grace are over;
    where the renewal was ordered late, they are counted from then.
    """
    subscription = lock(subscription_id)
    if subscription.state == SubscriptionState.ENDED or today <= subscription.term_to:
        return None
    if subscription.cancelled_at is not None:
        return end(subscription_id, EndCause.CANCELLED)
    unpaid = queries.find_term(subscription_id, subscription.term_number + 1)
    ordered_on = unpaid.placed_at.astimezone(clock.JST).date() if unpaid else subscription.term_to
    if (today - max(subscription.term_to, ordered_on)).days > grace_days:
        return end(subscription_id, EndCause.UNPAID)
    return _move(subscription_id, SubscriptionState.PAST_DUE, Verb.SUBSCRIPTION_PAST_DUE)


def end(subscription_id: str, cause: EndCause) -> SubscriptionState | None:
    """End a subscription for good; None where it had ended."""
    values = {"ended_at": clock.now(), "end_cause": cause.value}
    return _move(subscription_id, SubscriptionState.ENDED, Verb.SUBSCRIPTION_ENDED, **values)


def _move(subscription_id: str, to: SubscriptionState, verb: Verb, **values: Any) -> SubscriptionState | None:
    statement = (
        update(Subscription)
        .where(Subscription.id == subscription_id, Subscription.state.in_(MOVES[to]))
        .values(state=to.value, **values)
        .returning(Subscription)
    )
    moved = db.session.scalars(statement, execution_options=_AS_RETURNED).one_or_none()
    if moved is None:
        return None
    _record(SYSTEM, verb, moved, **({"cause": moved.end_cause} if moved.end_cause else {}))
    return to


def _record(actor: Actor, verb: Verb, subscription: Subscription, **facts: Any) -> None:
    # The counterparty is whoever of the two did not act, so that both find the deed under their name.
    acting_provider = actor.organization_id == subscription.provider_organization_id
    audit.record(
        actor,
        verb,
        subject=subscription.id,
        counterparty=subscription.organization_id if acting_provider else subscription.provider_organization_id,
        dataset=subscription.dataset_id,
        facts=facts,
    )
