"""Clients of every kind, registered through the API."""

from typing import Any

import pytest

from tests.api.trade import Market, ok, refused, row_counts
from tests.identity.oauth.people import (
    ASSERTION_TYPE,
    ED_KEY,
    KEY,
    OTHER_KEY,
    RSA_KEY,
    assertion_of,
    b64,
    public,
)

JWKS = {"keys": [public(KEY)]}
CALLBACK = ["https://program.example/callback"]


def registered(market: Market, **draft: Any) -> dict[str, Any]:
    return ok(market.buyer.post("/v1/clients", {"name": "集計"} | draft), 201)


def asked(market: Market, client_id: str, key: Any = KEY) -> int:
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion_of(client_id, key)}
    answer = market.app.test_client().post("/oauth/token", data={"grant_type": "client_credentials"} | proof)
    return answer.status_code


def test_a_client_keeps_a_secret_where_nothing_else_is_said(market: Market) -> None:
    made = registered(market)
    assert made["secret"].startswith("mk_sk_")
    assert (made["authentication_method"], made["grant_types"]) == ("client_secret_basic", ["client_credentials"])
    assert (made["redirect_uris"], made["jwks"], made["dpop_bound"], made["par_required"]) == ([], None, False, False)
    shown = ok(market.buyer.get(f"/v1/clients/{made['id']}"))
    assert shown == {name: value for name, value in made.items() if name != "secret"}


def test_a_client_with_keys_proves_itself_by_them(market: Market) -> None:
    made = registered(market, jwks=JWKS)
    assert "secret" not in made
    assert (made["authentication_method"], made["jwks"]) == ("private_key_jwt", JWKS)
    assert asked(market, made["id"]) == 200
    assert asked(market, made["id"], OTHER_KEY) == 401


@pytest.mark.parametrize("key", [RSA_KEY, ED_KEY], ids=["RSA", "Ed25519"])
def test_keys_of_every_usable_kind_are_taken(market: Market, key: Any) -> None:
    assert registered(market, jwks={"keys": [public(key)]})["jwks"] == {"keys": [public(key)]}


def test_what_nobody_needs_of_a_key_is_not_kept(market: Market) -> None:
    odd = public(KEY) | {"x5c": ["\x00"], "note": "\x00", "key_ops": []}
    assert registered(market, jwks={"keys": [odd], "more": "\x00"})["jwks"] == JWKS


def test_a_public_client_has_no_secret(market: Market) -> None:
    made = registered(market, authentication_method="none", redirect_uris=CALLBACK, dpop_bound=True)
    assert "secret" not in made
    assert (made["grant_types"], made["dpop_bound"]) == (["authorization_code", "refresh_token"], True)
    device = registered(market, authentication_method="none")
    assert device["grant_types"] == ["urn:ietf:params:oauth:grant-type:device_code", "refresh_token"]
    refused(market.buyer.post(f"/v1/clients/{made['id']}/rotate-secret"), 409, "client-keeps-no-secret")


GOOD_ADDRESSES = [
    "https://program.example/callback?x=y",
    "http://127.0.0.1/cb",
    "http://[::1]:8080/cb",
    "http://localhost:3000/cb",
    "jp.example.app:/callback",
]


@pytest.mark.parametrize("uri", GOOD_ADDRESSES)
def test_people_are_sent_back_to_what_is_safe(market: Market, uri: str) -> None:
    made = registered(market, redirect_uris=[uri])
    assert made["redirect_uris"] == [uri]
    assert made["grant_types"] == ["client_credentials", "authorization_code", "refresh_token"]


