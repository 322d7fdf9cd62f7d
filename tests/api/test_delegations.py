"""One organization manages the listings of another: as far as it was let, in its name, and not a request longer."""

from dataclasses import dataclass, replace
from typing import Any

import pytest
from sqlalchemy import select
from werkzeug.datastructures import Headers
from werkzeug.test import TestResponse

from marketplace.audit.models import Entry
from marketplace.identity.oauth import codes
from marketplace.identity.oauth.codes import Bound
from marketplace.identity.permissions import DELEGABLE
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.api.routes import everything_of, routes
from tests.api.trade import DATASET, Market, Party, call, ok, order_of, party, refused, row_counts
from tests.factories.identity import OrganizationFactory
from tests.identity.oauth.people import CHALLENGE, PUBLIC, REDIRECT_URI
from tests.identity.oauth.people import party as person_with_program

PATH = "/v1/delegations"
ALL = sorted(DELEGABLE)


@dataclass
class Delegate(Party):
    """A party that acts in the name of another."""

    principal: str = ""

    def call(self, method: str, path: str, **kwargs: Any) -> TestResponse:
        headers = {"On-Behalf-Of": self.principal} | dict(kwargs.pop("headers", {}))
        return super().call(method, path, headers=headers, **kwargs)


def delegated(market: Market, *permissions: str, to: Party | None = None) -> dict[str, Any]:
    """The provider lets the rival, or somebody else, manage its listings; as far as can be, where nothing is said."""
    body = {"delegate_id": (to or market.rival).organization_id, "permissions": list(permissions) or ALL}
    return dict(ok(market.provider.post(PATH, body), 201))


def in_name_of(delegate: Party, delegator: Party) -> Delegate:
    return Delegate(
        delegate.app,
        delegate.role,
        delegate.organization_id,
        delegate.client_id,
        delegate.token,
        delegator.organization_id,
    )


def test_a_delegation_is_seen_by_both_sides_and_nobody_else(market: Market) -> None:
    made = delegated(market, "datasets.read", "datasets.write")
    assert (made["delegator"]["id"], made["delegate"]["id"]) == (
        market.provider.organization_id,
        market.rival.organization_id,
    )
    assert made["delegate"]["name_ja"]
    assert (made["permissions"], made["ended_at"]) == (["datasets.read", "datasets.write"], None)
    for side in (market.provider, market.rival):
        assert ok(side.get(PATH))["items"] == [made]
        assert ok(side.get(f"{PATH}/{made['id']}")) == made
    other = party(market.app, "third", "provider")
    assert ok(other.get(PATH))["items"] == []
    for stranger in (other, market.operator, market.auditor):
        refused(stranger.get(f"{PATH}/{made['id']}"), 404, "not-found")
    for stranger in (other, market.operator):
        assert stranger.post(f"{PATH}/{made['id']}/end").status_code in {403, 404}
    assert ok(market.rival.get(f"{PATH}/{made['id']}"))["ended_at"] is None


def test_a_whole_listing_is_made_in_anothers_name_and_the_record_says_by_whom(market: Market) -> None:
    delegated(market)
    before = set(db.session.scalars(select(Entry.id)))
    agent = in_name_of(market.rival, market.provider)
    acting = replace(market, provider=agent)
    goods = acting.goods(title_ja="委任された人流")
    acting.offer(goods.dataset_id)
    mine = [one["id"] for one in ok(market.provider.get("/v1/datasets"))["items"]]
    assert goods.dataset_id in mine
    refused(market.rival.get(f"/v1/datasets/{goods.dataset_id}"), 404, "not-found")
    assert goods.dataset_id in [one["id"] for one in ok(agent.get("/v1/datasets"))["items"]]
    written = [entry for entry in db.session.scalars(select(Entry)) if entry.id not in before and entry.client_id]
    assert {entry.verb for entry in written} >= {
        "catalog.dataset.registered", "catalog.release.published", "catalog.file.received", "licensing.offer.made",
    }  # fmt: skip
    for entry in written:
        assert (entry.organization_id, entry.client_id) == (market.provider.organization_id, market.rival.client_id)
        assert entry.facts["delegate"] == market.rival.organization_id
        assert f'"delegate":"{market.rival.organization_id}"' in entry.canonical
    query = {"counterparty_id": market.rival.organization_id, "verb": "catalog.dataset.registered", "size": 100}
    found = ok(market.auditor.get("/v1/audit/entries", query_string=query))["items"]
    assert goods.dataset_id in [entry["subject"] for entry in found]


