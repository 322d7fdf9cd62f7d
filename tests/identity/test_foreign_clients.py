"""Other people's OAuth clients against a server that really listens."""

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from flask import Flask
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError, InvalidScopeError
from requests_oauthlib import OAuth2Session as RequestsOAuth2Session
from werkzeug.serving import make_server

from marketplace.identity.oauth import access_tokens
from marketplace.identity.service import Admission
from marketplace.identity.states import Capacity
from marketplace.kit import settings
from tests.identity.conftest import found


@pytest.fixture
def base(own_database: Flask) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, own_database, threaded=True)
    address = f"http://127.0.0.1:{server.server_port}"
    settings.install(replace(settings.current(), base_url=address))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def seller(base: str) -> Admission:
    return found(Capacity.PROVIDER)


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_gets_sees_and_ends_a_token(base: str, seller: Admission, method: str) -> None:
    with OAuth2Session(
        seller.client.id, seller.secret, token_endpoint_auth_method=method, scope="catalog:write", trust_env=False
    ) as session:
        token = session.fetch_token(f"{base}/oauth/token", grant_type="client_credentials")
        assert token["scope"] == "catalog:write"
        text = token["access_token"]
        assert access_tokens.authenticate(text).organization_id == seller.organization.id
        assert session.introspect_token(f"{base}/oauth/introspect", token=text).json()["active"]
        assert session.revoke_token(f"{base}/oauth/revoke", token=text).status_code == 200
        assert not session.introspect_token(f"{base}/oauth/introspect", token=text).json()["active"]


def test_authlib_understands_a_refusal(base: str, seller: Admission) -> None:
    with (
        OAuth2Session(seller.client.id, "mk_sk_wrong", trust_env=False) as session,
        pytest.raises(OAuthError) as refusal,
    ):
        session.fetch_token(f"{base}/oauth/token", grant_type="client_credentials")
    assert refusal.value.error == "invalid_client"


@pytest.mark.parametrize("in_body", [False, True])
def test_requests_oauthlib_gets_a_token(
    base: str, seller: Admission, in_body: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with RequestsOAuth2Session(client=BackendApplicationClient(seller.client.id, scope=["catalog:read"])) as session:
        session.trust_env = False
        how = {"include_client_id": True, "client_id": seller.client.id} if in_body else {}
        token = session.fetch_token(f"{base}/oauth/token", client_secret=seller.secret, **how)
        assert token["scope"] == ["catalog:read"]
        assert access_tokens.authenticate(token["access_token"]).client_id == seller.client.id


def test_requests_oauthlib_understands_refusals(base: str, seller: Admission, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    wrong = BackendApplicationClient(seller.client.id)
    greedy = BackendApplicationClient(seller.client.id, scope=["market:operate"])
    for client, secret, expected in (
        (wrong, "mk_sk_wrong", InvalidClientError),
        (greedy, seller.secret, InvalidScopeError),
    ):
        with RequestsOAuth2Session(client=client) as session:
            session.trust_env = False
            with pytest.raises(expected):
                session.fetch_token(f"{base}/oauth/token", client_secret=secret)