BAD_ADDRESSES = {
    "http": "http://program.example/cb",
    "http on a private network": "http://10.0.0.1/cb",
    "http of a look-alike": "http://127.0.0.1.evil.example/cb",
    "fragment": "https://program.example/cb#x",
    "empty fragment": "https://program.example/cb#",
    "wildcard": "https://*.program.example/cb",
    "wildcard at the end": "https://program.example/*",
    "javascript": "javascript:alert(1)",
    "data": "data:text/html,x",
    "file": "file:///etc/passwd",
    "scheme without a dot": "myapp:/cb",
    "scheme with a host": "jp.example.app://evil/cb",
    "user": "https://user@program.example/cb",
    "user on the loopback": "http://127.0.0.1@evil.example/cb",
    "backslash": "https://program.example\\@evil.example/cb",
    "blank": "https://program.example/c b",
    "full width": "https://program．example/cb",
    "mad port": "https://program.example:99999/cb",
    "broken bracket": "https://[::1/cb",
    "no host": "https:///cb",
    "relative": "/cb",
    "empty": "",
    "too long": "https://program.example/" + "x" * 2000,
}


@pytest.mark.parametrize("uri", BAD_ADDRESSES.values(), ids=BAD_ADDRESSES.keys())
def test_o121_people_are_sent_back_to_nothing_else(market: Market, uri: str) -> None:
    before = row_counts()
    answer = market.buyer.post("/v1/clients", {"name": "集計", "redirect_uris": [*CALLBACK, uri]})
    refused(answer, 422, "invalid-input", "/redirect_uris/1")
    assert row_counts() == before


def rsa_of(size_bytes: int) -> dict[str, str]:
    """Something like an RSA key of this length."""
    return {"kty": "RSA", "n": b64(b"\xc1" * size_bytes), "e": "AQAB"}


BAD_DRAFTS: dict[str, tuple[dict[str, Any], str]] = {
    "jwks and jwks_uri": ({"jwks": JWKS, "jwks_uri": "https://keys.example/"}, "/jwks"),
    "keys beside a secret": ({"jwks": JWKS, "authentication_method": "client_secret_basic"}, "/jwks"),
    "keys of a public client": (
        {"jwks": JWKS, "authentication_method": "none", "redirect_uris": CALLBACK},
        "/jwks",
    ),
    "no keys": ({"authentication_method": "private_key_jwt"}, "/jwks"),
    "no key in the set": ({"jwks": {"keys": []}}, "/jwks"),
    "no set": ({"jwks": {"x": "y"}}, "/jwks"),
    "a private key": ({"jwks": {"keys": [dict(KEY.as_dict(private=True))]}}, "/jwks"),
    "a secret for a key": ({"jwks": {"keys": [{"kty": "oct", "k": "AAAA"}]}}, "/jwks"),
    "a short RSA key": ({"jwks": {"keys": [rsa_of(128)]}}, "/jwks"),
    "an enormous RSA key": ({"jwks": {"keys": [rsa_of(2048)]}}, "/jwks"),
    "an RSA key with an enormous exponent": ({"jwks": {"keys": [rsa_of(256) | {"e": b64(b"\xc1" * 200)}]}}, "/jwks"),
    "an RSA key without a modulus": ({"jwks": {"keys": [{"kty": "RSA", "e": "AQAB"}]}}, "/jwks"),
    "a name of odd signs": ({"jwks": {"keys": [public(KEY) | {"kid": "\x00"}]}}, "/jwks"),
    "a name that is none": ({"jwks": {"keys": [public(KEY) | {"kid": 5}]}}, "/jwks"),
    "too many keys": ({"jwks": {"keys": [public(KEY)] * 21}}, "/jwks"),
    "jwks_uri by http": ({"jwks_uri": "http://keys.example/"}, "/jwks_uri"),
    "jwks_uri of another port": ({"jwks_uri": "https://keys.example:8443/"}, "/jwks_uri"),
    "jwks_uri with a user": ({"jwks_uri": "https://u@keys.example/"}, "/jwks_uri"),
    "codes without an address": ({"grant_types": ["authorization_code"]}, "/redirect_uris"),
    "an address twice": ({"redirect_uris": CALLBACK * 2}, "/redirect_uris"),
    "too many addresses": ({"redirect_uris": [f"https://program.example/{n}" for n in range(21)]}, "/redirect_uris"),
    "own tokens of a public client": (
        {"authentication_method": "none", "grant_types": ["client_credentials"]},
        "/grant_types",
    ),
    "nothing to renew": ({"grant_types": ["refresh_token"]}, "/grant_types"),
}


