"""Saved searches: what comes after they were saved and that they find is told, each dataset once, to whoever saved."""

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.audit.models import Entry
from marketplace.catalog.states import Theme
from marketplace.demand import watching
from marketplace.demand.errors import SearchesTooMany, SearchSaved
from marketplace.demand.watch_models import CatalogWatch, CatalogWatchHit
from marketplace.demand.watching import WatchDraft
from marketplace.exchange import listing, noticing
from marketplace.identity.actors import Actor
from marketplace.identity.models import Organization
from marketplace.identity.states import MemberRole
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.mail import Mail
from marketplace.kit.transaction import transaction
from marketplace.webhooks import service as webhooks
from marketplace.webhooks.rules import EndpointDraft
from marketplace.webhooks.states import EventType
from tests.exchange.test_relating import DAYS, listed
from tests.factories import market
from tests.factories.identity import MemberFactory

FLOW = {"title_ja": "狸小路の歩行者通行量", "title_en": "", "keywords": ("歩行者",)}
SNOW = {
    "title_ja": "市内の降雪量",
    "title_en": "",
    "keywords": ("雪",),
    "description_ja": "積雪の深さ。",
    "description_en": "",
}


def saved(who: Actor, words: str = "歩行者", name: str = "歩行者の新着", **filters: list[str]) -> str:
    with transaction():
        return watching.save(who, WatchDraft(name, words, filters)).id


def looked() -> None:
    """Look some minutes later, when all that was listed is settled."""
    with clock.stopped(clock.now() + timedelta(minutes=5)):
        noticing.look()
    db.session.expire_all()


def hits(who: Actor, watch_id: str) -> list[str]:
    return [hit.dataset_id for hit in watching.list_hits(who, watch_id).items]


def letters(address: str) -> list[Mail]:
    return list(db.session.scalars(select(Mail).where(Mail.recipient == address).order_by(Mail.id)))


def person(email: str = "kaite@example.jp") -> Actor:
    """A member of a buyer, acting in person."""
    buyer = market.buyer()
    organization = db.session.get_one(Organization, buyer.organization_id)
    member = MemberFactory(organization=organization, role=MemberRole.BUYER.value, email=email)
    db.session.commit()
    return Actor(buyer.organization_id, member_id=member.id, capacities=buyer.capacities, role=MemberRole.BUYER)


@pytest.mark.usefixtures("app")
def test_what_comes_after_a_search_was_saved_is_told_once_to_whoever_saved_it() -> None:
    listed(DAYS, **FLOW)
    who = person()
    watch_id = saved(who)
    looked()
    assert hits(who, watch_id) == []
    new, _other = listed(DAYS, **FLOW), listed(DAYS, **SNOW)
    looked()
    assert hits(who, watch_id) == [new]
    [letter] = letters("kaite@example.jp")
    assert f"/catalog/{new}" in letter.body
    assert "1 件" in letter.subject
    listing.refresh(new)
    db.session.commit()
    looked()
    looked()
    assert len(letters("kaite@example.jp")) == 1


@pytest.mark.usefixtures("app")
def test_filters_narrow_what_is_told_and_words_are_not_needed() -> None:
    who = market.buyer()
    by_theme = saved(who, "", "気象", theme=[Theme.LAND_WEATHER.value])
    both = saved(who, "歩行者", "気象の歩行者", theme=[Theme.LAND_WEATHER.value])
    weather = listed(DAYS, **SNOW, themes=(Theme.LAND_WEATHER,))
    listed(DAYS, **FLOW)
    looked()
    assert (hits(who, by_theme), hits(who, both)) == ([weather], [])


@pytest.mark.usefixtures("app")
def test_an_old_dataset_that_is_changed_is_no_news() -> None:
    old = listed(DAYS, **FLOW)
    who = market.buyer()
    watch_id = saved(who)
    with transaction():
        listing.refresh(old)
    looked()
    assert hits(who, watch_id) == []


@pytest.mark.usefixtures("app")
def test_what_a_program_saved_is_mailed_to_the_buyers_of_its_organization() -> None:
    who = market.buyer()
    organization = db.session.get_one(Organization, who.organization_id)
    MemberFactory(organization=organization, role=MemberRole.BUYER.value, email="kaite@example.jp")
    MemberFactory(organization=organization, role=MemberRole.FINANCE.value, email="keiri@example.jp")
    saved(who)
    listed(DAYS, **FLOW)
    looked()
    assert (len(letters("kaite@example.jp")), letters("keiri@example.jp")) == (1, [])


