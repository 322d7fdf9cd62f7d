"""Renewal: ordering the terms of subscriptions that come up, and ending those that nobody pays."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TypeVar

from marketplace.access.states import GrantState
from marketplace.billing.subscriptions import queries
from marketplace.billing.subscriptions import service as subscriptions
from marketplace.billing.subscriptions.models import Subscription
from marketplace.billing.subscriptions.states import EndCause, SubscriptionState
from marketplace.exchange import pages, purchase, subscribing
from marketplace.kit import clock, settings
from marketplace.kit.errors import Refusal
from marketplace.kit.health import LOST_DATABASE
from marketplace.kit.jobs import task
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing

log = logging.getLogger(__name__)
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Renewals:
    """What one run did: orders placed, terms opened, subscriptions past due and ended, by id."""

    order_ids: tuple[str, ...]
    opened: int
    past_due: tuple[str, ...]
    ended: tuple[str, ...]
    failed: tuple[str, ...]


@task("subscriptions.renew", cron="5 * * * *")
def renew_due() -> None:
    """Look after all subscriptions; hourly, so that a term's quota opens soon after midnight in Japan."""
    renew(clock.today())


def renew(until: date) -> Renewals:
    """Order what comes up by that day and the lead time after it, open terms that began, end what is over.

    However often it runs, late or at once with others, each term is ordered once: the subscription's row
    is held, and the database keeps one order per term. A late run orders the terms it missed one after
    the other, as long as the one before is paid. What fails is told, and tried again by the next run.
    """
    coming = until + timedelta(days=settings.current().renewal_lead_days)
    ordered = _each(queries.list_due_ids, coming, lambda one: _order_terms(one, coming))
    paged = _each(_list_without_page, coming, _open_pages)
    opened = _each(_list_unopened, until, lambda one: _open_terms(one, until))
    lapsed = _each(queries.list_over_ids, until, lambda one: _lapse(one, until))
    return Renewals(
        order_ids=tuple(order_id for order_ids in ordered.values() for order_id in order_ids or ()),
        opened=sum(count for count in opened.values() if not isinstance(count, _Failed)),
        past_due=tuple(one for one, state in lapsed.items() if state == SubscriptionState.PAST_DUE),
        ended=tuple(one for one, state in lapsed.items() if state == SubscriptionState.ENDED),
        failed=_failed(ordered, paged, opened, lapsed),
    )


class _Failed(tuple[str, ...]):
    """Marks a subscription that could not be looked after; empty, as nothing came of it."""

    __slots__ = ()


def _failed(*runs: Mapping[str, object]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one for run in runs for one, done in run.items() if isinstance(done, _Failed)))


def _each(listed: Callable[[date], Sequence[str]], day: date, deed: Callable[[str], T]) -> dict[str, T | _Failed]:
    """Do a deed for each subscription, so that one that fails does not keep the others from theirs."""
    with transaction():
        subscription_ids = listed(day)
    return {one: _attempted(deed, one) for one in subscription_ids}


def _attempted(deed: Callable[[str], T], subscription_id: str) -> T | _Failed:
    try:
        return deed(subscription_id)
    except LOST_DATABASE:
        raise
    except Refusal as refusal:
        log.warning("the subscription %s is not renewed: %s", subscription_id, refusal)
        return _Failed()
    except Exception:
        log.exception("the subscription %s could not be looked after", subscription_id)
        return _Failed()


def _order_terms(subscription_id: str, coming: date) -> list[str]:
    order_ids: list[str] = []
    while (order_id := _order_next(subscription_id, coming)) is not None:
        order_ids.append(order_id)
    return order_ids


def _list_without_page(_coming: date) -> Sequence[str]:
    return list(dict.fromkeys(subscription_id for subscription_id, _payment_id in queries.list_without_page()))


def _open_pages(subscription_id: str) -> None:
    """Open the pages of renewals, also where an earlier run died or found the gateway away: no buyer asks again."""
    with transaction():
        payment_ids = [payment_id for _id, payment_id in queries.list_without_page(subscription_id)]
    for payment_id in payment_ids:
        # The gateway is asked outside any transaction.
        pages.begin(payment_id)


def _order_next(subscription_id: str, coming: date) -> str | None:
    with transaction():
        subscription = purchase.lock_for_renewal(subscription_id)
        if not queries.is_due(subscription_id, coming) or _ended_by_circumstance(subscription):
            return None
        term = queries.next_term(subscription)
        order_id = purchase.place_renewal(subscription, term)
        # Where the order was fulfilled at once, its term is known already.
        subscriptions.note_placed(subscription.id, term, order_id)
        return order_id


def _ended_by_circumstance(subscription: Subscription) -> bool:
    """End a subscription whose next term could not be used: its licence is over or its grant revoked."""
    if subscribing.grant_of(subscription).state == GrantState.REVOKED:
        subscriptions.end(subscription.id, EndCause.GRANT_REVOKED)
        return True
    licensed = licensing.last_day_of(licensing.get_offer(subscription.offer_id))
    is_over = licensed is not None and licensed < queries.next_term(subscription).first
    if is_over and subscription.term_to < clock.today():
        subscriptions.end(subscription.id, EndCause.LICENCE_ENDED)
    return is_over


def _list_unopened(until: date) -> Sequence[str]:
    return list(dict.fromkeys(term.subscription_id for term in queries.list_unopened(until)))


def _open_terms(subscription_id: str, until: date) -> int:
    # One quota per transaction: a settlement holds several, in an order of its own.
    with transaction():
        return subscribing.open_terms(until, subscription_id)


def _lapse(subscription_id: str, today: date) -> SubscriptionState | None:
    with transaction():
        return subscriptions.lapse(subscription_id, today, settings.current().renewal_grace_days)