@pytest.mark.parametrize(("draft", "pointer"), BAD_DRAFTS.values(), ids=BAD_DRAFTS.keys())
def test_what_does_not_fit_together_is_refused(market: Market, draft: dict[str, Any], pointer: str) -> None:
    before = row_counts()
    refused(market.buyer.post("/v1/clients", {"name": "集計"} | draft), 422, "invalid-input", pointer)
    assert row_counts() == before


def test_new_keys_void_what_was_before(market: Market) -> None:
    made = registered(market, jwks=JWKS)
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion_of(made["id"])}
    token = market.app.test_client().post("/oauth/token", data={"grant_type": "client_credentials"} | proof).json
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    assert market.nobody.get("/v1/organizations/me", headers=bearer).status_code == 200
    keys = {"jwks": {"keys": [public(OTHER_KEY)]}}
    assert ok(market.buyer.post(f"/v1/clients/{made['id']}/keys", keys))["jwks"] == keys["jwks"]
    assert market.nobody.get("/v1/organizations/me", headers=bearer).status_code == 401
    assert (asked(market, made["id"]), asked(market, made["id"], OTHER_KEY)) == (401, 200)


def test_a_client_with_a_secret_may_go_over_to_keys(market: Market) -> None:
    made = registered(market)
    shown = ok(market.buyer.call("PUT", f"/v1/clients/{made['id']}/keys", json={"jwks": JWKS}))
    assert shown["authentication_method"] == "private_key_jwt"
    assert asked(market, made["id"]) == 200
    form = {"grant_type": "client_credentials", "client_id": made["id"], "client_secret": made["secret"]}
    assert market.app.test_client().post("/oauth/token", data=form).status_code == 401


def test_the_keys_of_another_and_of_a_wider_client_stay_as_they_are(market: Market) -> None:
    made, keys = registered(market, jwks=JWKS), {"jwks": {"keys": [public(OTHER_KEY)]}}
    path = f"/v1/clients/{made['id']}/keys"
    refused(market.stranger.post(path, keys), 404, "not-found")
    narrow = market.buyer.with_scopes("organization:manage", "organization:read")
    refused(narrow.post(path, keys), 403, "insufficient-scope")
    refused(market.buyer.post(path, {}), 422, "invalid-input", "/jwks")
    assert asked(market, made["id"]) == 200


def test_a_mistyped_secret_is_known_by_its_checksum(market: Market) -> None:
    made = registered(market)
    wire = market.app.test_client()
    good, bad = made["secret"], made["secret"][:-1] + ("0" if made["secret"][-1] != "0" else "1")
    form = {"grant_type": "client_credentials", "client_id": made["id"]}
    assert wire.post("/oauth/token", data=form | {"client_secret": good}).status_code == 200
    refusal, wrong = (
        wire.post("/oauth/token", data=form | {"client_secret": secret}) for secret in (bad, "mk_sk_wrong")
    )
    assert (refusal.status_code, refusal.data) == (401, wrong.data)


@pytest.mark.parametrize("method", ["PUT", "POST"])
def test_another_address_of_keys_voids_what_was_before(market: Market, method: str) -> None:
    made = registered(market, jwks=JWKS)
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion_of(made["id"])}
    token = market.app.test_client().post("/oauth/token", data={"grant_type": "client_credentials"} | proof).json
    bearer = {"Authorization": f"Bearer {token['access_token']}"}
    body = {"jwks_uri": "https://keys.example/own.json"}
    changed = ok(market.buyer.call(method, f"/v1/clients/{made['id']}/keys", json=body))
    assert (changed["jwks"], changed["jwks_uri"]) == (None, body["jwks_uri"])
    assert market.nobody.get("/v1/organizations/me", headers=bearer).status_code == 401
