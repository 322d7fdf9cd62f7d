"""oidc-provider as the staff directory by which people sign in."""

import pytest
import requests
from joserfc import jwt
from joserfc.jwk import KeySet

from tests.conformance.test_consented_programs import authlib, consented
from tests.conformance.visitor import Visitor, join, link_to


def claims_of_a_token_for(person: Visitor, house) -> dict:
    """What a program's token says of the person who lets it act."""
    with authlib(house, house.program()) as session:
        token = consented(house, session, person)["access_token"]
    keys = KeySet.import_key_set(requests.get(house.metadata["jwks_uri"], timeout=60).json())
    return jwt.decode(token, keys, algorithms=["ES256"]).claims


def test_somebody_links_who_they_are_elsewhere_and_signs_in_by_it_as_surely_as_that_says(staffed):
    person = join(staffed.exchange, staffed.party, "jiro@ishikari.example")
    person.open(f"{staffed.base_url}/sign-in")
    person.sign_in()
    assert claims_of_a_token_for(person, staffed)["acr"] == "aal1"
    person.open(f"{staffed.base_url}/account")
    person.submit("Link it")
    assert person.follow("Go on by hand if nothing happens").startswith(f"{staffed.issuer}/interaction/")
    assert person.submit("Enter", login="staff-0042") == f"{staffed.base_url}/account"
    assert staffed.issuer in person.says()
    person.submit("Sign out")
    person.open(f"{staffed.base_url}/sign-in")
    person.submit("With the other provider")
    assert person.follow("Go on by hand if nothing happens") == f"{staffed.base_url}/account"
    assert "jiro@ishikari.example" in person.says()
    assert claims_of_a_token_for(person, staffed)["acr"] == "aal2"


def test_somebody_invited_joins_by_who_they_are_elsewhere(staffed):
    path = f"/v1/organizations/{staffed.party.organization_id}/members"
    draft = {"name": "鈴木 三郎", "email": "saburo@ishikari.example", "role": "buyer"}
    staffed.party.call("POST", f"{path}/{staffed.party.post(path, draft)['id']}/invite")
    person = Visitor("saburo@ishikari.example")
    person.open(link_to(staffed.exchange, person.email))
    person.submit("Join with the other provider")
    person.follow("Go on by hand if nothing happens")
    assert person.submit("Enter", login="staff-0043") == f"{staffed.base_url}/account"
    assert claims_of_a_token_for(person, staffed)["acr"] == "aal2"


def test_whom_nobody_linked_is_not_let_in(staffed):
    person = Visitor("nobody@ishikari.example")
    person.open(f"{staffed.base_url}/sign-in")
    person.submit("With the other provider")
    person.follow("Go on by hand if nothing happens")
    with pytest.raises(AssertionError, match="403"):
        person.submit("Enter", login="staff-0044")
    assert staffed.metadata["issuer"] in person.seen.url
    assert person.open(f"{staffed.base_url}/account").startswith(f"{staffed.base_url}/sign-in")
