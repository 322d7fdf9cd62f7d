"""The public register on the wire: without a token, with an ETag, as JSON and as feeds."""

import json
from pathlib import Path

import pytest
from flask import Flask
from lxml import etree

from marketplace.disclosure import feeds, queries, service
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import db
from tests.api.trade import call, ok
from tests.disclosure.world import CLOSED, World, october

ATOM = "{http://www.w3.org/2005/Atom}"
SCHEMA = etree.RelaxNG(file=str(Path(__file__).with_name("atom.rng")))
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
    lines = [*page["items"], *rest["items"]]
    about = ("showing", "buyers", "trades", "yen", "bytes", "datasets_listed", "datasets_told")
    assert digest_of({"document": {name: month[name] for name in about}, "lines": lines}) == month["sha256"]
    told = {line["dataset"]["title_ja"]: line for line in lines}
    assert told["希少な植物"]["showing"] == "few"
    assert told["希少な植物"]["buyers"] is None
    assert told["人流データ"]["terms"][0]["privacy_class"] == "nonPersonalInformation"
    assert [month["month"] for month in ok(call(app, "GET", "/v1/register"))["items"]] == ["2026-10", "2026-09"]


@pytest.mark.parametrize(
    "address", ["/v1/register/2026-11", "/v1/register/x", "/v1/register/x/lines", "/v1/annual-reports/2026"]
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
    assert "51,000円" in newest["summary"]
    assert newest["_musubi"]["trades"] == 51
    assert oldest["content_text"] == oldest["summary"]
    assert "5者未満" in oldest["summary"]


def test_the_atom_feed_is_one(app: Flask, world: World) -> None:
    answer = call(app, "GET", "/v1/register/feed.atom")
    assert answer.mimetype == "application/atom+xml"
    feed = etree.fromstring(answer.get_data())
    SCHEMA.assertValid(feed)
    assert feed.findtext(f"{ATOM}author/{ATOM}name") == "Musubi"
    entries = feed.findall(f"{ATOM}entry")
    assert [entry.findtext(f"{ATOM}title") for entry in entries] == [
        "2026年10月の取引 Trades of 2026-10",
        "2026年9月の取引 Trades of 2026-09",
    ]
    # What the schema cannot say: an id for each, and where the feed itself is (RFC 4287, 4.1.1 and 4.2.6).
    assert len({entry.findtext(f"{ATOM}id") for entry in (feed, *entries)}) == 3
    [own] = [link for link in feed.findall(f"{ATOM}link") if link.get("rel") == "self"]
    assert own.get("href").endswith("/v1/register/feed.atom")


def test_a_feed_tells_of_each_dataset_terms_class_assessment_buyers_and_amounts(app: Flask, world: World) -> None:
    [item, _older] = json.loads(call(app, "GET", "/v1/register/feed.json").get_data())["items"]
    atom = etree.fromstring(call(app, "GET", "/v1/register/feed.atom").get_data())
    assert atom.findtext(f"{ATOM}entry/{ATOM}content") == item["content_text"]
    month, *told = item["content_text"].split("\n")
    assert month == item["summary"]
    assert len(told) == 4
    [shown] = [line for line in told if "人流データ" in line]
    terms = world.offers["open"].terms_sha256
    for words in (
        terms,
        "非個人情報 Non-personal",
        "公表なし none published",
        "利用者 Buyers: 13 (",
        "企業 Companies 6",
    ):
        assert words in shown
    # Beside the few, amounts are not told.
    assert shown.endswith("企業 Companies 6, 大学・研究機関 Universities 7)")
    [rare] = [line for line in told if "希少な植物" in line]
    assert rare.endswith("利用者 Buyers: 5未満 fewer than 5")


def test_a_feed_of_many_datasets_leads_on_to_the_page(
    app: Flask, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feeds, "LINES_MAX", 2)
    [item, _older] = json.loads(call(app, "GET", "/v1/register/feed.json").get_data())["items"]
    _month, _first, _second, more = item["content_text"].split("\n")
    assert more == f"続き More: {item['url']}"


def test_an_exchange_without_trade_has_feeds_without_items(app: Flask) -> None:
    assert ok(call(app, "GET", "/v1/register")) == {"items": []}
    assert json.loads(call(app, "GET", "/v1/register/feed.json").get_data())["items"] == []
    empty = etree.fromstring(call(app, "GET", "/v1/register/feed.atom").get_data())
    SCHEMA.assertValid(empty)
    assert empty.findall(f"{ATOM}entry") == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [(b"<title>", b"<title/><title>"), (b"Z</updated>", b"</updated>"), (b"<author><name>Musubi</name></author>", b"")],
)
def test_the_schema_of_feeds_finds_what_is_wrong(app: Flask, world: World, right: bytes, wrong: bytes) -> None:
    feed = call(app, "GET", "/v1/register/feed.atom").get_data()
    assert right in feed
    assert not SCHEMA.validate(etree.fromstring(feed.replace(right, wrong)))
