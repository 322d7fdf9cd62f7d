"""The setting ``security_profile=fapi2``: of every client, keys for itself and for its tokens, and pushed requests."""

from dataclasses import replace

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.identity.models import AccessToken
from marketplace.identity.oauth import authorization_requests
from marketplace.identity.oauth.authorization_requests import Refused
from marketplace.kit import settings
from marketplace.kit.transaction import transaction
from tests.identity.oauth.people import CHALLENGE, PUBLIC, REDIRECT_URI, is_refused, keyed, party, proof

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture(autouse=True)
def strict(app: Flask) -> None:
    settings.install(replace(settings.current(), security_profile="fapi2"))


def test_a_secret_proves_nothing(wire: FlaskClient, session: Session) -> None:
    answer = wire.post("/oauth/token", data=party().named() | GRANT, headers={"DPoP": proof()})
    assert is_refused(answer, 401, "invalid_client")
    assert session.scalar(select(func.count()).select_from(AccessToken)) == 0


def test_every_token_is_bound_to_a_key(wire: FlaskClient, session: Session) -> None:
    whose = party(**keyed())
    assert is_refused(wire.post("/oauth/token", data=whose.named() | GRANT), 400, "invalid_dpop_proof")
    assert session.scalar(select(func.count()).select_from(AccessToken)) == 0
    answer = wire.post("/oauth/token", data=whose.named() | GRANT, headers={"DPoP": proof()})
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")


def test_d40_tokens_of_a_public_client_are_bound_as_well(wire: FlaskClient) -> None:
    whose = party(**PUBLIC)
    form = whose.exchange_form(whose.code())
    assert is_refused(wire.post("/oauth/token", data=form), 400, "invalid_dpop_proof")
    assert wire.post("/oauth/token", data=form, headers={"DPoP": proof()}).json["token_type"] == "DPoP"


def test_d1_every_request_is_pushed(wire: FlaskClient) -> None:
    whose = party(**keyed())
    asked = {
        "client_id": whose.client.id,
        "response_type": "code",
        "redirect_uri": REDIRECT_URI,
        "code_challenge": CHALLENGE,
        "code_challenge_method": "S256",
    }
    with pytest.raises(Refused), transaction():
        authorization_requests.receive(list(asked.items()))
    assert wire.post("/oauth/par", data=asked | whose.named()).status_code == 201
    assert wire.get("/.well-known/oauth-authorization-server").json["require_pushed_authorization_requests"] is True
