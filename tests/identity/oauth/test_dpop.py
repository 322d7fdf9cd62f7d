"""Proofs of possession: what binds a token, what uses it, and what does not (RFC 9449)."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from marketplace.identity.models import AccessToken
from marketplace.identity.oauth import dpop
from marketplace.identity.oauth.dpop import Call
from marketplace.identity.oauth.models import AuthorizationRequest
from marketplace.identity.oauth.refusals import InvalidDpopProof
from marketplace.kit import clock, settings
from tests.identity.oauth.people import (
    CHALLENGE,
    ED_KEY,
    KEY,
    OTHER_KEY,
    OWN,
    REDIRECT_URI,
    RSA_KEY,
    Party,
    b64,
    is_refused,
    now,
    party,
    proof,
    signed,
    unsigned,
)


@pytest.fixture
def whose(app: Flask) -> Party:
    return party()


@pytest.fixture
def bound(whose: Party, wire: FlaskClient) -> str:
    """An access token bound to the key."""
    answer = wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof()})
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")
    return str(answer.json["access_token"])


def asked(whose: Party) -> dict[str, str]:
    return whose.named() | {"grant_type": "client_credentials"}


def issued(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AccessToken))


def use(wire: FlaskClient, token: str, *proofs: str, scheme: str = "DPoP", address: str = OWN) -> Any:
    fields = [("Authorization", f"{scheme} {token}"), *(("DPoP", one) for one in proofs)]
    return wire.get(address, headers=Headers(fields))


def own(token: str, **changes: Any) -> str:
    """A proof for reading one's own organization with a token."""
    return proof(**{"method": "GET", "path": OWN, "token": token} | changes)


ACCEPTED: dict[str, dict[str, Any]] = {
    "plain": {},
    "D31 htu with a query and a fragment": {"htu": "{base}{path}?a=b#c"},
    "D33 iat ten seconds ago": {"iat": -10},
    "D33 iat in ten seconds": {"iat": 10},
    "D37 more claims": {"more": {"a": [1]}},
    "D37 more headers": {"header": {"more": "x"}},
    "D38 scheme and host in capitals": {"htu": "{BASE}{path}"},
    "PS256": {"key": RSA_KEY, "header": {"alg": "PS256"}},
    "EdDSA": {"key": ED_KEY, "header": {"alg": "EdDSA"}},
}


def filled(changes: dict[str, Any], path: str) -> dict[str, Any]:
    """The changes of a case: times count from now, addresses are ours."""
    base = settings.current().base_url
    said = dict(changes)
    if isinstance(said.get("htu"), str):
        said["htu"] = said["htu"].format(base=base, BASE=base.upper(), path=path)
    if type(said.get("iat")) is int and abs(said["iat"]) < 10**9:
        said["iat"] += now()
    return said


@pytest.mark.parametrize("changes", ACCEPTED.values(), ids=ACCEPTED.keys())
def test_a_good_proof_binds_a_token_and_uses_it(whose: Party, wire: FlaskClient, changes: dict[str, Any]) -> None:
    answer = wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof(**filled(changes, "/oauth/token"))})
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP"), answer.text
    token = answer.json["access_token"]
    assert use(wire, token, own(token, **filled(changes, OWN))).status_code == 200


@pytest.mark.parametrize("scheme", ["dpop", "DPOP", "dPoP"])
def test_d14_the_scheme_is_case_insensitive(bound: str, wire: FlaskClient, scheme: str) -> None:
    assert use(wire, bound, own(bound), scheme=scheme).status_code == 200


@pytest.mark.parametrize(
    ("base", "htu"),
    [
        ("https://exchange.example.jp", "https://exchange.example.jp:443/oauth/token"),
        ("https://exchange.example.jp:443", "https://exchange.example.jp/oauth/token"),
        ("https://exchange.example.jp", "HTTPS://Exchange.Example.JP/oauth/token"),
        ("http://127.0.0.1", "http://127.0.0.1:80/oauth/token"),
    ],
)
def test_d38_an_address_may_name_the_port_that_goes_without_saying(app: Flask, base: str, htu: str) -> None:
    settings.install(replace(settings.current(), base_url=base))
    call = Call("POST", "/oauth/token")
    assert dpop.proven_key([proof(htu=htu)], call) == KEY.thumbprint()
    others = (htu.replace("/oauth", ":8443/oauth"), "ftp" + htu[htu.index("://") :], htu.partition("://")[2], htu + "/")
    for other in others:
        with pytest.raises(InvalidDpopProof):
            dpop.proven_key([proof(htu=other)], call)


