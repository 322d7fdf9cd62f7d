"""Subscriptions over months: each term is ordered once, paid once, and access lasts as long as it is paid."""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.app import install
from marketplace.billing import orders
from marketplace.billing.models import Invoice, Order
from marketplace.billing.receivables import rules as receiving
from marketplace.billing.subscriptions import queries
from marketplace.billing.subscriptions import service as subscriptions
from marketplace.billing.subscriptions.errors import SubscriptionEnded
from marketplace.billing.subscriptions.models import Subscription, SubscriptionTerm
from marketplace.exchange import listing, purchase, renewal, subscribing
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.clock import JST
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price
from marketplace.licensing.states import PriceKind, Rail
from marketplace.metering import queries as metering
from tests.factories import market

MONTHLY = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1)
FISCAL = Price(PriceKind.SUBSCRIPTION, 36_500, fiscal_year=True)
TRIED = Price(PriceKind.SUBSCRIPTION, 3000, term_months=1, trial_days=14)
BEGUN = date(2027, 1, 31)


@pytest.fixture(autouse=True)
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let no invoice fall due: what an overdue one does to credit is told elsewhere."""
    monkeypatch.setattr(receiving, "due_on", lambda issued_on, _rule: issued_on + timedelta(days=3650))


def noon(day: date) -> datetime:
    """Noon in Japan."""
    return datetime(day.year, day.month, day.day, 3, tzinfo=UTC)


def subscribed(
    price: Price = MONTHLY, on: date = BEGUN, rails: tuple[Rail, ...] = (Rail.INVOICE,), **limits: int
) -> tuple[market.Listed, Actor, Subscription]:
    """A provider's dataset, its buyer, and the subscription that began on a day."""
    listed, who = market.listed(), market.buyer()
    with clock.stopped(noon(on)):
        offer = market.offered(listed, price=price, said={"rails": rails}, **limits)
        order = market.ordered(who, offer).order
        if order.state == "placed":
            with transaction():
                purchase.fulfil(order.id)
    (subscription,) = db.session.scalars(
        select(Subscription).where(Subscription.organization_id == who.organization_id)
    )
    return listed, who, subscription


def run(day: date) -> renewal.Renewals:
    """Look after all subscriptions at noon of a day."""
    with clock.stopped(noon(day)):
        return renewal.renew(day)


def paid(subscription: Subscription, day: date) -> None:
    """Pay the newest renewal order."""
    newest = select(Order.id).where(Order.subscription_id == subscription.id).order_by(Order.id.desc()).limit(1)
    with clock.stopped(noon(day)), transaction():
        purchase.fulfil(db.session.execute(newest).scalar_one())


def terms(subscription: Subscription) -> list[tuple[int, str, str]]:
    """Number, first and last day of the terms ordered."""
    db.session.expire_all()
    return [
        (term.number, term.term_from.isoformat(), term.term_to.isoformat())
        for term in queries.list_terms(subscription.id)
    ]


def expiry(subscription: Subscription) -> datetime:
    """When access ends, in Japan."""
    db.session.expire_all()
    expires_at = subscribing.grant_of(subscription).expires_at
    assert expires_at is not None
    return expires_at.astimezone(JST)


def midnight_after(day: date) -> datetime:
    """The end of a day in Japan."""
    return datetime(day.year, day.month, day.day, tzinfo=JST) + timedelta(days=1)


def test_a_subscription_begins_with_its_order_and_access_lasts_for_its_term(app: Flask) -> None:
    install(app)
    _listed, who, subscription = subscribed()
    assert (subscription.state, subscription.starts_on) == ("active", BEGUN)
    assert terms(subscription) == [(1, "2027-01-31", "2027-02-27")]
    assert expiry(subscription) == midnight_after(date(2027, 2, 27))
    order = queries.first_order_id(subscription.id)
    assert db.session.get_one(Order, order).amount_net_yen == 3000
    assert [one.id for one in queries.list_subscriptions(who).items] == [subscription.id]
    assert subscriptions.begin(db.session.get_one(Order, order)).id == subscription.id
    with pytest.raises(NotFound):
        queries.get_subscription(market.buyer(), subscription.id)


def test_terms_are_ordered_a_lead_time_before_and_once_however_often_the_job_runs(app: Flask) -> None:
    install(app)
    _listed, _who, subscription = subscribed()
    assert run(date(2027, 2, 13)).order_ids == ()
    assert len(run(date(2027, 2, 14)).order_ids) == 1
    assert run(date(2027, 2, 14)).order_ids == run(date(2027, 2, 20)).order_ids == ()
    assert terms(subscription)[1:] == [(2, "2027-02-28", "2027-03-30")]
    assert expiry(subscription) == midnight_after(date(2027, 3, 30))


