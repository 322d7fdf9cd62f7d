"""Webhooks on the desk: registered, seen, paused, sent again and removed by people, in both languages."""

import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask

from marketplace.identity.states import MemberRole
from marketplace.kit import clock
from marketplace.webhooks import sending
from tests.api.trade import Market, market_of, ok, refused, row_counts
from tests.factories.identity import OrganizationFactory
from tests.receivers import Receiver, receiving
from tests.web.people import Browser, Someone, signed_in, someone
from tests.web.test_pages import ATTACK, check

PAGE = "/organization/webhooks"
FORM = {"url": "https://hooks.example.jp/musubi", "listing.published": "yes", "listing.withdrawn": "yes"}


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Any:
    with receiving(monkeypatch) as made:
        yield made


@pytest.fixture
def market(app: Flask) -> Market:
    """Everybody who takes part."""
    return market_of(app)


@pytest.fixture
def who(market: Market) -> Someone:
    return someone(MemberRole.DEVELOPER, OrganizationFactory(buyer=True))


@pytest.fixture
def browser(app: Flask, who: Someone) -> Browser:
    return signed_in(app, who)


def registered(browser: Browser, form: dict[str, str] | None = None) -> tuple[str, str]:
    """The address of a new endpoint's page, and its secret."""
    made = browser.fill(PAGE, FORM | (form or {}))
    assert made.status_code == 200, made.text
    secret = re.search(r"<code>(whsec_[^<]+)</code>", made.text)
    action = re.search(rf'action="({PAGE}/whk_[0-9a-f]+)/test', made.text)
    assert secret
    assert action
    return action[1], secret[1]


def rows(browser: Browser, at: str) -> list[str]:
    """What the page tells of each message, as words."""
    body = browser.get(f"{at}?lang=en").text.partition("<tbody>")[2].partition("</tbody>")[0]
    return [" ".join(re.sub(r"<[^>]*>", " ", row).split()) for row in re.findall(r"<tr>(.*?)</tr>", body, re.DOTALL)]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_pages_are_whole_whatever_people_note(browser: Browser, receiver: Receiver, market: Market, language: str):
    check(browser.get(f"{PAGE}?lang={language}"), language)
    at, _secret = registered(browser, {"description": ATTACK})
    market.goods()
    sending.deliver()
    for path in (PAGE, at):
        shown = browser.get(f"{path}?lang={language}")
        check(shown, language)
        assert "<script>alert" not in shown.text
    check(browser.fill(f"{PAGE}?lang={language}", {"url": "http://x/"}, to=f"{PAGE}?lang={language}"), language)


def test_a_secret_is_shown_once_and_another_at_a_rotation(browser: Browser) -> None:
    at, secret = registered(browser)
    assert "whsec_" not in browser.get(at).text
    turned = browser.post(f"{at}/rotate")
    assert (turned.status_code, secret in turned.text, turned.headers["Cache-Control"]) == (200, False, "no-store")
    assert len(re.findall(r"<code>whsec_[^<]+</code>", turned.text)) == 1
    shown = browser.get(f"{at}?lang=en").text
    assert "whsec_" not in shown
    assert "The secret before signs as well until" in shown


def test_what_was_sent_stands_there_and_is_sent_again(browser: Browser, receiver: Receiver, market: Market) -> None:
    at, _secret = registered(browser)
    receiver.status = 500
    market.goods()
    sending.deliver()
    [waiting] = rows(browser, at)
    assert "a dataset is listed" in waiting
    assert re.search(r"waiting .* 1 500 Send again$", waiting)
    receiver.status = 200
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        sending.deliver()
    [taken] = rows(browser, at)
    assert re.search(r"taken 2 200 Send again$", taken)
    event_id = re.search(r"evt_[0-9a-f]{32}", taken)
    assert event_id
    assert browser.post(f"{at}/resend", {"event_id": event_id[0]}).headers["Location"] == at
    sending.deliver()
    assert {headers["webhook-id"] for headers, _body in receiver.came} == {event_id[0]}
    assert len(receiver.came) == 3
    before = row_counts()
    assert browser.post(f"{at}/resend", {"event_id": "evt_1"}).status_code == 404
    assert row_counts() == before


