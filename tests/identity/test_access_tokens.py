"""Tokens: what is in them, and the many ways of not having one."""

import base64
import hashlib
import hmac
import json
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from flask import Flask
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from joserfc import jws
from joserfc.jwk import ECKey
from sqlalchemy import event, func, select
from sqlalchemy.orm import Session

from marketplace.identity import throttle
from marketplace.identity.errors import InvalidToken
from marketplace.identity.models import AccessToken, ApiClient, FailedAuthentication
from marketplace.identity.oauth import access_tokens, keys
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.identity.states import Capacity
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from tests.factories.identity import ApiClientFactory, OrganizationFactory

pytestmark = pytest.mark.usefixtures("app")


@pytest.fixture
def client(app: Flask) -> ApiClient:
    ApiClientFactory()
    return ApiClientFactory(organization=OrganizationFactory(buyer=True))


@pytest.fixture
def token(client: ApiClient) -> str:
    return access_tokens.issue(Bearer(client.id, client.organization_id, "data:read orders:read"))


def part(token: str, place: int) -> dict[str, Any]:
    text = token.split(".")[place]
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def b64(value: object) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


def signed_by(key: ECKey, header: dict[str, Any], claims: dict[str, Any]) -> str:
    """A token with a good ES256 signature, whatever its header says."""
    text = f"{b64(json.dumps(header, separators=(',', ':')).encode())}.{b64(claims)}"
    r, s = decode_dss_signature(key.private_key.sign(text.encode(), ec.ECDSA(hashes.SHA256())))
    return f"{text}.{b64(r.to_bytes(32, 'big') + s.to_bytes(32, 'big'))}"


def refused(token: str) -> bool:
    try:
        access_tokens.authenticate(token)
    except InvalidToken:
        return True
    return False


def test_a_token_is_an_rfc_9068_jwt(client: ApiClient, token: str) -> None:
    header, claims = part(token, 0), part(token, 1)
    base = settings.current().base_url
    assert header == {"alg": "ES256", "typ": "at+jwt", "kid": keys.current().signing.kid}
    assert {name: claims[name] for name in ("iss", "aud", "sub", "client_id", "org", "scope")} == {
        "iss": base,
        "aud": base,
        "sub": client.id,
        "client_id": client.id,
        "org": client.organization_id,
        "scope": "data:read orders:read",
    }
    assert claims["exp"] - claims["iat"] == settings.current().token_ttl_seconds <= 600
    row = db.session.get(AccessToken, claims["jti"])
    assert (row.client_id, row.revoked_at) == (client.id, None)


def test_the_holder_of_a_token_is_its_client_with_the_capacities_of_now(client: ApiClient, token: str) -> None:
    actor = access_tokens.authenticate(token)
    assert (actor.organization_id, actor.client_id, actor.member_id) == (client.organization_id, client.id, None)
    assert actor.scopes == {"data:read", "orders:read"}
    assert actor.capacities == {Capacity.BUYER}


def test_a_token_is_checked_with_one_query_and_no_object_of_the_orm(session: Session, token: str) -> None:
    session.commit()
    session.expunge_all()
    statements: list[str] = []
    connection = session.connection()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        statements.append(statement)

    event.listen(connection, "before_cursor_execute", note)
    access_tokens.authenticate(token)
    event.remove(connection, "before_cursor_execute", note)
    assert len([statement for statement in statements if statement.startswith("SELECT")]) == 1
    assert not session.identity_map.keys()


def test_a_token_ends_when_its_time_is_over_even_if_it_was_good_before(token: str) -> None:
    assert not refused(token)
    with clock.stopped(clock.now() + timedelta(seconds=settings.current().token_ttl_seconds + 1)):
        assert refused(token)


def test_a_token_ends_at_the_second_of_its_exp(token: str) -> None:
    end = part(token, 1)["exp"]
    with clock.stopped(clock.parse("1970-01-01T00:00:00Z") + timedelta(seconds=end - 1)):
        assert not refused(token)
    with clock.stopped(clock.parse("1970-01-01T00:00:00Z") + timedelta(seconds=end)):
        assert refused(token)


