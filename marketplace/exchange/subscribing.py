"""Subscribing: what a fulfilled order does to a subscription, its grant and its quota."""

from datetime import date

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.access.models import Grant
from marketplace.billing.models import Order
from marketplace.billing.subscriptions import queries
from marketplace.billing.subscriptions import service as subscriptions
from marketplace.billing.subscriptions.models import Subscription
from marketplace.exchange import halting
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.errors import NotFound
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer
from marketplace.metering import service as metering
from marketplace.metering.rules import Allowance


def extend(actor: Actor, order: Order) -> bool:
    """Let a fulfilled renewal order extend the grant of its subscription; False where it has done so before.

    The quota of the new term is opened when the term begins: at once, where it has begun.
    """
    term = subscriptions.advance(order)
    if term is None:
        return False
    subscription = queries.require_subscription(str(order.subscription_id))
    offer = licensing.get_offer(subscription.offer_id)
    grant_id = grant_of(subscription).id
    access.renew(grant_id, last_day(offer, term.last), actor)
    halting.heed(grant_id)
    open_terms(clock.today(), subscription.id)
    return True


def last_day(offer: Offer, term_last: date) -> date:
    """Return the last day of use in a term: no term outlasts the licence."""
    licensed = licensing.last_day_of(offer)
    return term_last if licensed is None else min(term_last, licensed)


def grant_of(subscription: Subscription) -> Grant:
    """Return the grant that a subscription keeps alive: the one of its first order."""
    grant = grants.find_grant_of_order(queries.first_order_id(subscription.id))
    if grant is None:
        raise NotFound
    return grant


def allowance_of(offer: Offer) -> Allowance:
    """Return how much a grant under the offer may fetch, each term anew."""
    return Allowance(
        bytes=offer.quota_bytes,
        downloads=offer.quota_downloads,
        rows=offer.quota_rows,
        requests=offer.quota_requests,
        streams=offer.quota_streams,
    )


def open_terms(today: date, subscription_id: str | None = None) -> int:
    """Open the quota of each paid term that has begun, once; return how many were opened."""
    opened = 0
    for term in queries.list_unopened(today, subscription_id):
        subscription = queries.require_subscription(term.subscription_id)
        allowance = allowance_of(licensing.get_offer(subscription.offer_id))
        if subscriptions.mark_opened(term.subscription_id, term.number):
            grant_id = grant_of(subscription).id
            metering.renew_quota(grant_id, allowance, SYSTEM)
            opened += 1
    return opened
