"""Announced datasets are found by words and filters beside what is listed, and never counted among it."""

from dataclasses import replace
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import update

from marketplace.catalog.dictionary import ColumnNote
from marketplace.catalog.states import Theme
from marketplace.catalog.teasers import service
from marketplace.catalog.teasers.models import Teaser
from marketplace.catalog.teasers.rules import TeaserDraft
from marketplace.exchange import announcing, discovery
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.trade import call
from tests.factories import market
from tests.web.people import Browser
from tests.web.test_pages import check

WORD = "氷筍"


def draft(**changes: object) -> TeaserDraft:
    expected = clock.today() + timedelta(days=30)
    columns = (ColumnNote("hosuu", "歩数計の値", "Pedometer"),)
    said = TeaserDraft(
        f"{WORD}の高さ",
        "Height of ice stalagmites",
        "洞窟ごと。",
        "",
        (Theme.LAND_WEATHER,),
        "011002",
        expected,
        columns,
    )
    return replace(said, **changes)


def announced(provider: Actor | None = None, **changes: object) -> str:
    provider = provider or market.seller()
    with transaction():
        return service.announce(provider, draft(**changes)).id


def found(words: str = "", **filters: list[str]) -> list[str]:
    return [one["id"] for one in announcing.planned(None, words, filters, size=50)["items"]]


@pytest.mark.parametrize("words", [WORD, f"{WORD} 高さ", "ICE stalagmite", "歩数計", "Pedometer", "札幌 氷筍", "洞窟"])
def test_an_announcement_is_found_by_its_words(app: Flask, words: str) -> None:
    del app
    one, other = announced(), announced(title_ja="交通量", title_en="", description_ja="", columns=(), region="JP")
    assert one in found(words)
    assert other not in found(words)


def test_filters_narrow_and_what_no_announcement_has_finds_none(app: Flask) -> None:
    del app
    provider = market.seller()
    one = announced(provider)
    for filters, is_found in (
        ({"region": ["010006"]}, True), ({"region": ["131130", "011002"]}, True), ({"region": ["131130"]}, False),
        ({"theme": ["land_weather"]}, True), ({"theme": ["population"]}, False), ({"theme": ["=region=011002"]}, False),
        ({"publisher": [provider.organization_id]}, True), ({"publisher": ["org_1"]}, False),
        ({"format": ["csv"]}, False), ({"format": []}, True), ({"price_class": ["free"]}, False),
        ({"bbox": ["141,42,142,44"]}, False), ({"theme": ["land_weather"], "region": ["131130"]}, False),
    ):  # fmt: skip
        assert (one in found(WORD, **filters)) == is_found, filters


def test_it_follows_every_change_at_once(app: Flask) -> None:
    del app
    provider = market.seller()
    one = announced(provider)
    with transaction():
        service.revise(provider, one, draft(title_ja="霧氷の記録", title_en="", region="131130"), 1)
    assert one not in found(WORD)
    assert one in found("霧氷", region=["131130"])
    with transaction():
        service.withdraw(provider, one)
    assert one not in found("霧氷")


def test_what_was_announced_before_is_found_within_the_hour(app: Flask) -> None:
    del app
    one = announced()
    with transaction():
        db.session.execute(update(Teaser).values(tokens=[]))
    assert one not in found(WORD)
    announcing.index_left()
    assert one in found(WORD)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_search_shows_it_as_announced_and_counts_it_nowhere(app: Flask, language: str) -> None:
    one = announced()
    listed = discovery.search(None, WORD, {}, None, 20)
    answer = call(app, "GET", f"/v1/catalog?q={WORD}").json
    assert answer is not None
    assert (answer["total"], answer["facets"]) == (listed["total"], listed["facets"])
    assert one not in str(answer["items"])
    [shown] = [planned for planned in answer["planned"]["items"] if planned["id"] == one]
    assert (shown["state"], "offers" in shown) == ("announced", False)
    only = call(app, "GET", f"/v1/catalog?q={WORD}&planned=only&size=1").json
    assert only is not None
    assert (only["items"], only["total"], only["planned"]["total"]) == ([], 0, answer["planned"]["total"])
    assert "planned" not in (call(app, "GET", f"/v1/catalog?q={WORD}&planned=none").json or {})
    assert call(app, "GET", "/v1/catalog?planned=maybe").status_code == 422
    label = "予告（まだ購入できません）" if language == "ja" else "Announced: not to be bought yet"
    for path in (f"/catalog?q={WORD}", f"/catalog?q={WORD}&planned=only", "/catalog?q=zzzqqq&planned=only"):
        page = Browser(app).get(f"{path}&lang={language}")
        check(page, language)
        assert (f"/teasers/{one}" in page.text) == (label in page.text) == (WORD in path), path