def test_a_revoked_token_dies_at_once_and_its_sibling_lives(client: ApiClient, token: str) -> None:
    sibling = access_tokens.issue(Bearer(client.id, client.organization_id, "data:read"))
    assert not refused(token)
    assert access_tokens.revoke(part(token, 1)["jti"])
    assert not access_tokens.revoke(part(token, 1)["jti"])
    assert refused(token)
    assert not refused(sibling)


def test_a_token_without_a_row_is_no_token(session: Session, token: str) -> None:
    session.delete(session.get(AccessToken, part(token, 1)["jti"]))
    session.flush()
    assert refused(token)


def test_a_token_of_another_issuer_is_no_token_here_though_it_was_good_before(token: str) -> None:
    assert not refused(token)
    settings.install(replace(settings.current(), base_url="https://elsewhere.example.jp"))
    assert refused(token)


@pytest.mark.parametrize(
    "changes",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "https://evil.example"},
        {"aud": ["http://127.0.0.1:8000"]},
        {"aud": None},
        {"sub": "cli_other"},
        {"sub": None},
        {"client_id": None},
        {"client_id": 7},
        {"client_id": "cli_other", "sub": "cli_other"},
        {"org": "org_other"},
        {"org": None},
        {"scope": None},
        {"scope": ["data:read"]},
        {"jti": None},
        {"jti": "tok_unknown"},
        {"iat": None},
        {"iat": "1"},
        {"exp": None},
        {"exp": 0},
        {"exp": -1},
        {"exp": True},
        {"exp": "99999999999"},
        {"exp": 99999999999.5},
        {"exp": float("inf")},
        {"nbf": 1},
        {"nbf": 99999999999},
    ],
)
def test_even_our_own_signature_saves_no_wrong_claim(token: str, changes: dict[str, Any]) -> None:
    claims = part(token, 1) | changes
    forged = access_tokens.sign({name: value for name, value in claims.items() if value is not None})
    assert refused(forged)
    assert not refused(access_tokens.sign(part(token, 1)))


@pytest.mark.parametrize("payload", [b"", b"[]", b"null", b'"text"', b"{", b"\xff", b"[" * 2000])
def test_a_signed_payload_that_is_no_object_is_no_token(payload: bytes) -> None:
    signing = keys.current().signing
    assert refused(jws.serialize_compact(dict(signing.header), payload, signing.key, ["ES256"]))


@pytest.mark.parametrize("algorithm", ["none", "NoNe", "NONE", ""])
def test_a_token_that_asks_for_no_signature_is_no_token(token: str, algorithm: str) -> None:
    header = part(token, 0) | {"alg": algorithm}
    for signature in ("", token.split(".")[2]):
        assert refused(f"{b64(header)}.{token.split('.')[1]}.{signature}")


@pytest.mark.parametrize("form", ["pem", "der", "jwk", "x"])
@pytest.mark.parametrize("header", [{"alg": "HS256"}, {}])
def test_our_public_key_is_no_shared_secret(token: str, form: str, header: dict[str, str]) -> None:
    key = keys.current().signing.key
    secret = {
        "pem": key.as_pem(private=False),
        "der": key.public_key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo),
        "jwk": json.dumps(keys.current().jwks()["keys"][0]).encode(),
        "x": base64.urlsafe_b64decode(keys.current().jwks()["keys"][0]["x"] + "="),
    }[form]
    signed = f"{b64(part(token, 0) | header)}.{token.split('.')[1]}"
    assert refused(f"{signed}.{b64(hmac.digest(secret, signed.encode(), hashlib.sha256))}")


