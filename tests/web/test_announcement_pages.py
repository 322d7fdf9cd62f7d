"""Announcements on the pages: written, said anew, given up and made a dataset with a browser, in both languages."""

from datetime import timedelta

import pytest
from flask import Flask

from marketplace.catalog import queries as catalog
from marketplace.catalog.teasers import queries
from marketplace.catalog.teasers.models import Teaser
from marketplace.identity.states import MemberRole
from marketplace.kit import clock
from marketplace.kit.db import db
from tests.factories.identity import OrganizationFactory, actor_of
from tests.web.people import Browser, Someone, signed_in, someone
from tests.web.test_pages import ATTACK, check

OWN = "/organization/teasers"


def form(**changes: str) -> dict[str, str]:
    expected = (clock.today() + timedelta(days=40)).isoformat()
    said = {"title_ja": "積雪深の速報", "description_ja": "来冬から10分ごと。", "theme_land_weather": "yes"}
    said |= {"region": "011002", "expected_on": expected, "price_from_yen": "1,000", "price_to_yen": "5000"}
    return said | {"columns": "積雪 | 積雪の深さ | Depth of snow | cm\n観測所\n"} | changes


def editor() -> Someone:
    return someone(MemberRole.CATALOGUE_EDITOR, OrganizationFactory(provider=True))


def own(who: Someone) -> list[Teaser]:
    db.session.expire_all()
    return list(queries.list_teasers(actor_of(who.organization)).items)


def announced(browser: Browser, **changes: str) -> str:
    browser.get(OWN)
    return browser.post(OWN, form(**changes)).headers["Location"]


@pytest.mark.parametrize("language", ["ja", "en"])
def test_a_dataset_is_announced_and_said_anew_with_a_browser(app: Flask, language: str) -> None:
    who = editor()
    browser = signed_in(app, who)
    check(browser.get(f"{OWN}?lang={language}"), language)
    page = browser.post(OWN, form(title_en=ATTACK)).headers["Location"]
    shown = browser.get(f"{page}?lang={language}")
    check(shown, language)
    [row] = own(who)
    assert page == f"{OWN}/{row.id}"
    assert (row.state, row.themes, row.price_from_yen) == ("announced", ["land_weather"], 1000)
    assert [(one["name"], one["label_en"], one["unit"]) for one in row.columns] == [
        ("積雪", "Depth of snow", "cm"),
        ("観測所", "", ""),
    ]
    assert "積雪 | 積雪の深さ | Depth of snow | cm\n観測所</textarea>" in shown.text
    anew = form(title_ja="積雪深", price_from_yen="", price_to_yen="") | {"teaser_id": row.id, "version": "1"}
    assert browser.post(f"{OWN}/revise", anew).status_code == 303
    assert [(one.title_ja, one.version, one.price_to_yen) for one in own(who)] == [("積雪深", 2, None)]
    browser.get(page)
    stale = browser.post(f"{OWN}/revise", anew | {"title_ja": "古い"})
    assert stale.status_code == 412
    assert "古い" in stale.text
    assert own(who)[0].title_ja == "積雪深"
    for reader in (Browser(app), browser):
        seen = reader.get(f"/teasers/{row.id}?lang={language}")
        check(seen, language)
        assert (f"{OWN}/{row.id}" in seen.text) == (reader is browser)
    check(browser.get(f"{OWN}?lang={language}"), language)


def test_what_columns_say_beyond_a_line_is_kept(app: Flask) -> None:
    who = editor()
    browser = signed_in(app, who)
    page = announced(browser)
    [row] = own(who)
    row.columns = [one | {"description_ja": "毎正時の値。"} for one in row.columns]
    db.session.commit()
    browser.get(page)
    browser.post(f"{OWN}/revise", form(columns="積雪 | 深さ") | {"teaser_id": row.id, "version": "1"})
    [changed] = own(who)
    assert [(one["label_ja"], one["unit"], one["description_ja"]) for one in changed.columns] == [
        ("深さ", "", "毎正時の値。")
    ]


