"""Header fields on every response, and what is refused of every request."""

import re

import pytest
from flask import Flask

from marketplace.api import boundary, headers
from marketplace.app import create_app
from tests.api.trade import Market, call, market_of
from tests.web.conftest import Get

ALWAYS = {
    "X-Content-Type-Options", "Referrer-Policy", "Permissions-Policy", "Cross-Origin-Opener-Policy",
    "Cross-Origin-Resource-Policy", "Content-Security-Policy",
}  # fmt: skip


@pytest.fixture
def market(app: Flask) -> Market:
    """Everybody who takes part."""
    return market_of(app)


def policy(answer) -> dict[str, str]:
    directives = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in directives}


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/", 200), ("GET", "/static/web.css", 200), ("GET", "/v1/health", 200), ("GET", "/openapi.json", 200),
        ("GET", "/oauth/jwks.json", 200), ("GET", "/nowhere", 404), ("GET", "/v1/nowhere", 404), ("GET", "/v1/orders", 401),
        ("POST", "/v1/organizations", 415), ("DELETE", "/", 405), ("OPTIONS", "/", 200), ("HEAD", "/docs", 200),
        ("POST", "/oauth/token", 400), ("POST", "/webhooks/stripe", 400), ("GET", "/v1/catalog?x=1", 422), ("GET", "/%00", 400),
    ],
)  # fmt: skip
def test_every_response_carries_them(app: Flask, method, path, status):
    body = {"data": "<x/>", "headers": {"Content-Type": "text/xml"}} if status == 415 else {}
    answer = call(app, method, path, **body)
    assert answer.status_code == status
    assert [name for name in ALWAYS if name not in answer.headers] == []
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert policy(answer)["default-src"] == "'none'"
    assert policy(answer)["frame-ancestors"] == "'none'"
    assert "unsafe" not in answer.headers["Content-Security-Policy"]
    assert all(len(answer.headers.getlist(name)) == 1 for name in ALWAYS)


def test_a_fault_of_ours_carries_them(app: Flask, monkeypatch):
    monkeypatch.setitem(app.view_functions, "system.read_health", lambda: 1 / 0)
    answer = call(app, "GET", "/v1/health")
    assert answer.status_code == 500
    assert [name for name in ALWAYS if name not in answer.headers] == []


def test_pages_may_load_their_own_style_and_send_their_own_forms_and_no_more(get: Get):
    assert policy(get("/")) == {
        "default-src": "'none'", "style-src": "'self'", "img-src": "'self'", "form-action": "'self'", "base-uri": "'none'",
        "frame-ancestors": "'none'",
    }  # fmt: skip
    assert policy(get("/v1/health")) == {
        "default-src": "'none'", "form-action": "'none'", "base-uri": "'none'", "frame-ancestors": "'none'",
    }  # fmt: skip


def test_a_download_keeps_its_own_stricter_fields(market: Market):
    answer = market.fetch(market.bought()["grant_id"])
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == "sandbox; default-src 'none'"
    assert answer.headers["Cache-Control"] == "private, no-store"
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    assert len(answer.headers.getlist("Cache-Control")) == 1


def test_the_payment_page_may_still_lead_back_to_the_shop(app: Flask):
    answer = call(app, "GET", "/sandbox/pay/cs_test_unknown")
    assert answer.status_code == 404
    assert policy(answer)["form-action"] == "'self'"
    assert answer.headers["Cache-Control"] == "no-store"


def test_what_was_made_for_one_caller_stays_out_of_caches_and_the_rest_does_not(market: Market):
    assert market.buyer.get("/v1/orders").headers["Cache-Control"] == "private, no-store"
    assert market.buyer.get("/v1/catalog").headers["Cache-Control"] == "private, no-store"
    assert "Cache-Control" not in call(market.app, "GET", "/v1/catalog").headers
    assert call(market.app, "GET", "/oauth/jwks.json").headers["Cache-Control"] == "public, max-age=300"