def test_nothing_but_listings_is_done_in_anothers_name(market: Market) -> None:
    everything = everything_of(market)
    delegated(market)
    agent = in_name_of(market.rival, market.provider)
    outside = [route for route in routes(market.app) if route.permission not in DELEGABLE]
    assert len(outside) > 50
    before = row_counts()
    for route in outside:
        refused(everything.send(agent, route), 403, "not-delegated")
    assert row_counts() == before


def test_what_can_be_delegated_is_let_through(market: Market) -> None:
    everything = everything_of(market)
    delegated(market)
    agent = in_name_of(market.rival, market.provider)
    delegable = [route for route in routes(market.app) if route.permission in DELEGABLE]
    for route in sorted(delegable, key=lambda route: route.method == "DELETE"):
        assert everything.send(agent, route).status_code not in {401, 403, 404}, route


def test_the_delegator_chooses_how_far(market: Market) -> None:
    dataset = market.dataset()
    delegated(market, "datasets.read")
    agent = in_name_of(market.rival, market.provider)
    assert ok(agent.get(f"/v1/datasets/{dataset['id']}"))["id"] == dataset["id"]
    before = row_counts()
    refused(agent.post("/v1/datasets", DATASET), 403, "not-delegated")
    refused(agent.post("/v1/terms", {"template": "research"}), 403, "not-delegated")
    assert row_counts() == before


def test_the_delegates_own_token_is_needed_as_far_as_ever(market: Market) -> None:
    delegated(market)
    narrow = in_name_of(market.rival.with_scopes("catalog:read"), market.provider)
    refused(narrow.post("/v1/datasets", DATASET), 403, "insufficient-scope")
    headers = {"On-Behalf-Of": market.provider.organization_id}
    for path in ("/v1/datasets", "/v1/catalog"):
        refused(market.nobody.get(path, headers=headers), 401, "not-authenticated")


def test_who_names_nobody_acts_for_themselves(market: Market) -> None:
    delegated(market)
    made = ok(market.rival.post("/v1/datasets", DATASET), 201)
    refused(market.provider.get(f"/v1/datasets/{made['id']}"), 404, "not-found")


@pytest.mark.parametrize("named", ["org_" + "0" * 32, "", "provider", "a,b"])
def test_who_was_let_by_nobody_is_refused_alike(market: Market, named: str) -> None:
    agent = replace(in_name_of(market.rival, market.provider), principal=named)
    never = refused(in_name_of(market.rival, market.provider).get("/v1/datasets"), 403, "not-delegated")
    assert refused(agent.get("/v1/datasets"), 403, "not-delegated") == never
    own = replace(agent, principal=market.rival.organization_id)
    assert refused(own.get("/v1/datasets"), 403, "not-delegated") == never


def test_two_names_are_none(market: Market) -> None:
    delegated(market)
    name = ("On-Behalf-Of", market.provider.organization_id)
    headers = Headers([("Authorization", f"Bearer {market.rival.token}"), name, name])
    refused(call(market.app, "GET", "/v1/datasets", headers=headers), 403, "not-delegated")


@pytest.mark.parametrize("side", ["provider", "rival"])
def test_either_side_ends_it_and_the_next_request_is_refused(market: Market, side: str) -> None:
    made = delegated(market)
    agent = in_name_of(market.rival, market.provider)
    ok(agent.get("/v1/datasets"))
    ended = ok(getattr(market, side).post(f"{PATH}/{made['id']}/end"))
    assert ended["ended_at"] is not None
    refused(agent.get("/v1/datasets"), 403, "not-delegated")
    again = ok(market.provider.post(f"{PATH}/{made['id']}/end"))
    assert again == ended
    entries = db.session.scalars(select(Entry).where(Entry.verb == "identity.delegation.ended")).all()
    assert [entry.subject for entry in entries] == [made["id"]]
    assert entries[0].facts == {
        "delegator": market.provider.organization_id, "delegate": market.rival.organization_id
    }  # fmt: skip
    delegated(market, "datasets.read")  # a new one may follow
    ok(agent.get("/v1/datasets"))


@pytest.mark.parametrize("side", ["provider", "rival"])
def test_a_suspension_of_either_side_ends_it_for_good(market: Market, side: str) -> None:
    made, shut = delegated(market), getattr(market, side)
    agent = in_name_of(market.rival, market.provider)
    ok(market.operator.post(f"/v1/organizations/{shut.organization_id}/suspend", {"reason": "規約違反"}))
    assert agent.get("/v1/datasets").status_code == (403 if side == "provider" else 401)
    ok(market.operator.post(f"/v1/organizations/{shut.organization_id}/verify"))
    renewed = replace(agent, token=market.rival.with_scopes("catalog:read").token)
    refused(renewed.get("/v1/datasets"), 403, "not-delegated")
    other = market.rival if side == "provider" else market.provider
    assert ok(other.get(f"{PATH}/{made['id']}"))["ended_at"] is not None


