"""requests-oauthlib and Authlib act for a person who signed in and consented on the real pages."""

import asyncio
import time

import pytest
import requests
from authlib.integrations.base_client import OAuthError
from authlib.integrations.httpx_client import AsyncOAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from authlib.oauth2.rfc6750 import InvalidTokenError
from authlib.oauth2.rfc7523 import PrivateKeyJWT
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet
from oauthlib.oauth2 import InvalidGrantError
from requests_oauthlib import OAuth2Session as RequestsOAuth2Session

from tests.conformance.conftest import REDIRECT_URI, SCOPE
from tests.conformance.visitor import Visitor

VERIFIER = "correct-horse-battery-staple-0123456789-abcdef"


@pytest.fixture(autouse=True)
def _loopback_without_tls(monkeypatch):
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")


def consented(house, session: OAuth2Session, person: Visitor | None = None) -> dict:
    """Send somebody through the pages, and change the code for tokens."""
    address, state = session.create_authorization_url(house.metadata["authorization_endpoint"], code_verifier=VERIFIER)
    back = (person or house.person).allow(address, REDIRECT_URI)
    return session.fetch_token(
        house.metadata["token_endpoint"], authorization_response=back, code_verifier=VERIFIER, state=state
    )


def authlib(house, client: dict, secret: object = None, **more: object) -> OAuth2Session:
    """Authlib's client for a program that sends people to us."""
    return OAuth2Session(
        client["id"],
        secret or client.get("secret"),
        redirect_uri=REDIRECT_URI,
        scope=SCOPE,
        code_challenge_method="S256",
        trust_env=False,
        **more,
    )


class Signed(PrivateKeyJWT):
    """Authlib's assertions for our issuer (FAPI 2.0 section 5.3.2.1), five minutes long instead of an hour."""

    alg = "ES256"

    def sign(self, auth, token_endpoint):
        self.claims = {"exp": int(time.time()) + 300}  # fresh each time: Authlib would keep the jti in it
        return super().sign(auth, token_endpoint)


def test_requests_oauthlib_acts_for_a_person_and_a_refresh_token_comes_back_once(house):
    client = house.program()
    token_endpoint, secret = house.metadata["token_endpoint"], client["secret"]
    with RequestsOAuth2Session(client["id"], redirect_uri=REDIRECT_URI, scope=SCOPE.split(), pkce="S256") as session:
        address, state = session.authorization_url(house.metadata["authorization_endpoint"])
        back = house.person.allow(address, REDIRECT_URI)
        assert f"state={state}" in back
        first = session.fetch_token(token_endpoint, authorization_response=back, client_secret=secret)
        assert sorted(first["scope"]) == sorted(SCOPE.split())
        assert session.get(house.own, timeout=60).json()["id"] == house.party.organization_id
        auth = requests.auth.HTTPBasicAuth(client["id"], secret)
        second = session.refresh_token(token_endpoint, auth=auth)
        assert second["refresh_token"] != first["refresh_token"]
        assert house.status(second["access_token"]) == 200
        with pytest.raises(InvalidGrantError):
            session.refresh_token(token_endpoint, refresh_token=first["refresh_token"], auth=auth)
        with pytest.raises(InvalidGrantError):  # the copy was told apart from nobody: the whole family is dead
            session.refresh_token(token_endpoint, refresh_token=second["refresh_token"], auth=auth)
    assert (house.status(first["access_token"]), house.status(second["access_token"])) == (401, 401)


def test_requests_oauthlib_understands_a_no(house):
    client = house.program()
    with RequestsOAuth2Session(client["id"], redirect_uri=REDIRECT_URI, scope=SCOPE.split(), pkce="S256") as session:
        address, _state = session.authorization_url(house.metadata["authorization_endpoint"])
        if "/sign-in" in house.person.open(address):
            house.person.sign_in()
        back = house.person.submit("Do not allow", until=REDIRECT_URI)
        with pytest.raises(Exception, match="access_denied"):
            session.fetch_token(
                house.metadata["token_endpoint"], authorization_response=back, client_secret=client["secret"]
            )