def test_a_form_with_faults_comes_back_as_it_was_written(app: Flask) -> None:
    who = editor()
    browser = signed_in(app, who)
    browser.get(f"{OWN}?lang=ja")
    for changes, field in (
        ({"expected_on": "soon"}, "expected_on"),
        ({"expected_on": ""}, "expected_on"),
        ({"expected_on": "2001-01-01"}, "expected_on"),
        ({"price_to_yen": "1.5"}, "price_to_yen"),
        ({"price_to_yen": ""}, "price_to_yen"),
        ({"theme_land_weather": ""}, "themes"),
        ({"region": "011003"}, "region"),
        ({"columns": "a | b | c | d | e"}, "columns"),
        ({"title_ja": ""}, "title_ja"),
    ):
        answer = browser.post(OWN, form(**changes))
        assert (answer.status_code, f"({field}" in answer.text) == (422, True), field
        assert "来冬から10分ごと。" in answer.text
    assert own(who) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_announcement_is_given_up_once(app: Flask, language: str) -> None:
    who = editor()
    browser = signed_in(app, who)
    page = announced(browser)
    [row] = own(who)
    assert f"/teasers/{row.id}" in Browser(app).get("/teasers").text
    browser.get(page)
    assert browser.post(f"{OWN}/withdraw", {"teaser_id": row.id}).status_code == 303
    assert f"/teasers/{row.id}" not in Browser(app).get("/teasers").text
    gone = browser.get(f"{page}?lang={language}")
    check(gone, language)
    assert "<form" not in gone.text.split("<main")[1]
    browser.get("/account")
    for deed in ("withdraw", "dataset", "revise"):
        again = browser.post(f"{OWN}/{deed}", {"teaser_id": row.id} | (form(version="2") if deed == "revise" else {}))
        assert again.status_code == 409, deed
    assert [one.state for one in own(who)] == ["withdrawn"]


def test_an_announcement_becomes_a_draft_with_its_words(app: Flask) -> None:
    who = editor()
    browser = signed_in(app, who)
    page = announced(browser)
    [row] = own(who)
    browser.get(page)
    assert browser.post(f"{OWN}/dataset", {"teaser_id": row.id, "dataset_id": "ds_0"}).status_code == 404
    assert browser.post(f"{OWN}/dataset", {"teaser_id": row.id, "dataset_id": ""}).status_code == 303
    [row] = own(who)
    assert row.state == "coming"
    assert row.dataset_id is not None
    assert catalog.get_dataset(row.dataset_id).title_ja == "積雪深の速報"
    shown = browser.get(page).text
    assert row.dataset_id in shown
    assert f"/catalog/{row.dataset_id}" not in shown
    assert row.dataset_id not in Browser(app).get(f"/teasers/{row.id}").text


def test_only_who_lists_for_the_organization_may(app: Flask) -> None:
    who, other = editor(), signed_in(app, editor())
    announced(signed_in(app, who))
    [row] = own(who)
    buyer = signed_in(app, someone(MemberRole.BUYER, OrganizationFactory(buyer=True)))
    reads = signed_in(app, someone(MemberRole.AUDITOR, who.organization))
    assert other.get(f"{OWN}/{row.id}").status_code == 404
    assert buyer.get(OWN).status_code == 403
    assert "<textarea" not in reads.get(OWN).text
    assert "<textarea" not in reads.get(f"{OWN}/{row.id}").text
    assert Browser(app).get(OWN).headers["Location"].startswith("/sign-in")
    for browser, status in ((other, 404), (buyer, 403), (reads, 403)):
        browser.get("/account")
        for deed in ("withdraw", "dataset", "revise"):
            fields = {"teaser_id": row.id} | (form(version="1") if deed == "revise" else {})
            assert browser.post(f"{OWN}/{deed}", fields).status_code == status, deed
    buyer.get("/account")
    assert buyer.post(OWN, form()).status_code == 403
    assert [(one.state, one.version) for one in own(who)] == [("announced", 1)]
