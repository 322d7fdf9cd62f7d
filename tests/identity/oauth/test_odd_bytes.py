"""Whatever is sent to the OAuth endpoints, the answer is never a 5xx."""

import json
import random
from typing import Any
from urllib.parse import quote, urlencode

import pytest
from flask import Flask
from flask.testing import FlaskClient

from marketplace.identity.oauth import throttle
from tests.identity.oauth.people import (
    CHALLENGE,
    KEY,
    ODD,
    PUBLIC,
    REDIRECT_URI,
    Party,
    assertion_of,
    b64,
    keyed,
    party,
    proof,
)

POSTS = ["token", "par", "revoke", "introspect", "device_authorization"]
NAMES = [
    "grant_type", "client_id", "client_secret", "client_assertion", "client_assertion_type", "code", "code_verifier",
    "redirect_uri", "refresh_token", "device_code", "scope", "resource", "token", "token_type_hint", "response_type",
    "code_challenge", "code_challenge_method", "state", "authorization_details", "request_uri", "request", "dpop_jkt",
    "max_age", "acr_values", "prompt",
]  # fmt: skip


@pytest.fixture(autouse=True)
def _patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client that failed often enough is told so, and what it says is looked at no more."""
    monkeypatch.setattr(throttle, "FAILURES_MAX", 10**6)


@pytest.fixture
def parties(app: Flask) -> list[Party]:
    return [party(), party(**keyed())]


def sensible(whose: Party) -> dict[str, bytes]:
    known = whose.exchange_form(whose.code()) | {
        "response_type": "code", "code_challenge": "x" * 43, "code_challenge_method": "S256", "token": "x",
    }  # fmt: skip
    return {name: str(value).encode() for name, value in known.items()}


@pytest.mark.parametrize("path", POSTS)
def test_odd_parameters_are_answered(parties: list[Party], wire: FlaskClient, path: str) -> None:
    forms = [sensible(whose) for whose in parties]
    for n, name in enumerate(NAMES):
        for form in forms:
            for odd in ODD[n % 7 :: 7]:
                answer = wire.post(f"/oauth/{path}", data=form | {name: odd})
                assert answer.status_code < 500, (name, odd)


READ = {
    "authorization_code": ["code", "redirect_uri", "code_verifier"],
    "refresh_token": ["refresh_token", "scope"],
    "urn:ietf:params:oauth:grant-type:device_code": ["device_code"],
    "client_credentials": ["scope", "resource", "authorization_details"],
}


@pytest.mark.parametrize("grant", READ)
def test_what_a_grant_reads_may_be_odd(app: Flask, wire: FlaskClient, grant: str) -> None:
    """With everything else as it should be, so that the odd value is looked at."""
    whose = party(grant_types=list(READ))
    bought = wire.post("/oauth/token", data=whose.exchange_form(whose.code())).json["refresh_token"]
    for name in READ[grant]:
        for odd in ODD:
            form = whose.exchange_form(whose.code(), grant_type=grant, refresh_token=bought)
            answer = wire.post("/oauth/token", data=form | {name: odd})
            bought = answer.json.get("refresh_token", bought)
            # A blank is no scope at all.
            assert answer.status_code == (200 if (name, odd) == ("scope", b" ") else 400), (name, odd)
            assert answer.json.get("error", "") != "" or answer.json["scope"].strip(), (name, odd)


ASKED = [
    "client_id", "redirect_uri", "response_type", "response_mode", "scope", "state", "code_challenge",
    "code_challenge_method", "resource", "authorization_details", "request_uri", "request", "registration", "dpop_jkt",
    "max_age", "acr_values", "prompt", "nonce", "n\u3042me",
]  # fmt: skip


def test_what_a_browser_brings_may_be_odd(app: Flask, wire: FlaskClient) -> None:
    good = {
        "client_id": party(**PUBLIC).client.id, "redirect_uri": REDIRECT_URI, "response_type": "code",
        "code_challenge": CHALLENGE, "code_challenge_method": "S256",
    }  # fmt: skip
    for name in ASKED:
        for odd in ODD:
            answer = wire.get("/oauth/authorize?" + urlencode(good | {name: odd}))
            address = answer.headers.get("Location", "/consent/")
            assert answer.status_code in {303, 400}, (name, odd)
            assert address.startswith(("/consent/", f"{REDIRECT_URI}?")), (name, odd)


def test_names_of_parameters_may_be_odd(parties: list[Party], wire: FlaskClient) -> None:
    for path in POSTS:
        for odd in ODD:
            body = b"&".join([urlencode(sensible(parties[0])).encode(), odd, quote(odd).encode(), odd + b"=" + odd])
            for sent in (body, odd):
                answer = wire.post(f"/oauth/{path}", data=sent, content_type="application/x-www-form-urlencoded")
                assert answer.status_code < 500, (path, odd)


@pytest.mark.parametrize("path", POSTS)
def test_odd_bodies_are_answered(parties: list[Party], wire: FlaskClient, path: str) -> None:
    dice = random.Random(f"{path} of today")
    for _ in range(10):
        body = dice.randbytes(dice.randint(0, 300))
        for content_type in ("application/x-www-form-urlencoded", "application/json", "multipart/form-data", "\x7f"):
            answer = wire.post(f"/oauth/{path}", data=body, content_type=content_type)
            assert answer.status_code < 500, body


@pytest.mark.parametrize("field", ["Authorization", "DPoP"])
def test_odd_headers_are_answered(parties: list[Party], wire: FlaskClient, field: str) -> None:
    values = [
        "",
        " ",
        "Basic",
        "Basic é",
        "DPoP",
        "DPoP \x7f",
        "Bearer " + "x" * 9000,
        "\xff",
        "a.b.c",
        "=,=",
        "Basic Og==",
    ]
    for path in POSTS:
        for value in values:
            answer = wire.post(f"/oauth/{path}", data={"grant_type": "client_credentials"}, headers={field: value})
            assert answer.status_code < 500, value
            assert wire.get("/v1/organizations/me", headers={field: value}).status_code < 500, value


VALUES: list[Any] = [None, True, 0, -1, 1.5, 10**400, "", "\x00", "\ud800", [], {}, [[]], {"a": {}}, "x" * 3000]


def test_odd_values_in_signed_claims_and_headers_are_answered(parties: list[Party], wire: FlaskClient) -> None:
    """Signed well, so that what is said is looked at."""
    whose = parties[1]
    for name in ("iss", "sub", "aud", "exp", "iat", "nbf", "jti"):
        for value in VALUES:
            form = whose.named() | {"grant_type": "client_credentials"}
            form["client_assertion"] = assertion_of(whose.client.id, **{name: value})
            assert wire.post("/oauth/token", data=form).status_code < 500, (name, value)
    for name in ("jti", "htm", "htu", "iat", "ath", "nonce"):
        for value in VALUES:
            headers = {"Authorization": "DPoP x", "DPoP": proof("GET", "/v1/organizations/me", **{name: value})}
            assert wire.get("/v1/organizations/me", headers=headers).status_code < 500, (name, value)
    for name in ("typ", "alg", "kid", "jwk", "crit", "b64", "jku", "x5u", "x5c", "zip"):
        for value in VALUES:
            given = proof("GET", "/v1/organizations/me", header={name: value})
            headers = {"Authorization": "DPoP x", "DPoP": given}
            assert wire.get("/v1/organizations/me", headers=headers).status_code < 500, (name, value)
            form = whose.named() | {"grant_type": "client_credentials"}
            form["client_assertion"] = assertion_of(whose.client.id, header={name: value})
            assert wire.post("/oauth/token", data=form).status_code < 500, (name, value)


def test_odd_keys_in_a_proof_are_answered(parties: list[Party], wire: FlaskClient) -> None:
    good = dict(KEY.as_dict(private=False))
    for name in ("kty", "crv", "x", "y", "n", "e", "kid", "use", "key_ops", "alg", "x5c", "x5t"):
        for value in VALUES:
            head = {"typ": "dpop+jwt", "alg": "ES256", "jwk": good | {name: value}}
            given = ".".join([b64(json.dumps(head).encode()), b64(b"{}"), "AA"])
            answer = wire.post("/oauth/token", data={"grant_type": "client_credentials"}, headers={"DPoP": given})
            assert answer.status_code < 500, (name, value)
