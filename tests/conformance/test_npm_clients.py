"""openid-client and oauth4webapi, with which JavaScript programs speak OAuth, against the started server."""

from functools import partial

import pytest

from tests.conformance.conftest import DEVICE_CODE, REDIRECT_URI, SCOPE

CLIENTS = ["openid-client", "oauth4webapi"]
TOKEN, PUSHED, OWN = "/oauth/token", "/oauth/par", "/v1/organizations/me"

each_client = pytest.mark.parametrize("script", CLIENTS)


def common(house, client, key=None) -> dict:
    """What every journey is told."""
    return {
        "issuer": house.base_url,
        "own": house.own,
        "client_id": client["id"],
        "secret": client.get("secret"),
        "jwk": key.as_dict(private=True) if key is not None else None,
        "scope": SCOPE,
        "redirect_uri": REDIRECT_URI,
    }


@pytest.fixture
def journey(scripts, house):
    """Run a journey of a script for a program, with the person who allows what it asks for."""

    def run(script, name, client, key=None, *, at=house, lead=None, **facts):
        lead = lead or partial(at.person.allow, redirect_uri=REDIRECT_URI)
        return scripts.run(f"{script}.mjs", lead, journey=name, **common(at, client, key), **facts)

    return run


def acted_for_a_person(told, house) -> None:
    """It read what is the person's organization's, and its refresh token was good once."""
    assert told["own"]["id"] == house.party.organization_id
    assert told["second"]["refresh_token"] != told["first"]["refresh_token"]
    assert (told["again"], told["family"]) == ("invalid_grant", "invalid_grant")


def learned_nonces(told) -> None:
    """The server asked for a nonce before the token and at the resource, and took the second proof (RFC 9449 8, 9)."""
    if "nonces" in told:
        assert told["nonces"] == 2
        assert told["claims"]["cnf"]["jkt"]
        return
    trail = told["trail"]
    assert trail[0] in {f"{TOKEN} 400", f"{PUSHED} 400"}
    assert trail[trail.index(f"{OWN} 401") + 1] == f"{OWN} 200"


@each_client
@pytest.mark.parametrize("par", [False, True], ids=["by address", "pushed"])
@pytest.mark.parametrize("dpop", [False, True], ids=["bearer", "dpop"])
def test_a_program_acts_for_a_person(journey, house, script, par, dpop):
    told = journey(script, "code", house.program(par_required=par, dpop_bound=dpop), par=par, dpop=dpop)
    acted_for_a_person(told, house)
    assert (told["looked"]["active"], told["looked"]["token_type"]) == (True, "DPoP" if dpop else "Bearer")
    if dpop:
        learned_nonces(told)


@each_client
def test_a_public_program_acts_for_a_person_by_a_bound_token(journey, house, script):
    told = journey(script, "code", house.program(authentication_method="none"), dpop=True)
    acted_for_a_person(told, house)
    learned_nonces(told)


@each_client
def test_a_program_with_a_key_acts_for_a_person(journey, house, script):
    acted_for_a_person(journey(script, "code", *house.keyed_program()), house)


@each_client
def test_a_program_ends_what_it_was_given(journey, house, script):
    told = journey(script, "ended", house.program())
    assert told == told | {"looked": {"active": False}, "status": "OAUTH_WWW_AUTHENTICATE_CHALLENGE"}


@each_client
def test_a_program_believes_no_answer_but_ours(journey, house, script):
    told = journey(script, "mixed", house.program())
    assert told == {"foreign": "OAUTH_INVALID_RESPONSE", "nameless": "OAUTH_INVALID_RESPONSE", "good": "bearer"}


@each_client
@pytest.mark.parametrize("keyed", [False, True], ids=["client_secret_basic", "private_key_jwt"])
@pytest.mark.parametrize("dpop", [False, True], ids=["bearer", "dpop"])
def test_a_program_acts_for_its_organization(journey, house, script, keyed, dpop):
    client, key = house.keyed_program() if keyed else (house.program(), None)
    told = journey(script, "machine", client, key, dpop=dpop)
    assert told["own"]["id"] == house.party.organization_id
    assert (told["looked"]["client_id"], told["after"]) == (client["id"], {"active": False})
    assert "refresh_token" not in told["tokens"]
    if dpop:
        learned_nonces(told)


@each_client
def test_a_program_without_a_browser_is_allowed_by_its_code(journey, house, script):
    client = house.program(authentication_method="none", redirect_uris=[], grant_types=[DEVICE_CODE, "refresh_token"])
    told = journey(script, "device", client, lead=house.person.enter_device_code)
    assert told["own"]["id"] == house.party.organization_id
    assert told.get("early", "authorization_pending") == "authorization_pending"
    assert told["tokens"]["refresh_token"]


def test_openid_client_registers_a_program_by_an_initial_token(journey, house):
    issued = house.party.post("/v1/clients/registration-tokens", {"scopes": SCOPE.split()})
    told = journey("openid-client", "register", {"id": "nobody yet"}, initial_access_token=issued["token"])
    known = house.party.get(f"/v1/clients/{told['client_id']}")
    assert (known["name"], known["redirect_uris"]) == ("集計", [REDIRECT_URI])


def test_oauth4webapi_finds_in_a_token_what_an_outsider_must_know(journey, house):
    client, key = house.keyed_program()
    told = journey("oauth4webapi", "code", client, key)
    claims = told["claims"]
    assert (claims["iss"], claims["aud"], claims["client_id"]) == (house.base_url, house.base_url, client["id"])
    assert (claims["org"], claims["acr"]) == (house.party.organization_id, "aal1")
    assert claims["sub"] != client["id"]
    assert told["elsewhere"] == "OAUTH_JWT_CLAIM_COMPARISON_FAILED"


@each_client
def test_the_strict_profile_serves_a_program_that_pushes_and_binds(journey, strict, script):
    house, client, key = strict
    told = journey(script, "code", client, key, at=house, par=True, dpop=True)
    acted_for_a_person(told, house)
    learned_nonces(told)
    machine = journey(script, "machine", client, key, at=house, dpop=True)
    assert machine["own"]["id"] == house.party.organization_id


@each_client
def test_the_strict_profile_refuses_a_program_that_neither_pushes_nor_binds(journey, strict, script):
    house, client, key = strict
    told = journey(script, "lax", client, key, at=house, lead=partial(house.person.open, until=REDIRECT_URI))
    assert told == {"address": "invalid_request", "token": "invalid_dpop_proof"}