def test_a_late_job_catches_up_term_by_term(app: Flask) -> None:
    install(app)
    _listed, who, subscription = subscribed()
    assert len(run(date(2027, 5, 10)).order_ids) == 3
    assert terms(subscription) == [
        (1, "2027-01-31", "2027-02-27"),
        (2, "2027-02-28", "2027-03-30"),
        (3, "2027-03-31", "2027-04-29"),
        (4, "2027-04-30", "2027-05-30"),
    ]
    assert db.session.get_one(Subscription, subscription.id).state == "active"
    billed = db.session.scalar(
        select(func.sum(Order.amount_net_yen)).where(Order.organization_id == who.organization_id)
    )
    assert billed == 4 * 3000
    assert db.session.scalar(select(func.count()).select_from(Invoice)) == 4


def test_a_renewal_costs_what_the_first_term_did_though_the_offer_was_superseded(app: Flask) -> None:
    install(app)
    listed, _who, subscription = subscribed()
    with transaction():
        draft = market.offer_draft(
            listed.provider, listed.dataset_id, price=Price(PriceKind.SUBSCRIPTION, 9000, term_months=1)
        )
        listing.supersede_offer(listed.provider, subscription.offer_id, draft)
    (order_id,) = run(date(2027, 2, 20)).order_ids
    assert db.session.get_one(Order, order_id).amount_net_yen == 3000


def test_a_fiscal_year_is_paid_by_days_first_and_in_full_from_april(app: Flask) -> None:
    install(app)
    _listed, _who, subscription = subscribed(FISCAL, date(2026, 11, 22))
    (order_id,) = run(date(2027, 3, 20)).order_ids
    first = db.session.get_one(Order, queries.first_order_id(subscription.id))
    assert (first.amount_net_yen, db.session.get_one(Order, order_id).amount_net_yen) == (13_000, 36_500)
    assert terms(subscription) == [(1, "2026-11-22", "2027-03-31"), (2, "2027-04-01", "2028-03-31")]


def test_a_trial_costs_nothing_and_the_term_after_it_is_ordered_and_paid(app: Flask) -> None:
    install(app)
    _listed, who, subscription = subscribed(TRIED, date(2027, 1, 1))
    assert db.session.scalar(select(func.count()).select_from(Invoice)) == 0
    assert terms(subscription) == [(1, "2027-01-01", "2027-01-14")]
    (order_id,) = run(date(2027, 1, 5)).order_ids
    assert db.session.get_one(Order, order_id).amount_net_yen == 3000
    assert terms(subscription)[1:] == [(2, "2027-01-15", "2027-02-14")]
    assert [one.state for one in queries.list_subscriptions(who).items] == ["active"]


def test_the_quota_is_anew_when_the_term_begins_and_not_when_it_is_paid(app: Flask) -> None:
    install(app)
    _listed, who, subscription = subscribed(quota_downloads=1)
    grant_id = subscribing.grant_of(subscription).id
    with clock.stopped(noon(date(2027, 2, 1))):
        market.fetched(who, grant_id)
    assert run(date(2027, 2, 20)).opened == 0
    assert metering.get_quota(grant_id).limit_downloads == 1
    assert (run(date(2027, 2, 28)).opened, run(date(2027, 2, 28)).opened) == (1, 0)
    assert metering.get_quota(grant_id).limit_downloads == 2


def test_without_payment_it_is_past_due_and_then_ends_and_no_more_is_ordered(app: Flask) -> None:
    install(app)
    _listed, _who, subscription = subscribed(rails=(Rail.BANK_TRANSFER,))
    assert len(run(date(2027, 2, 14)).order_ids) == 1
    assert run(date(2027, 2, 27)).past_due == ()
    assert run(date(2027, 2, 28)).past_due == (subscription.id,)
    assert expiry(subscription) == midnight_after(date(2027, 2, 27))
    assert run(date(2027, 3, 13)).ended == ()
    assert run(date(2027, 3, 14)).ended == (subscription.id,)
    after = run(date(2027, 6, 1))
    assert (after.order_ids, after.past_due, after.ended) == ((), (), ())


def test_money_that_comes_while_it_is_past_due_makes_it_active_again(app: Flask) -> None:
    install(app)
    _listed, _who, subscription = subscribed(rails=(Rail.BANK_TRANSFER,))
    run(date(2027, 2, 14))
    run(date(2027, 3, 2))
    paid(subscription, date(2027, 3, 3))
    assert db.session.get_one(Subscription, subscription.id).state == "active"
    assert expiry(subscription) == midnight_after(date(2027, 3, 30))


def test_money_that_comes_after_the_end_is_used_up_and_revives_nothing(app: Flask) -> None:
    install(app)
    _listed, _who, subscription = subscribed(rails=(Rail.BANK_TRANSFER,))
    run(date(2027, 2, 14))
    run(date(2027, 3, 14))
    paid(subscription, date(2027, 3, 15))
    ended = db.session.get_one(Subscription, subscription.id)
    assert (ended.state, ended.end_cause, ended.term_number) == ("ended", "unpaid", 2)
    assert expiry(subscription) == midnight_after(date(2027, 3, 30))
    assert run(date(2027, 4, 20)).order_ids == ()


