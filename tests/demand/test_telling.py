"""Providers hear of new requests that they could answer: once a day each, by letter and webhook, until they want no more."""

from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.audit.verbs import Verb
from marketplace.catalog.states import DatasetState, Theme
from marketplace.demand import service, telling
from marketplace.demand.models import DataRequest
from marketplace.exchange import asking_providers
from marketplace.identity.actors import Actor
from marketplace.identity.states import MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.mail import Mail
from marketplace.kit.transaction import transaction
from tests.catalog.test_catalog_races import entries
from tests.factories import market
from tests.factories.catalog import DatasetFactory
from tests.factories.demand import stated
from tests.factories.identity import MemberFactory

FLOW, WEATHER = [Theme.TRANSPORT_TOURISM.value], [Theme.LAND_WEATHER.value]


def provider(themes: list[str], region: str, **fields: object) -> Actor:
    """A provider with one dataset, whose catalogue editor reads mail; another member does not."""
    who = market.seller()
    with transaction():
        DatasetFactory(organization_id=who.organization_id, themes=themes, region=region, **fields)
        for role in (MemberRole.CATALOGUE_EDITOR, MemberRole.FINANCE):
            address = f"{role.value}.{who.organization_id}@example.jp"
            MemberFactory(organization_id=who.organization_id, role=role.value, email=address)
    return who


def morning(days: int = 0) -> None:
    """Have the job run at some minutes past now, so many days later."""
    with clock.stopped(clock.now() + timedelta(days=days, minutes=5)):
        asking_providers.tell()


def stated_later(buyer: Actor, **fields: object) -> DataRequest:
    """State a request after the morning's job has run."""
    with clock.stopped(clock.now() + timedelta(hours=1)):
        return stated(buyer, **fields)


def letters(who: Actor) -> list[Mail]:
    theirs = Mail.recipient.endswith(f".{who.organization_id}@example.jp")
    return list(db.session.scalars(select(Mail).where(theirs).order_by(Mail.id)))


@pytest.mark.usefixtures("app")
def test_those_who_list_data_of_the_theme_and_region_get_one_letter_with_all_that_is_new() -> None:
    near, country = provider(FLOW, "012025"), provider([*WEATHER, *FLOW], "JP", published=True)
    others = [
        provider(WEATHER, "011002"),
        provider(FLOW, "131016"),
        provider(FLOW, "011002", state=DatasetState.WITHDRAWN.value, withdrawn_at=clock.now()),
    ]
    buyer = market.buyer()
    first, second = stated(buyer), stated(buyer, title="地下鉄の駅ごとの乗降客数", region="012025")
    stated(buyer, title="積雪", theme=Theme.OTHER)

    morning()

    for who in (near, country):
        [letter] = letters(who)
        assert letter.recipient.startswith("catalogue_editor")
        assert "2 件 / 2 new data requests" in letter.subject
        assert all(one.title in letter.body and f"/requests/{one.id}\n" in letter.body for one in (first, second))
        assert "積雪" not in letter.body
        assert buyer.organization_id not in letter.body
        assert letter.unsubscribe in letter.body
    assert [letters(who) for who in others] == [[], [], []]


@pytest.mark.usefixtures("app")
def test_there_is_one_letter_a_day_and_each_request_is_told_once() -> None:
    who, buyer = provider(FLOW, "011002"), market.buyer()
    stated(buyer)
    morning()
    stated_later(buyer, title="路面電車の遅れ")
    morning()
    assert len(letters(who)) == 1

    morning(1)
    morning(2)

    told = [letter.subject for letter in letters(who)]
    assert ["1 件" in subject for subject in told] == [True, True]
    assert "路面電車の遅れ" in letters(who)[1].body


@pytest.mark.usefixtures("app")
def test_what_is_too_much_for_one_letter_comes_the_day_after(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "REQUESTS_MAX", 2)
    who, buyer = provider(FLOW, "011002"), market.buyer()
    for minutes, title in enumerate(["一つ目", "二つ目", "三つ目"]):
        with clock.stopped(clock.now() + timedelta(minutes=minutes)):
            stated(buyer, title=title)
    for days in range(3):
        with clock.stopped(clock.now() + timedelta(days=days, minutes=10)):
            asking_providers.tell()
    assert ["三つ目" in letter.body for letter in letters(who)] == [False, True]
    assert "一つ目" in letters(who)[0].body


@pytest.mark.usefixtures("app")
def test_old_ended_and_own_requests_are_no_news() -> None:
    who, buyer = provider(FLOW, "011002"), market.buyer()
    with clock.stopped(clock.now() - timedelta(days=8)):
        stated(buyer, title="古い要望")
    ended = stated(buyer, title="取り下げた要望")
    with transaction():
        service.close(buyer, ended.id, "不要になった")
    stated(who, title="自分の要望")

    morning()

    assert letters(who) == []


@pytest.mark.usefixtures("app")
def test_whoever_wants_no_letters_gets_none_until_it_wants_them_again() -> None:
    who, buyer = provider(FLOW, "011002"), market.buyer()
    with pytest.raises(NotFound), transaction():
        telling.end_by_key(who.organization_id, telling.key_of(buyer.organization_id))
    assert telling.wants_letters(who.organization_id)
    for _twice in range(2):
        with transaction():
            telling.end_by_key(who.organization_id, telling.key_of(who.organization_id))
    stated(buyer)
    morning()
    assert letters(who) == []
    assert not telling.wants_letters(who.organization_id)

    with transaction():
        telling.set_letters(who, wanted=True)
    stated_later(buyer, title="路面電車の遅れ")
    morning(1)

    assert len(letters(who)) == 1
    assert entries(Verb.REQUEST_LETTERS_SET) == 2


def test_of_workers_that_tell_at_once_one_does(own_database: Flask) -> None:
    who, other = provider(FLOW, "011002"), provider(FLOW, "011002")
    stated(market.buyer())
    now = clock.now() + timedelta(minutes=5)

    def work(_n: int) -> None:
        with own_database.app_context(), clock.stopped(now):
            asking_providers.tell()

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))

    told = select(Mail.recipient).where(Mail.subject.contains("data requests"))
    assert len(db.session.scalars(told).all()) == 2
    assert [len(letters(one)) for one in (who, other)] == [1, 1]
    days = db.session.scalars(text("SELECT told_on FROM provider_telling")).all()
    assert all(isinstance(day, date) for day in days)
    assert len(days) == 2
