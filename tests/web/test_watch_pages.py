"""Saved searches on the wire and on the pages, in both languages."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from flask import Flask

from marketplace.demand import watching
from marketplace.exchange import noticing
from marketplace.identity.states import MemberRole
from marketplace.kit import clock, jobs, mail, settings
from marketplace.kit.db import db
from marketplace.kit.mail import Mail
from tests.api.trade import Market, call, market_of, ok, refused
from tests.exchange.test_noticing import FLOW
from tests.exchange.test_relating import DAYS, listed
from tests.factories.identity import OrganizationFactory, actor_of
from tests.kit.test_mail import Post, served
from tests.web.people import Browser, signed_in, someone
from tests.web.test_pages import ATTACK, check

SEARCHES, LEAVE = "/organization/searches", "/saved-searches/unsubscribe"


@pytest.fixture
def post(app: Flask) -> Iterator[Post]:
    """A mail server that takes what comes."""
    yield from served()


@pytest.fixture
def market(app: Flask) -> Market:
    """Everybody who takes part."""
    return market_of(app)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_search_is_saved_from_the_catalogue_and_ended(app: Flask, language: str) -> None:
    who = someone(MemberRole.BUYER, OrganizationFactory(buyer=True))
    actor = actor_of(who.organization)
    browser = signed_in(app, who)
    asked = f"q=歩行者&theme=transport_tourism&theme=population&lang={language}"
    found = check(browser.get(f"/catalog?{asked}"), language)
    [saving] = {tag["href"] for tag in found.all("a") if tag["href"].startswith(f"{SEARCHES}?")}
    shown = browser.get(saving)
    check(shown, language)
    form = {"name": ATTACK, "q": "歩行者", "theme": "population\r\ntransport_tourism"}
    assert browser.post(SEARCHES, form).status_code == 303
    [watch] = watching.list_own(actor).items
    assert watch.filters == {"theme": ["population", "transport_tourism"]}
    browser.get(saving)
    again = browser.post(SEARCHES, form)
    assert again.status_code == 409
    check(again, browser.get(SEARCHES).headers["Content-Language"])
    new = listed(DAYS, **FLOW)
    with clock.stopped(clock.now() + timedelta(minutes=5)):
        noticing.look()
    page = browser.get(f"{SEARCHES}?lang={language}")
    check(page, language)
    assert f"/catalog/{new}" in page.text
    browser.post(f"{SEARCHES}/end", {"watch_id": watch.id})
    assert watching.list_own(actor).items == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_letter_ends_a_search_without_signing_in_but_not_by_being_opened(market: Market, language: str) -> None:
    watch_id = ok(market.buyer.post("/v1/saved-searches", {"name": "人流", "q": "人流"}), 201)["id"]
    browser, key = Browser(market.app), watching.key_of(watch_id)
    check(browser.get(f"{LEAVE}?watch={watch_id}&key={key}&lang={language}"), language)
    assert ok(market.buyer.get(f"/v1/saved-searches/{watch_id}"))["ended_at"] is None
    assert browser.post(LEAVE, {"watch": watch_id, "key": "0" * 64}).status_code == 404
    browser.get(f"{LEAVE}?watch={watch_id}&key={key}&lang={language}")
    assert browser.post(LEAVE, {"watch": watch_id, "key": key}).status_code == 200
    db.session.expire_all()
    assert ok(market.buyer.get(f"/v1/saved-searches/{watch_id}"))["ended_at"] is not None


def test_one_click_of_a_mailbox_ends_a_search_and_a_scanner_that_opens_its_link_does_not(market: Market) -> None:
    watch_id = ok(market.buyer.post("/v1/saved-searches", {"name": "人流", "q": "人流"}), 201)["id"]
    address, click = f"{LEAVE}?watch={watch_id}&key={watching.key_of(watch_id)}", {"List-Unsubscribe": "One-Click"}

    def posts(path: str, body: dict[str, str], **more: Any) -> int:
        return call(market.app, "POST", path, data=body, **more).status_code

    assert call(market.app, "GET", address).status_code == call(market.app, "HEAD", address).status_code == 200
    assert posts(f"{LEAVE}?watch={watch_id}&key={'0' * 64}", click) == 404
    assert posts(address, {}) == posts(address, click | {"more": "1"}) == 403
    assert ok(market.buyer.get(f"/v1/saved-searches/{watch_id}"))["ended_at"] is None

    # As a mailbox sends it: from anywhere, in either encoding, and again where it heard no answer.
    assert posts(address, click, headers={"Origin": "https://mail.example"}) == 200
    assert posts(address, click, content_type="multipart/form-data") == 200
    db.session.expire_all()
    assert ok(market.buyer.get(f"/v1/saved-searches/{watch_id}"))["ended_at"] is not None


def test_a_letter_names_in_its_head_where_one_click_ends_it(market: Market, post: Post) -> None:
    watch_id = ok(market.buyer.post("/v1/saved-searches", {"name": "人流", "q": "人流"}), 201)["id"]
    leave = f"{settings.current().base_url}{LEAVE}?watch={watch_id}&key={watching.key_of(watch_id)}"
    mail_id = mail.send("hana@example.jp", "新着", "本文", leave)
    mail.send("hana@example.jp", "他", "本文")
    db.session.commit()

    jobs.run_pending("mail.deliver")

    letter, plain = post.taken
    assert letter["List-Unsubscribe"] == f"<{leave}>"
    assert letter["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert plain["List-Unsubscribe"] is plain["List-Unsubscribe-Post"] is None
    path = urlsplit(letter["List-Unsubscribe"].strip("<>"))
    click = {"List-Unsubscribe": "One-Click"}
    assert call(market.app, "POST", f"{path.path}?{path.query}", data=click).status_code == 200
    assert ok(market.buyer.get(f"/v1/saved-searches/{watch_id}"))["ended_at"] is not None
    assert db.session.get_one(Mail, mail_id, populate_existing=True).unsubscribe is None


def test_programs_save_read_and_end_searches(market: Market) -> None:
    body = {"name": "人流", "q": "人流", "filters": {"theme": ["transport_tourism"]}}
    made = ok(market.buyer.post("/v1/saved-searches", body), 201)
    assert (made["q"], made["filters"]) == ("人流", {"theme": ["transport_tourism"]})
    address = f"/v1/saved-searches/{made['id']}"
    assert [one["id"] for one in ok(market.buyer.get("/v1/saved-searches"))["items"]] == [made["id"]]
    assert ok(market.buyer.get(f"{address}/hits")) == {"items": [], "next_cursor": None}
    refused(market.buyer.post("/v1/saved-searches", body), 409, "search-saved")
    refused(market.stranger.get(address), 404, "not-found")
    refused(market.stranger.call("DELETE", address), 404, "not-found")
    refused(market.buyer.post("/v1/saved-searches", body | {"filters": {"size": ["1"]}}), 422, "invalid-input")
    assert market.buyer.call("DELETE", address).status_code == 204
    assert ok(market.buyer.get("/v1/saved-searches"))["items"] == []
