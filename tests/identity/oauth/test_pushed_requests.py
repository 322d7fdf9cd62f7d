"""Authorization requests, pushed before the browser is sent or brought by it: the hostile cases."""

from datetime import timedelta
from typing import Any

import pytest
from authlib.oauth2 import OAuth2Error
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict

from marketplace.identity.oauth import authorization_requests
from marketplace.identity.oauth.authorization_requests import Refused, Unredirectable
from marketplace.identity.oauth.models import AuthorizationRequest, DeviceAuthorization
from marketplace.kit import clock, settings
from marketplace.kit.transaction import transaction
from tests.identity.oauth.people import (
    CHALLENGE,
    KEY,
    OTHER_KEY,
    PUBLIC,
    REDIRECT_URI,
    Party,
    is_refused,
    keyed,
    party,
    proof,
)


@pytest.fixture
def whose(app: Flask) -> Party:
    return party()


def asked(whose: Party, **changes: Any) -> dict[str, Any]:
    facts = {
        "client_id": whose.client.id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
        "scope": "grants:read",
        "state": "s",
    }
    return {name: value for name, value in (facts | changes).items() if value is not None}


def kept(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AuthorizationRequest))


def receive(**parameters: str) -> authorization_requests.Kept:
    with transaction():
        return authorization_requests.receive(list(parameters.items()))


def pushed(wire: FlaskClient, whose: Party, **changes: Any) -> str:
    answer = wire.post("/oauth/par", data=asked(whose, **changes) | whose.named())
    assert answer.status_code == 201, answer.text
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json["expires_in"] == 60
    return str(answer.json["request_uri"])


@pytest.mark.parametrize("kind", [{}, PUBLIC, keyed()], ids=["secret", "public", "key"])
def test_a_pushed_request_is_opened_by_its_address(app: Flask, wire: FlaskClient, kind: dict[str, Any]) -> None:
    whose = party(**kind)
    opened = receive(client_id=whose.client.id, request_uri=pushed(wire, whose), scope="orders:write", state="other")
    assert (opened.request.scope, opened.request.state) == ("grants:read", "s")


def test_d1_a_client_that_must_push_cannot_do_without(app: Flask, wire: FlaskClient, session: Session) -> None:
    whose = party(par_required=True)
    with pytest.raises(Refused) as refusal:
        receive(**asked(whose))
    assert refusal.value.error.error == "invalid_request"
    assert kept(session) == 0
    assert receive(client_id=whose.client.id, request_uri=pushed(wire, whose)).request.redirect_uri == REDIRECT_URI


def test_d2_a_pushed_request_is_opened_once(whose: Party, wire: FlaskClient) -> None:
    request_uri = pushed(wire, whose)
    receive(client_id=whose.client.id, request_uri=request_uri)
    with pytest.raises(Unredirectable):
        receive(client_id=whose.client.id, request_uri=request_uri)


@pytest.mark.parametrize(("seconds", "opens"), [(59, True), (60, False)], ids=["in time", "D3 too late"])
def test_a_pushed_request_waits_a_minute(whose: Party, wire: FlaskClient, seconds: int, opens: bool) -> None:
    request_uri = pushed(wire, whose)
    with clock.stopped(clock.now() + timedelta(seconds=seconds)):
        if opens:
            assert receive(client_id=whose.client.id, request_uri=request_uri)
            return
        with pytest.raises(Unredirectable):
            receive(client_id=whose.client.id, request_uri=request_uri)


def test_d4_a_pushed_request_is_its_own_clients(whose: Party, wire: FlaskClient) -> None:
    request_uri = pushed(wire, whose)
    with pytest.raises(Unredirectable):
        receive(client_id=party().client.id, request_uri=request_uri)
    assert receive(client_id=whose.client.id, request_uri=request_uri)


