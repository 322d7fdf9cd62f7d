"""What twelve months come to, counted from orders, refunds, disputes and releases as they are."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing.models import Order
from marketplace.catalog import listings
from marketplace.catalog.groups import service as groups
from marketplace.catalog.groups.rules import GroupDraft
from marketplace.exchange import dispute, reputing
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.reputation import facts, queries, service
from marketplace.reputation.models import ProviderStanding, Rating
from marketplace.reputation.rules import RatingDraft, Share
from marketplace.sandbox import controls
from tests.disclosure.world import listed_dataset, trade
from tests.factories import market, money
from tests.factories.catalog import DatasetFactory, ReleaseFactory
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.licensing import offer_of

LAST = date(2026, 10, 1)
WITHIN = datetime(2026, 10, 15, 3, tzinfo=UTC)
DUE = datetime(2026, 11, 12, tzinfo=UTC)
RUNNERS = 6


def test_the_twelve_months_begin_in_the_month_after_the_year_before() -> None:
    assert facts.first_month(date(2026, 10, 1)) == date(2025, 11, 1)
    assert facts.first_month(date(2026, 12, 1)) == date(2026, 1, 1)


def test_sales_within_the_months_count_and_those_beside_them_do_not(session: Session) -> None:
    _dataset, offer = listed_dataset()
    _other, noise = listed_dataset()
    buyers = [OrganizationFactory(buyer=True) for _ in range(6)]
    for buyer in buyers:
        trade(offer, buyer, WITHIN)
        trade(noise, buyer, WITHIN)
    for at in (datetime(2025, 10, 31, 14, 59, 59, tzinfo=UTC), datetime(2026, 10, 31, 15, tzinfo=UTC)):
        trade(offer, OrganizationFactory(buyer=True), at)

    counted = facts.of_months(offer.organization_id, LAST)
    assert counted.sold == Share(6, 6)
    assert (counted.refunded, counted.disputed, counted.lost) == (Share(), Share(), Share())


def test_private_listings_free_orders_and_private_offers_are_not_counted(session: Session) -> None:
    dataset, offer = listed_dataset()
    trade(offer, OrganizationFactory(buyer=True), WITHIN)
    session.execute(update(Order).values(amount_gross_yen=0, amount_net_yen=0, amount_tax_yen=0, rail=None))
    trade(offer, OrganizationFactory(buyer=True), WITHIN)
    assert facts.of_months(offer.organization_id, LAST).sold == Share(1, 1)

    provider = actor_of(db.session.get_one(Organization, offer.organization_id))
    group = groups.make_group(provider, GroupDraft("会")).id
    groups.set_audience(provider, dataset.id, group)
    assert facts.of_months(offer.organization_id, LAST).sold == Share()
    groups.set_audience(provider, dataset.id, None)
    with clock.stopped(WITHIN):
        friend = OrganizationFactory(buyer=True)
        secret = offer_of(provider, dataset_id=dataset.id, buyer_organization_id=friend.id)
    trade(secret, friend, WITHIN)
    assert facts.of_months(offer.organization_id, LAST).sold == Share(1, 1)


def test_refunds_and_disputes_are_those_of_the_ledger(own_database: Flask) -> None:
    on = market.listed()
    fine, back, contested, asked = (money.sold(own_database, on=on) for _ in range(4))
    money.refunded(back, 1)
    lost = controls.open_dispute(money.charge_of(contested))["id"]
    dispute.learn(lost, "evt_1")
    controls.close_dispute(lost, "lost")
    dispute.learn(lost, "evt_2")
    dispute.learn(controls.open_dispute(money.charge_of(asked), inquiry=True)["id"], "evt_3")

    with transaction():
        counted = facts.of_months(on.provider.organization_id, clock.today().replace(day=1))
    assert counted.sold == Share(4, 4)
    assert counted.refunded == Share(1, 1)
    assert (counted.disputed, counted.lost) == (Share(1, 1), Share(1, 1))
    assert fine.order.id


@pytest.mark.parametrize(
    ("days", "on_time", "promised"),
    [((0, 30, 60), 2, 3), ((0, 30, 90), 1, 3), ((0,), 0, 1), ((), 0, 0), ((0, 30, 60, 90, 120), 4, 5)],
)
def test_a_release_that_never_came_is_late_as_well(
    session: Session, days: tuple[int, ...], on_time: int, promised: int
) -> None:
    provider = OrganizationFactory(provider=True)
    dataset = DatasetFactory(organization=provider, published=True, update_frequency="MONTHLY")
    first = datetime(2026, 1, 5, tzinfo=UTC)
    for day in days:
        ReleaseFactory(dataset=dataset, state="published", published_at=first + timedelta(days=day))
    unpromised = DatasetFactory(organization=provider, published=True, update_frequency="IRREG")
    ReleaseFactory(dataset=unpromised, state="published", published_at=first)

    counted = facts.of_months(provider.id, LAST)
    assert (counted.on_time, counted.promised) == (on_time, promised)


def test_a_standing_is_told_once_when_its_time_has_come_and_the_listings_follow(session: Session) -> None:
    dataset, offer = listed_dataset()
    for _ in range(6):
        trade(offer, OrganizationFactory(buyer=True), WITHIN)
    with clock.stopped(datetime(2026, 11, 10, tzinfo=UTC)):
        reputing.publish()
    first = queries.find_standing(offer.organization_id)
    assert first is not None
    assert first.month == "2026-09"

    with clock.stopped(DUE):
        reputing.publish()
        reputing.publish()
    told = queries.find_standing(offer.organization_id)
    assert told is not None
    assert (told.month, told.document["sales"]["at_least"]) == ("2026-10", 5)
    assert told.document["refunds"] == {"telling": "shown", "percent": 0}
    listed = listings.find_listing(dataset.id)
    assert listed is not None
    assert listed.document["trust"]["parts"]["disputes"] == 10
    [entry] = session.scalars(
        select(Entry).where(Entry.verb == Verb.STANDING_PUBLISHED, Entry.subject == offer.organization_id,
                            Entry.facts["month"].astext == "2026-10")
    ).all()  # fmt: skip
    assert len(entry.facts["sha256"]) == 64


def race(app: Flask, deed: Callable[[], object]) -> None:
    start = Barrier(RUNNERS, timeout=60)

    def attempt(_n: int) -> None:
        with app.app_context(), clock.stopped(DUE):
            start.wait()
            with transaction():
                deed()

    with ThreadPoolExecutor(RUNNERS) as pool:
        list(pool.map(attempt, range(RUNNERS)))


def test_of_six_that_rate_at_once_one_rating_is_left(own_database: Flask) -> None:
    on, who = market.listed(), market.buyer()
    market.bought(own_database, who, market.offered(on))
    race(own_database, lambda: reputing.rate(who, on.dataset_id, RatingDraft(3)))
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(Rating)) == 1
        assert _entries(Verb.RATING_GIVEN) == 1
        assert _entries(Verb.RATING_CHANGED) == RUNNERS - 1
        found = listings.find_listing(on.dataset_id)
        assert found is not None
        assert found.document["ratings"]["total"] == 1


def test_of_six_that_tell_at_once_one_does(own_database: Flask) -> None:
    on = market.listed()
    race(own_database, lambda: service.tell(on.provider.organization_id, LAST))
    with transaction():
        assert db.session.scalar(select(func.count()).select_from(ProviderStanding)) == 1
        assert _entries(Verb.STANDING_PUBLISHED) == 1


def _entries(verb: Verb) -> int:
    return db.session.scalar(select(func.count()).select_from(Entry).where(Entry.verb == verb.value)) or 0