REFUSED: dict[str, dict[str, Any]] = {
    "D17 no typ": {"header": {"typ": None}},
    "D25 typ JWT": {"header": {"typ": "JWT"}},
    "typ list": {"header": {"typ": ["dpop+jwt"]}},
    "D19 no jwk": {"header": {"jwk": None}},
    "jwk list": {"header": {"jwk": []}},
    "jwk text": {"header": {"jwk": "x"}},
    "jwk without a curve": {"header": {"jwk": {"kty": "EC"}}},
    "jwk of odd values": {"header": {"jwk": {"kty": "EC", "crv": 5, "x": [], "y": None}}},
    "jwk off its curve": {"header": {"jwk": {"kty": "EC", "crv": "P-256", "x": b64(b"1" * 32), "y": b64(b"2" * 32)}}},
    "jwk of another curve": {"header": {"jwk": {"kty": "EC", "crv": "secp256k1", "x": "AA", "y": "AA"}}},
    "jwk kty list": {"header": {"jwk": {"kty": []}}},
    "jwk with odd use": {"header": {"jwk": dict(KEY.as_dict(private=False)) | {"use": 5, "key_ops": 7}}},
    "jwk for encryption": {"header": {"jwk": dict(KEY.as_dict(private=False)) | {"use": "enc"}}},
    "D29 private jwk": {"header": {"jwk": dict(KEY.as_dict(private=True))}},
    "jwk of a secret": {"header": {"jwk": {"kty": "oct", "k": "AAAA"}}},
    "D28 signed by another key": {"header": {"jwk": dict(OTHER_KEY.as_dict(private=False))}},
    "D26 RS256": {"key": RSA_KEY, "header": {"alg": "RS256"}},
    "D20 no jti": {"jti": None},
    "jti number": {"jti": 5},
    "jti too long": {"jti": "x" * 257},
    "D21 no htm": {"htm": None},
    "D22 no htu": {"htu": None},
    "D23 no iat": {"iat": None},
    "D30 wrong htm": {"htm": "PATCH"},
    "htm in small letters": {"htm": "post"},
    "D32 htu of another address": {"htu": "{base}/other"},
    "D32 htu of another host": {"htu": "https://evil.example{path}"},
    "D32 htu of another port": {"htu": "{base}1{path}"},
    "htu of a mad port": {"htu": "http://x:99999999{path}"},
    "htu of a broken bracket": {"htu": "http://[::1{path}"},
    "htu list": {"htu": ["x"]},
    "D33 iat an hour ago": {"iat": -3600},
    "D33 iat in an hour": {"iat": 3600},
    "iat text": {"iat": "now"},
    "iat float": {"iat": 1.5},
    "iat enormous": {"iat": 10**400},
    "iat enormously negative": {"iat": -(10**400)},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED.keys())
def test_a_bad_proof_binds_nothing_and_uses_nothing(
    whose: Party, bound: str, wire: FlaskClient, session: Session, changes: dict[str, Any]
) -> None:
    before = issued(session)
    answer = wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof(**filled(changes, "/oauth/token"))})
    assert is_refused(answer, 400, "invalid_dpop_proof")
    assert issued(session) == before
    answer = use(wire, bound, own(bound, **filled(changes, OWN)))
    assert (answer.status_code, answer.json["type"].rsplit("/", 1)[-1]) == (401, "dpop-proof-invalid")
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")


def raw(name: str) -> str:
    """Something in the place of a proof."""
    header = {"typ": "dpop+jwt", "alg": "ES256", "jwk": dict(KEY.as_dict(private=False))}
    claims = {"jti": "x", "htm": "POST", "htu": settings.current().base_url + "/oauth/token", "iat": now()}
    forged = {
        "D16 not a JWT": lambda: "garbage",
        "two segments": lambda: "a.b",
        "empty segments": lambda: "..",
        "D18 no alg": lambda: unsigned({"typ": "dpop+jwt", "jwk": header["jwk"]}, claims, "AA"),
        "D27 none": lambda: unsigned(header | {"alg": "none"}, claims),
        "D28 bad signature": lambda: unsigned(header, claims, b64(b"1" * 64)),
        "D28 short signature": lambda: unsigned(header, claims, "AA"),
        "HS256 with the public key": lambda: signed(header | {"alg": "HS256"}, claims),
        "ES256 with an RSA key": lambda: unsigned(header | {"jwk": dict(RSA_KEY.as_dict(private=False))}, claims, "AA"),
        "payload list": lambda: signed(header, [claims]),
        "payload not UTF-8": lambda: signed(header, b"\xff"),
        "unknown crit": lambda: unsigned(header | {"crit": ["x"]}, claims, "AA"),
        "b64 false": lambda: unsigned(header | {"b64": False, "crit": ["b64"]}, claims, "AA"),
    }
    return forged[name]()


RAW = [
    "D16 not a JWT", "two segments", "empty segments", "D18 no alg", "D27 none", "D28 bad signature",
    "D28 short signature", "HS256 with the public key", "ES256 with an RSA key", "payload list", "payload not UTF-8",
    "unknown crit", "b64 false",
]  # fmt: skip


@pytest.mark.parametrize("name", RAW)
def test_what_is_no_proof_binds_nothing_and_uses_nothing(
    whose: Party, bound: str, wire: FlaskClient, session: Session, name: str
) -> None:
    before = issued(session)
    answer = wire.post("/oauth/token", data=asked(whose), headers={"DPoP": raw(name)})
    assert is_refused(answer, 400, "invalid_dpop_proof")
    assert issued(session) == before
    assert use(wire, bound, raw(name)).status_code == 401


