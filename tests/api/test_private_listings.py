"""What is listed to a private group is found by its members, and nowhere by anybody else."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from werkzeug.test import TestResponse

from marketplace.exchange import listing
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from tests.api.routes import QUERIES, Route, everything_of, routes
from tests.api.trade import Goods, Market, Party, ok, refused, row_counts

WORD = "秘匿路線"
SECRETS = {"title_ja": f"{WORD}の乗降客数", "title_en": "Ridership of the veiled line", "keywords": ["veiled"]}


def grouped(market: Market, *members: Party, owner: Party | None = None) -> str:
    """A group of the provider's with these members."""
    who = owner or market.provider
    group: str = ok(who.post("/v1/groups", {"name_ja": "観光推進の会", "name_en": "Tourism circle"}), 201)["id"]
    for member in members:
        ok(who.post(f"/v1/groups/{group}/members", {"organization_id": member.organization_id}))
    return group


def hidden(market: Market, goods: Goods, *members: Party) -> str:
    """The group to which alone these goods are listed."""
    group = grouped(market, *members)
    ok(audience(market, goods, group))
    listing.index()
    return group


def audience(market: Market, goods: Goods, group: str | None, who: Party | None = None) -> TestResponse:
    return (who or market.provider).call("PUT", f"/v1/datasets/{goods.dataset_id}/audience", json={"group_id": group})


def found(who: Party, words: str = WORD) -> dict[str, Any]:
    return ok(who.get("/v1/catalog", query_string={"q": words}))


def sees(who: Party, goods: Goods) -> bool:
    """Whether the reader finds the dataset: its document, its files and its search agree."""
    address = f"/v1/catalog/{goods.dataset_id}"
    files = f"{address}/releases/{goods.release_id}/files"
    told = {who.get(place).status_code for place in (address, files)}
    hits = [hit["id"] for hit in found(who)["items"]]
    assert (told, hits) in [({200}, [goods.dataset_id]), ({404}, [])], (who.role, told, hits)
    return bool(hits)