@pytest.mark.parametrize("method", ["client_secret_basic", "private_key_jwt", "none"])
def test_authlib_acts_for_a_person_however_its_program_proves_itself(house, method):
    if method == "private_key_jwt":
        client, key = house.keyed_program()
        session = authlib(house, client, key, token_endpoint_auth_method=method)
        session.register_client_auth_method(Signed(house.base_url))
    else:
        client = house.program(authentication_method=method)
        session = authlib(house, client, token_endpoint_auth_method=method)
    with session:
        first = consented(house, session)
        assert session.get(house.own, timeout=60).json()["id"] == house.party.organization_id
        second = session.refresh_token(house.metadata["token_endpoint"])
        assert second["refresh_token"] != first["refresh_token"]
        with pytest.raises(OAuthError) as refusal:
            session.refresh_token(house.metadata["token_endpoint"], refresh_token=first["refresh_token"])
        assert refusal.value.error == "invalid_grant"
    assert house.status(second["access_token"]) == 401


def test_authlib_looks_into_its_tokens_and_ends_them(house):
    client = house.program()
    with authlib(house, client) as session:
        token = consented(house, session)
        looking, ending = house.metadata["introspection_endpoint"], house.metadata["revocation_endpoint"]
        told = session.introspect_token(looking, token=token["refresh_token"]).json()
        assert (told["active"], told["client_id"], told["org"]) == (True, client["id"], house.party.organization_id)
        assert session.revoke_token(ending, token=token["refresh_token"]).status_code == 200
        for dead in (token["refresh_token"], token["access_token"]):
            assert session.introspect_token(looking, token=dead).json() == {"active": False}
    assert house.status(token["access_token"]) == 401


def test_authlib_proves_a_program_for_its_organization_by_a_key(house):
    client, key = house.keyed_program()
    with OAuth2Session(client["id"], key, token_endpoint_auth_method="private_key_jwt", trust_env=False) as session:
        session.register_client_auth_method(Signed(house.base_url))
        token = session.fetch_token(house.metadata["token_endpoint"], grant_type="client_credentials")
        assert session.get(house.own, timeout=60).json()["id"] == house.party.organization_id
    assert "refresh_token" not in token


def test_authlib_acts_for_a_person_from_an_event_loop(house):
    client = house.program()

    async def journey() -> tuple[str, str]:
        async with AsyncOAuth2Client(
            client["id"], client["secret"], redirect_uri=REDIRECT_URI, scope=SCOPE, code_challenge_method="S256",
            trust_env=False, timeout=60,
        ) as session:  # fmt: skip
            address, state = session.create_authorization_url(
                house.metadata["authorization_endpoint"], code_verifier=VERIFIER
            )
            back = house.person.allow(address, REDIRECT_URI)
            await session.fetch_token(
                house.metadata["token_endpoint"], authorization_response=back, code_verifier=VERIFIER, state=state
            )
            renewed = await session.refresh_token(house.metadata["token_endpoint"])
            return (await session.get(house.own)).json()["id"], renewed["access_token"]

    organization_id, token = asyncio.run(journey())
    assert organization_id == house.party.organization_id
    assert house.status(token) == 200


class Validator(JWTBearerTokenValidator):
    """An outsider's resource server, which knows the published keys alone (RFC 9068 section 4)."""

    keys: KeySet

    def get_jwks(self):
        return self.keys


def test_an_outsider_checks_a_persons_token_by_the_published_keys(house):
    with authlib(house, house.program()) as session:
        token = consented(house, session)["access_token"]
    validator = Validator(house.base_url, house.base_url)
    validator.keys = KeySet.import_key_set(requests.get(house.metadata["jwks_uri"], timeout=60).json())
    claims = validator.authenticate_token(token)
    validator.validate_token(claims, ["organization:read"], None)
    assert (claims["acr"], claims["org"]) == ("aal1", house.party.organization_id)
    forged = token[:-4] + ("AAAA" if token[-4:] != "AAAA" else "BBBB")
    with pytest.raises(InvalidTokenError):
        validator.authenticate_token(forged)
    elsewhere = Validator(house.base_url, "https://another.example")
    elsewhere.keys = validator.keys
    with pytest.raises(InvalidTokenError):
        elsewhere.validate_token(elsewhere.authenticate_token(token), [], None)
