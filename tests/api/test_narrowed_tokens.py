"""A token narrowed to one grant opens that grant, and there is nothing else (RFC 9396)."""

import json

import pytest

from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.kit.transaction import transaction
from tests.api.trade import Market, Party, file_path, ok, refused, row_counts

SCOPES = "data:read grants:read orders:read orders:write usage:read"
SECRET = "mk_sk_known-to-the-test"


@pytest.fixture
def grants(market: Market) -> tuple[str, str]:
    """Two grants of the buyer, both used once."""
    made = [market.bought()["grant_id"] for _ in range(2)]
    for grant_id in made:
        assert market.fetch(grant_id).status_code == 200
    return made[0], made[1]


@pytest.fixture
def narrow(market: Market, grants: tuple[str, str]) -> Party:
    """The buyer with a token for the first of them, as the token endpoint gives it."""
    details = [{"type": "musubi_grant", "identifier": grants[0], "actions": ["fetch"]}]
    form = {
        "grant_type": "client_credentials",
        "client_id": market.buyer.client_id,
        "client_secret": SECRET,
        "scope": SCOPES,
        "authorization_details": json.dumps(details),
    }
    answer = market.app.test_client().post("/oauth/token", data=form)
    assert answer.status_code == 200, answer.text
    assert answer.json["authorization_details"] == details
    return Party(
        market.app, "narrow", market.buyer.organization_id, market.buyer.client_id, answer.json["access_token"]
    )


def test_its_own_grant_is_open(market: Market, narrow: Party, grants: tuple[str, str]) -> None:
    assert ok(narrow.get(f"/v1/grants/{grants[0]}"))["id"] == grants[0]
    assert len(ok(narrow.get(f"/v1/grants/{grants[0]}/files"))) == 1
    assert market.fetch(grants[0], who=narrow).status_code == 200


def test_of_another_grant_it_knows_nothing(market: Market, narrow: Party, grants: tuple[str, str]) -> None:
    before = row_counts()
    for path in (f"/v1/grants/{grants[1]}", f"/v1/grants/{grants[1]}/files", file_path(grants[1], "人流.csv")):
        refused(narrow.get(path), 404, "not-found")
    assert row_counts() == before
    assert market.fetch(grants[1]).status_code == 200


def test_lists_and_sums_hold_its_own_grant_alone(market: Market, narrow: Party, grants: tuple[str, str]) -> None:
    assert [grant["id"] for grant in ok(narrow.get("/v1/grants"))["items"]] == [grants[0]]
    assert {line["grant_id"] for line in ok(narrow.get("/v1/usage"))["items"]} == {grants[0]}
    whole, part = (ok(who.get("/v1/usage"))["total_bytes"] for who in (market.buyer, narrow))
    assert (part, whole) == (whole // 2, whole)
    assert whole > 0
    assert ok(narrow.get("/v1/usage", query_string={"grant_id": grants[1]}))["items"] == []


def test_nothing_else_is_done_with_it_whatever_its_scope(market: Market, narrow: Party) -> None:
    offer = market.offer(market.goods().dataset_id)
    before = row_counts()
    refused(market.order(offer, buyer=narrow), 403, "token-narrowed")
    refused(narrow.get("/v1/orders"), 403, "token-narrowed")
    assert row_counts() == before


def test_an_ended_grant_is_ended_for_it_as_well(market: Market, narrow: Party, grants: tuple[str, str]) -> None:
    ok(market.provider.post(f"/v1/grants/{grants[0]}/revoke", {"reason": "契約違反"}))
    refused(market.fetch(grants[0], who=narrow), 403, "grant-revoked")


def test_narrowing_to_what_is_anothers_opens_nothing(market: Market, grants: tuple[str, str]) -> None:
    with transaction():
        owner = (market.stranger.client_id, market.stranger.organization_id)
        token = access_tokens.issue(Bearer(*owner, SCOPES, grant_ids=(grants[0],)))
    thief = Party(market.app, "thief", market.stranger.organization_id, market.stranger.client_id, token)
    refused(thief.get(f"/v1/grants/{grants[0]}"), 404, "not-found")
    assert market.fetch(grants[0], who=thief).status_code == 404
    assert ok(thief.get("/v1/grants"))["items"] == []


def test_overseers_are_narrowed_too(market: Market, grants: tuple[str, str]) -> None:
    with transaction():
        owner = (market.operator.client_id, market.operator.organization_id)
        token = access_tokens.issue(Bearer(*owner, "grants:read", grant_ids=(grants[0],)))
    narrowed = Party(market.app, "operator", market.operator.organization_id, market.operator.client_id, token)
    assert ok(market.operator.get(f"/v1/grants/{grants[1]}"))["id"] == grants[1]
    refused(narrowed.get(f"/v1/grants/{grants[1]}"), 404, "not-found")
    assert [grant["id"] for grant in ok(narrowed.get("/v1/grants"))["items"]] == [grants[0]]