def test_https_is_pinned_only_where_it_is_spoken():
    def fields(base_url: str) -> dict[str, str]:
        app = Flask("probe")
        headers.register(app, base_url)
        return dict(app.test_client().get("/").headers)

    assert fields("https://exchange.example.jp")["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    assert "Strict-Transport-Security" not in fields("http://127.0.0.1:8000")


def test_an_exchange_answers_to_its_own_name_alone(clone, make_settings):
    app = create_app(
        make_settings(clone(), base_url="https://exchange.example.jp", stripe_webhook_secrets=("whsec_own",))
    )
    client = app.test_client()
    assert client.get("/v1/health", base_url="https://exchange.example.jp").status_code == 200
    for host in ("evil.example", "exchange.example.jp.evil.example", "localhost", "exchange.example.jp@evil.example"):
        answer = client.get("/v1/health", headers={"Host": host})
        assert answer.status_code == 400
        assert answer.json["type"] == "https://exchange.example.jp/problems/misdirected"
        assert "evil" not in answer.get_data(as_text=True)
        assert client.get("/", headers={"Host": host, "Accept": "text/html"}).status_code == 400


@pytest.mark.parametrize("host", ["127.0.0.1:8000", "localhost", "localhost:9999"])
def test_a_loopback_exchange_answers_to_every_name_of_the_loopback(app: Flask, host):
    assert call(app, "GET", "/v1/health", headers={"Host": host}).status_code == 200
    assert call(app, "GET", "/v1/health", headers={"Host": "rebound.example"}).status_code == 400


def test_addresses_that_cannot_be_compared_are_left_open():
    assert boundary.trusted_hosts("http://[::1]:8000") is None


def test_no_answer_is_made_of_the_host_header(app: Flask, get: Get):
    terms = get("/terms").get_data(as_text=True)
    pages = ["/", "/docs", "/problems/not-found", "/openapi.json", "/.well-known/oauth-authorization-server"]
    for text in [
        terms,
        *(call(app, "GET", path, headers={"Host": "localhost:6666"}).get_data(as_text=True) for path in pages),
    ]:
        assert "6666" not in text


@pytest.mark.parametrize("path", ["//evil.example/%2e%2e", "//catalog", "/catalog/", "/v1//catalog"])
def test_no_address_is_redirected_to_another_spelling(app: Flask, path):
    # Past the test client, which takes // for the beginning of a host.
    answer = call(app, "GET", "/", environ_overrides={"PATH_INFO": path})
    # Werkzeug drops slashes at the front only, and without a word.
    assert answer.status_code == (200 if path == "//catalog" else 404)
    assert "Location" not in answer.headers


@pytest.mark.parametrize(
    "path", ["/%00", "/catalog/%00", "/catalog?q=%00", "/v1/catalog?q=a%00b", "/v1/catalog/ds_%00", "/problems/%00", "/static/%00",
             "/terms/%00", "/checkout/%00/done", "/v1/offers?dataset_id=%00", "/sandbox/pay/%00"],
)  # fmt: skip
def test_a_nul_in_the_address_is_a_bad_request(app: Flask, path):
    answer = call(app, "GET", path)
    assert answer.status_code == 400
    assert answer.json["type"].endswith("/problems/bad-request")


def test_an_escaped_escape_is_no_nul(app: Flask):
    assert call(app, "GET", "/v1/catalog?q=%2500").status_code == 200


def test_methods_that_nobody_knows_are_not_allowed_anywhere(app: Flask):
    number, fill = re.compile(r"<int:[^>]*>"), re.compile(r"<[^>]*>")
    for rule in app.url_map.iter_rules():
        for method in ("TRACE", "BREW"):
            answer = call(app, method, fill.sub("x", number.sub("2026", rule.rule)))
            assert answer.status_code == 405, (method, rule.rule)
            assert answer.headers["Allow"]


@pytest.mark.parametrize(
    "path",
    [
        "/static/../pages.py",
        "/static/%2e%2e/endpoint.py",
        "/static/..%2fendpoint.py",
        "/static/%5c..%5cx",
        "/static/nowhere",
    ],
)
def test_only_what_is_static_is_served(app: Flask, path):
    assert call(app, "GET", path).status_code == 404
