"""The token endpoint from outside: what a black-box probe would try."""

import base64
import logging
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import MultiDict
from werkzeug.test import TestResponse

from marketplace.identity import service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import AccessToken
from marketplace.identity.oauth import access_tokens
from marketplace.identity.permissions import scopes_for
from marketplace.identity.service import Admission
from marketplace.identity.states import Capacity, GrantType
from marketplace.kit import settings
from marketplace.kit.transaction import transaction
from tests.factories.identity import ApplicationDraftFactory, actor_of
from tests.identity.conftest import basic

GRANT = {"grant_type": "client_credentials"}


def issued(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(AccessToken))


def is_refusal(answer: TestResponse, status: int, error: str) -> bool:
    """Whether the answer is an RFC 6749 refusal that no cache keeps."""
    assert answer.status_code == status, answer.text
    assert answer.json["error"] == error
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.mimetype == "application/json"
    assert ("WWW-Authenticate" in answer.headers) == (status == 401)
    return True


def test_a_client_gets_a_short_lived_token_and_nothing_else(buyer: Admission, ask: Any) -> None:
    answer = ask(buyer)
    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope"}
    assert answer.json["token_type"] == "Bearer"
    assert 0 < answer.json["expires_in"] <= 600
    assert answer.headers["Cache-Control"] == "no-store"
    assert access_tokens.authenticate(answer.json["access_token"]).client_id == buyer.client.id


def test_a_client_may_send_its_secret_in_the_body(buyer: Admission, wire: FlaskClient) -> None:
    form = GRANT | {"client_id": buyer.client.id, "client_secret": buyer.secret}
    assert wire.post("/oauth/token", data=form).status_code == 200


def test_the_client_id_may_stand_beside_http_basic_if_it_is_the_same(
    buyer: Admission, provider: Admission, ask: Any, session: Session
) -> None:
    assert is_refusal(ask(buyer, client_id=provider.client.id), 400, "invalid_request")
    assert issued(session) == 0
    assert ask(buyer, client_id=buyer.client.id).status_code == 200


def test_the_scheme_is_case_insensitive(buyer: Admission, wire: FlaskClient) -> None:
    header = basic(buyer.client.id, buyer.secret)["Authorization"].replace("Basic", "bASIC")
    assert wire.post("/oauth/token", data=GRANT, headers={"Authorization": header}).status_code == 200


def test_no_scope_asked_means_all_that_the_capacities_allow(buyer: Admission, ask: Any) -> None:
    assert set(ask(buyer).json["scope"].split()) == scopes_for(frozenset({Capacity.BUYER}))
    assert ask(buyer, scope="").json["scope"] == ask(buyer).json["scope"]


def test_a_narrower_scope_is_given_as_asked(buyer: Admission, ask: Any) -> None:
    assert ask(buyer, scope="orders:read data:read data:read").json["scope"] == "data:read orders:read"


@pytest.mark.parametrize(
    "scope", ["market:operate", "orders:read market:operate", "everything", "orders:read\tdata:read", "あ", "\x00", "*"]
)
def test_a_wider_scope_is_refused(buyer: Admission, ask: Any, session: Session, scope: str) -> None:
    assert is_refusal(ask(buyer, scope=scope), 400, "invalid_scope")
    assert issued(session) == 0


def test_a_client_gets_no_more_than_it_was_registered_for(buyer: Admission, ask: Any) -> None:
    with transaction():
        client, secret = service.register_client(SYSTEM, buyer.organization.id, "閲覧のみ", ["orders:read"])
    narrow = Admission(buyer.organization, client, secret)
    assert ask(narrow).json["scope"] == "orders:read"
    assert is_refusal(ask(narrow, scope="data:read"), 400, "invalid_scope")


def test_an_applicant_only_reads_of_itself_until_it_is_verified(app: Any, ask: Any) -> None:
    with transaction():
        applicant = service.apply(ApplicationDraftFactory())
    assert ask(applicant).json["scope"] == "organization:read"
    assert is_refusal(ask(applicant, scope="orders:read"), 400, "invalid_scope")
    with transaction():
        service.admit_application(applicant.organization.id)
        service.verify_organization(SYSTEM, applicant.organization.id)
    assert "orders:write" in ask(applicant).json["scope"]


def test_a_client_without_a_usable_scope_gets_no_empty_token(app: Any, ask: Any) -> None:
    with transaction():
        applicant = service.apply(ApplicationDraftFactory())
        client, secret = service.register_client(SYSTEM, applicant.organization.id, "早すぎる", ["orders:read"])
    assert is_refusal(ask(Admission(applicant.organization, client, secret)), 400, "invalid_scope")


