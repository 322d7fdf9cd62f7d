"""The API as a protected resource: how a token may be presented, and what follows."""

from typing import Any

import pytest
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from marketplace.identity import service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.service import Admission
from marketplace.identity.states import Capacity
from marketplace.kit.transaction import transaction
from tests.identity.conftest import basic, found

OWN = "/v1/organizations/me"


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def test_a_token_opens_what_its_scope_covers(buyer: Admission, wire: FlaskClient, token_of: Any) -> None:
    answer = wire.get(OWN, headers=bearer(token_of(buyer)))
    assert (answer.status_code, answer.json["id"]) == (200, buyer.organization.id)


@pytest.mark.parametrize("scheme", ["bearer", "BEARER", "bEaReR"])
def test_the_scheme_is_case_insensitive(buyer: Admission, wire: FlaskClient, token_of: Any, scheme: str) -> None:
    assert wire.get(OWN, headers={"Authorization": f"{scheme} {token_of(buyer)}"}).status_code == 200


def test_without_a_token_the_challenge_names_no_error(app: Any, wire: FlaskClient) -> None:
    answer = wire.get(OWN)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert "error" not in answer.headers["WWW-Authenticate"]


def test_a_token_in_the_query_or_in_a_form_is_none(buyer: Admission, wire: FlaskClient, token_of: Any) -> None:
    token = token_of(buyer)
    assert wire.get(OWN, query_string={"access_token": token}).status_code == 401
    assert wire.post("/v1/clients", data={"access_token": token}).status_code == 401


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer é", "Token x", "Bearer " + "x" * 100_000]
)
def test_anything_else_in_the_header_is_an_invalid_token(app: Any, wire: FlaskClient, value: str) -> None:
    answer = wire.get(OWN, headers={"Authorization": value})
    assert answer.status_code in {400, 401, 431}
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def test_o108_two_headers_are_an_invalid_request(buyer: Admission, wire: FlaskClient, token_of: Any) -> None:
    token = token_of(buyer)
    for second in (f"Bearer {token}", "Bearer other", "Basic abc"):
        answer = wire.get(OWN, headers=Headers([("Authorization", f"Bearer {token}"), ("Authorization", second)]))
        assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (400, "several-credentials")
        assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]


def test_o108_two_headers_made_one_by_the_server_are_an_invalid_request(
    buyer: Admission, wire: FlaskClient, token_of: Any
) -> None:
    token = token_of(buyer)
    assert wire.get(OWN, headers={"Authorization": f"Bearer {token},Bearer {token}"}).status_code == 400


def test_o108_a_second_token_in_the_address_is_an_invalid_request(
    buyer: Admission, wire: FlaskClient, token_of: Any
) -> None:
    token = token_of(buyer)
    answer = wire.get(OWN, headers=bearer(token), query_string={"access_token": token})
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["WWW-Authenticate"]


@pytest.mark.parametrize("path", ["/oauth/token", "/oauth/introspect", "/oauth/revoke"])
def test_o108_two_headers_authenticate_no_client(buyer: Admission, wire: FlaskClient, path: str) -> None:
    own = basic(buyer.client.id, buyer.secret)["Authorization"]
    headers = Headers([("Authorization", own), ("Authorization", own)])
    answer = wire.post(path, data={"grant_type": "client_credentials", "token": "x"}, headers=headers)
    assert (answer.status_code, answer.json["error"]) == (400, "invalid_request")


def test_a_missing_scope_is_named(buyer: Admission, wire: FlaskClient, token_of: Any) -> None:
    answer = wire.get(OWN, headers=bearer(token_of(buyer, scope="orders:read")))
    assert answer.status_code == 403
    assert 'error="insufficient_scope"' in answer.headers["WWW-Authenticate"]
    assert 'scope="organization:read"' in answer.headers["WWW-Authenticate"]


def test_revocation_and_suspension_bite_at_the_next_request(wire: FlaskClient, ask: Any, token_of: Any) -> None:
    revoked, suspended, bystander = (found(Capacity.BUYER) for _ in range(3))
    tokens = {who.client.id: token_of(who) for who in (revoked, suspended, bystander)}
    ask(revoked, "/oauth/revoke", token=tokens[revoked.client.id])
    with transaction():
        service.suspend_organization(SYSTEM, suspended.organization.id, "規約違反")
    statuses = [wire.get(OWN, headers=bearer(token)).status_code for token in tokens.values()]
    assert statuses == [401, 401, 200]
