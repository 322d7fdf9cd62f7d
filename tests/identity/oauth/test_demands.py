"""What a token may be asked for: scope, time and grants."""

import json
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.identity.models import AccessToken
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.demands import GRANTS_MAX
from marketplace.kit.ids import new_id
from tests.factories.identity import OrganizationFactory
from tests.identity.oauth.people import Party, is_refused, party


@pytest.fixture
def whose(app: Flask) -> Party:
    return party()


def ask(wire: FlaskClient, whose: Party, **form: Any) -> Any:
    return wire.post("/oauth/token", data=whose.named() | {"grant_type": "client_credentials"} | form)


def detail(**changes: Any) -> dict[str, Any]:
    return {"type": "musubi_grant", "identifier": new_id("grt"), "actions": ["fetch"]} | changes


def test_an_hour_is_to_be_had_for_fetching(whose: Party, wire: FlaskClient) -> None:
    answer = ask(wire, whose, scope="data:read grants:read token:hour").json
    assert (answer["expires_in"], answer["scope"]) == (3600, "data:read grants:read token:hour")


@pytest.mark.parametrize("scope", ["token:hour", "orders:write token:hour", "data:read organization:manage token:hour"])
def test_an_hour_is_not_to_be_had_for_more(whose: Party, wire: FlaskClient, session: Session, scope: str) -> None:
    assert is_refused(ask(wire, whose, scope=scope), 400, "invalid_scope")
    assert session.scalar(select(func.count()).select_from(AccessToken)) == 0


def test_a_token_for_as_many_grants_as_there_may_be_is_good(app: Flask, wire: FlaskClient) -> None:
    whose = party(organization=OrganizationFactory(capacities=["buyer", "operator", "provider"]))
    details = [detail() for _ in range(GRANTS_MAX)]
    answer = ask(wire, whose, authorization_details=json.dumps(details))
    assert answer.status_code == 200
    token = answer.json["access_token"]
    assert access_tokens.authenticate(token).grant_ids == {one["identifier"] for one in details}
    assert len(f"Authorization: Bearer {token}") < 8190  # what servers take of one header field


BAD = {
    "too many": [detail() for _ in range(GRANTS_MAX + 1)],
    "none": [],
    "an object": detail(),
    "another type": [detail(type="payment")],
    "no type": [{"identifier": new_id("grt")}],
    "another action": [detail(actions=["write"])],
    "no action": [detail(actions=[])],
    "more fields": [detail(until="2030")],
    "no identifier": [{"type": "musubi_grant"}],
    "an identifier that is none": [detail(identifier="x")],
    "an identifier of odd signs": [detail(identifier="\x00")],
    "a list for an identifier": [detail(identifier=[])],
    "a list for a type": [detail(type=[])],
    "a text in the list": ["x"],
}


@pytest.mark.parametrize("details", BAD.values(), ids=BAD.keys())
def test_other_details_are_refused(whose: Party, wire: FlaskClient, session: Session, details: Any) -> None:
    answer = ask(wire, whose, authorization_details=json.dumps(details))
    assert is_refused(answer, 400, "invalid_authorization_details")
    assert session.scalar(select(func.count()).select_from(AccessToken)) == 0
