"""Renewing tokens: the hostile cases, and what ends a family."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from marketplace.identity import members, queries, service
from marketplace.identity.actors import SYSTEM
from marketplace.identity.oauth import families
from marketplace.kit import clock
from marketplace.kit.transaction import transaction
from tests.factories.identity import MemberFactory, PersonFactory, actor_of
from tests.identity.oauth.people import (
    KEY,
    OTHER_KEY,
    PUBLIC,
    Party,
    is_refused,
    opens,
    party,
    proof,
)

Tokens = dict[str, Any]


@pytest.fixture
def whose(app: Flask) -> Party:
    return party()


@pytest.fixture
def tokens(whose: Party, wire: FlaskClient) -> Tokens:
    return wire.post("/oauth/token", data=whose.exchange_form(whose.code())).json


def renewed(wire: FlaskClient, whose: Party, tokens: Tokens, **changes: Any) -> Any:
    return wire.post("/oauth/token", data=whose.refresh_form(tokens["refresh_token"], **changes))


def test_a_refresh_token_buys_the_next_tokens(whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient) -> None:
    answer = renewed(wire, whose, tokens)
    assert answer.status_code == 200
    assert answer.json["refresh_token"] != tokens["refresh_token"]
    assert answer.json["scope"] == tokens["scope"]
    assert 0 < answer.json["expires_in"] <= 600  # O58
    assert answer.headers["Cache-Control"] == "no-store"  # O60
    assert opens(app, answer.json["access_token"]) == 200
    assert renewed(wire, whose, answer.json).status_code == 200


def test_a_narrower_scope_narrows_one_access_token_and_not_the_family(
    whose: Party, tokens: Tokens, wire: FlaskClient
) -> None:
    narrow = renewed(wire, whose, tokens, scope="grants:read").json
    assert narrow["scope"] == "grants:read"
    assert renewed(wire, whose, narrow).json["scope"] == tokens["scope"]


def test_o61_a_wider_scope_is_refused_and_costs_nothing(whose: Party, tokens: Tokens, wire: FlaskClient) -> None:
    assert is_refused(renewed(wire, whose, tokens, scope="orders:write"), 400, "invalid_scope")
    assert renewed(wire, whose, tokens).status_code == 200


def test_o62_another_client_cannot_renew(whose: Party, tokens: Tokens, wire: FlaskClient) -> None:
    assert is_refused(renewed(wire, party(), tokens), 400, "invalid_grant")
    assert renewed(wire, whose, tokens).status_code == 200


def test_o63_a_spent_refresh_token_ends_its_family(whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient) -> None:
    following = renewed(wire, whose, tokens).json
    assert is_refused(renewed(wire, whose, tokens), 400, "invalid_grant")
    assert [opens(app, one["access_token"]) for one in (tokens, following)] == [401, 401]
    assert is_refused(renewed(wire, whose, following), 400, "invalid_grant")


def test_o65_no_family_outlives_its_thirty_days(whose: Party, tokens: Tokens, wire: FlaskClient) -> None:
    with clock.stopped(clock.now() + timedelta(days=29)):
        tokens = renewed(wire, whose, tokens).json
    with clock.stopped(clock.now() + families.LIFETIME):
        assert is_refused(renewed(wire, whose, tokens), 400, "invalid_grant")


def leave_to_another(whose: Party) -> None:
    """Remove the person from an organization that has another owner."""
    MemberFactory(organization=whose.organization, person_id=PersonFactory().id)
    members.remove_member(actor_of(whose.organization), whose.member.id)


ENDED = {
    "O66 person disabled": lambda whose: setattr(whose.person, "state", "disabled"),
    "member gone": leave_to_another,
    "organization of the person suspended": lambda whose: service.suspend_organization(
        SYSTEM, whose.organization.id, "規約違反"
    ),
}


@pytest.mark.parametrize("end", ENDED.values(), ids=ENDED.keys())
def test_who_is_shut_out_takes_their_tokens_along(
    whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient, end: Any
) -> None:
    with transaction():
        end(whose)
    assert opens(app, tokens["access_token"]) == 401
    assert is_refused(renewed(wire, whose, tokens), 400, "invalid_grant")


def test_a_suspended_client_renews_nothing(
    whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient, session: Session
) -> None:
    with transaction():
        service.suspend_client(SYSTEM, whose.client.id)
    assert opens(app, tokens["access_token"]) == 401
    assert is_refused(renewed(wire, whose, tokens), 401, "invalid_client")


def test_a_new_secret_of_the_client_ends_what_people_allowed_it(
    whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient
) -> None:
    with transaction():
        owner = actor_of(queries.get_organization(whose.client.organization_id))
        _client, secret = service.rotate_client_secret(owner, whose.client.id)
    assert opens(app, tokens["access_token"]) == 401
    assert is_refused(renewed(wire, whose, tokens, client_secret=secret), 400, "invalid_grant")


def test_d40_the_tokens_of_a_public_client_stay_bound_to_its_key(app: Flask, wire: FlaskClient) -> None:
    whose = party(**PUBLIC)
    first = wire.post("/oauth/token", data=whose.exchange_form(whose.code()), headers={"DPoP": proof()}).json
    form = whose.refresh_form(first["refresh_token"])
    assert is_refused(wire.post("/oauth/token", data=form), 400, "invalid_grant")
    assert is_refused(
        wire.post("/oauth/token", data=form, headers={"DPoP": proof(key=OTHER_KEY)}), 400, "invalid_grant"
    )
    answer = wire.post("/oauth/token", data=form, headers={"DPoP": proof(key=KEY)})
    assert (answer.status_code, answer.json["token_type"]) == (200, "DPoP")


@pytest.mark.parametrize("token", ["unknown", "\x00", "mk_rt_", "あ" * 100])
def test_an_unknown_refresh_token_buys_nothing(whose: Party, wire: FlaskClient, token: str) -> None:
    assert is_refused(wire.post("/oauth/token", data=whose.refresh_form(token)), 400, "invalid_grant")


def test_a_refresh_token_must_be_sent(whose: Party, wire: FlaskClient) -> None:
    assert is_refused(wire.post("/oauth/token", data=whose.refresh_form("")), 400, "invalid_request")


def test_o119_revoking_a_refresh_token_ends_all_of_its_consent(
    whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient
) -> None:
    for _ in range(2):
        form = whose.named() | {"token": tokens["refresh_token"], "token_type_hint": "access_token"}  # O117
        assert wire.post("/oauth/revoke", data=form).status_code == 200
    assert opens(app, tokens["access_token"]) == 401
    assert is_refused(renewed(wire, whose, tokens), 400, "invalid_grant")


def test_revoking_an_access_token_ends_it_alone(whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient) -> None:
    form = whose.named() | {"token": tokens["access_token"], "token_type_hint": "refresh_token"}
    assert wire.post("/oauth/revoke", data=form).status_code == 200
    assert opens(app, tokens["access_token"]) == 401
    assert opens(app, renewed(wire, whose, tokens).json["access_token"]) == 200


def test_o116_the_refresh_token_of_another_lives(whose: Party, tokens: Tokens, app: Flask, wire: FlaskClient) -> None:
    form = party().named() | {"token": tokens["refresh_token"]}
    assert is_refused(wire.post("/oauth/revoke", data=form), 400, "invalid_grant")
    assert opens(app, tokens["access_token"]) == 200
    assert renewed(wire, whose, tokens).status_code == 200


def test_introspection_tells_of_the_sign_in_and_never_a_name(whose: Party, tokens: Tokens, wire: FlaskClient) -> None:
    told = wire.post("/oauth/introspect", data=whose.named() | {"token": tokens["access_token"]}).json
    assert told["active"] is True
    assert (told["sub"], told["org"], told["acr"]) == (whose.member.id, whose.organization.id, "aal2")
    assert isinstance(told["auth_time"], int)
    assert told["token_type"] == "Bearer"
    assert not {"username", "cnf", "authorization_details"} & set(told)
    assert whose.person.name not in str(told)
    refresh = wire.post("/oauth/introspect", data=whose.named() | {"token": tokens["refresh_token"]}).json
    assert (refresh["active"], refresh["sub"], refresh["scope"]) == (True, whose.member.id, tokens["scope"])


def test_introspection_tells_of_bounds(app: Flask, wire: FlaskClient) -> None:
    whose, grant_id = party(), "grt_" + "0" * 32
    form = whose.exchange_form(whose.code(grant_ids=(grant_id,)))
    tokens = wire.post("/oauth/token", data=form, headers={"DPoP": proof()}).json
    details = [{"type": "musubi_grant", "identifier": grant_id, "actions": ["fetch"]}]
    assert tokens["authorization_details"] == details
    for name in ("access_token", "refresh_token"):
        told = wire.post("/oauth/introspect", data=whose.named() | {"token": tokens[name]}).json
        assert told["cnf"] == {"jkt": KEY.thumbprint()}
        assert told["authorization_details"] == details


def test_o113_another_client_is_told_nothing(whose: Party, tokens: Tokens, wire: FlaskClient) -> None:
    for name in ("access_token", "refresh_token"):
        answer = wire.post("/oauth/introspect", data=party().named() | {"token": tokens[name]})
        assert (answer.status_code, answer.json) == (200, {"active": False})


def test_a_spent_or_ended_refresh_token_is_not_active(whose: Party, tokens: Tokens, wire: FlaskClient) -> None:
    following = renewed(wire, whose, tokens).json
    ask = whose.named()
    assert wire.post("/oauth/introspect", data=ask | {"token": tokens["refresh_token"]}).json == {"active": False}
    wire.post("/oauth/revoke", data=ask | {"token": following["refresh_token"]})
    assert wire.post("/oauth/introspect", data=ask | {"token": following["refresh_token"]}).json == {"active": False}


def test_o112_whoever_only_names_a_client_is_told_nothing(app: Flask, wire: FlaskClient) -> None:
    whose = party(**PUBLIC)
    tokens = wire.post("/oauth/token", data=whose.exchange_form(whose.code())).json
    answer = wire.post("/oauth/introspect", data=whose.named() | {"token": tokens["access_token"]})
    assert is_refused(answer, 401, "invalid_client")
    assert wire.post("/oauth/revoke", data=whose.named() | {"token": tokens["refresh_token"]}).status_code == 200
    assert opens(app, tokens["access_token"]) == 401