@pytest.mark.usefixtures("app")
def test_whoever_ends_a_search_hears_no_more_of_it() -> None:
    who = person()
    watch_id = saved(who)
    listed(DAYS, **FLOW)
    looked()
    key = re.search(r"key=([0-9a-f]{64})", letters("kaite@example.jp")[0].body)[1]
    for wrong in ("", key[::-1], key + "0", "é"):
        with pytest.raises(NotFound), transaction():
            watching.end_by_key(watch_id, wrong)
    with transaction():
        watching.end_by_key(watch_id, key)
    with transaction():
        watching.end_by_key(watch_id, key)
    listed(DAYS, **FLOW)
    looked()
    assert len(letters("kaite@example.jp")) == 1
    deeds = db.session.scalars(select(Entry.verb).where(Entry.subject == watch_id).order_by(Entry.id)).all()
    assert deeds == ["demand.search.saved", "demand.search.ended"]
    assert saved(who) != watch_id
    stranger = market.buyer()
    for deed in (watching.get, watching.end):
        with pytest.raises(NotFound), transaction():
            deed(stranger, watch_id)


@pytest.mark.usefixtures("app")
def test_the_same_search_is_saved_once_and_so_many_and_no_more() -> None:
    who, most = market.buyer(), settings.current().saved_searches_max
    saved(who, "歩行者　データ")
    with pytest.raises(SearchSaved), transaction():
        watching.save(who, WatchDraft("他の名前", " 歩行者 データ ", {}))
    with transaction():
        for number in range(most - 1):
            watching.save(who, WatchDraft("検索", f"歩行者{number}", {}))
    with pytest.raises(SearchesTooMany), transaction():
        watching.save(who, WatchDraft("検索", "もう一つ", {}))
    assert saved(market.buyer(), "もう一つ")


@pytest.mark.parametrize(
    ("draft", "pointer"),
    [
        (WatchDraft("", "歩行者", {}), "/name"),
        (WatchDraft("検索", " ", {}), "/q"),
        (WatchDraft("検索", "a\0", {}), "/q"),
        (WatchDraft("検索", "", {"theme": ["x"] * 0}), "/q"),
        (WatchDraft("検索", "", {"nothing": ["x"]}), "/nothing"),
        (WatchDraft("検索", "", {"theme": [f"{n}" for n in range(21)]}), "/filters"),
        (WatchDraft("検索", "", {"theme": ["x" * 101]}), "/filters"),
    ],
)
@pytest.mark.usefixtures("app")
def test_what_cannot_be_looked_for_is_refused(draft: WatchDraft, pointer: str) -> None:
    who = market.buyer()
    with pytest.raises(Invalid) as refused, transaction():
        watching.save(who, draft)
    assert refused.value.errors[0]["pointer"] == pointer
    assert watching.list_own(who).items == []


def race(app: Flask, *deeds: Callable[[], object]) -> None:
    gate = Barrier(len(deeds), timeout=120)

    def attempt(deed: Callable[[], object]) -> None:
        with app.app_context():
            gate.wait()
            with suppress(SearchSaved, SearchesTooMany):
                deed()

    with ThreadPoolExecutor(len(deeds)) as pool:
        list(pool.map(attempt, deeds))
    db.session.expire_all()


def test_workers_that_look_at_once_tell_once(own_database: Flask) -> None:
    who = person()
    watch_id = saved(who)
    new = listed(DAYS, **FLOW)
    at = clock.now() + timedelta(minutes=5)

    def work() -> None:
        with clock.stopped(at):
            noticing.look()

    race(own_database, work, work, work)
    looked()
    with transaction():
        found = db.session.execute(select(CatalogWatchHit.watch_id, CatalogWatchHit.dataset_id)).all()
        assert [tuple(row) for row in found] == [(watch_id, new)]
        assert len(letters("kaite@example.jp")) == 1


def test_the_same_search_saved_at_once_is_saved_once(own_database: Flask) -> None:
    who = market.buyer()
    race(own_database, *(lambda: saved(who) for _ in range(4)))
    with transaction():
        assert len(db.session.scalars(select(CatalogWatch.id)).all()) == 1
        assert db.session.scalar(text("SELECT count(*) FROM audit_entry WHERE verb = 'demand.search.saved'")) == 1


@pytest.mark.usefixtures("app")
def test_a_webhook_of_the_organization_is_told_too() -> None:
    who = market.buyer()
    with transaction():
        webhooks.register(who, EndpointDraft("https://93.184.216.34/hook", [EventType.SEARCH_MATCHED.value]))
    watch_id, new = saved(who), listed(DAYS, **FLOW)
    looked()
    looked()
    [body] = db.session.scalars(text("SELECT body FROM webhook_event WHERE type = 'search.matched'")).all()
    assert (watch_id in body, new in body) == (True, True)
