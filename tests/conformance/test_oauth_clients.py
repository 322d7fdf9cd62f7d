"""Foreign OAuth software against the started server: Authlib, requests-oauthlib, joserfc."""

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from joserfc import jwt
from joserfc.jwk import KeySet
from oauthlib.oauth2 import BackendApplicationClient, InvalidClientError
from requests_oauthlib import OAuth2Session as RequestsOAuth2Session

from marketplace.demo import cast
from tests import live


@pytest.fixture(scope="module")
def exchange(tmp_path_factory, clone):
    with live.exchange(tmp_path_factory.mktemp("oauth"), clone()) as started:
        yield started


@pytest.fixture(scope="module")
def operator(exchange):
    return exchange.found("operator", cast.OPERATOR)


@pytest.fixture(scope="module")
def metadata(exchange):
    return requests.get(f"{exchange.base_url}/.well-known/oauth-authorization-server", timeout=180).json()


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_authlib_trades_a_secret_for_a_token_and_ends_it(operator, metadata, method):
    with OAuth2Session(
        operator.client_id, operator.client_secret, token_endpoint_auth_method=method, trust_env=False
    ) as session:
        token = session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")["access_token"]
        assert session.get(f"{metadata['issuer']}/v1/organizations", timeout=180).status_code == 200
        told = session.introspect_token(metadata["introspection_endpoint"], token=token).json()
        assert (told["active"], told["client_id"]) == (True, operator.client_id)
        assert session.revoke_token(metadata["revocation_endpoint"], token=token).status_code == 200
        assert session.introspect_token(metadata["introspection_endpoint"], token=token).json() == {"active": False}
        assert session.get(f"{metadata['issuer']}/v1/organizations", timeout=180).status_code == 401


def test_requests_oauthlib_trades_a_secret_for_a_token(operator, metadata, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # the loopback has no TLS
    with RequestsOAuth2Session(client=BackendApplicationClient(operator.client_id)) as session:
        token = session.fetch_token(
            metadata["token_endpoint"], client_id=operator.client_id, client_secret=operator.client_secret
        )
        assert token["token_type"] == "Bearer"
        assert session.get(f"{metadata['issuer']}/v1/organizations", timeout=180).status_code == 200


def test_both_clients_understand_a_wrong_secret(operator, metadata, monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")
    with (
        OAuth2Session(operator.client_id, "mk_sk_wrong", trust_env=False) as session,
        pytest.raises(OAuthError) as refusal,
    ):
        session.fetch_token(metadata["token_endpoint"], grant_type="client_credentials")
    assert refusal.value.error == "invalid_client"
    with (
        RequestsOAuth2Session(client=BackendApplicationClient(operator.client_id)) as session,
        pytest.raises(InvalidClientError),
    ):
        session.fetch_token(metadata["token_endpoint"], client_id=operator.client_id, client_secret="mk_sk_wrong")


def test_a_token_is_verified_offline_with_the_published_keys(operator, metadata):
    keys = KeySet.import_key_set(requests.get(metadata["jwks_uri"], timeout=180).json())
    token = jwt.decode(operator.token(), keys, algorithms=["ES256"])
    assert token.header["typ"] == "at+jwt"  # RFC 9068 section 2.1
    assert token.header["kid"] in {key.kid for key in keys.keys}
    rules = jwt.JWTClaimsRegistry(
        iss={"essential": True, "value": metadata["issuer"]},
        aud={"essential": True, "value": metadata["issuer"]},
        client_id={"essential": True, "value": operator.client_id},
        **{name: {"essential": True} for name in ("exp", "iat", "jti", "sub", "scope")},
    )
    rules.validate(token.claims)
    assert all("d" not in key.as_dict(private=False) for key in keys.keys)


def test_the_two_metadata_documents_are_valid_and_agree(exchange, metadata):
    described = AuthorizationServerMetadata(metadata)
    # On the loopback there is no TLS, which RFC 8414 asks of every address; everything else must hold.
    for name in AuthorizationServerMetadata.REGISTRY_KEYS:
        if name in metadata and "http://" not in str(metadata[name]):
            getattr(described, f"validate_{name}")()
    assert metadata["issuer"] == exchange.base_url
    resource = requests.get(f"{exchange.base_url}/.well-known/oauth-protected-resource", timeout=180).json()
    assert resource["authorization_servers"] == [metadata["issuer"]]
    assert set(resource["scopes_supported"]) <= set(metadata["scopes_supported"])
    for name, address in metadata.items():
        if name.endswith("_endpoint") and name != "authorization_endpoint":  # that one is for browsers
            assert requests.post(address, timeout=180).status_code in {400, 401}, name


def test_a_refused_request_points_to_the_resource_metadata(exchange):
    refused = requests.get(f"{exchange.base_url}/v1/grants", timeout=180)
    assert refused.status_code == 401
    assert refused.headers["WWW-Authenticate"].startswith("Bearer ")
    assert f"{exchange.base_url}/.well-known/oauth-protected-resource" in refused.headers["WWW-Authenticate"]
