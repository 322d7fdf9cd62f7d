"""The API as a protected resource: how a token may be presented, and what follows."""

import base64
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session
from werkzeug.datastructures import Headers

from marketplace.identity import service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import ApiClient
from marketplace.identity.oauth import keys
from marketplace.identity.service import Admission
from marketplace.identity.states import Capacity
from marketplace.kit import secret_files, settings
from marketplace.kit.transaction import transaction
from tests.identity.conftest import basic, found
from tests.identity.oauth.people import OTHER_KEY, RSA_KEY, public, signed, unsigned

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


def test_a_token_in_the_query_or_in_a_form_is_none(
    buyer: Admission, wire: FlaskClient, session: Session, token_of: Any
) -> None:
    token, clients = token_of(buyer), select(func.count()).select_from(ApiClient)
    before = session.scalar(clients)
    assert wire.get(OWN, query_string={"access_token": token}).status_code == 401
    assert wire.post("/v1/clients", data={"access_token": token}).status_code == 401
    assert session.scalar(clients) == before


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Basic abc", "Bearer a b", "Bearer é", "Token x", "Bearer " + "x" * 100_000]
)
def test_anything_else_in_the_header_is_an_invalid_token(app: Any, wire: FlaskClient, value: str) -> None:
    answer = wire.get(OWN, headers={"Authorization": value})
    assert answer.status_code in {400, 401, 431}
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]


def said_in(segment: str) -> dict[str, Any]:
    return dict(json.loads(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))))


def forged(name: str, token: str) -> str:
    """What somebody makes of a good token, or in its place."""
    ours, (head, payload, signature) = keys.current().signing.key, token.split(".")
    header, claims = said_in(head), said_in(payload)
    spoken = {name: value for name, value in claims.items() if name not in {"client_id", "org", "scope", "jti"}}
    id_token = spoken | {"aud": claims["client_id"], "nonce": "n", "auth_time": claims["iat"]}
    made = {
        "O68 for another resource": lambda: signed(header, claims | {"aud": "https://other.example"}, ours),
        "O91 none": lambda: unsigned(header | {"alg": "none"}, claims),
        "O91 NoNe": lambda: unsigned(header | {"alg": "NoNe"}, claims, signature),
        "O92 HS256": lambda: signed(header | {"alg": "HS256"}, claims, ours),
        "O93 embedded jwk": lambda: signed(header | {"jwk": public(OTHER_KEY)}, claims, OTHER_KEY),
        "O94 jku": lambda: signed(header | {"jku": "https://127.0.0.1/jwks.json"}, claims, OTHER_KEY),
        "O94 x5u": lambda: signed(header | {"x5u": "https://127.0.0.1/cert.pem"}, claims, OTHER_KEY),
        "O95 kid of a path": lambda: signed(header | {"kid": "../../dev/null"}, claims, OTHER_KEY),
        "O95 kid of SQL": lambda: signed(header | {"kid": "' OR 1=1 --"}, claims, OTHER_KEY),
        "O95 kid of NUL": lambda: signed(header | {"kid": "\x00"}, claims, OTHER_KEY),
        "O96 other issuer": lambda: signed(header, claims | {"iss": "https://other.example"}, ours),
        "O96 other client": lambda: signed(header, claims | {"client_id": "cli_" + "0" * 32}, ours),
        "O96 other jti": lambda: signed(header, claims | {"jti": "tok_" + "0" * 32}, ours),
        "O97 exp text": lambda: signed(header, claims | {"exp": str(claims["exp"])}, ours),
        "O97 exp float": lambda: signed(header, claims | {"exp": claims["exp"] + 0.5}, ours),
        "O97 exp 1e400": lambda: signed(header, json.dumps(claims | {"exp": 7}).replace(": 7", ": 1e400").encode(), ours),
        "O98 nbf to come": lambda: signed(header, claims | {"nbf": claims["exp"]}, ours),
        "O99 typ JWT": lambda: signed(header | {"typ": "JWT"}, claims, ours),
        "O99 no typ": lambda: signed({name: header[name] for name in ("alg", "kid")}, claims, ours),
        "O100 unknown crit": lambda: signed(header | {"crit": ["x"], "x": 1}, claims, ours),
        "O101 tampered": lambda: f"{head}.{unsigned({}, claims | {'scope': 'market:operate'}).split('.')[1]}.{signature}",
        "O102 stripped": lambda: f"{head}.{payload}.",
        "O103 RS256": lambda: signed(header | {"alg": "RS256"}, claims, RSA_KEY),
        "O103 ES256 in name": lambda: signed(header, claims, RSA_KEY),
        "O104 100 kB": lambda: f"{head}.{payload}.{signature * 1200}",
        "O105 ID token of ours": lambda: signed(header | {"typ": "JWT"}, id_token, ours),
        "O105 ID token of ours, typ at+jwt": lambda: signed(header, id_token, ours),
        "O105 ID token of a provider": lambda: signed({"alg": "RS256", "kid": "one"}, id_token, RSA_KEY),
    }  # fmt: skip
    return made[name]()


FORGED = [
    "O68 for another resource", "O91 none", "O91 NoNe", "O92 HS256", "O93 embedded jwk", "O94 jku", "O94 x5u",
    "O95 kid of a path", "O95 kid of SQL", "O95 kid of NUL", "O96 other issuer", "O96 other client", "O96 other jti",
    "O97 exp text", "O97 exp float", "O97 exp 1e400", "O98 nbf to come", "O99 typ JWT", "O99 no typ",
    "O100 unknown crit", "O101 tampered", "O102 stripped", "O103 RS256", "O103 ES256 in name", "O104 100 kB",
    "O105 ID token of ours", "O105 ID token of ours, typ at+jwt", "O105 ID token of a provider",
]  # fmt: skip


@pytest.mark.parametrize("name", FORGED)
def test_what_we_did_not_issue_opens_nothing(buyer: Admission, wire: FlaskClient, token_of: Any, name: str) -> None:
    token = token_of(buyer)
    answer = wire.get(OWN, headers=bearer(forged(name, token)))
    assert (answer.status_code, answer.json["type"].rpartition("/")[2]) == (401, "invalid-token")
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert 'error="invalid_token"' in answer.headers["WWW-Authenticate"]
    assert wire.get(OWN, headers=bearer(token)).status_code == 200


def test_o111_a_token_is_good_as_long_as_its_key_is_kept(
    buyer: Admission, wire: FlaskClient, token_of: Any, tmp_path: Path
) -> None:
    path = tmp_path / "oauth.pem"
    settings.install(replace(settings.current(), signing_key_file=path))
    older = token_of(buyer)
    keys.rotate()
    newer = token_of(buyer)
    assert [wire.get(OWN, headers=bearer(token)).status_code for token in (older, newer)] == [200, 200]
    secret_files.replace(path, keys.current().signing.key.as_pem(private=True))
    assert [wire.get(OWN, headers=bearer(token)).status_code for token in (older, newer)] == [401, 200]


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
