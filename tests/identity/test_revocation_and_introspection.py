"""Ending tokens and looking into them: one's own, and nobody else's."""

from typing import Any

import pytest
from flask.testing import FlaskClient

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity import service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.errors import InvalidToken
from marketplace.identity.oauth import access_tokens
from marketplace.identity.service import Admission
from marketplace.identity.states import Capacity
from marketplace.kit import settings
from marketplace.kit.transaction import transaction
from tests.identity.conftest import basic, found

ENDPOINTS = ["/oauth/revoke", "/oauth/introspect"]


def lives(token: str) -> bool:
    try:
        access_tokens.authenticate(token)
    except InvalidToken:
        return False
    return True


@pytest.mark.parametrize(
    "hint", [{}, {"token_type_hint": "access_token"}, {"token_type_hint": "refresh_token"}, {"token_type_hint": "?"}]
)
def test_a_client_ends_its_own_token_at_once_whatever_the_hint(
    buyer: Admission, ask: Any, token_of: Any, hint: dict
) -> None:
    token, sibling = token_of(buyer), token_of(buyer)
    answer = ask(buyer, "/oauth/revoke", token=token, **hint)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (200, "no-store")
    assert not lives(token)
    assert lives(sibling)
    assert ask(buyer, "/oauth/introspect", token=token).json == {"active": False}


def test_ending_a_token_is_recorded_once(buyer: Admission, ask: Any, token_of: Any) -> None:
    token = token_of(buyer)
    for _ in range(2):
        assert ask(buyer, "/oauth/revoke", token=token).status_code == 200
    entries = record.search_entries(record.Search(verb=Verb.TOKEN_REVOKED.value)).items
    assert [placed.entry.client_id for placed in entries] == [buyer.client.id]
    assert token not in entries[0].entry.canonical


@pytest.mark.parametrize("text", ["unknown", "a.b.c", "\x00", "あ", "x" * 9000])
def test_an_unknown_token_is_ended_already_and_not_active(buyer: Admission, ask: Any, text: str) -> None:
    assert ask(buyer, "/oauth/revoke", token=text).status_code == 200
    assert ask(buyer, "/oauth/introspect", token=text).json == {"active": False}


def test_the_token_of_another_is_not_ended(buyer: Admission, provider: Admission, ask: Any, token_of: Any) -> None:
    token = token_of(provider)
    answer = ask(buyer, "/oauth/revoke", token=token)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_grant")
    assert lives(token)


def test_a_client_sees_what_is_in_its_own_token(buyer: Admission, ask: Any, token_of: Any) -> None:
    answer = ask(buyer, "/oauth/introspect", token=token_of(buyer, scope="orders:read"))
    base = settings.current().base_url
    assert answer.headers["Cache-Control"] == "no-store"
    seen = dict(answer.json)
    assert seen.pop("exp") - seen.pop("iat") == settings.current().token_ttl_seconds
    assert seen.pop("jti").startswith("tok_")
    assert seen == {
        "active": True,
        "scope": "orders:read",
        "client_id": buyer.client.id,
        "sub": buyer.client.id,
        "token_type": "Bearer",
        "iss": base,
        "aud": base,
        "org": buyer.organization.id,
    }


@pytest.mark.parametrize("capacity", list(Capacity))
def test_nobody_sees_into_the_token_of_another(buyer: Admission, ask: Any, token_of: Any, capacity: Capacity) -> None:
    assert ask(found(capacity), "/oauth/introspect", token=token_of(buyer)).json == {"active": False}


def test_the_token_of_a_suspended_client_is_not_active(buyer: Admission, ask: Any, token_of: Any) -> None:
    token = token_of(buyer)
    with transaction():
        service.suspend_client(SYSTEM, buyer.client.id)
    assert not lives(token)
    assert ask(buyer, "/oauth/introspect", token=token).status_code == 401


@pytest.mark.parametrize("path", ENDPOINTS)
def test_strangers_are_not_answered(buyer: Admission, wire: FlaskClient, token_of: Any, path: str) -> None:
    token = token_of(buyer)
    for headers in ({}, basic(buyer.client.id, "mk_sk_wrong"), {"Authorization": f"Bearer {token}"}):
        answer = wire.post(path, data={"token": token}, headers=headers)
        assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    assert lives(token)


@pytest.mark.parametrize("path", ENDPOINTS)
def test_a_token_must_be_named_once_and_in_the_body(
    buyer: Admission, wire: FlaskClient, token_of: Any, path: str
) -> None:
    token, headers = token_of(buyer), basic(buyer.client.id, buyer.secret)
    for answer in (
        wire.post(path, data={"hint": "x"}, headers=headers),
        wire.post(path, data={"token": ""}, headers=headers),
        wire.post(path, data={"token": [token, token]}, headers=headers),
        wire.post(f"{path}?token={token}", data={"x": "y"}, headers=headers),
        wire.post(path, json={"token": token}, headers=headers),
    ):
        assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")
    assert lives(token)
