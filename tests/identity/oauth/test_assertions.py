"""Clients that prove themselves by a signature: what passes and what does not."""

from typing import Any

import orjson
import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc.jwk import ECKey
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.identity.models import AccessToken
from marketplace.identity.oauth import client_keys
from marketplace.kit import outbound, settings
from marketplace.kit.ids import new_id
from tests.identity.oauth.people import (
    ASSERTION_TYPE,
    ED_KEY,
    KEY,
    OTHER_KEY,
    RSA_KEY,
    Party,
    assertion_claims,
    assertion_of,
    b64,
    is_refused,
    keyed,
    now,
    party,
    public,
    signed,
    unsigned,
)


@pytest.fixture
def whose(app: Flask) -> Party:
    return party(**keyed(KEY, RSA_KEY, ED_KEY))


def form(assertion: str, **changes: str) -> dict[str, str]:
    proof = {"client_assertion_type": ASSERTION_TYPE, "client_assertion": assertion}
    return {"grant_type": "client_credentials"} | proof | changes


def issued(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AccessToken))


@pytest.mark.parametrize(
    ("key", "algorithm"), [(KEY, "ES256"), (RSA_KEY, "PS256"), (ED_KEY, "EdDSA"), (ED_KEY, "Ed25519")]
)
def test_a_client_proves_itself_by_a_signature(whose: Party, wire: FlaskClient, key: Any, algorithm: str) -> None:
    assertion = assertion_of(whose.client.id, key, {"alg": algorithm})
    assert wire.post("/oauth/token", data=form(assertion)).status_code == 200


def test_the_client_id_may_stand_beside_if_it_is_the_same(whose: Party, wire: FlaskClient) -> None:
    beside = form(assertion_of(whose.client.id), client_id=whose.client.id)
    assert wire.post("/oauth/token", data=beside).status_code == 200


def test_clocks_may_differ_by_a_little(whose: Party, wire: FlaskClient) -> None:
    assertion = assertion_of(whose.client.id, iat=now() + 5, nbf=now() + 5)
    assert wire.post("/oauth/token", data=form(assertion)).status_code == 200


CLAIMS: dict[str, dict[str, Any]] = {
    "O71 expired": {"exp": -1},
    "O72 nbf future": {"nbf": 60},
    "iat future": {"iat": 60},
    "O73 exp beyond five minutes": {"exp": 400},
    "O73 exp next year": {"exp": 31_536_000},
    "O74 aud token endpoint": {"aud": "/oauth/token"},
    "O75 aud array": {"aud": ["", "https://other.example"]},
    "O75 aud array of one": {"aud": [""]},
    "O76 aud other server": {"aud": "https://other.example"},
    "O77 iss is not sub": {"iss": "cli_" + "0" * 32},
    "O78 no sub": {"sub": None},
    "O78 no iss": {"iss": None},
    "O78 no aud": {"aud": None},
    "O78 no jti": {"jti": None},
    "O78 no exp": {"exp": None},
    "O79 sub list": {"sub": ["x"]},
    "sub unknown": {"sub": "cli_" + "0" * 32, "iss": "cli_" + "0" * 32},
    "sub of odd bytes": {"sub": "\x00\ud800", "iss": "\x00\ud800"},
    "exp text": {"exp": "9999999999"},
    "exp float": {"exp": 1.5},
    "exp true": {"exp": True},
    "exp enormous": {"exp": 10**400},
    "jti number": {"jti": 5},
    "jti empty": {"jti": ""},
    "jti too long": {"jti": "x" * 257},
    "nbf text": {"nbf": "soon"},
    "iat enormous": {"iat": 10**400},
}


def claimed(name: str, client_id: str) -> dict[str, Any]:
    """The claims of a case: times count from now, addresses from ours."""
    said: dict[str, Any] = {}
    for claim, value in CLAIMS[name].items():
        if claim in {"exp", "nbf", "iat"} and type(value) is int and value < 10**9:
            said[claim] = now() + value
        elif claim == "aud" and isinstance(value, list):
            said[claim] = [one or settings.current().base_url for one in value]
        elif claim == "aud" and isinstance(value, str) and value.startswith("/"):
            said[claim] = settings.current().base_url + value
        else:
            said[claim] = value
    return said


@pytest.mark.parametrize("name", CLAIMS)
def test_an_assertion_that_says_something_else_proves_nothing(
    whose: Party, wire: FlaskClient, session: Session, name: str
) -> None:
    assertion = assertion_of(whose.client.id, **claimed(name, whose.client.id))
    assert is_refused(wire.post("/oauth/token", data=form(assertion)), 401, "invalid_client")
    assert issued(session) == 0


