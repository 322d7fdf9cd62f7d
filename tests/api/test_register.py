"""The public register on the wire: without a token, with an ETag, as JSON and as feeds."""

import json
from xml.etree import ElementTree as ET

import pytest
from flask import Flask

from marketplace.disclosure import queries, service
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.api.trade import call, ok
from tests.disclosure.world import CLOSED, World, october

ATOM = "{http://www.w3.org/2005/Atom}"
ADDRESSES = (
    "/v1/register",
    "/v1/register/2026-10",
    "/v1/register/2026-10/lines",
    "/v1/register/feed.json",
    "/v1/register/feed.atom",
)


@pytest.fixture
def world(app: Flask) -> World:
    """A market whose October is published."""
    found = october()
    db.session.commit()
    with clock.stopped(CLOSED):
        service.publish_due()
    return found


@pytest.mark.parametrize("address", ADDRESSES)
def test_who_knows_an_answer_already_is_spared_it(app: Flask, world: World, address: str) -> None:
    first = call(app, "GET", address)
    assert first.status_code == 200
    assert first.headers["ETag"].startswith('"')
    again = call(app, "GET", address, headers={"If-None-Match": first.headers["ETag"]})
    assert (again.status_code, again.get_data()) == (304, b"")
    assert call(app, "GET", address, headers={"If-None-Match": '"another"'}).status_code == 200
    assert all(buyer.id not in first.get_data(as_text=True) for buyer in world.buyers)


def test_the_etag_of_the_months_changes_with_the_next_one(app: Flask) -> None:
    before = call(app, "GET", "/v1/register/feed.json").headers["ETag"]
    october()
    db.session.commit()
    with clock.stopped(CLOSED):
        service.publish_due()
    assert call(app, "GET", "/v1/register/feed.json", headers={"If-None-Match": before}).status_code == 200


def test_a_month_is_read_with_its_lines(app: Flask, world: World) -> None:
    month = ok(call(app, "GET", "/v1/register/2026-10"))
    assert (month["buyers"], month["trades"], month["yen"], month["bytes"]) == (51, 51, 51_000, 102_000)
    assert month["sha256"] == queries.get_month("2026-10").sha256
    page = ok(call(app, "GET", "/v1/register/2026-10/lines?size=3"))
    rest = ok(call(app, "GET", f"/v1/register/2026-10/lines?cursor={page['next_cursor']}"))
    told = {line["dataset"]["title_ja"]: line for line in (*page["items"], *rest["items"])}
    assert told["希少な植物"]["showing"] == "few"
    assert told["希少な植物"]["buyers"] is None
    assert told["人流データ"]["terms"][0]["privacy_class"] == "nonPersonalInformation"
    assert [month["month"] for month in ok(call(app, "GET", "/v1/register"))["items"]] == ["2026-10", "2026-09"]


@pytest.mark.parametrize(
    "address", ["/v1/register/2026-11", "/v1/register/x", "/v1/register/%00/lines", "/v1/annual-reports/2026"]
)
def test_what_is_not_published_is_not_there(app: Flask, world: World, address: str) -> None:
    assert call(app, "GET", address).status_code == 404


def test_a_cursor_of_another_list_is_refused(app: Flask, world: World) -> None:
    assert call(app, "GET", "/v1/register/2026-10/lines?cursor=WyJhIl0").status_code == 422


def test_the_json_feed_is_one(app: Flask, world: World) -> None:
    answer = call(app, "GET", "/v1/register/feed.json")
    assert answer.mimetype == "application/feed+json"
    feed = json.loads(answer.get_data())
    assert feed["version"] == "https://jsonfeed.org/version/1.1"
    newest, oldest = feed["items"]
    assert newest["url"].endswith("/register/2026-10")
    assert "51,000円" in newest["content_text"]
    assert newest["_musubi"]["trades"] == 51
    assert "5者未満" in oldest["content_text"]


def test_the_atom_feed_is_one(app: Flask, world: World) -> None:
    answer = call(app, "GET", "/v1/register/feed.atom")
    assert answer.mimetype == "application/atom+xml"
    feed = ET.fromstring(answer.get_data())
    assert feed.tag == f"{ATOM}feed"
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Musubi"
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == [
        "2026年10月の取引 Trades of 2026-10",
        "2026年9月の取引 Trades of 2026-09",
    ]
    for entry in (feed, *entries):
        assert entry.findtext(f"{ATOM}id").startswith("http")
        assert clock.parse(entry.findtext(f"{ATOM}updated"))


def test_an_exchange_without_trade_has_feeds_without_items(app: Flask) -> None:
    assert ok(call(app, "GET", "/v1/register")) == {"items": []}
    assert json.loads(call(app, "GET", "/v1/register/feed.json").get_data())["items"] == []
    assert ET.fromstring(call(app, "GET", "/v1/register/feed.atom").get_data()).findall(f"{ATOM}entry") == []
