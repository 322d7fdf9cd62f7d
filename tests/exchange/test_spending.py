"""Spend caps: what a fetch may cost is held against budgets, and what it did cost stays; told once on the way."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from flask import Flask
from sqlalchemy import select

from marketplace.access.models import Grant
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing.budgets import queries as budgets
from marketplace.billing.budgets import service as budgeting
from marketplace.billing.budgets.errors import BudgetExhausted
from marketplace.billing.budgets.models import BudgetAlert, BudgetShare
from marketplace.billing.budgets.rules import BudgetDraft
from marketplace.billing.budgets.states import BudgetPeriod
from marketplace.exchange import download, settlement, spending
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.mail import Mail
from marketplace.kit.transaction import transaction
from marketplace.licensing.prices import Price, Tier
from marketplace.licensing.states import BillingPeriod, PriceKind, UsageUnit
from marketplace.metering import queries as usage
from marketplace.metering.models import Delivery
from tests.factories.budgets import buying, grant_at
from tests.factories.identity import MemberFactory
from tests.factories.metering import entitlement_of

MIDDAY = datetime(2026, 11, 10, 3, tzinfo=UTC)
DECEMBER = datetime(2026, 11, 30, 15, tzinfo=UTC)  # midnight in Japan
TEN = Price(PriceKind.PER_UNIT, unit=UsageUnit.REQUEST, unit_yen=Decimal(10))
BY_DOWNLOAD = Price(PriceKind.PER_UNIT, unit=UsageUnit.DOWNLOAD, unit_yen=Decimal(10))
BY_ROW = Price(PriceKind.PER_UNIT, unit=UsageUnit.ROW, unit_yen=Decimal(10))
FALLING = Price(
    PriceKind.VOLUME, unit=UsageUnit.REQUEST, tiers=(Tier(Decimal(2), Decimal(50)), Tier(None, Decimal(10)))
)
SME = {"kind": "eligibility", "source_id": "elg_1", "basis_points": 5_000, "amount_yen": 0}


@pytest.fixture(autouse=True)
def at_midday(app: Flask) -> Iterator[None]:
    del app
    with clock.stopped(MIDDAY):
        yield


@pytest.fixture
def buyer() -> Organization:
    return buying()[0]


def actor(buyer: Organization) -> Actor:
    return Actor(buyer.id)


def budget(buyer: Organization, limit_yen: int, *grants: Grant, period: BudgetPeriod = BudgetPeriod.MONTH) -> str:
    grant_ids = tuple(grant.id for grant in grants) or None
    with transaction():
        return spending.set_budget(actor(buyer), BudgetDraft("研究費", limit_yen, period, grant_ids)).id


def opened(grant: Grant) -> str:
    entitled = entitlement_of(grant=grant)
    with transaction():
        return spending.open_delivery(entitled, 0, entitled.size_bytes, None).id


def closed(delivery_id: str, acked: int = 10) -> None:
    download.close_delivery(delivery_id, acked, acked, "complete" if acked == 10 else "broken")


def fetched(grant: Grant, times: int = 1) -> None:
    for _ in range(times):
        closed(opened(grant))


def stands(buyer: Organization, budget_id: str) -> tuple[int, int, int]:
    """Yen used, held and left."""
    seen = budgets.view(budgets.get_budget(actor(buyer), budget_id))
    return seen.yen_used, seen.yen_held, seen.yen_left


def refused(grant: Grant) -> BudgetExhausted:
    """The refusal of one more fetch, which leaves everything as it was."""
    before = db.session.scalar(select(Delivery.id).order_by(Delivery.id.desc()).limit(1)), usage.get_quota(grant.id)
    counts = (before[1].reserved_bytes, before[1].open_deliveries, before[1].used_requests)
    with pytest.raises(BudgetExhausted) as caught:
        opened(grant)
    after = usage.get_quota(grant.id)
    assert (after.reserved_bytes, after.open_deliveries, after.used_requests) == counts
    return caught.value


def test_a_budget_lets_through_what_it_says_and_says_why_no_more(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer)
    budget_id = budget(buyer, 25)
    fetched(grant, 2)
    members = refused(grant).members
    assert (members["budget_id"], members["yen_left"], members["yen_asked"]) == (budget_id, 5, 10)
    assert stands(buyer, budget_id) == (20, 0, 5)


def test_what_running_downloads_may_cost_is_held_and_given_back(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer)
    budget_id = budget(buyer, 20)
    first, _second = opened(grant), opened(grant)
    assert stands(buyer, budget_id) == (0, 20, 0)
    refused(grant)
    closed(first, acked=0)
    assert stands(buyer, budget_id) == (0, 10, 10)
    opened(grant)


def test_the_sweep_gives_back_what_a_dead_server_held(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer)
    budget_id = budget(buyer, 20)
    opened(grant)
    with clock.stopped(MIDDAY + timedelta(hours=1)):
        download.sweep()
    assert stands(buyer, budget_id) == (0, 0, 20)


def test_a_fetch_counts_against_each_budget_it_belongs_to_and_no_other(buyer: Organization) -> None:
    mine, other, foreign = grant_at(TEN, buyer), grant_at(TEN, buyer), grant_at(TEN, buying()[0])
    whole, part = budget(buyer, 100), budget(buyer, 10, mine)
    for grant in (mine, other, foreign):
        fetched(grant)
    assert (stands(buyer, whole), stands(buyer, part)) == ((20, 0, 80), (10, 0, 0))
    assert refused(mine).members["budget_id"] == part
    fetched(other)


def test_usage_of_before_counts_from_the_first_of_the_month(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer, starts_at=MIDDAY - timedelta(days=60))
    with clock.stopped(MIDDAY - timedelta(days=20)):
        fetched(grant, 3)
    fetched(grant, 2)
    budget_id = budget(buyer, 15)
    # Setting it refuses nothing, though it is past its limit already.
    assert stands(buyer, budget_id) == (20, 0, 0)
    refused(grant)


def test_a_new_month_begins_anew_and_holds_go_along(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer)
    budget_id, for_good = budget(buyer, 20), budget(buyer, 50, period=BudgetPeriod.NONE)
    fetched(grant)
    running = opened(grant)
    with clock.stopped(DECEMBER):
        assert stands(buyer, budget_id) == (0, 10, 10)
        fetched(grant)
        assert stands(buyer, budget_id) == (10, 10, 0)
        refused(grant)
        closed(running)
        assert stands(buyer, budget_id) == (20, 0, 0)
        assert stands(buyer, for_good) == (30, 0, 20)
    assert stands(buyer, budget_id) == (10, 0, 10)


def test_a_price_for_the_whole_life_of_a_grant_counts_month_by_month(buyer: Organization) -> None:
    price = Price(
        PriceKind.GRADUATED,
        unit=UsageUnit.REQUEST,
        tiers=(Tier(Decimal(2), Decimal(10)), Tier(None, Decimal(1))),
        period=BillingPeriod.GRANT,
    )
    grant = grant_at(price, buyer)
    budget_id = budget(buyer, 100)
    fetched(grant)
    with clock.stopped(DECEMBER):
        fetched(grant, 2)
        assert stands(buyer, budget_id)[0] == 11
    assert stands(buyer, budget_id)[0] == 10


def test_the_count_is_what_settlement_bills(buyer: Organization) -> None:
    for price in (TEN, FALLING, replace(TEN, unit_yen=Decimal("33.3"), minimum_yen=70), BY_ROW, BY_DOWNLOAD):
        grant = grant_at(price, buyer, SME)
        budget_id = budget(buyer, 10_000, grant)
        fetched(grant, 3)
        (used, held, _left) = stands(buyer, budget_id)
        with clock.stopped(DECEMBER):
            billed = sum(one.amount_net_yen for one in settlement.settle(SYSTEM, DECEMBER))
        assert held == 0
        assert billed <= used <= billed + 1


def test_a_volume_price_is_held_at_its_dearest(buyer: Organization) -> None:
    grant = grant_at(FALLING, buyer)
    budget_id = budget(buyer, 100)
    for _ in range(2):
        opened(grant)
    third = opened(grant)
    # Three would cost 30, but two of them 100.
    assert stands(buyer, budget_id) == (0, 100, 0)
    closed(third)
    assert stands(buyer, budget_id) == (50, 50, 0)


def test_rows_are_held_where_they_cost(buyer: Organization) -> None:
    grant = grant_at(BY_ROW, buyer)
    budget_id = budget(buyer, 35)
    entitled = replace(entitlement_of(grant=grant), rows=3)
    with transaction():
        running = spending.open_delivery(entitled, 0, entitled.size_bytes, None)
    assert stands(buyer, budget_id) == (0, 30, 5)
    closed(running.id)
    assert stands(buyer, budget_id) == (30, 0, 5)
    assert usage.get_quota(grant.id).reserved_rows == 0
    # Received before, it costs nothing again.
    with transaction():
        spending.open_delivery(entitled, 0, entitled.size_bytes, None)


def test_several_connections_of_one_download_hold_and_cost_one(buyer: Organization) -> None:
    grant, other = grant_at(BY_DOWNLOAD, buyer), grant_at(BY_DOWNLOAD, buyer)
    budget_id = budget(buyer, 15)
    entitled = entitlement_of(grant=grant)
    halves = []
    for start in (0, 5, 0):
        with transaction():
            halves.append(spending.open_delivery(entitled, start, 5, None).id)
    assert stands(buyer, budget_id) == (0, 10, 5)
    refused(other)
    for one in halves:
        download.close_delivery(one, 5, 5, "complete")
    assert stands(buyer, budget_id) == (10, 0, 5)
    # Free to fetch again, it is let through; another content is not.
    fetched(grant)
    with pytest.raises(BudgetExhausted), transaction():
        spending.open_delivery(replace(entitled, sha256="a" * 64), 0, 10, None)
    assert stands(buyer, budget_id) == (10, 0, 5)


def test_what_costs_nothing_is_not_counted(buyer: Organization) -> None:
    free, trial = grant_at(Price(PriceKind.FREE), buyer), grant_at(replace(TEN, trial_days=5), buyer)
    budget_id = budget(buyer, 1)
    fetched(free, 2)
    fetched(trial, 2)
    assert stands(buyer, budget_id) == (0, 0, 1)
    assert db.session.scalars(select(BudgetShare)).all() == []
    with clock.stopped(MIDDAY + timedelta(days=6)):
        refused(trial)


def test_usage_of_a_trial_is_not_counted_later(buyer: Organization) -> None:
    price = replace(TEN, trial_days=5, period=BillingPeriod.GRANT)
    grant = grant_at(price, buyer)
    fetched(grant, 2)
    with clock.stopped(MIDDAY + timedelta(days=6)):
        fetched(grant)
        budget_id = budget(buyer, 100)
        assert stands(buyer, budget_id) == (10, 0, 90)


def test_a_download_of_a_revoked_grant_counts_when_it_ends(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer, revoked=True)
    budget_id = budget(buyer, 20, grant)
    running = opened(grant)
    closed(running)
    assert stands(buyer, budget_id) == (10, 0, 10)


def test_owners_and_finance_are_told_once_of_each_share_in_each_month(buyer: Organization) -> None:
    for role in ("owner", "finance", "developer"):
        MemberFactory(organization=buyer, role=role, email=f"{role}@buyer.example.jp")
    grant = grant_at(TEN, buyer)
    budget_id = budget(buyer, 100)
    for _ in range(3):
        running = [opened(grant) for _ in range(5)]
        for one in running:
            closed(one, acked=0)
    fetched(grant, 10)
    refused(grant)
    told = [(one.recipient, one.subject.rsplit(" ", 2)[1]) for one in db.session.scalars(select(Mail))]
    expected = [
        (f"{role}@buyer.example.jp", percent) for role in ("owner", "finance") for percent in ("50", "80", "100")
    ]
    assert sorted(told) == sorted(expected)
    with clock.stopped(DECEMBER):
        fetched(grant, 5)
        seen = budgets.view(budgets.get_budget(actor(buyer), budget_id))
    assert [(one.period, one.percent) for one in seen.alerts] == [("2026-12", 50)]
    assert len(db.session.scalars(select(Mail)).all()) == 8
    assert len(db.session.scalars(select(BudgetAlert)).all()) == 4
    entries = db.session.scalars(select(Entry).where(Entry.verb == Verb.BUDGET_ALERTED.value)).all()
    assert [entry.subject for entry in entries] == [budget_id] * 4


def test_a_lower_limit_refuses_and_tells_at_once_and_a_higher_one_opens_again(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer)
    budget_id = budget(buyer, 100)
    fetched(grant, 2)
    with transaction():
        budgeting.change_budget(actor(buyer), budget_id, 1, limit_yen=15)
    assert len(db.session.scalars(select(BudgetAlert)).all()) == 3
    refused(grant)
    with transaction():
        budgeting.change_budget(actor(buyer), budget_id, 2, limit_yen=30)
    fetched(grant)


def test_a_removed_budget_counts_no_longer(buyer: Organization) -> None:
    grant = grant_at(TEN, buyer)
    budget_id = budget(buyer, 10)
    running = opened(grant)
    with transaction():
        budgeting.remove_budget(actor(buyer), budget_id)
    closed(running)
    fetched(grant)
    assert db.session.scalars(select(BudgetShare)).all() == []