def made(name: str, client_id: str) -> str:
    """A token that is no assertion of the client."""
    claims = assertion_claims(client_id)
    kid = KEY.thumbprint()
    good = signed({"alg": "ES256", "kid": kid}, claims)
    head, body, signature = good.split(".")
    embedded = {"alg": "ES256", "jwk": dict(OTHER_KEY.as_dict(private=False))}
    forged = {
        "O80 wrong key": lambda: signed({"alg": "ES256", "kid": kid}, claims, OTHER_KEY),
        "O80 wrong key, its own kid": lambda: assertion_of(client_id, OTHER_KEY),
        "O80 key in the header": lambda: signed(embedded, claims, OTHER_KEY),
        "O81 none": lambda: unsigned({"alg": "none", "kid": kid}, claims),
        "O81 NoNe": lambda: unsigned({"alg": "NoNe", "kid": kid}, claims, signature),
        "O82 RS256": lambda: signed({"alg": "RS256", "kid": RSA_KEY.thumbprint()}, claims, RSA_KEY),
        "O83 HS256 with the public key": lambda: signed({"alg": "HS256", "kid": kid}, claims),
        "O85 not a JWT": lambda: "garbage",
        "O85 empty segments": lambda: "..",
        "O85 two segments": lambda: f"{head}.{body}",
        "O85 five segments": lambda: f"{head}.{body}.{signature}.x.y",
        "O85 stripped signature": lambda: f"{head}.{body}.",
        "O85 tampered payload": lambda: f"{head}.{b64(b'{}')}.{signature}",
        "O85 not base64": lambda: f"{head}.{body}.!!!",
        "O85 not UTF-8": lambda: signed({"alg": "ES256", "kid": kid}, b"\xff\xfe"),
        "O85 payload list": lambda: signed({"alg": "ES256", "kid": kid}, [claims]),
        "O85 payload null": lambda: signed({"alg": "ES256", "kid": kid}, b"null"),
        "O85 payload of a thousand lists": lambda: signed({"alg": "ES256", "kid": kid}, b"[" * 3000),
        "O85 header list": lambda: unsigned([], claims, signature),
        "O85 kid list": lambda: unsigned({"alg": "ES256", "kid": [kid]}, claims, signature),
        "O85 kid object": lambda: unsigned({"alg": "ES256", "kid": {}}, claims, signature),
        "O85 alg list": lambda: unsigned({"alg": ["ES256"], "kid": kid}, claims, signature),
        "O85 unknown crit": lambda: unsigned({"alg": "ES256", "kid": kid, "crit": ["x"], "x": 1}, claims, signature),
        "O85 kid of another key": lambda: signed({"alg": "ES256", "kid": RSA_KEY.thumbprint()}, claims),
        "O85 too long": lambda: signed({"alg": "ES256", "kid": kid}, claims | {"x": "y" * 9000}),
    }
    return forged[name]()


FORGED = [
    "O80 wrong key", "O80 wrong key, its own kid", "O80 key in the header", "O81 none", "O81 NoNe", "O82 RS256",
    "O83 HS256 with the public key", "O85 not a JWT", "O85 empty segments", "O85 two segments", "O85 five segments",
    "O85 stripped signature", "O85 tampered payload", "O85 not base64", "O85 not UTF-8", "O85 payload list",
    "O85 payload null", "O85 payload of a thousand lists", "O85 header list", "O85 kid list", "O85 kid object",
    "O85 alg list", "O85 unknown crit", "O85 kid of another key", "O85 too long",
]  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_the_client_did_not_sign_proves_nothing(
    whose: Party, wire: FlaskClient, session: Session, name: str
) -> None:
    answer = wire.post("/oauth/token", data=form(made(name, whose.client.id)))
    assert is_refused(answer, 401, "invalid_client")
    assert issued(session) == 0


def test_o70_an_assertion_proves_its_client_once(whose: Party, wire: FlaskClient, session: Session) -> None:
    assertion = assertion_of(whose.client.id)
    assert wire.post("/oauth/token", data=form(assertion)).status_code == 200
    assert is_refused(wire.post("/oauth/token", data=form(assertion)), 401, "invalid_client")
    again = assertion_of(whose.client.id, jti="the same")
    assert wire.post("/oauth/introspect", data=form(again) | {"token": "x"}).status_code == 200
    other = assertion_of(whose.client.id, jti="the same", exp=now() + 30)
    assert is_refused(wire.post("/oauth/token", data=form(other)), 401, "invalid_client")
    assert issued(session) == 1


