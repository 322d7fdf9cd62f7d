"""The register and the annual report as pages: whole in both languages, and without what is hidden."""

from datetime import UTC, datetime

import pytest
from flask import Flask

from marketplace.disclosure import queries, service
from marketplace.disclosure.annual import publishing
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.disclosure.world import World, october
from tests.web.conftest import Get
from tests.web.test_pages import check

AFTER_YEAR = datetime(2027, 1, 12, tzinfo=UTC)


@pytest.fixture
def world(app: Flask) -> World:
    """A market whose year is published."""
    found = october()
    db.session.commit()
    with clock.stopped(AFTER_YEAR):
        service.publish_due()
        publishing.count_years()
    return found


def test_the_pages_are_whole_in_both_languages_and_name_no_buyer(get: Get, world: World) -> None:
    for path in ("/register", "/register/2026-10", "/register/2026-09", "/register/reports/2026"):
        for language in ("ja", "en"):
            answer = get(f"{path}?lang={language}")
            assert answer.status_code == 200, path
            check(answer, language)
            text = answer.get_data(as_text=True)
            assert all(buyer.name_ja not in text for buyer in world.buyers)


def test_a_month_says_what_is_hidden_in_the_readers_language(get: Get, world: World) -> None:
    japanese = get("/register/2026-10?lang=ja").get_data(as_text=True)
    assert "51,000円" in japanese
    assert "5未満" in japanese
    assert "秘匿" in japanese
    assert "非個人情報" in japanese
    assert "個人を識別し得る記述の検査に合格していること" in japanese
    assert "提供者による公表なし" in japanese
    english = get("/register/2026-10?lang=en").get_data(as_text=True)
    assert "fewer than 5" in english
    assert "¥51,000" in english
    assert f"/catalog/{world.datasets['open'].id}?lang=en" in english


def test_a_month_leads_to_the_assessments_that_there_are(get: Get, app: Flask) -> None:
    world = october()
    world.datasets["open"].assessment_url = "https://www.city.sapporo.jp/pia/1"
    db.session.commit()
    with clock.stopped(AFTER_YEAR):
        service.publish_due()
    page = check(get("/register/2026-10"), "ja")
    assert "https://www.city.sapporo.jp/pia/1" in {anchor["href"] for anchor in page.all("a")}


def test_readers_of_feeds_find_them(get: Get, world: World) -> None:
    page = check(get("/register"), "ja")
    feeds = {link["type"]: link["href"] for link in page.all("link") if link.get("rel") == "alternate"}
    assert feeds == {
        "application/atom+xml": "/v1/register/feed.atom",
        "application/feed+json": "/v1/register/feed.json",
    }


def test_the_report_has_charts_with_texts_and_leads_to_its_footnotes(get: Get, world: World) -> None:
    page = check(get("/register/reports/2026"), "ja")
    told = [figure for section in queries.get_published_report(2026)["sections"] for figure in section["figures"]]
    drawn = [figure for figure in told if any(part["value"] != 0 for part in figure["parts"])]
    charts = page.all("svg")
    assert len(charts) == len(drawn) >= 5
    assert all(chart["role"] == "img" and chart["aria-labelledby"] for chart in charts)
    assert len(page.all("title")) == len(page.all("desc")) + 1 == len(charts) + 1
    assert len(page.all("rect")) == sum(part["value"] is not None for figure in drawn for part in figure["parts"])
    ids = {attributes["id"] for _tag, attributes in page.tags if "id" in attributes}
    within = [anchor["href"][1:] for anchor in page.all("a") if anchor["href"].startswith("#")]
    assert len(within) > 40
    assert set(within) <= ids


def test_a_year_that_is_not_published_has_no_page(get: Get, world: World) -> None:
    assert get("/register/reports/2025").status_code == 404
    assert get(f"/register/reports/{10**30}").status_code == 404
    assert get("/register/reports/2026/full").status_code == 303  # to the sign-in page
