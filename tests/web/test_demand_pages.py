"""Data requests on the pages: stated, followed, pledged for, answered and ended with a browser, in both languages."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.demand import queries, service
from marketplace.demand.models import DataRequest
from marketplace.exchange import demanding
from marketplace.identity.actors import Actor
from marketplace.identity.states import MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market
from tests.factories.demand import stated, teaser
from tests.factories.identity import OrganizationFactory, actor_of
from tests.web.people import Browser, Someone, signed_in, someone
from tests.web.test_pages import ATTACK, check

REQUESTS, OWN = "/requests", "/organization/requests"


def form(**changes: str) -> dict[str, str]:
    said = {"title": "歩行者数", "problem": "催しの効果を測りたい。", "theme": "transport_tourism", "region": "011002"}
    return said | {"deadline": (clock.today() + timedelta(days=30)).isoformat(), "budget_yen": "300,000"} | changes


def standing(request: DataRequest, reader: Actor) -> tuple[bool, int | None]:
    db.session.expire_all()
    found = queries.standing_of(request, reader)
    assert found is not None
    return found.follows, found.pledge_yen


def state_of(request_id: str) -> str:
    db.session.expire_all()
    return queries.get_request(request_id).state


def buyer() -> Someone:
    return someone(MemberRole.BUYER, OrganizationFactory(buyer=True))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_need_is_stated_and_ended_with_a_browser(app: Flask, language: str) -> None:
    who = buyer()
    browser = signed_in(app, who)
    check(browser.get(f"{OWN}?lang={language}"), language)
    stated_at = browser.post(OWN, form()).headers["Location"]
    shown = browser.get(f"{stated_at}?lang={language}")
    check(shown, language)
    [row] = queries.list_own(actor_of(who.organization)).items
    assert stated_at == f"{REQUESTS}/{row.id}"
    assert (row.budget_yen, row.shows_name) == (300_000, False)
    assert browser.post(f"{OWN}/close", {"request_id": row.id, "reason": "不要"}).status_code == 303
    check(browser.get(f"{REQUESTS}/{row.id}?lang={language}"), language)
    assert state_of(row.id) == "closed"


def test_a_form_with_faults_comes_back_as_it_was_written(app: Flask) -> None:
    who = buyer()
    browser = signed_in(app, who)
    browser.get(f"{OWN}?lang=ja")
    for changes, field in (
        ({"deadline": "tomorrow"}, "deadline"),
        ({"budget_yen": "1.5"}, "budget_yen"),
        ({"theme": "weather"}, "theme"),
        ({"region": "011003"}, "region"),
        ({"deadline": ""}, "deadline"),
    ):
        answer = browser.post(OWN, form(title="書いた題名", **changes))
        assert (answer.status_code, f"({field})" in answer.text) == (422, True), field
        assert "書いた題名" in answer.text
    assert queries.list_own(actor_of(who.organization)).items == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_others_follow_pledge_and_answer(app: Flask, language: str) -> None:
    request = stated(market.buyer(), title=ATTACK, problem=ATTACK, shows_name=True)
    page = f"{REQUESTS}/{request.id}"
    follower = buyer()
    browser = signed_in(app, follower)
    check(browser.get(f"{page}?lang={language}"), language)
    assert browser.post(f"{OWN}/follow", {"request_id": request.id}).status_code == 303
    browser.get(page)
    assert browser.post(f"{OWN}/pledge", {"request_id": request.id, "amount_yen": "12,000"}).status_code == 303
    check(browser.get(f"{page}?lang={language}"), language)
    actor = actor_of(follower.organization)
    assert standing(request, actor) == (True, 12_000)
    wrong = browser.post(f"{OWN}/pledge", {"request_id": request.id, "amount_yen": "0"})
    assert wrong.status_code == 422
    browser.post(f"{OWN}/pledge", {"request_id": request.id, "amount_yen": ""})
    assert standing(request, actor) == (True, None)
    provider = signed_in(app, someone(MemberRole.CATALOGUE_EDITOR, OrganizationFactory(provider=True)))
    check(provider.get(f"{page}?lang={language}"), language)
    assert provider.post(f"{OWN}/answer", {"request_id": request.id, "kind": "none"}).status_code == 422
    said = {"request_id": request.id, "kind": "quote", "words": ATTACK, "amount_yen": "90,000"}
    said |= {"valid_until": (clock.today() + timedelta(days=9)).isoformat()}
    assert provider.post(f"{OWN}/answer", said).status_code == 303
    for reader in (provider, browser, Browser(app)):
        seen = reader.get(f"{page}?lang={language}")
        check(seen, language)
        assert ("90,000" in seen.text) == (reader is provider)
    told = browser.get(f"{OWN}?lang={language}")
    check(told, language)
    assert told.text.count(f"/requests/{request.id}") == 2
    [answer] = queries.list_answers(request)
    provider.get(page)
    provider.post(f"{OWN}/withdraw-answer", {"request_id": request.id, "answer_id": answer["id"]})
    assert queries.list_answers(request) == []
    browser.get(page)
    browser.post(f"{OWN}/unfollow", {"request_id": request.id})
    assert standing(request, actor) == (False, None)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_requests_are_found_and_merged_and_met(app: Flask, language: str) -> None:
    who = buyer()
    actor = actor_of(who.organization)
    one, into = stated(actor), stated(market.buyer())
    provider = market.seller()
    with transaction():
        demanding.answer(provider, into.id, teaser())
        service.follow(actor, into.id)
    found = Browser(app).get(f"{REQUESTS}?q=歩行者数&theme=transport_tourism&lang={language}")
    check(found, language)
    assert f"{REQUESTS}/{one.id}" in found.text
    assert f"{REQUESTS}/{one.id}" not in Browser(app).get(f"{REQUESTS}?state=met").text
    browser = signed_in(app, who)
    assert f"{OWN}/merge" in browser.get(f"{REQUESTS}/{one.id}?lang={language}").text
    merged = browser.post(f"{OWN}/merge", {"request_id": one.id, "into_id": into.id})
    assert merged.headers["Location"] == f"{REQUESTS}/{into.id}"
    gone = browser.get(f"{REQUESTS}/{one.id}?lang={language}")
    check(gone, language)
    assert f"{REQUESTS}/{into.id}" in gone.text
    assert browser.get(f"{REQUESTS}/{one.id[:-1]}x").status_code == 404
    mine = stated(actor)
    with transaction():
        _row, given = demanding.answer(provider, mine.id, teaser())
    browser.get(f"{REQUESTS}/{mine.id}")
    browser.post(f"{OWN}/met", {"request_id": mine.id, "answer_id": given.id})
    assert state_of(mine.id) == "met"
    check(browser.get(f"{REQUESTS}/{mine.id}?lang={language}"), language)
