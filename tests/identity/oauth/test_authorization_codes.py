"""Changing a code for tokens: the hostile cases."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from marketplace.audit import queries as record
from marketplace.audit.verbs import Verb
from marketplace.identity.models import TokenFamily
from marketplace.identity.oauth.models import AuthorizationCode
from marketplace.kit import clock
from tests.identity.oauth.people import (
    KEY,
    OTHER_KEY,
    PUBLIC,
    REDIRECT_URI,
    SCOPE,
    VERIFIER,
    Party,
    is_refused,
    keyed,
    opens,
    party,
    proof,
)


@pytest.fixture
def whose(app: Flask) -> Party:
    return party()


def families(session: Session) -> int:
    return session.scalar(select(func.count()).select_from(TokenFamily))


@pytest.mark.parametrize("kind", [{}, PUBLIC, keyed()], ids=["secret", "public", "key"])
def test_a_code_buys_tokens_for_every_kind_of_client(app: Flask, wire: FlaskClient, kind: dict[str, Any]) -> None:
    whose = party(**kind)
    answer = wire.post("/oauth/token", data=whose.exchange_form(whose.code()))
    assert answer.status_code == 200, answer.text
    assert set(answer.json) == {"access_token", "token_type", "expires_in", "scope", "refresh_token"}
    assert (answer.json["token_type"], answer.json["scope"]) == ("Bearer", SCOPE)
    assert 0 < answer.json["expires_in"] <= 600
    assert answer.headers["Cache-Control"] == "no-store"
    assert opens(app, answer.json["access_token"]) == 200


REFUSED = {
    "O33 redirect_uri absent": {"redirect_uri": ""},
    "O33 redirect_uri of another": {"redirect_uri": REDIRECT_URI + "/"},
    "O34 verifier missing": {"code_verifier": ""},
    "O34 verifier wrong": {"code_verifier": VERIFIER[::-1]},
    "O34 verifier too short": {"code_verifier": VERIFIER[:42]},
    "O34 verifier too long": {"code_verifier": VERIFIER * 4},
    "O34 verifier of a bad alphabet": {"code_verifier": VERIFIER[:-1] + "あ"},
    "unknown code": {"code": "unknown"},
    "code of odd bytes": {"code": "\x00\ufffd"},
}


@pytest.mark.parametrize("changes", REFUSED.values(), ids=REFUSED.keys())
def test_what_does_not_fit_the_code_buys_nothing(
    whose: Party, wire: FlaskClient, session: Session, changes: dict[str, str]
) -> None:
    assert is_refused(
        wire.post("/oauth/token", data=whose.exchange_form(whose.code(), **changes)), 400, "invalid_grant"
    )
    assert families(session) == 0


def test_o35_a_verifier_answers_no_code_without_a_challenge(whose: Party, wire: FlaskClient, session: Session) -> None:
    code = whose.code()
    session.execute(update(AuthorizationCode).values(code_challenge=""))
    for verifier in (VERIFIER, ""):
        form = whose.exchange_form(code, code_verifier=verifier)
        assert is_refused(wire.post("/oauth/token", data=form), 400, "invalid_grant")
    assert families(session) == 0


def test_o56_a_scope_beside_the_code_buys_no_more_than_was_allowed(whose: Party, wire: FlaskClient) -> None:
    for scope in ("orders:write", "market:operate", "\x00"):
        answer = wire.post("/oauth/token", data=whose.exchange_form(whose.code(), scope=scope))
        assert (answer.status_code, answer.json["scope"]) == (200, SCOPE)


def test_without_a_code_the_request_is_invalid(whose: Party, wire: FlaskClient, session: Session) -> None:
    assert is_refused(wire.post("/oauth/token", data=whose.exchange_form("")), 400, "invalid_request")
    assert families(session) == 0


def test_o36_the_code_of_another_client_buys_nothing_and_still_serves_its_own(whose: Party, wire: FlaskClient) -> None:
    thief, code = party(), whose.code()
    assert is_refused(wire.post("/oauth/token", data=thief.exchange_form(code)), 400, "invalid_grant")
    assert wire.post("/oauth/token", data=whose.exchange_form(code)).status_code == 200


@pytest.mark.parametrize("seconds", [0, 1, 30], ids=["O37 at once", "O40 after 1 s", "O40 after 30 s"])
def test_a_replayed_code_ends_all_that_it_bought(whose: Party, app: Flask, wire: FlaskClient, seconds: int) -> None:
    code, bystander = whose.code(), wire.post("/oauth/token", data=whose.exchange_form(whose.code())).json
    bought = wire.post("/oauth/token", data=whose.exchange_form(code)).json
    assert opens(app, bought["access_token"]) == 200
    with clock.stopped(clock.now() + timedelta(seconds=seconds)):
        assert is_refused(wire.post("/oauth/token", data=whose.exchange_form(code)), 400, "invalid_grant")
        assert opens(app, bought["access_token"]) == 401  # O38
        renewal = wire.post("/oauth/token", data=whose.refresh_form(bought["refresh_token"]))
        assert is_refused(renewal, 400, "invalid_grant")  # O39
        assert opens(app, bystander["access_token"]) == 200
    entries = record.search_entries(record.Search(verb=Verb.TOKENS_REPLAYED.value)).items
    assert [placed.entry.client_id for placed in entries] == [whose.client.id]


@pytest.mark.parametrize(("seconds", "status"), [(59, 200), (61, 400)], ids=["in time", "O41 too old"])
def test_a_code_lives_sixty_seconds(
    whose: Party, wire: FlaskClient, session: Session, seconds: int, status: int
) -> None:
    code = whose.code()
    with clock.stopped(clock.now() + timedelta(seconds=seconds)):
        answer = wire.post("/oauth/token", data=whose.exchange_form(code))
    assert answer.status_code == status
    assert families(session) == (1 if status == 200 else 0)
    assert status == 200 or is_refused(answer, 400, "invalid_grant")


def test_o43_a_confidential_client_needs_its_secret(whose: Party, wire: FlaskClient, session: Session) -> None:
    form = whose.exchange_form(whose.code())
    del form["client_secret"]
    assert is_refused(wire.post("/oauth/token", data=form), 401, "invalid_client")
    assert families(session) == 0


def test_a_public_client_has_no_token_of_its_own(app: Flask, wire: FlaskClient) -> None:
    whose = party(**PUBLIC)
    form = {"grant_type": "client_credentials", "client_id": whose.client.id}
    assert is_refused(wire.post("/oauth/token", data=form), 400, "unauthorized_client")


def test_a_code_is_no_use_where_its_client_was_suspended(whose: Party, wire: FlaskClient, session: Session) -> None:
    code = whose.code()
    whose.client.state = "suspended"
    session.flush()
    assert is_refused(wire.post("/oauth/token", data=whose.exchange_form(code)), 401, "invalid_client")


def test_d10_d11_a_code_bound_to_a_key_is_changed_with_that_key_alone(whose: Party, wire: FlaskClient) -> None:
    code = whose.code(dpop_jkt=KEY.thumbprint())
    form = whose.exchange_form(code)
    assert is_refused(wire.post("/oauth/token", data=form), 400, "invalid_grant")
    refused = wire.post("/oauth/token", data=form, headers={"DPoP": proof(key=OTHER_KEY)})
    assert is_refused(refused, 400, "invalid_grant")
    answer = wire.post("/oauth/token", data=form, headers={"DPoP": proof()})
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")


def test_a_client_that_cannot_renew_gets_no_refresh_token(app: Flask, wire: FlaskClient) -> None:
    whose = party(grant_types=["authorization_code"])
    answer = wire.post("/oauth/token", data=whose.exchange_form(whose.code()))
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json
