"""What every answer says of its own kind, and what our pages ask of browsers and leave in them."""

import re
from pathlib import Path

import pytest
from flask import Flask

from marketplace import web
from tests.api.trade import call
from tests.web.conftest import Get
from tests.web.people import Browser, signed_in, someone

SCRIPTS = sorted((Path(web.__file__).parent / "static").glob("*.js"))


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/", "text/html"), ("/docs", "text/html"), ("/sign-in", "text/html"), ("/nowhere", "text/html"), ("/static/web.css", "text/css"),
        ("/static/passkeys.js", "text/javascript"), ("/openapi.json", "application/json"), ("/v1/health", "application/json"),
        ("/v1/orders", "application/problem+json"), ("/oauth/jwks.json", "application/jwk-set+json"),
        ("/.well-known/oauth-authorization-server", "application/json"),
    ],
)  # fmt: skip
def test_an_answer_names_its_kind_and_a_text_its_encoding(get: Get, path: str, kind: str) -> None:
    answer = get(path)
    assert answer.mimetype == kind
    if kind.startswith("text/"):
        assert answer.mimetype_params["charset"].lower() == "utf-8"
    else:  # JSON is UTF-8 and has no such parameter (RFC 8259 section 8.1)
        assert answer.json is not None


def test_passwords_are_hidden_as_they_are_typed_and_left_to_password_managers(app: Flask) -> None:
    browser = signed_in(app, someone(password="correct horse battery staple"))
    fields = []
    for path in ("/sign-in", "/account/password"):
        text = browser.get(path).text
        fields += re.findall(r"<input[^>]*(?:password|old)[^>]*>", text)
        assert not re.search(r"\son\w+=", text), "a handler could forbid pasting"
    assert len(fields) == 3
    for field in fields:
        assert 'type="password"' in field
        assert re.search(r'autocomplete="(current|new)-password"', field)
        assert int(re.search(r'maxlength="(\d+)"', field)[1]) >= 128


def test_signing_out_has_the_browser_forget_what_it_kept(app: Flask) -> None:
    browser = signed_in(app, someone())
    browser.get("/account")
    assert browser.post("/sign-out").headers["Clear-Site-Data"] == '"cache", "storage"'


def test_every_page_of_somebody_signed_in_leads_to_signing_out(app: Flask) -> None:
    browser = signed_in(app, someone())
    for path in ("/account", "/account/password", "/device", "/"):
        text = browser.get(path).text
        assert 'action="/sign-out' in text or re.search(r'href="/account[?"]', text), path
    assert 'action="/sign-out' in browser.get("/account").text


def test_our_scripts_keep_nothing_in_the_browser_and_write_no_markup() -> None:
    assert SCRIPTS
    forbidden = (
        r"localStorage|sessionStorage|indexedDB|document\.cookie|innerHTML|outerHTML|document\.write|eval\(|postMessage"
    )
    for script in SCRIPTS:
        assert not re.search(forbidden, script.read_text(encoding="utf-8")), script.name


def test_no_page_loads_anything_from_another_site(get: Get) -> None:
    for path in ("/", "/docs", "/sign-in", "/sign-in/passkey"):
        loaded = re.findall(r'<(?:script|link|img|iframe|form)[^>]*?(?:src|href|action)="([^"]*)"', get(path).text)
        assert loaded
        assert [address for address in loaded if not address.startswith("/") or address.startswith("//")] == [], path


def test_nothing_is_answered_as_a_script_that_other_sites_could_run(app: Flask) -> None:
    # JSONP, and JSON under a script's name, would let any site read what a visitor may see.
    for path in ("/v1/catalog?callback=x", "/v1/health?callback=x", "/v1/health.js"):
        answer = call(app, "GET", path)
        assert "javascript" not in answer.mimetype, path
        assert not answer.text.startswith("x("), path


def test_a_visitor_gets_no_session_without_signing_in(app: Flask) -> None:
    browser = Browser(app)
    for path in ("/", "/catalog", "/sign-in", "/docs"):
        browser.get(path)
    assert browser.cookie() is None
