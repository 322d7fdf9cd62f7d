"""What the exchange says of itself."""

import pytest
from authlib.oauth2.rfc8414 import AuthorizationServerMetadata
from flask.testing import FlaskClient
from joserfc import jwt
from joserfc.jwk import KeySet

from marketplace.identity.oauth.demands import HOUR_SCOPE
from marketplace.identity.permissions import PERMISSIONS
from marketplace.identity.service import Admission
from marketplace.identity.states import GrantType
from marketplace.kit import settings

WELL_KNOWN = "/.well-known/oauth-authorization-server"


def test_the_authorization_server_describes_itself_truly(wire: FlaskClient) -> None:
    document = wire.get(WELL_KNOWN).json
    AuthorizationServerMetadata(document).validate()
    assert document["issuer"] == settings.current().base_url
    assert document["response_types_supported"] == ["code"]
    assert set(document["grant_types_supported"]) == {grant.value for grant in GrantType}
    methods = ["private_key_jwt", "client_secret_basic", "client_secret_post", "none"]
    assert document["token_endpoint_auth_methods_supported"] == methods
    assert set(document["scopes_supported"]) == {rule.scope for rule in PERMISSIONS.values() if rule.scope} | {
        HOUR_SCOPE
    }
    for name in (
        "token_endpoint",
        "revocation_endpoint",
        "introspection_endpoint",
        "pushed_authorization_request_endpoint",
        "device_authorization_endpoint",
    ):
        path = document[name].removeprefix(document["issuer"])
        assert wire.post(path, data={"x": "y"}).status_code in {400, 401}
    assert wire.get(document["jwks_uri"].removeprefix(document["issuer"])).status_code == 200


def test_the_issuer_is_not_what_a_host_header_says(wire: FlaskClient) -> None:
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    for path in (WELL_KNOWN, "/.well-known/oauth-protected-resource"):
        answer = wire.get(path, headers=headers)
        assert answer.status_code == 400
        assert "evil" not in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "localhost:1"},
        {"X-Forwarded-Host": "evil.example", "X-Forwarded-Proto": "https"},
        {"Forwarded": "host=evil.example;proto=https"},
        {"X-Original-Host": "evil.example", "X-Forwarded-Prefix": "/evil"},
    ],
)
def test_o120_the_issuer_is_the_configured_one_whatever_the_headers_say(
    wire: FlaskClient, headers: dict[str, str]
) -> None:
    base = settings.current().base_url
    document = wire.get(WELL_KNOWN, headers=headers).json
    assert document["issuer"] == base
    addresses = [value for name, value in document.items() if name.endswith(("_endpoint", "_uri", "_documentation"))]
    assert len(addresses) > 6
    assert all(address.startswith(f"{base}/") for address in addresses)
    resource = wire.get("/.well-known/oauth-protected-resource", headers=headers).json
    assert (resource["resource"], resource["authorization_servers"]) == (base, [base])


def test_the_resource_names_its_authorization_server(wire: FlaskClient) -> None:
    document = wire.get("/.well-known/oauth-protected-resource").json
    assert document["resource"] == settings.current().base_url
    assert document["authorization_servers"] == [wire.get(WELL_KNOWN).json["issuer"]]
    assert document["bearer_methods_supported"] == ["header"]


def test_a_foreign_resource_server_verifies_a_token_with_the_published_keys(
    wire: FlaskClient, buyer: Admission, token_of: object
) -> None:
    answer = wire.get("/oauth/jwks.json")
    assert answer.mimetype == "application/jwk-set+json"
    assert answer.cache_control.max_age == 300
    assert all("d" not in key for key in answer.json["keys"])
    token = jwt.decode(token_of(buyer), KeySet.import_key_set(answer.json), algorithms=["ES256"])
    assert token.claims["client_id"] == buyer.client.id