@pytest.mark.parametrize("bad", [{"htm": "GET"}, {"iat": -3600}, {"jti": None}, {"htu": "{base}/oauth/token"}])
def test_a_bad_proof_pushes_nothing(whose: Party, wire: FlaskClient, session: Session, bad: dict[str, Any]) -> None:
    asked_for = whose.named() | {
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    headers = {"DPoP": proof(**{"path": "/oauth/par"} | filled(bad, "/oauth/par"))}
    assert is_refused(wire.post("/oauth/par", data=asked_for, headers=headers), 400, "invalid_dpop_proof")
    assert session.scalar(select(func.count()).select_from(AuthorizationRequest)) == 0
    headers = {"DPoP": proof(path="/oauth/par")}
    assert wire.post("/oauth/par", data=asked_for, headers=headers).status_code == 201


def test_d12_a_bound_token_without_a_proof_opens_nothing(bound: str, wire: FlaskClient) -> None:
    answer = use(wire, bound)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("DPoP ")


def test_d13_a_bound_token_is_no_bearer_token(bound: str, wire: FlaskClient) -> None:
    assert use(wire, bound, scheme="Bearer").status_code == 401
    assert use(wire, bound, own(bound), scheme="Bearer").status_code == 401


def test_a_bearer_token_is_no_bound_one(whose: Party, wire: FlaskClient) -> None:
    token = wire.post("/oauth/token", data=asked(whose)).json["access_token"]
    assert use(wire, token, own(token)).status_code == 401
    assert use(wire, token, scheme="Bearer").status_code == 200


def test_d15_two_proofs_are_refused(whose: Party, bound: str, wire: FlaskClient) -> None:
    assert use(wire, bound, own(bound), own(bound)).status_code == 401
    assert use(wire, bound, f"{own(bound)},{own(bound)}").status_code == 401  # as servers hand two fields on
    headers = Headers([("DPoP", proof()), ("DPoP", proof())])
    assert is_refused(wire.post("/oauth/token", data=asked(whose), headers=headers), 400, "invalid_dpop_proof")


@pytest.mark.parametrize(
    "ath",
    [None, "x", dpop.hash_of("another token"), 5, "\ud800"],
    ids=["D24 none", "D35 wrong", "D35 of another", "number", "surrogate"],
)
def test_a_proof_names_the_token_it_comes_with(bound: str, wire: FlaskClient, ath: object) -> None:
    assert use(wire, bound, own(bound, ath=ath)).status_code == 401


def test_d36_a_proof_by_another_key_opens_nothing(bound: str, wire: FlaskClient) -> None:
    assert use(wire, bound, own(bound, key=OTHER_KEY)).status_code == 401


def test_d34_a_proof_is_good_once(whose: Party, bound: str, wire: FlaskClient) -> None:
    once = own(bound)
    assert [use(wire, bound, once).status_code for _ in range(2)] == [200, 401]
    again = proof()
    assert wire.post("/oauth/token", data=asked(whose), headers={"DPoP": again}).status_code == 200
    assert is_refused(wire.post("/oauth/token", data=asked(whose), headers={"DPoP": again}), 400, "invalid_dpop_proof")


@pytest.mark.parametrize("nonce", [None, "", "made up", 5, "\ud800"])
def test_d39_without_a_nonce_of_ours_one_is_told_which(
    whose: Party, bound: str, wire: FlaskClient, nonce: object
) -> None:
    answer = wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof(nonce=nonce)})
    assert is_refused(answer, 400, "use_dpop_nonce")
    told = answer.headers["DPoP-Nonce"]
    assert wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof(nonce=told)}).status_code == 200
    answer = use(wire, bound, own(bound, nonce=nonce))
    assert answer.status_code == 401
    assert 'error="use_dpop_nonce"' in answer.headers["WWW-Authenticate"]
    assert use(wire, bound, own(bound, nonce=answer.headers["DPoP-Nonce"])).status_code == 200


def test_a_nonce_runs_out(whose: Party, wire: FlaskClient) -> None:
    old = dpop.fresh_nonce()
    with clock.stopped(clock.now() + timedelta(seconds=dpop.NONCE_SECONDS)):
        assert wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof(nonce=old)}).status_code == 200
    with clock.stopped(clock.now() + timedelta(seconds=2 * dpop.NONCE_SECONDS)):
        answer = wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof(nonce=old)})
        assert is_refused(answer, 400, "use_dpop_nonce")


def test_a_client_registered_for_bound_tokens_gets_no_others(app: Flask, wire: FlaskClient, session: Session) -> None:
    whose = party(dpop_bound=True)
    assert is_refused(wire.post("/oauth/token", data=asked(whose)), 400, "invalid_dpop_proof")
    assert issued(session) == 0
    assert wire.post("/oauth/token", data=asked(whose), headers={"DPoP": proof()}).json["token_type"] == "DPoP"