@contextmanager
def statements() -> Iterator[list[str]]:
    """The statements that are sent meanwhile."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        if "SAVEPOINT" not in statement:  # of the test's own outer transaction
            sent.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield sent
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


@pytest.fixture
def goods(market: Market) -> Goods:
    """What is listed to everybody at first."""
    market.goods()
    made = market.goods(**SECRETS)
    listing.rebuild_index()  # what other tests left in it was rolled back in the database alone
    return made


def test_members_and_the_owner_find_what_nobody_else_does(market: Market, goods: Goods) -> None:
    assert all(sees(who, goods) for who in (market.nobody, market.buyer, market.stranger))
    others = found(market.nobody, "")

    group = hidden(market, goods, market.buyer)

    assert sees(market.buyer, goods)
    assert sees(market.provider, goods)
    for who in (market.nobody, market.stranger, market.rival, market.operator, market.auditor):
        assert not sees(who, goods), who.role
    assert found(market.nobody, "")["total"] == others["total"] - 1
    assert found(market.buyer, "")["total"] == others["total"]
    assert ok(market.buyer.get(f"/v1/catalog/{goods.dataset_id}"))["audience"] == group


def test_no_count_facet_or_cursor_tells_of_a_private_listing(market: Market, goods: Goods) -> None:
    before = {words: found(market.nobody, words) for words in ("", WORD, "大通", "veiled")}
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    listing.index()
    absent = {words: found(market.nobody, words) for words in before}
    again = market.goods(**SECRETS)

    hidden(market, again, market.buyer)

    assert {words: found(market.nobody, words) for words in before} == absent
    assert {words: found(market.stranger, words) for words in before} == absent
    assert found(market.buyer)["facets"] == before[WORD]["facets"]
    assert found(market.buyer)["total"] == 1


def test_whoever_is_removed_or_leaves_sees_nothing_from_the_next_request_on(market: Market, goods: Goods) -> None:
    group = hidden(market, goods, market.buyer, market.stranger)

    gone = market.provider.call("DELETE", f"/v1/groups/{group}/members/{market.buyer.organization_id}")
    assert gone.status_code == 204
    assert not sees(market.buyer, goods)
    assert sees(market.stranger, goods)

    assert market.stranger.post(f"/v1/groups/{group}/leave").status_code == 204
    assert not sees(market.stranger, goods)
    refused(market.stranger.get(f"/v1/groups/{group}"), 404, "not-found")


def test_what_was_bought_stays_with_whoever_is_removed(market: Market, goods: Goods) -> None:
    group = hidden(market, goods, market.buyer)
    offer = market.offer(goods.dataset_id)
    grant = ok(market.order(offer), 201)["grant_id"]

    market.provider.call("DELETE", f"/v1/groups/{group}/members/{market.buyer.organization_id}")
    later = market.offer(goods.dataset_id)

    assert market.fetch(grant, goods.file_name).data == goods.content
    assert ok(market.buyer.get(f"/v1/offers/{offer['id']}"))["id"] == offer["id"]
    assert ok(market.buyer.get(f"/v1/offers?dataset_id={goods.dataset_id}"))["items"] == []
    refused(market.buyer.get(f"/v1/offers/{later['id']}"), 404, "not-found")
    refused(market.order(later), 404, "not-found")


def test_only_members_order_and_accept(market: Market, goods: Goods) -> None:
    hidden(market, goods, market.buyer)
    offer = market.offer(goods.dataset_id)
    before = row_counts()

    answer = refused(market.order(offer, market.stranger), 404, "not-found")
    absent = refused(market.order(offer | {"id": new_id("ofr")}, market.stranger), 404, "not-found")
    refused(market.stranger.post("/v1/quotes", {"offer_id": offer["id"]}), 404, "not-found")

    assert {**answer, "instance": ""} == {**absent, "instance": ""}
    assert row_counts() == before
    ok(market.buyer.post("/v1/quotes", {"offer_id": offer["id"]}), 201)
    ok(market.order(offer), 201)


def test_an_offer_made_to_one_buyer_alone_is_read_and_ordered_without_the_group(market: Market, goods: Goods) -> None:
    hidden(market, goods)
    to_all = market.offer(goods.dataset_id)
    addressed = market.offer(goods.dataset_id, buyer_organization_id=market.stranger.organization_id)

    ok(market.stranger.get(f"/v1/offers/{addressed['id']}"))
    offered = ok(market.stranger.get(f"/v1/offers?dataset_id={goods.dataset_id}"))["items"]
    assert [one["id"] for one in offered] == [addressed["id"]]
    refused(market.stranger.get(f"/v1/offers/{to_all['id']}"), 404, "not-found")
    ok(market.order(addressed, market.stranger), 201)


def test_terms_under_which_only_hidden_data_are_offered_are_hidden_too(market: Market, goods: Goods) -> None:
    hidden(market, goods, market.buyer)
    offer = market.offer(goods.dataset_id, "one_off", terms_id=_own_terms(market)["id"])
    places = [f"/v1/terms/{name}{end}" for name in (offer["terms_id"], offer["terms_sha256"]) for end in ("", "/odrl")]

    for place in places:
        assert market.buyer.get(place).status_code == market.operator.get(place).status_code == 200
        for who in (market.nobody, market.stranger, market.rival):
            refused(who.get(place), 404, "not-found")
    with statements() as absent:
        market.stranger.get(f"/v1/terms/{new_id('trm')}")
    with statements() as concealed:
        market.stranger.get(places[0])
    assert concealed == absent
    assert market.nobody.get(f"/terms/{offer['terms_id']}", headers={"Accept": "text/html"}).status_code == 404

    ok(audience(market, goods, None))
    assert all(market.nobody.get(place).status_code == 200 for place in places)


def _own_terms(market: Market) -> dict[str, Any]:
    body = {
        "template": "standard-commercial",
        "title_en": "For the circle alone",
        "items": {"notices": "会員だけが利用できる"},
    }
    return ok(market.provider.post("/v1/terms", body), 201)


def test_a_token_without_the_scope_and_a_token_for_grants_see_what_is_public(market: Market, goods: Goods) -> None:
    hidden(market, goods, market.buyer)

    assert not sees(market.buyer.with_scopes("data:read", "orders:read"), goods)
    assert sees(market.buyer.with_scopes("groups:read"), goods)


def test_back_to_everybody_and_to_another_group_at_once(market: Market, goods: Goods) -> None:
    group, other = hidden(market, goods, market.buyer), grouped(market, market.stranger)

    ok(audience(market, goods, other))
    assert market.buyer.get(f"/v1/catalog/{goods.dataset_id}").status_code == 404
    ok(market.stranger.get(f"/v1/catalog/{goods.dataset_id}"))
    listing.index()
    assert sees(market.stranger, goods)
    assert not sees(market.buyer, goods)

    assert ok(audience(market, goods, None)) == {"dataset_id": goods.dataset_id, "group_id": None}
    listing.index()
    assert all(sees(who, goods) for who in (market.nobody, market.buyer, market.stranger))
    assert "audience" not in ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))
    assert group != other


def test_a_private_listing_is_hidden_before_the_index_has_followed(market: Market, goods: Goods) -> None:
    group = grouped(market, market.buyer)
    ok(audience(market, goods, group))

    assert found(market.nobody)["items"] == []
    assert [hit["id"] for hit in found(market.buyer)["items"]] == [goods.dataset_id]


def test_a_rebuilt_index_hides_what_the_old_one_hid(market: Market, goods: Goods) -> None:
    hidden(market, goods, market.buyer)
    listing.rebuild_index()

    assert sees(market.buyer, goods)
    assert not sees(market.stranger, goods)
    assert found(market.stranger)["total"] == 0


def test_what_is_revised_stays_private(market: Market, goods: Goods) -> None:
    hidden(market, goods, market.buyer)
    address = f"/v1/datasets/{goods.dataset_id}"
    ok(market.provider.call("PATCH", address, json={"description_en": "Anew."}, headers={"If-Match": '"1"'}))
    market.publish(_filled(market, goods))
    listing.index()

    assert sees(market.buyer, goods)
    assert not sees(market.nobody, goods)


def _filled(market: Market, goods: Goods) -> str:
    release = market.release(goods.dataset_id, "2026-12")["id"]
    ok(market.upload(release), 201)
    return str(release)


Asking = Callable[[Party, str, str], TestResponse]
ASKED: dict[str, Asking] = {
    "document": lambda who, dataset, _offer: who.get(f"/v1/catalog/{dataset}"),
    "files": lambda who, dataset, _offer: who.get(f"/v1/catalog/{dataset}/releases/{new_id('rel')}/files"),
    "offers": lambda who, dataset, _offer: who.get(f"/v1/offers?dataset_id={dataset}"),
    "offer": lambda who, _dataset, offer: who.get(f"/v1/offers/{offer}"),
    "upstream": lambda who, dataset, _offer: who.get(f"/v1/datasets/{dataset}/upstream/openapi"),
    "page": lambda who, dataset, _offer: who.get(f"/catalog/{dataset}", headers={"Accept": "text/html"}),
    "order": lambda who, _dataset, offer: who.post("/v1/orders", {"offer_id": offer, "accept_terms_sha256": "0f" * 32}),
}


@pytest.mark.parametrize("question", ASKED)
@pytest.mark.parametrize("role", ["nobody", "stranger"])
def test_the_same_is_asked_of_the_database_where_a_dataset_is_hidden_as_where_there_is_none(
    market: Market, goods: Goods, question: str, role: str
) -> None:
    hidden(market, goods, market.buyer)
    offer, who, ask = market.offer(goods.dataset_id)["id"], getattr(market, role), ASKED[question]
    ask(who, new_id("ds"), new_id("ofr"))

    with statements() as absent:
        missing = ask(who, new_id("ds"), new_id("ofr"))
    with statements() as concealed:
        unseen = ask(who, goods.dataset_id, offer)

    assert (unseen.status_code, len(unseen.data)) == (missing.status_code, len(missing.data))
    assert concealed == absent
    assert absent or (role, question) == ("nobody", "order")


def test_nobody_else_finds_anything_at_any_address(market: Market, app: Flask) -> None:
    everything = everything_of(market)
    goods = Goods(everything.ids["dataset_id"], everything.ids["release_id"], everything.ids["name"], b"")
    public, member = _public(app), market.buyer
    seen = {str(route) for route in public if everything.send(member, route).status_code == 200}
    hidden(market, goods, member)

    for route in public:
        absent = everything.send(
            market.stranger, route, **{name: new_id(everything.ids[name][:3].strip("_")) for name in route.things}
        )
        for who in (market.stranger, market.nobody, market.rival.with_scopes("groups:read")):
            answer = everything.send(who, route)
            assert answer.status_code == absent.status_code == 404, (str(route), who.role)
            assert goods.dataset_id not in answer.text.replace(answer.json["instance"], "")
    assert {"GET /v1/catalog/<dataset_id>", "GET /v1/offers/<offer_id>"} <= seen


def _public(app: Flask) -> list[Route]:
    """Addresses open to anybody that name a dataset or what is of one."""
    named = {"dataset_id", "offer_id"}
    return [
        route
        for route in routes(app)
        if route.method == "GET" and not route.demands.scope and named & {*route.things, *QUERIES.get(str(route), {})}
    ]