def test_o84_another_client_id_beside_is_refused(whose: Party, wire: FlaskClient, session: Session) -> None:
    beside = form(assertion_of(whose.client.id), client_id=party().client.id)
    assert is_refused(wire.post("/oauth/token", data=beside), 400, "invalid_request")
    assert issued(session) == 0


@pytest.mark.parametrize(
    "beside", [{"client_assertion_type": "x"}, {"client_assertion_type": ""}, {"client_assertion": ""}]
)
def test_half_an_assertion_proves_nothing(whose: Party, wire: FlaskClient, beside: dict[str, str]) -> None:
    given = form(assertion_of(whose.client.id)) | beside
    assert is_refused(wire.post("/oauth/token", data=given), 401, "invalid_client")


def test_o49_an_assertion_and_a_secret_at_once_are_refused(whose: Party, wire: FlaskClient) -> None:
    given = form(assertion_of(whose.client.id), client_id=whose.client.id, client_secret="x")
    assert is_refused(wire.post("/oauth/token", data=given), 400, "invalid_request")


def test_an_assertion_of_a_client_with_a_secret_proves_nothing(app: Flask, wire: FlaskClient) -> None:
    assertion = assertion_of(party().client.id)
    assert is_refused(wire.post("/oauth/token", data=form(assertion)), 401, "invalid_client")


def test_o86_a_removed_key_proves_nothing(whose: Party, wire: FlaskClient, session: Session) -> None:
    whose.client.jwks = {"keys": [public(OTHER_KEY)]}
    session.flush()
    assert is_refused(wire.post("/oauth/token", data=form(assertion_of(whose.client.id))), 401, "invalid_client")
    assert wire.post("/oauth/token", data=form(assertion_of(whose.client.id, OTHER_KEY))).status_code == 200


@pytest.fixture
def distant(app: Flask, monkeypatch: pytest.MonkeyPatch) -> tuple[Party, dict[str, Any]]:
    """A client whose keys lie at an address, and what that address answers next."""
    told: dict[str, Any] = {"keys": [KEY], "asked": 0, "later": 0.0}

    def fetch(_url: str, _media_types: frozenset[str]) -> bytes:
        told["asked"] += 1
        if told["keys"] is None:
            raise outbound.OutboundRefused("it does not answer as it should")
        return orjson.dumps({"keys": [public(key) for key in told["keys"]]})

    monkeypatch.setattr(outbound, "fetch", fetch)
    start = client_keys.time.monotonic()
    monkeypatch.setattr(client_keys.time, "monotonic", lambda: start + told["later"])
    facts = keyed() | {"jwks": None, "jwks_uri": f"https://keys.example/{new_id('jti')}"}
    return party(**facts), told


def status(wire: FlaskClient, whose: Party, key: ECKey = KEY) -> int:
    return wire.post("/oauth/token", data=form(assertion_of(whose.client.id, key))).status_code


def test_keys_are_fetched_once_and_again_for_a_new_key(distant: Any, wire: FlaskClient) -> None:
    whose, told = distant
    assert [status(wire, whose) for _ in range(3)] == [200, 200, 200]
    assert told["asked"] == 1
    told["keys"] = [OTHER_KEY]
    assert status(wire, whose, OTHER_KEY) == 401
    assert told["asked"] == 1  # not within the pause: nonsense must not become a storm
    told["later"] = client_keys.PAUSE_SECONDS + 1
    assert status(wire, whose, OTHER_KEY) == 200
    assert status(wire, whose) == 401
    assert told["asked"] == 2


def test_keys_at_hand_outlive_an_outage_of_their_address(distant: Any, wire: FlaskClient) -> None:
    whose, told = distant
    assert status(wire, whose) == 200
    told["keys"], told["later"] = None, client_keys.KEPT_SECONDS + 1
    assert status(wire, whose) == 200
    assert told["asked"] == 2


def test_who_cannot_be_asked_proves_nothing(distant: Any, wire: FlaskClient) -> None:
    whose, told = distant
    told["keys"] = None
    assert status(wire, whose) == 401


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "[::1]", "[::ffff:127.0.0.1]", "localhost"])
def test_o87_keys_on_the_loopback_are_not_fetched(
    app: Flask, wire: FlaskClient, session: Session, monkeypatch: pytest.MonkeyPatch, host: str
) -> None:
    gone: list[str] = []
    monkeypatch.setattr(outbound, "_pool", lambda address, _host: gone.append(address))
    whose = party(**(keyed() | {"jwks": None, "jwks_uri": f"https://{host}/jwks.json"}))
    assert status(wire, whose) == 401
    assert (gone, issued(session)) == ([], 0)