def test_nothing_that_was_delegated_is_handed_on(market: Market) -> None:
    delegated(market)
    third = party(market.app, "third", "provider")
    ok(market.rival.post(PATH, {"delegate_id": third.organization_id, "permissions": ALL}), 201)
    ok(in_name_of(third, market.rival).get("/v1/datasets"))
    refused(in_name_of(third, market.provider).get("/v1/datasets"), 403, "not-delegated")


def test_nobody_is_told_why_a_delegate_is_not_open(market: Market) -> None:
    with transaction():
        shut = OrganizationFactory(provider=True, suspended=True).id
        applicant = OrganizationFactory(provider=True, applicant=True).id
    before = row_counts()
    for delegate in (
        shut,
        applicant,
        market.buyer.organization_id,
        market.provider.organization_id,
        "org_" + "0" * 32,
    ):
        body = {"delegate_id": delegate, "permissions": ["datasets.read"]}
        answer = refused(market.provider.post(PATH, body), 422, "delegate-not-open")
        assert delegate not in str(answer)
    assert row_counts() == before


@pytest.mark.parametrize(
    "permissions",
    [
        [],
        ["payouts.operate"],
        ["datasets.read", "grants.revoke"],
        ["members.manage"],
        ["everything"],
        ["datasets.read"] * 5,
    ],
)
def test_nothing_else_can_be_delegated(market: Market, permissions: list[str]) -> None:
    before = row_counts()
    body = {"delegate_id": market.rival.organization_id, "permissions": permissions}
    refused(market.provider.post(PATH, body), 422, "invalid-input")
    assert row_counts() == before


def test_one_delegation_of_a_pair_counts_at_a_time(market: Market) -> None:
    delegated(market, "datasets.read")
    before = row_counts()
    body = {"delegate_id": market.rival.organization_id, "permissions": ["licensing.read"]}
    refused(market.provider.post(PATH, body), 409, "delegation-open")
    assert row_counts() == before
    back = {"delegate_id": market.provider.organization_id, "permissions": ["datasets.read"]}
    ok(market.rival.post(PATH, back), 201)  # the other way round is another one


def test_a_delegate_gives_itself_neither_money_nor_data(market: Market) -> None:
    delegated(market)
    goods, acting = market.goods(), replace(market, provider=in_name_of(market.rival, market.provider))
    terms = market.terms()["id"]
    shares = [
        {"organization_id": market.provider.organization_id, "basis_points": 1_000},
        {"organization_id": market.rival.organization_id, "basis_points": 9_000},
    ]
    body = {"dataset_id": goods.dataset_id, "terms_id": terms, "price": {"kind": "one_off", "amount_yen": 1_000}}
    shared = ok(market.provider.post("/v1/offers", body | {"shares": shares}), 201)
    before = row_counts()
    for gain in ({"shares": shares}, {"buyer_organization_id": market.rival.organization_id}):
        refused(acting.provider.post("/v1/offers", body | gain), 403, "not-delegated")
    version = {"terms_id": terms, "price": body["price"]}
    refused(acting.provider.post(f"/v1/offers/{shared['id']}/supersede", version), 403, "not-delegated")
    assert row_counts() == before


def test_the_description_says_where_somebody_may_be_named(market: Market) -> None:
    paths = ok(market.nobody.get("/openapi.json"))["paths"]

    def named(path: str, method: str) -> bool:
        return any(parameter.get("name") == "On-Behalf-Of" for parameter in paths[path][method].get("parameters", []))

    assert named("/v1/datasets", "post")
    assert named("/v1/offers", "post")
    assert not named("/v1/orders", "post")


def test_people_of_two_organizations_who_use_one_program_share_no_idempotency_keys(market: Market) -> None:
    offer = market.offer(market.goods().dataset_id)
    one, other = person_with_program(**PUBLIC), person_with_program(**PUBLIC)
    orders = []
    for who in (one, other):
        with transaction():
            consent = who.consent(scope="orders:write orders:read")
            code = codes.issue(Bound(one.client.id, REDIRECT_URI, CHALLENGE, None), consent)
        form = one.exchange_form(code)
        token = ok(call(market.app, "POST", "/oauth/token", data=form))["access_token"]
        buyer = Party(market.app, "member", who.organization.id, one.client.id, token)
        orders.append(ok(buyer.post("/v1/orders", order_of(offer), key="the-same"), 201)["id"])
        ok(buyer.get(f"/v1/orders/{orders[-1]}"))
    assert len(set(orders)) == 2
