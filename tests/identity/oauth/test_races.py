"""Races at the token endpoint, decided by the database."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from typing import Any

from flask import Flask
from sqlalchemy import func, select

from marketplace.identity.models import AccessToken, TokenFamily
from marketplace.identity.oauth import authorization, authorization_requests, devices
from marketplace.identity.oauth.authorization_requests import Unredirectable
from marketplace.identity.oauth.models import AuthorizationCode, AuthorizationRequest
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.identity.oauth.people import (
    CHALLENGE,
    OWN,
    PUBLIC,
    REDIRECT_URI,
    Party,
    assertion_of,
    keyed,
    opens,
    party,
    proof,
)

WAYS = 8


def at_once(app: Flask, send: Callable[[Any], Any]) -> list[Any]:
    """The answers to the same request, sent eight times at once."""

    ready = Barrier(WAYS, timeout=120)

    def one(_n: int) -> Any:
        wire = app.test_client()
        ready.wait()
        return send(wire)

    with ThreadPoolExecutor(WAYS) as pool:
        answers = list(pool.map(one, range(WAYS)))
    assert [answer.status_code for answer in answers if answer.status_code >= 500] == []
    return answers


def bought(answers: list[Any]) -> list[dict[str, Any]]:
    """What those who had success got; there is at most one of them."""
    won = [answer.json for answer in answers if answer.status_code == 200]
    assert len(won) <= 1
    assert {answer.status_code for answer in answers} <= {200, 400, 401}
    return won


def request_of(whose: Party) -> dict[str, str]:
    """What a client asks a person to allow."""
    return {
        "client_id": whose.client.id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }


def is_dead(app: Flask, whose: Party, tokens: dict[str, Any]) -> bool:
    renewal = app.test_client().post("/oauth/token", data=whose.refresh_form(tokens["refresh_token"]))
    return (opens(app, tokens["access_token"]), renewal.status_code) == (401, 400)


def test_o42_of_eight_exchanges_of_a_code_one_succeeds_and_its_tokens_die(own_database: Flask) -> None:
    whose = party()
    form = whose.exchange_form(whose.code())
    won = bought(at_once(own_database, lambda wire: wire.post("/oauth/token", data=form)))
    assert len(won) == 1
    assert is_dead(own_database, whose, won[0])
    assert db.session.scalar(select(func.count()).select_from(TokenFamily)) == 1


def test_o64_of_eight_renewals_one_succeeds_and_the_family_dies(own_database: Flask) -> None:
    whose = party()
    first = own_database.test_client().post("/oauth/token", data=whose.exchange_form(whose.code())).json
    form = whose.refresh_form(first["refresh_token"])
    won = bought(at_once(own_database, lambda wire: wire.post("/oauth/token", data=form)))
    assert len(won) == 1
    assert is_dead(own_database, whose, won[0])
    assert opens(own_database, first["access_token"]) == 401


def test_o70_of_eight_bearers_of_an_assertion_one_is_let_in(own_database: Flask) -> None:
    whose = party(**keyed())
    form = whose.named() | {"grant_type": "client_credentials", "client_assertion": assertion_of(whose.client.id)}
    assert len(bought(at_once(own_database, lambda wire: wire.post("/oauth/token", data=form)))) == 1
    assert db.session.scalar(select(func.count()).select_from(AccessToken)) == 1


def test_d34_of_eight_bearers_of_a_proof_one_is_let_in(own_database: Flask) -> None:
    whose = party()
    form = whose.named() | {"grant_type": "client_credentials"}
    headers = {"DPoP": proof()}
    won = bought(at_once(own_database, lambda wire: wire.post("/oauth/token", data=form, headers=headers)))
    assert len(won) == 1
    token = won[0]["access_token"]
    use = {"Authorization": f"DPoP {token}", "DPoP": proof("GET", OWN, token=token)}
    assert len(bought(at_once(own_database, lambda wire: wire.get(OWN, headers=use)))) == 1


def test_d2_of_eight_browsers_with_a_pushed_request_one_is_asked(own_database: Flask) -> None:
    whose = party()
    told = own_database.test_client().post("/oauth/par", data=request_of(whose) | whose.named()).json
    brought = {"client_id": whose.client.id, "request_uri": told["request_uri"]}
    answers = at_once(own_database, lambda wire: wire.get("/oauth/authorize", query_string=brought))
    assert sorted(answer.status_code for answer in answers) == [303] + [400] * (WAYS - 1)
    assert db.session.scalar(select(func.count()).select_from(AuthorizationRequest)) == 1


def test_of_eight_answers_to_one_request_at_once_one_gives_a_code(own_database: Flask) -> None:
    whose = party()
    with transaction():
        kept, consent = authorization_requests.receive(request_of(whose).items()), whose.consent()
    ready = Barrier(WAYS, timeout=120)

    def allow(_n: int) -> bool:
        with own_database.app_context():
            ready.wait()
            try:
                with transaction():
                    authorization.approve(kept, consent)
            except Unredirectable:
                return False
            return True

    with ThreadPoolExecutor(WAYS) as pool:
        assert sum(pool.map(allow, range(WAYS))) == 1
    assert db.session.scalar(select(func.count()).select_from(AuthorizationCode)) == 1


def test_o122_of_eight_that_bring_a_device_code_one_gets_tokens(own_database: Flask) -> None:
    whose = party(**PUBLIC)
    told = own_database.test_client().post("/oauth/device_authorization", data=whose.named()).json
    with transaction():
        waiting = devices.find_waiting(told["user_code"])
        assert waiting is not None
        assert devices.approve(waiting.id, whose.consent())
    grant_type = "urn:ietf:params:oauth:grant-type:device_code"
    form = whose.named() | {"grant_type": grant_type, "device_code": told["device_code"]}
    assert len(bought(at_once(own_database, lambda wire: wire.post("/oauth/token", data=form)))) == 1
    assert db.session.scalar(select(func.count()).select_from(TokenFamily)) == 1