@pytest.mark.parametrize(
    "header",
    [
        {},
        {"jwk": "own"},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert.pem"},
        {"kid": None},
        {"kid": ""},
        {"kid": "../../../../dev/null"},
        {"kid": "' OR 1=1 --"},
        {"kid": "\x00"},
        {"kid": ["a"]},
        {"typ": "JWT"},
        {"typ": "application/at+jwt"},
        {"typ": None},
        {"crit": ["exp"]},
        {"crit": ["unknown"], "unknown": 1},
        {"b64": False},
        {"zip": "DEF"},
        {"alg": "ES384"},
        {"alg": "RS256"},
        {"alg": None},
    ],
)
@pytest.mark.parametrize("signer", ["stranger", "ours"])
def test_a_strangers_header_is_neither_parsed_nor_followed(token: str, header: dict[str, Any], signer: str) -> None:
    stranger = ECKey.generate_key("P-256")
    changed = {name: value for name, value in (part(token, 0) | header).items() if value is not None}
    if "jwk" in changed:
        changed["jwk"] = stranger.as_dict(private=False)
    key = stranger if signer == "stranger" else keys.current().signing.key
    accepted = signer == "ours" and not header
    assert refused(signed_by(key, changed, part(token, 1))) != accepted


def test_a_tampered_or_cut_token_is_no_token(token: str) -> None:
    header, payload, signature = token.split(".")
    more = b64(part(token, 1) | {"scope": "market:operate"})
    other = b64(bytes(64))
    for forged in (
        f"{header}.{more}.{signature}",
        f"{header}.{payload}.",
        f"{header}.{payload}",
        f"{header}.{payload}.{other}",
        f"{header}.{payload}.{signature}.{signature}",
        f"{header}..{signature}",
        f"{header}.{payload}.{signature[:-8]}",
        f"{header}",
        f".{payload}.{signature}",
        f"{header}.{payload}.{signature}\n{header}",
        json.dumps({"protected": header, "payload": payload, "signature": signature}),
    ):
        assert refused(forged), forged


@pytest.mark.parametrize(
    "text", ["", ".", "..", "...", "x" * 100_000, "\x00", "\ud800", "あ", "eyJ" + "[" * 3000, "{}.{}.{}"]
)
def test_other_texts_are_no_tokens(text: str) -> None:
    assert refused(text)
    assert refused(f"{keys.current().signing.header_segment}.{text}")


@given(st.text(max_size=200))
@hypothesis_settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
def test_nothing_behind_our_header_but_our_signature_passes(text: str) -> None:
    with pytest.raises(InvalidToken):
        access_tokens.verify(f"{keys.current().signing.header_segment}.{text}")


def test_a_token_is_longer_than_no_limit(token: str) -> None:
    claims = part(token, 1) | {"scope": "x" * access_tokens.LENGTH_MAX}
    assert refused(access_tokens.sign(claims))


def test_the_memory_of_verified_tokens_is_bounded() -> None:
    memory = access_tokens.VerifiedTokens(size_max=2)
    claims = access_tokens.Claims("tok", "cli", "org", "", "iss", 0, 1)
    for name in (b"a", b"b", b"c"):
        memory.keep(name, claims)
    assert len(memory) == 2
    assert memory.find(b"a") is None
    assert memory.find(b"c") is claims


def test_a_forged_token_is_not_remembered(token: str) -> None:
    access_tokens.authenticate(token)
    size = len(access_tokens._verified)
    header, payload, _ = token.split(".")
    assert refused(f"{header}.{payload}.{b64(bytes(64))}")
    assert len(access_tokens._verified) == size


def test_rows_that_have_run_out_are_forgotten_and_others_kept(session: Session, token: str) -> None:
    throttle.count_failure("someone")
    session.commit()
    access_tokens.forget_expired()
    throttle.forget_ended()
    assert not refused(token)
    counts = (select(func.count()).select_from(model) for model in (AccessToken, FailedAuthentication))
    assert [session.scalar(count) for count in counts] == [1, 1]
    with clock.stopped(clock.now() + timedelta(hours=1)):
        access_tokens.forget_expired()
        throttle.forget_ended()
    counts = (select(func.count()).select_from(model) for model in (AccessToken, FailedAuthentication))
    assert [session.scalar(count) for count in counts] == [0, 0]
