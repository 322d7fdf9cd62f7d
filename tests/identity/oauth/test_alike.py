"""O55: who is no client, who proves it wrongly and who is shut out look alike, in words and in the work of the refusal.

Counted, not timed: the statements that the database gets, the secrets that are hashed, the signatures that are checked.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from joserfc import jws
from sqlalchemy import event
from sqlalchemy.orm import Session

from marketplace.identity import credentials, service
from marketplace.identity.actors import SYSTEM
from marketplace.kit.transaction import transaction
from tests.identity.conftest import basic
from tests.identity.oauth.people import (
    ASSERTION_TYPE,
    ED_KEY,
    KEY,
    PUBLIC,
    RSA_KEY,
    assertion_claims,
    b64,
    keyed,
    party,
    signed,
    unsigned,
)

ENDPOINTS = ["token", "par", "revoke", "introspect", "device_authorization"]
UNKNOWN = "cli_" + "0" * 32
FORM = {"grant_type": "client_credentials", "token": "x"}
KEYS = {"ES256": KEY, "PS256": RSA_KEY, "EdDSA": ED_KEY}


@dataclass
class Work:
    """What was done since it was last told."""

    statements: list[str] = field(default_factory=list)
    hashed: int = 0
    checked: int = 0

    def told(self) -> tuple[Any, ...]:
        done = (tuple(self.statements), self.hashed, self.checked)
        self.statements.clear()
        self.hashed = self.checked = 0
        return done


@pytest.fixture
def work(session: Session, monkeypatch: pytest.MonkeyPatch) -> Iterator[Work]:
    counted, hash_of = Work(), credentials.hash_of
    connection = session.connection()

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            counted.statements.append(statement)

    def hashing(secret: str) -> str:
        counted.hashed += 1
        return hash_of(secret)

    event.listen(connection, "before_cursor_execute", note)
    monkeypatch.setattr(credentials, "hash_of", hashing)
    for name in KEYS:
        _count_checks(monkeypatch, counted, jws.JWSRegistry.algorithms[name])
    yield counted
    event.remove(connection, "before_cursor_execute", note)


def _count_checks(monkeypatch: pytest.MonkeyPatch, counted: Work, algorithm: Any) -> None:
    verify = algorithm.verify

    def checking(*given: Any) -> bool:
        counted.checked += 1
        return bool(verify(*given))

    monkeypatch.setattr(algorithm, "verify", checking)


def shut_out(**traits: Any) -> list[str]:
    """A suspended client, and a client of a suspended organization."""
    gone, out = party(**traits).client, party(**traits).client
    with transaction():
        service.suspend_client(SYSTEM, gone.id)
        service.suspend_organization(SYSTEM, out.organization_id, "規約違反")
    return [gone.id, out.id]


def refused(wire: FlaskClient, work: Work, path: str, **request: Any) -> tuple[Any, ...]:
    """All that a refusal shows, and all that it cost."""
    work.told()
    answer = wire.post(f"/oauth/{path}", **request)
    assert (answer.status_code, answer.json["error"]) == (401, "invalid_client")
    return answer.data, str(sorted(answer.headers.items())), *work.told()


def by_header(client_id: str, secret: str) -> dict[str, Any]:
    return {"data": FORM, "headers": basic(client_id, secret)}


def by_form(client_id: str, secret: str) -> dict[str, Any]:
    return {"data": FORM | {"client_id": client_id, "client_secret": secret}}


@pytest.mark.parametrize("send", [by_header, by_form])
@pytest.mark.parametrize("path", ENDPOINTS)
def test_no_secret_tells_whose_client_there_is(
    app: Flask, wire: FlaskClient, work: Work, path: str, send: Callable[[str, str], dict[str, Any]]
) -> None:
    known, others = party(), [party(**keyed()).client.id, party(**PUBLIC).client.id, UNKNOWN]
    given = [(known.client.id, "mk_sk_wrong"), *((client_id, known.secret) for client_id in [*others, *shut_out()])]
    seen = {refused(wire, work, path, **send(*one)) for one in given}
    assert len(seen) == 1
    (_body, _headers, statements, hashed, _checked) = seen.pop()
    # The failures so far, the client, one failure more.
    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT", "INSERT"]
    assert hashed == 1


def test_a_mistyped_secret_costs_nobody_a_look(wire: FlaskClient, work: Work) -> None:
    mistyped = credentials.new_secret()[:-1] + "-"
    seen = {refused(wire, work, "token", **by_form(one, mistyped)) for one in (party().client.id, UNKNOWN, *shut_out())}
    assert len(seen) == 1


def proved(token: str) -> dict[str, Any]:
    return {"data": FORM | {"client_assertion_type": ASSERTION_TYPE, "client_assertion": token}}


@pytest.mark.parametrize("algorithm", KEYS)
@pytest.mark.parametrize("path", ENDPOINTS)
def test_no_signature_tells_whose_client_there_is(
    app: Flask, wire: FlaskClient, work: Work, path: str, algorithm: str
) -> None:
    traits, key = keyed(*KEYS.values()), KEYS[algorithm]
    named = {"alg": algorithm, "kid": key.thumbprint()}
    another = {"alg": algorithm, "kid": "of nobody"}
    known, secretive = party(**traits).client.id, party().client.id
    garbage = b64(bytes(64 if algorithm != "PS256" else 256))
    tokens = [unsigned(header, assertion_claims(known), garbage) for header in (named, another)]
    tokens += [signed(named, assertion_claims(one), key) for one in (UNKNOWN, secretive, *shut_out(**traits))]
    seen = {refused(wire, work, path, **proved(token)) for token in tokens}
    assert len(seen) == 1
    (_body, _headers, statements, _hashed, checked) = seen.pop()
    # Whose keys may be wanted, the failures so far, the client, one failure more.
    assert [statement.split()[0] for statement in statements] == ["SELECT", "SELECT", "SELECT", "INSERT"]
    assert checked == 1