def test_an_endpoint_is_tried_paused_resumed_and_removed(browser: Browser, receiver: Receiver, market: Market) -> None:
    at, _secret = registered(browser)
    assert browser.post(f"{at}/test").status_code == 303
    assert browser.post(f"{at}/pause").status_code == 303
    assert "paused by the organization" in browser.get(f"{at}?lang=en").text
    market.goods()
    sending.deliver()
    assert receiver.came == []
    browser.get(at)
    assert browser.post(f"{at}/resume").status_code == 303
    sending.deliver()
    # What waited comes; what happened meanwhile does not.
    assert receiver.types() == ["webhook.tested"]
    browser.get(at)
    assert browser.post(f"{at}/remove").headers["Location"] == PAGE
    assert browser.get(at).status_code == 404
    assert at not in browser.get(PAGE).text


def test_a_change_keeps_what_the_form_says_unless_somebody_else_was_faster(browser: Browser, market: Market) -> None:
    at, _secret = registered(browser)
    dataset = market.goods().dataset_id
    form = FORM | {"description": "監視", "dataset_ids": f"{dataset}\r\n", "version": "1"}
    assert browser.fill(at, form).status_code == 303
    shown = browser.get(at).text
    assert dataset in shown
    assert "監視" in shown
    assert browser.post(at, form).status_code == 412
    for version in ("", "-1", "9" * 30, "二"):
        assert browser.post(at, form | {"version": version}).status_code == 412


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"url": "http://hooks.example.jp/"}, "url: it must be https"),
        ({"url": "https://hooks.example.jp/" + "x" * 2000}, "url: must have at most 2000"),
        ({"listing.published": "", "listing.withdrawn": ""}, "events: must name one"),
        ({"description": "あ" * 201}, "description: must have at most 200"),
        ({"dataset_ids": "ds_1"}, "dataset_ids: must be from 1 to 100 ids that begin with ds_"),
        ({"publisher_ids": f"ds_{'0' * 32}"}, "publisher_ids: must be"),
        ({"publisher_ids": f"org_{'0' * 32} " * 101}, "publisher_ids: must be"),
    ],
)
def test_an_endpoint_that_cannot_be_is_refused_and_what_was_typed_stays(
    browser: Browser, form: dict[str, str], said: str
) -> None:
    browser.get(f"{PAGE}?lang=en")
    before = row_counts()
    answer = browser.post(f"{PAGE}?lang=en", FORM | {"description": "残る"} | form)
    assert answer.status_code == 422
    assert said in answer.text
    assert ("残る" in answer.text) == ("description" not in form)
    assert row_counts() == before


def test_endpoints_of_others_are_not_there(app: Flask, browser: Browser, market: Market) -> None:
    at, _secret = registered(browser)
    stranger = signed_in(app, someone(MemberRole.DEVELOPER, OrganizationFactory(provider=True)))
    stranger.get(PAGE)
    before = row_counts()
    assert stranger.get(at).status_code == 404
    stranger.get(PAGE)
    for deed in ("/rotate", "/pause", "/resume", "/test", "/remove"):
        assert stranger.post(f"{at}{deed}").status_code == 404, deed
    assert stranger.post(at, FORM | {"version": "1"}).status_code == 404
    assert stranger.post(f"{at}/resend", {"event_id": "evt_1"}).status_code == 404
    assert row_counts() == before


def test_who_may_not_look_after_programs_sees_no_form_and_changes_nothing(
    app: Flask, browser: Browser, who: Someone
) -> None:
    at, _secret = registered(browser)
    reader = signed_in(app, someone(MemberRole.AUDITOR, who.organization))
    shown = reader.get(at)
    assert shown.status_code == 200
    assert f'action="{PAGE}' not in shown.text + reader.get(PAGE).text
    assert signed_in(app, someone(MemberRole.BUYER, who.organization)).get(PAGE).status_code == 403
    reader.get("/account")
    before = row_counts()
    for path in (PAGE, at, f"{at}/rotate", f"{at}/remove"):
        assert reader.post(path, FORM).status_code == 403, path
    assert row_counts() == before
    assert Browser(app).get(PAGE).headers["Location"].startswith("/sign-in")


def test_pages_and_programs_see_the_endpoints_of_their_own_organization(browser: Browser, market: Market) -> None:
    at, _secret = registered(browser)
    other = ok(market.buyer.post("/v1/webhooks", {"url": FORM["url"], "events": ["listing.changed"]}), 201)
    assert other["id"] not in browser.get(PAGE).text
    refused(market.buyer.get(f"/v1/webhooks/{at.rsplit('/', 1)[1]}"), 404, "not-found")
