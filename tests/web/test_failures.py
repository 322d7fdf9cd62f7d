"""Failures: a page for people, problem details for programs, and never both."""

import pytest
from flask import Flask

from marketplace.kit.errors import NotFound, Unavailable
from tests.api.trade import call
from tests.web.conftest import BROWSER, Get
from tests.web.test_pages import check


@pytest.fixture
def broken(app: Flask, monkeypatch):
    """Make the front page fail."""

    def fail_with(error: Exception) -> None:
        def fail(**_kwargs):
            raise error

        monkeypatch.setitem(app.view_functions, "web_home.show", fail)

    return fail_with


@pytest.mark.parametrize("language", ["ja", "en"])
def test_an_address_that_does_not_exist_is_a_page_in_the_readers_language(get: Get, language):
    answer = get("/nowhere", accept_language=language)
    assert answer.status_code == 404
    check(answer, language)
    text = answer.get_data(as_text=True)
    assert {"ja": "見つかりません", "en": "Not found"}[language] in text
    assert 'href="/problems/not-found"' in text
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    "path",
    [
        "/v1",
        "/v1/nowhere",
        "/v1/catalog/ds_0",
        "/oauth/nowhere",
        "/webhooks/nowhere",
        "/.well-known/nowhere",
        "/sandbox/nowhere",
    ],
)
def test_addresses_of_programs_answer_with_problem_details_even_to_a_browser(get: Get, path):
    answer = get(path)
    assert answer.status_code == 404
    assert answer.mimetype in {"application/problem+json", "application/json"}


@pytest.mark.parametrize(
    "accept", ["", "*/*", "application/json", "application/problem+json, text/html;q=0.5", "image/png"]
)
def test_who_does_not_prefer_html_gets_problem_details(app: Flask, accept):
    answer = call(app, "GET", "/nowhere", headers={"Accept": accept})
    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json["type"].endswith("/problems/not-found")


def test_a_page_beside_an_address_of_programs_is_still_a_page(get: Get):
    assert get("/v1x").mimetype == "text/html"
    assert get("/sandboxes").mimetype == "text/html"


def test_a_fault_of_ours_is_a_page_with_its_number_and_nothing_else(get: Get, broken):
    broken(RuntimeError("secret <b>detail</b>"))
    answer = get("/")
    assert answer.status_code == 500
    check(answer, "ja")
    text = answer.get_data(as_text=True)
    assert "secret" not in text
    assert "inc_" in text


def test_a_lost_dependency_is_a_page_that_says_when_to_come_back(get: Get, broken):
    broken(Unavailable("<script>alert(1)</script>"))
    answer = get("/")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert "&lt;script&gt;" in answer.get_data(as_text=True)


def test_a_wrong_method_on_a_page_says_which_are_right(app: Flask):
    answer = call(app, "POST", "/catalog", headers={"Accept": BROWSER})
    assert answer.status_code == 405
    assert answer.mimetype == "text/html"
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS"}


def test_a_problem_speaks_the_language_of_a_regional_browser(app: Flask):
    answer = call(app, "GET", "/v1/nowhere", headers={"Accept-Language": "ja-JP,en-US;q=0.8,en;q=0.7"})
    assert answer.json["title"] == "見つかりません"
    assert answer.json["detail"] == NotFound.cause_ja
    assert answer.json["cure"] == NotFound.cure_ja
