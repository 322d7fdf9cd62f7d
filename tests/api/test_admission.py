"""What a dataset asks of whoever orders and fetches it: trust of the organization, assurance of the person."""

from dataclasses import replace
from typing import Any

import pytest

from marketplace.kit import settings
from marketplace.kit.db import db
from tests.api.people import member_of
from tests.api.trade import CONTENT, DATASET, PRICES, Goods, Market, Party, ok, refused, row_counts
from tests.factories.identity import ApiClientFactory
from tests.identity.oauth.people import keyed


def ask(market: Market, dataset_id: str, **asked: str | None) -> dict[str, Any]:
    """Have the provider ask this of its buyers from now on."""
    version = market.provider.get(f"/v1/datasets/{dataset_id}").headers["ETag"]
    return ok(market.provider.call("PATCH", f"/v1/datasets/{dataset_id}", json=asked, headers={"If-Match": version}))


def qualify(market: Market, party: Party, trust: str = "qualified") -> None:
    ok(market.operator.post(f"/v1/organizations/{party.organization_id}/trust", {"trust": trust}))


def with_key(market: Market, party: Party) -> Party:
    """The same organization through a program that proves itself by a key."""
    client = ApiClientFactory(organization_id=party.organization_id, scopes=["data:read", "orders:write"], **keyed())
    db.session.commit()
    return Party(market.app, "keyed", party.organization_id, client.id).with_scopes("data:read", "orders:write")


def test_a_provider_says_what_it_asks_and_everybody_reads_it(market: Market, goods: Goods) -> None:
    made = market.dataset(trust_required="qualified", assurance_required="aal2")
    assert (made["trust_required"], made["assurance_required"]) == ("qualified", "aal2")
    market.offer(goods.dataset_id)
    assert ask(market, goods.dataset_id, trust_required="qualified")["trust_required"] == "qualified"
    listed = ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))
    assert (listed["trust_required"], listed["assurance_required"]) == ("qualified", None)
    page = market.app.test_client().get(f"/catalog/{goods.dataset_id}?lang=en", headers={"Accept": "text/html"})
    assert "a qualified organization" in page.text
    assert ask(market, goods.dataset_id, trust_required=None)["trust_required"] is None


@pytest.mark.parametrize(
    ("field", "value"), [("trust_required", "applied"), ("trust_required", "best"), ("assurance_required", "aal4")]
)
def test_what_nobody_can_be_is_not_asked_for(market: Market, field: str, value: str) -> None:
    before = row_counts()
    refused(market.provider.post("/v1/datasets", DATASET | {field: value}), 422, "invalid-input", f"/{field}")
    assert row_counts() == before


def test_importing_anew_does_not_open_what_was_guarded(market: Market) -> None:
    package = {"id": "p1", "name": "p1", "title": "人口", "resources": []}
    dataset = ok(market.provider.post("/v1/datasets/import", {"package": package}), 201)
    asked = {"trust_required": "qualified", "assurance_required": "aal2"}
    ask(market, dataset["id"], assessment_url="https://example.jp/pia", **asked)
    again = ok(market.provider.post("/v1/datasets/import", {"package": package | {"title": "人口2"}}), 201)
    assert (again["id"], again["title_ja"]) == (dataset["id"], "人口2")
    assert (again["trust_required"], again["assurance_required"]) == ("qualified", "aal2")
    assert again["assessment_url"] == "https://example.jp/pia"


def test_who_is_not_trusted_far_enough_neither_orders_nor_fetches(market: Market, goods: Goods) -> None:
    grant = market.bought(goods)["grant_id"]
    offer = market.offer(goods.dataset_id)
    ask(market, goods.dataset_id, trust_required="qualified")
    before = row_counts()
    problem = refused(market.order(offer), 403, "trust-too-low")
    assert (problem["trust"], problem["trust_required"]) == ("verified", "qualified")
    refused(market.fetch(grant), 403, "trust-too-low")
    assert row_counts() == before
    refused(market.fetch(grant, who=market.stranger), 404, "not-found")
    qualify(market, market.buyer)
    ok(market.order(offer), 201)
    assert market.fetch(grant).data == CONTENT
    qualify(market, market.buyer, "verified")
    refused(market.fetch(grant), 403, "trust-too-low")


def test_verified_is_what_every_buyer_is(market: Market, goods: Goods) -> None:
    ask(market, goods.dataset_id, trust_required="verified")
    assert market.fetch(market.bought(goods)["grant_id"]).data == CONTENT


def test_a_member_of_too_low_a_level_is_asked_to_sign_in_more_surely(market: Market, goods: Goods) -> None:
    grant = market.bought(goods)["grant_id"]
    offer = market.offer(goods.dataset_id)
    ask(market, goods.dataset_id, assurance_required="aal2")
    low, high = (member_of(market.buyer, acr) for acr in ("aal1", "aal2"))
    before = row_counts()
    for answer in (market.order(offer, low), market.fetch(grant, who=low)):
        problem = refused(answer, 401, "assurance-too-low")
        assert (problem["acr"], problem["assurance_required"]) == ("aal1", "aal2")
        challenge = answer.headers["WWW-Authenticate"]
        assert 'error="insufficient_user_authentication", acr_values="aal2"' in challenge
        assert challenge.startswith('Bearer realm="musubi"')
    assert row_counts() == before
    ok(market.order(offer, high), 201)
    assert market.fetch(grant, who=high).data == CONTENT
    ask(market, goods.dataset_id, assurance_required="aal3")
    refused(market.fetch(grant, who=high), 401, "assurance-too-low")
    ask(market, goods.dataset_id, assurance_required=None)
    assert market.fetch(grant, who=low).data == CONTENT


def test_a_program_needs_a_key_where_assurance_is_asked_for(market: Market, goods: Goods) -> None:
    grant = market.bought(goods)["grant_id"]
    offer = market.offer(goods.dataset_id)
    ask(market, goods.dataset_id, assurance_required="aal3")
    before = row_counts()
    refused(market.order(offer), 403, "keyed-client-needed")
    refused(market.fetch(grant), 403, "keyed-client-needed")
    assert row_counts() == before
    program = with_key(market, market.buyer)
    ok(market.order(offer, program), 201)
    assert market.fetch(grant, who=program).data == CONTENT


def test_a_key_does_not_stand_for_a_person(market: Market, goods: Goods) -> None:
    """A member's token is of its own level, whatever the program that holds it proves."""
    grant = market.bought(goods)["grant_id"]
    ask(market, goods.dataset_id, assurance_required="aal2")
    low = member_of(with_key(market, market.buyer), "aal1")
    refused(market.fetch(grant, who=low), 401, "assurance-too-low")


def test_an_exchange_may_let_only_qualified_providers_sell(market: Market, goods: Goods) -> None:
    terms = market.terms()
    before_settings = settings.current()
    settings.install(replace(before_settings, trust_to_sell="qualified"))
    try:
        priced = {"dataset_id": goods.dataset_id, "terms_id": terms["id"], "price": PRICES["one_off"]}
        free = market.offer(goods.dataset_id)
        before = row_counts()
        refused(market.provider.post("/v1/offers", priced), 403, "trust-too-low")
        refused(
            market.provider.post(
                f"/v1/offers/{free['id']}/supersede", {k: v for k, v in priced.items() if k != "dataset_id"}
            ),
            403,
            "trust-too-low",
        )
        assert row_counts() == before
        qualify(market, market.provider)
        ok(market.provider.post("/v1/offers", priced), 201)
    finally:
        settings.install(before_settings)