def test_all_who_fail_look_alike(buyer: Admission, wire: FlaskClient, session: Session) -> None:
    with transaction():
        gone, secret = service.register_client(SYSTEM, buyer.organization.id, "停止", ["orders:read"])
        service.suspend_client(SYSTEM, gone.id)
        out = service.found_organization(ApplicationDraftFactory())
        service.suspend_organization(SYSTEM, out.organization.id, "規約違反")
    failing = [
        (buyer.client.id, buyer.secret + "x"),
        (buyer.client.id, buyer.client.secret_sha256),
        ("cli_" + "0" * 32, buyer.secret),
        ("nobody", buyer.secret),
        (gone.id, secret),
        (out.client.id, out.secret),
    ]
    seen = set()
    for client_id, given in failing:
        answer = wire.post("/oauth/token", data=GRANT, headers=basic(client_id, given))
        assert is_refusal(answer, 401, "invalid_client")
        seen.add((answer.data, answer.headers["WWW-Authenticate"]))
    assert len(seen) == 1
    assert issued(session) == 0


@pytest.mark.parametrize("secret", ["ひみつ", "\x00", "\udcff", "a" * 100_000, " ", "%00", "%FF", "+", ":"])
def test_a_hostile_secret_is_a_wrong_secret(buyer: Admission, wire: FlaskClient, session: Session, secret: str) -> None:
    pair = f"{buyer.client.id}:{secret}".encode("utf-8", "surrogateescape")
    headers = {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    if len(secret) < 1000:
        assert is_refusal(wire.post("/oauth/token", data=GRANT, headers=headers), 401, "invalid_client")
    form = GRANT | {"client_id": buyer.client.id, "client_secret": secret.encode("utf-8", "surrogateescape")}
    answer = wire.post("/oauth/token", data=form)
    assert is_refusal(answer, *((401, "invalid_client") if len(secret) < 1000 else (413, "invalid_request")))
    assert issued(session) == 0


@pytest.mark.parametrize(
    "authorization",
    [
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic é",
        "Basic " + base64.b64encode(b"no-colon").decode(),
        "Basic " + base64.b64encode(b":").decode(),
        "Basic " + base64.b64encode(b"\xff\xfe:\xff").decode(),
        "Basic " + base64.b64encode(b"a:b").decode()[:-1],
        "Basic " + base64.b64encode(b"%ff:b").decode(),
        "Basic " + base64.b64encode(b"\x00:\x00").decode(),
        "Basic " + base64.b64encode(b"x" * 300 + b":y").decode(),
        "Basic " + base64.b64encode(b"x:" + b"y" * 2000).decode(),
        "Bearer abc",
        "Digest username=a",
        "x",
        "",
    ],
)
def test_garbage_in_the_header_is_a_failed_authentication(
    wire: FlaskClient, app: Any, session: Session, authorization: str
) -> None:
    answer = wire.post("/oauth/token", data=GRANT, headers={"Authorization": authorization})
    assert is_refusal(answer, 401, "invalid_client")
    assert issued(session) == 0


def test_without_credentials_nobody_is_authenticated(buyer: Admission, wire: FlaskClient, session: Session) -> None:
    for form in (
        GRANT,
        GRANT | {"client_id": buyer.client.id},
        GRANT | {"client_id": buyer.client.id, "client_secret": ""},
    ):
        assert is_refusal(wire.post("/oauth/token", data=form), 401, "invalid_client")
    assert issued(session) == 0


def test_two_methods_at_once_are_refused(buyer: Admission, ask: Any, wire: FlaskClient, session: Session) -> None:
    both = {"client_id": buyer.client.id, "client_secret": buyer.secret}
    assert is_refusal(ask(buyer, **both), 400, "invalid_request")
    assert is_refusal(ask(buyer, client_secret=buyer.secret), 400, "invalid_request")
    assert issued(session) == 0


@pytest.mark.parametrize("query", ["scope=orders:read", "grant_type=client_credentials", "client_secret=x", "x"])
def test_parameters_in_the_query_string_are_refused(
    buyer: Admission, wire: FlaskClient, session: Session, query: str
) -> None:
    headers = basic(buyer.client.id, buyer.secret)
    answer = wire.post(f"/oauth/token?{query}", data=GRANT, headers=headers)
    assert is_refusal(answer, 400, "invalid_request")
    assert issued(session) == 0


def test_a_secret_in_the_query_string_authenticates_nobody(
    buyer: Admission, wire: FlaskClient, session: Session
) -> None:
    query = {"client_id": buyer.client.id, "client_secret": buyer.secret}
    assert is_refusal(wire.post("/oauth/token", query_string=query, data=GRANT), 400, "invalid_request")
    assert issued(session) == 0


@pytest.mark.parametrize("name", ["grant_type", "scope", "client_id", "unknown"])
def test_a_repeated_parameter_is_refused(buyer: Admission, wire: FlaskClient, session: Session, name: str) -> None:
    value = {"grant_type": "client_credentials", "scope": "orders:read", "client_id": buyer.client.id}.get(name, "x")
    form = MultiDict([*((GRANT | {name: value}).items()), (name, value)])
    answer = wire.post("/oauth/token", data=form, headers=basic(buyer.client.id, buyer.secret))
    assert is_refusal(answer, 400, "invalid_request")
    assert issued(session) == 0


def test_only_forms_are_read(buyer: Admission, wire: FlaskClient, session: Session) -> None:
    headers = basic(buyer.client.id, buyer.secret)
    for answer in (
        wire.post("/oauth/token", json=GRANT, headers=headers),
        wire.post("/oauth/token", data="grant_type=client_credentials", headers=headers, content_type="text/plain"),
        wire.post("/oauth/token", data=GRANT, headers=headers, content_type="multipart/form-data"),
        wire.post("/oauth/token", headers=headers),
    ):
        assert is_refusal(answer, 400, "invalid_request")
    assert issued(session) == 0
    form = "application/x-www-form-urlencoded; charset=UTF-8"
    assert wire.post("/oauth/token", data=GRANT, headers=headers, content_type=form).status_code == 200


@pytest.mark.parametrize("method", ["get", "put", "delete", "patch"])
@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/revoke", "/oauth/introspect"])
def test_only_posts_are_answered(wire: FlaskClient, method: str, path: str) -> None:
    answer = getattr(wire, method)(path)
    assert answer.status_code == 405
    assert "POST" in answer.headers["Allow"]


@pytest.mark.parametrize(
    "grant",
    [
        "password",
        "implicit",
        "urn:ietf:params:oauth:grant-type:jwt-bearer",
        "urn:ietf:params:oauth:grant-type:token-exchange",
        "CLIENT_CREDENTIALS",
        "あ",
        "\x00",
    ],
)
def test_other_grants_are_off(buyer: Admission, ask: Any, session: Session, grant: str) -> None:
    assert is_refusal(ask(buyer, grant_type=grant), 400, "unsupported_grant_type")
    assert issued(session) == 0


@pytest.mark.parametrize("grant", [grant.value for grant in GrantType if grant is not GrantType.CLIENT_CREDENTIALS])
def test_a_grant_that_the_client_is_not_registered_for_is_refused(
    buyer: Admission, ask: Any, session: Session, grant: str
) -> None:
    assert is_refusal(ask(buyer, grant_type=grant), 400, "unauthorized_client")
    assert issued(session) == 0


def test_a_grant_must_be_named(buyer: Admission, wire: FlaskClient) -> None:
    for form in ({"scope": "orders:read"}, {"grant_type": ""}):
        answer = wire.post("/oauth/token", data=form, headers=basic(buyer.client.id, buyer.secret))
        assert is_refusal(answer, 400, "invalid_request")


def test_the_exchange_is_the_only_resource(buyer: Admission, ask: Any, session: Session) -> None:
    base = settings.current().base_url
    assert ask(buyer, resource=base).status_code == 200
    assert ask(buyer, resource=[base, base + "/"]).status_code == 200
    kept = issued(session)
    for resource in ("https://evil.example", base + "/v1", base + "#x", [base, "https://evil.example"]):
        assert is_refusal(ask(buyer, resource=resource), 400, "invalid_target")
    assert issued(session) == kept


def test_unknown_parameters_are_ignored(buyer: Admission, ask: Any) -> None:
    assert ask(buyer, future="x", audience="x").status_code == 200


def test_an_enormous_body_is_refused_in_the_words_of_oauth(wire: FlaskClient, app: Any) -> None:
    answer = wire.post("/oauth/token", data={"grant_type": "x" * 100_000})
    assert is_refusal(answer, 413, "invalid_request")


def test_neither_secrets_nor_tokens_reach_the_log(buyer: Admission, ask: Any, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        token = ask(buyer).json["access_token"]
        ask(Admission(buyer.organization, buyer.client, "mk_sk_wrong"))
        ask(buyer, "/oauth/revoke", token=token)
    for secret in (token, buyer.secret, "mk_sk_wrong"):
        assert secret not in caplog.text


def test_a_changed_secret_is_needed_at_once(buyer: Admission, ask: Any) -> None:
    with transaction():
        owner = actor_of(buyer.organization)
        client, secret = service.rotate_client_secret(owner, buyer.client.id)
    assert is_refusal(ask(buyer), 401, "invalid_client")
    assert ask(Admission(buyer.organization, client, secret)).status_code == 200