@pytest.mark.parametrize("request_uri", ["x", "https://evil.example/", "urn:ietf:params:oauth:request_uri:x", "\x00"])
def test_a_request_that_nobody_pushed_is_not_opened(whose: Party, request_uri: str) -> None:
    with pytest.raises(Unredirectable):
        receive(client_id=whose.client.id, request_uri=request_uri)


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "D5 request_uri inside": ({"request_uri": "urn:ietf:params:oauth:request_uri:x"}, "invalid_request"),
    "D5 request object inside": ({"request": "a.b.c"}, "invalid_request"),
    "D8 no challenge": ({"code_challenge": None}, "invalid_request"),
    "D8 plain": ({"code_challenge_method": "plain"}, "invalid_request"),
    "D8 no method": ({"code_challenge_method": None}, "invalid_request"),
    "short challenge": ({"code_challenge": CHALLENGE[:42]}, "invalid_request"),
    "challenge of a bad alphabet": ({"code_challenge": CHALLENGE[:42] + "="}, "invalid_request"),
    "D9 other redirect_uri": ({"redirect_uri": "https://evil.example/"}, "invalid_request"),
    "D9 no redirect_uri": ({"redirect_uri": None}, "invalid_request"),
    "D9 redirect_uri with a slash": ({"redirect_uri": REDIRECT_URI + "/"}, "invalid_request"),
    "D9 redirect_uri with a query": ({"redirect_uri": REDIRECT_URI + "?x=y"}, "invalid_request"),
    "D9 redirect_uri in capitals": ({"redirect_uri": REDIRECT_URI.upper()}, "invalid_request"),
    "no response_type": ({"response_type": None}, "invalid_request"),
    "implicit": ({"response_type": "token"}, "unsupported_response_type"),
    "hybrid": ({"response_type": "code id_token"}, "unsupported_response_type"),
    "fragment": ({"response_mode": "fragment"}, "invalid_request"),
    "unknown scope": ({"scope": "everything"}, "invalid_scope"),
    "scope beyond the client": ({"scope": "market:operate"}, "invalid_scope"),
    "other resource": ({"resource": "https://other.example"}, "invalid_target"),
    "long state": ({"state": "s" * 5000}, "invalid_request"),
    "max_age of letters": ({"max_age": "soon"}, "invalid_request"),
    "details that are no JSON": ({"authorization_details": "x"}, "invalid_authorization_details"),
    "details of another type": ({"authorization_details": '[{"type": "x"}]'}, "invalid_authorization_details"),
    "details without an identifier": (
        {"authorization_details": '[{"type": "musubi_grant"}]'},
        "invalid_authorization_details",
    ),
    "details of a thousand lists": ({"authorization_details": "[" * 3000}, "invalid_authorization_details"),
    "details none": ({"authorization_details": "[]"}, "invalid_authorization_details"),
    "dpop_jkt of another key": ({"dpop_jkt": OTHER_KEY.thumbprint()}, "invalid_request"),
}


@pytest.mark.parametrize(("changes", "error"), BAD.values(), ids=BAD.keys())
def test_a_bad_request_is_refused_in_json_and_not_kept(
    whose: Party, wire: FlaskClient, session: Session, changes: dict[str, Any], error: str
) -> None:
    headers = {"DPoP": proof(path="/oauth/par")} if "dpop_jkt" in changes else {}
    answer = wire.post("/oauth/par", data=asked(whose, **changes) | whose.named(), headers=headers)
    assert is_refused(answer, 400, error)
    assert "Location" not in answer.headers
    assert kept(session) == 0


@pytest.mark.parametrize("name", ["client_id", "code_challenge", "scope", "state", "redirect_uri"])
def test_d7_a_repeated_parameter_is_refused(whose: Party, wire: FlaskClient, session: Session, name: str) -> None:
    form = MultiDict([*(asked(whose) | whose.named()).items(), (name, asked(whose)[name])])
    assert is_refused(wire.post("/oauth/par", data=form), 400, "invalid_request")
    assert kept(session) == 0