def test_an_order_that_lapsed_is_placed_again_and_its_term_is_still_billed_once(app: Flask) -> None:
    install(app)
    _listed, who, subscription = subscribed(rails=(Rail.BANK_TRANSFER,))
    (lapsed,) = run(date(2027, 2, 14)).order_ids
    with transaction():
        orders.mark_expired(SYSTEM, lapsed)
    (again,) = run(date(2027, 2, 16)).order_ids
    paid(subscription, date(2027, 2, 17))
    with clock.stopped(noon(date(2027, 2, 18))), transaction():
        assert not purchase.fulfil(lapsed)
    assert queries.list_terms(subscription.id)[1].order_id == again
    invoiced = select(func.count()).select_from(Invoice).where(Invoice.recipient_organization_id == who.organization_id)
    assert db.session.scalar(invoiced) == 2


def test_a_cancelled_subscription_lasts_to_the_end_of_what_is_paid(app: Flask) -> None:
    install(app)
    _listed, who, subscription = subscribed()
    with clock.stopped(noon(date(2027, 2, 5))), transaction():
        first = subscriptions.cancel(who, subscription.id).cancelled_at
    with transaction():
        assert subscriptions.cancel(who, subscription.id).cancelled_at == first
    assert run(date(2027, 2, 20)).order_ids == ()
    assert run(date(2027, 2, 27)).ended == ()
    assert run(date(2027, 2, 28)).ended == (subscription.id,)
    with pytest.raises(SubscriptionEnded), transaction():
        subscriptions.cancel(who, subscription.id)


def test_the_provider_may_cancel_too_and_nobody_else(app: Flask) -> None:
    install(app)
    listed, _who, subscription = subscribed()
    stranger = market.buyer()
    with pytest.raises(NotFound), transaction():
        subscriptions.cancel(stranger, subscription.id)
    overseer = replace(stranger, capacities=frozenset(Capacity))
    with pytest.raises(NotFound), transaction():
        subscriptions.cancel(overseer, subscription.id)
    assert db.session.get_one(Subscription, subscription.id).cancelled_at is None
    with transaction():
        assert subscriptions.cancel(listed.provider, subscription.id).cancelled_by == listed.provider.organization_id


@pytest.mark.parametrize("replayed", list(itertools.permutations([2, 3])))
def test_old_orders_told_of_again_change_nothing_in_any_order(app: Flask, replayed: tuple[int, ...]) -> None:
    install(app)
    _listed, who, subscription = subscribed()
    run(date(2027, 4, 1))
    with transaction():
        subscriptions.cancel(who, subscription.id)
    run(date(2027, 6, 1))
    before = terms(subscription), expiry(subscription)
    of_term = {
        order.term_number: order
        for order in db.session.scalars(select(Order).where(Order.subscription_id == subscription.id))
    }
    for number in replayed:
        with transaction():
            assert subscriptions.advance(of_term[number]) is None
        with transaction():
            assert not purchase.fulfil(of_term[number].id)
    assert (terms(subscription), expiry(subscription)) == before
    assert db.session.get_one(Subscription, subscription.id).state == "ended"


def test_a_revoked_grant_is_not_renewed(app: Flask) -> None:
    install(app)
    listed, _who, subscription = subscribed()
    with transaction():
        access.revoke(listed.provider, subscribing.grant_of(subscription).id, "規約違反")
    assert run(date(2027, 2, 20)).order_ids == ()
    ended = db.session.get_one(Subscription, subscription.id)
    assert (ended.state, ended.end_cause) == ("ended", "grant_revoked")
    with transaction():
        assert not access.renew(subscribing.grant_of(subscription).id, date(2030, 1, 1))


def test_one_that_cannot_be_renewed_leaves_the_others_their_orders(app: Flask) -> None:
    install(app)
    ill, _who, first = subscribed()
    _listed, _other, _second = subscribed()
    with transaction():
        db.session.execute(
            text("UPDATE organization SET state = 'suspended', suspended_reason = '規約違反' WHERE id = :id"),
            {"id": ill.provider.organization_id},
        )
    done = run(date(2027, 2, 20))
    assert (len(done.order_ids), done.failed) == (1, (first.id,))


def test_four_jobs_at_once_order_each_term_once(own_database: Flask) -> None:
    install(own_database)
    found = [subscribed()[2].id for _ in range(3)]

    def work(_n: int) -> int:
        with own_database.app_context():
            return len(run(date(2027, 4, 20)).order_ids)

    with ThreadPoolExecutor(4) as pool:
        placed = sum(pool.map(work, range(4)))
    db.session.expire_all()
    assert placed == 3 * 3
    assert db.session.scalar(select(func.count()).select_from(SubscriptionTerm)) == 3 * 4
    assert db.session.scalar(select(func.count()).select_from(Invoice)) == 3 * 4
    for subscription_id in found:
        assert [term.number for term in queries.list_terms(subscription_id)] == [1, 2, 3, 4]
        assert grants.find_grant_of_order(queries.first_order_id(subscription_id)) is not None


def test_the_hourly_job_works_as_of_today(app: Flask) -> None:
    install(app)
    _listed, _who, subscription = subscribed()
    with clock.stopped(noon(date(2027, 2, 20))):
        renewal.renew_due()
    assert len(terms(subscription)) == 2
