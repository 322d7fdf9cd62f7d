"""Clients that register and look after themselves (RFC 7591, RFC 7592)."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from werkzeug.test import TestResponse

from marketplace.identity import service
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.api.trade import Market, call, ok, refused, row_counts
from tests.identity.oauth.people import KEY, public

CALLBACK = "https://program.example/callback"
METADATA = {"client_name": "夜間集計", "redirect_uris": [CALLBACK], "scope": "grants:read"}


def token_for(market: Market, **draft: Any) -> str:
    made = ok(
        market.buyer.post("/v1/clients/registration-tokens", {"scopes": ["grants:read", "data:read"]} | draft), 201
    )
    assert made["token"].startswith("mk_it_")
    return str(made["token"])


def register(market: Market, token: str, body: Any = METADATA, **kwargs: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token}"}
    sent = {"data": body} if isinstance(body, bytes) else {"json": body}
    return market.app.test_client().post("/oauth/register", headers=headers, **sent, **kwargs)


def managed(market: Market, made: dict[str, Any], method: str, token: str | None = None, **kwargs: Any) -> TestResponse:
    headers = {"Authorization": f"Bearer {token or made['registration_access_token']}"}
    path = made["registration_client_uri"].partition("/oauth/")[2]
    return market.app.test_client().open(f"/oauth/{path}", method=method, headers=headers, **kwargs)


def own_token(market: Market, made: dict[str, Any]) -> TestResponse:
    form = {"grant_type": "client_credentials", "client_id": made["client_id"], "client_secret": made["client_secret"]}
    return market.app.test_client().post("/oauth/token", data=form)


def test_a_client_registers_itself_within_what_the_token_allows(market: Market) -> None:
    answer = register(market, token_for(market))
    assert (answer.status_code, answer.headers["Cache-Control"]) == (201, "no-store")
    made = answer.json
    assert (made["client_name"], made["scope"], made["redirect_uris"]) == ("夜間集計", "grants:read", [CALLBACK])
    assert made["token_endpoint_auth_method"] == "client_secret_basic"
    assert made["client_secret_expires_at"] == 0
    assert own_token(market, made).json["scope"] == "grants:read"
    assert ok(market.buyer.get(f"/v1/clients/{made['client_id']}"))["name"] == "夜間集計"


def test_what_is_not_said_is_completed(market: Market) -> None:
    made = register(market, token_for(market), {"jwks": {"keys": [public(KEY)]}, "unknown": 1}).json
    assert made["token_endpoint_auth_method"] == "private_key_jwt"
    assert made["scope"] == "data:read grants:read"
    assert "client_secret" not in made


def test_o121_without_a_token_nobody_registers(market: Market) -> None:
    good = token_for(market, ttl_seconds=60)
    before = row_counts()
    for token in ("", "mk_it_wrong", "\x7f", good[:-1]):
        answer = register(market, token)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_token")
        assert "Bearer" in answer.headers["WWW-Authenticate"]
    assert register(market, "mk_it_wrong", {"redirect_uris": ["javascript:x"]}).status_code == 401
    with clock.stopped(clock.now() + timedelta(seconds=60)):
        assert register(market, good).status_code == 401
    assert row_counts() == before


def test_a_token_is_used_up(market: Market) -> None:
    token = token_for(market, uses=2)
    assert [register(market, token).status_code for _ in range(3)] == [201, 201, 401]


def test_a_suspended_organization_registers_nothing(market: Market) -> None:
    token = token_for(market)
    with transaction():
        service.suspend_organization(SYSTEM, market.buyer.organization_id, "規約違反")
    assert register(market, token).status_code == 401


def test_nobody_hands_on_more_than_it_holds(market: Market) -> None:
    narrow = market.buyer.with_scopes("organization:manage", "grants:read")
    said = narrow.post("/v1/clients/registration-tokens", {"scopes": ["orders:write"]})
    refused(said, 422, "scope-not-available")
    token = token_for(market)
    answer = register(market, token, METADATA | {"scope": "orders:write"})
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_client_metadata")
    assert register(market, token).status_code == 201  # what was refused cost no use


BAD: dict[str, tuple[Any, str]] = {
    "redirect with a fragment": ({"redirect_uris": [CALLBACK + "#x"]}, "invalid_redirect_uri"),
    "redirect javascript": ({"redirect_uris": ["javascript:alert(1)"]}, "invalid_redirect_uri"),
    "redirect http": ({"redirect_uris": ["http://program.example/"]}, "invalid_redirect_uri"),
    "redirect wildcard": ({"redirect_uris": ["https://*.example/"]}, "invalid_redirect_uri"),
    "redirect too long": ({"redirect_uris": ["https://x.example/" + "x" * 2000]}, "invalid_redirect_uri"),
    "redirect text": ({"redirect_uris": CALLBACK}, "invalid_redirect_uri"),
    "redirect of numbers": ({"redirect_uris": [1]}, "invalid_redirect_uri"),
    "redirects too many": (
        {"redirect_uris": [f"https://x.example/{n}" for n in range(21)]},
        "invalid_redirect_uri",
    ),
    "jwks and jwks_uri": (
        {"jwks": {"keys": [public(KEY)]}, "jwks_uri": "https://keys.example/"},
        "invalid_client_metadata",
    ),
    "jwks text": ({"jwks": "x"}, "invalid_client_metadata"),
    "jwks_uri on the loopback by http": ({"jwks_uri": "http://127.0.0.1/"}, "invalid_client_metadata"),
    "private key": ({"jwks": {"keys": [dict(KEY.as_dict(private=True))]}}, "invalid_client_metadata"),
    "unknown method": ({"token_endpoint_auth_method": "client_secret_jwt"}, "invalid_client_metadata"),
    "method list": ({"token_endpoint_auth_method": []}, "invalid_client_metadata"),
    "unknown grant": ({"grant_types": ["password"]}, "invalid_client_metadata"),
    "grant list of lists": ({"grant_types": [[]]}, "invalid_client_metadata"),
    "implicit": ({"response_types": ["token"]}, "invalid_client_metadata"),
    "unknown scope": ({"scope": "everything"}, "invalid_client_metadata"),
    "no scope": ({"scope": " "}, "invalid_client_metadata"),
    "name of odd signs": ({"client_name": "\x00"}, "invalid_client_metadata"),
    "name too long": ({"client_name": "x" * 500}, "invalid_client_metadata"),
    "name number": ({"client_name": 5}, "invalid_client_metadata"),
    "flag text": ({"dpop_bound_access_tokens": "yes"}, "invalid_client_metadata"),
    "list": ([], "invalid_client_metadata"),
    "no JSON": (b"{", "invalid_client_metadata"),
    "odd bytes": (b"\xff\x00", "invalid_client_metadata"),
    "nothing": (b"", "invalid_client_metadata"),
    "a thousand lists": (b"[" * 3000, "invalid_client_metadata"),
}


@pytest.mark.parametrize(("body", "error"), BAD.values(), ids=BAD.keys())
def test_o121_bad_metadata_is_refused_and_costs_nothing(market: Market, body: Any, error: str) -> None:
    token = token_for(market)
    before = row_counts()
    sent = METADATA | body if isinstance(body, dict) else body
    answer = register(market, token, sent)
    assert (answer.status_code, answer.json["error"]) == (400, error), answer.text
    assert row_counts() == before
    assert register(market, token).status_code == 201


ODD: list[Any] = [
    None,
    True,
    0,
    -1,
    1.5,
    2**64,
    "",
    "\x00",
    "\u202e",
    "あ",
    [],
    {},
    [[]],
    [None],
    {"a": {}},
    "x" * 3000,
]
SAID = [
    "client_id", "client_name", "scope", "token_endpoint_auth_method", "jwks", "jwks_uri", "redirect_uris",
    "grant_types", "response_types", "dpop_bound_access_tokens", "require_pushed_authorization_requests", "logo_uri",
    "software_statement",
]  # fmt: skip
SAID_OF_A_KEY = ["kty", "crv", "x", "y", "n", "e", "kid", "use", "alg", "key_ops", "x5c", "d"]


def odd_bodies() -> Iterator[dict[str, Any]]:
    """Good metadata with one odd value in it."""
    for odd in ODD:
        yield from (METADATA | {name: odd} for name in SAID)
        yield from (METADATA | {name: [odd]} for name in ("redirect_uris", "grant_types", "response_types"))
        yield from (METADATA | {"jwks": {"keys": [public(KEY) | {name: odd}]}} for name in SAID_OF_A_KEY)


def test_whatever_is_registered_is_answered(market: Market) -> None:
    token, made = token_for(market, uses=1), None
    for body in odd_bodies():
        answer = register(market, token, body)
        assert answer.status_code in {201, 400}, (body, answer.text)
        if answer.status_code == 201:
            made, token = answer.json, token_for(market, uses=1)
    assert made is not None
    for body in odd_bodies():
        answer = managed(market, made, "PUT", json={"client_id": made["client_id"]} | body)
        assert answer.status_code in {200, 400}, (body, answer.text)
        made = answer.json if answer.status_code == 200 else made


@pytest.mark.parametrize(
    "client_id", ["%ff", "%ed%a0%80", "あ", "x" * 9000, "cli_" + "0" * 32, "%27", "%0d%0aX:y", "."]
)
def test_odd_clients_are_not_there(market: Market, client_id: str) -> None:
    headers = {"Authorization": "Bearer mk_rg_unknown"}
    for method in ("GET", "PUT", "DELETE"):
        answer = call(market.app, method, f"/oauth/register/{client_id}", headers=headers, data=b"{}")
        assert answer.status_code in {400, 401, 404, 405}, (method, answer.text)


def test_an_enormous_body_is_refused(market: Market) -> None:
    assert register(market, token_for(market), b" " * 100_000).status_code == 413


def test_a_client_reads_changes_and_removes_itself(market: Market) -> None:
    made = register(market, token_for(market), METADATA | {"scope": "grants:read data:read"}).json
    bearer = {"Authorization": f"Bearer {own_token(market, made).json['access_token']}"}
    shown = managed(market, made, "GET")
    assert shown.status_code == 200
    assert not {"client_secret", "registration_access_token"} & set(shown.json)
    body = {"client_id": made["client_id"], "client_name": "日次", "scope": "grants:read", "redirect_uris": [CALLBACK]}
    changed = managed(market, made, "PUT", json=body)
    assert (changed.status_code, changed.json["client_name"], changed.json["scope"]) == (200, "日次", "grants:read")
    assert market.nobody.get("/v1/grants", headers=bearer).status_code == 401
    assert own_token(market, made).status_code == 401
    assert managed(market, made, "GET").status_code == 401  # the registration token is a new one as well
    assert own_token(market, changed.json).json["scope"] == "grants:read"
    wider = managed(market, changed.json, "PUT", json=body | {"scope": "grants:read data:read"})
    assert (wider.status_code, wider.json["error"]) == (400, "invalid_client_metadata")
    removed = managed(market, changed.json, "DELETE")
    assert (removed.status_code, removed.data) == (204, b"")
    assert own_token(market, changed.json).status_code == 401
    assert managed(market, changed.json, "GET").status_code == 401


def test_a_client_that_names_another_address_of_its_keys_voids_its_tokens(market: Market) -> None:
    made = register(market, token_for(market)).json
    bearer = {"Authorization": f"Bearer {own_token(market, made).json['access_token']}"}
    assert market.nobody.get("/v1/grants", headers=bearer).status_code == 200
    body = METADATA | {"client_id": made["client_id"], "jwks_uri": "https://keys.example/own.json"}
    changed = managed(market, made, "PUT", json=body).json
    assert (changed["token_endpoint_auth_method"], changed["jwks_uri"]) == ("private_key_jwt", body["jwks_uri"])
    assert market.nobody.get("/v1/grants", headers=bearer).status_code == 401


def test_a_client_is_looked_after_by_itself_alone(market: Market) -> None:
    token = token_for(market, uses=2)
    one, other = (register(market, token).json for _ in range(2))
    body = METADATA | {"client_id": one["client_id"]}
    for method in ("GET", "PUT", "DELETE"):
        for given in (other["registration_access_token"], token, "mk_rg_wrong", one["client_secret"]):
            assert managed(market, one, method, given, json=body).status_code == 401
    assert managed(market, one, "PUT", json=METADATA | {"client_id": other["client_id"]}).status_code == 400
    assert managed(market, one | {"registration_client_uri": "/oauth/register/\x01"}, "GET").status_code == 401
    assert own_token(market, one).status_code == 200