def test_the_resource_may_be_repeated(whose: Party, wire: FlaskClient) -> None:
    base = settings.current().base_url
    form = MultiDict([*(asked(whose) | whose.named()).items(), ("resource", base), ("resource", base)])
    assert wire.post("/oauth/par", data=form).status_code == 201


@pytest.mark.parametrize("path", ["/oauth/par", "/oauth/device_authorization"])
def test_what_is_no_plain_form_is_not_taken(app: Flask, wire: FlaskClient, session: Session, path: str) -> None:
    whose = party(**PUBLIC)
    form = asked(whose)
    for answer in (
        wire.post(f"{path}?scope=grants:read", data=form),
        wire.post(path, query_string=form, data={"x": "y"}),
        wire.post(path, json=form),
        wire.post(path, data=form, content_type="multipart/form-data"),
    ):
        assert is_refused(answer, 400, "invalid_request")
    assert kept(session) == session.scalar(select(func.count()).select_from(DeviceAuthorization)) == 0
    assert wire.post(path, data=form).status_code in {200, 201}


def test_d6_only_posts_push(wire: FlaskClient) -> None:
    for path in ("/oauth/par", "/oauth/device_authorization"):
        assert wire.get(path).status_code == 405


def test_only_the_client_itself_pushes(whose: Party, wire: FlaskClient, session: Session) -> None:
    refused = wire.post("/oauth/par", data=asked(whose) | whose.named() | {"client_secret": "wrong"})
    assert is_refused(refused, 401, "invalid_client")
    assert is_refused(wire.post("/oauth/par", data=asked(whose)), 401, "invalid_client")
    assert kept(session) == 0


def test_d10_the_key_of_a_push_binds_the_code(whose: Party, wire: FlaskClient) -> None:
    headers = {"DPoP": proof(path="/oauth/par")}
    answer = wire.post("/oauth/par", data=asked(whose) | whose.named(), headers=headers)
    opened = receive(client_id=whose.client.id, request_uri=answer.json["request_uri"])
    assert opened.request.dpop_jkt == KEY.thumbprint()


def test_d10_the_key_that_a_push_names_binds_the_code_as_well(whose: Party, wire: FlaskClient) -> None:
    request_uri = pushed(wire, whose, dpop_jkt=KEY.thumbprint())
    opened = receive(client_id=whose.client.id, request_uri=request_uri, dpop_jkt=OTHER_KEY.thumbprint())
    assert opened.request.dpop_jkt == KEY.thumbprint()


@pytest.mark.parametrize("uri", ["http://127.0.0.1:49152/cb", "http://127.0.0.1/cb"])
def test_on_the_loopback_any_port_will_do(app: Flask, wire: FlaskClient, uri: str) -> None:
    whose = party(**PUBLIC | {"redirect_uris": ["http://127.0.0.1/cb"]})
    assert pushed(wire, whose, redirect_uri=uri)


@pytest.mark.parametrize(
    "uri", ["http://127.0.0.1.evil.example/cb", "http://127.0.0.1@evil.example/cb", "http://127.0.0.1:1/other", "x"]
)
def test_on_the_loopback_nothing_else_will(app: Flask, wire: FlaskClient, session: Session, uri: str) -> None:
    whose = party(**PUBLIC | {"redirect_uris": ["http://127.0.0.1/cb"]})
    answer = wire.post("/oauth/par", data=asked(whose, redirect_uri=uri) | whose.named())
    assert is_refused(answer, 400, "invalid_request")
    assert kept(session) == 0


def test_a_request_without_pushing_is_read_by_the_same_rules(whose: Party) -> None:
    for changes, error in BAD.values():
        if {"request_uri", "redirect_uri", "dpop_jkt"} & set(changes):
            continue
        with pytest.raises((Refused, OAuth2Error)) as refusal:
            receive(**asked(whose, **changes))
        assert getattr(refusal.value, "error", None) is not None, error
