"""Orders: one purchase per Idempotency-Key, at our price, of an offer that still stands."""

import json
from concurrent.futures import ThreadPoolExecutor

import pytest
from flask import Flask

from marketplace.kit import clock
from tests.api.trade import Goods, Market, call, fresh_key, market_of, ok, order_of, party, refused, row_counts


@pytest.mark.parametrize(
    ("kind", "net", "tax", "state", "payment"),
    [
        ("free", 0, 0, "fulfilled", None),
        ("one_off", 12_000, 1_200, "pending", "open"),
        ("per_mib", 0, 0, "fulfilled", None),
    ],
)
def test_an_order_is_placed_at_the_price_of_the_offer(
    market: Market, goods: Goods, kind, net, tax, state, payment
) -> None:
    offer = market.offer(goods.dataset_id, kind)
    answer = market.order(offer)
    placed = ok(answer, 201)
    assert answer.headers["Location"] == f"/v1/orders/{placed['id']}"
    assert "Idempotent-Replayed" not in answer.headers
    assert (placed["amount_net_yen"], placed["amount_tax_yen"], placed["amount_gross_yen"]) == (net, tax, net + tax)
    assert placed["payment_state"] == payment
    assert bool(placed["checkout_url"]) is (payment is not None)
    assert bool(placed["grant_id"]) is (payment is None)
    assert ok(market.buyer.get(answer.headers["Location"])) == placed
    if payment is None:
        assert placed["state"] == state


def test_where_to_pay_is_shown_to_the_buyer_and_the_operator_only(market: Market, goods: Goods) -> None:
    placed = ok(market.order(market.offer(goods.dataset_id, "one_off")), 201)
    seen = {"buyer": placed["checkout_url"], "operator": placed["checkout_url"], "provider": None}
    for name, url in seen.items():
        caller = getattr(market, name)
        assert ok(caller.get(f"/v1/orders/{placed['id']}"))["checkout_url"] == url
        assert [one["checkout_url"] for one in ok(caller.get("/v1/orders"))["items"]] == [url]


def test_paying_gives_grant_and_invoice_once(market: Market, goods: Goods) -> None:
    placed = ok(market.order(market.offer(goods.dataset_id, "one_off")), 201)
    market.pay(placed["checkout_url"])
    paid = ok(market.buyer.get(f"/v1/orders/{placed['id']}"))
    assert (paid["state"], paid["payment_state"], paid["checkout_url"]) == ("fulfilled", "paid", None)
    assert paid["grant_id"]
    assert paid["invoice_id"]
    invoice = ok(market.buyer.get(f"/v1/invoices/{paid['invoice_id']}"))
    assert (invoice["amount_gross_yen"], invoice["state"], invoice["order_id"]) == (13_200, "paid", placed["id"])
    assert invoice == ok(market.provider.get(f"/v1/invoices/{paid['invoice_id']}"))


@pytest.mark.parametrize("key", [None, "", "x" * 256])
def test_an_order_without_a_key_is_refused(market: Market, goods: Goods, key) -> None:
    body = order_of(market.offer(goods.dataset_id))
    before = row_counts()
    headers = {} if key is None else {"Idempotency-Key": key}
    refused(market.buyer.call("POST", "/v1/orders", json=body, headers=headers), 400, "idempotency-key-missing")
    assert row_counts() == before


def test_the_same_key_and_body_give_the_same_order(market: Market, goods: Goods) -> None:
    offer, key = market.offer(goods.dataset_id, "one_off"), fresh_key()
    first = market.order(offer, key=key)
    before = row_counts()
    again = market.order(offer, key=key)
    assert again.status_code == 201
    assert again.json == first.json
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["Idempotent-Replayed"] == "true"
    assert row_counts() == before


def test_fields_in_another_order_are_the_same_request(market: Market, goods: Goods) -> None:
    body, key = order_of(market.offer(goods.dataset_id)), fresh_key()
    first = ok(market.buyer.post("/v1/orders", body, key=key), 201)
    turned = json.dumps(dict(reversed(body.items())), indent=3)
    assert ok(market.buyer.send("POST", "/v1/orders", turned, Idempotency_Key=key), 201)["id"] == first["id"]


def test_the_same_key_with_another_body_is_refused(market: Market, goods: Goods) -> None:
    key = fresh_key()
    ok(market.order(market.offer(goods.dataset_id), key=key), 201)
    other, before = market.offer(goods.dataset_id, "per_mib"), row_counts()
    refused(market.order(other, key=key), 422, "idempotency-key-reused")
    assert row_counts() == before


def test_a_key_of_another_client_is_another_key(market: Market, goods: Goods) -> None:
    offer, key = market.offer(goods.dataset_id), fresh_key()
    mine, theirs = ok(market.order(offer, key=key), 201), ok(market.order(offer, market.stranger, key=key), 201)
    assert mine["id"] != theirs["id"]
    assert mine["organization_id"] != theirs["organization_id"]


def test_a_refused_order_does_not_use_its_key_up(market: Market, goods: Goods) -> None:
    offer, key = market.offer(goods.dataset_id), fresh_key()
    wrong = order_of(offer) | {"accept_terms_sha256": "0" * 64}
    refused(market.buyer.post("/v1/orders", wrong, key=key), 409, "terms-differ")
    ok(market.order(offer, key=key), 201)


def test_eight_parallel_requests_with_one_key_are_one_purchase(own_database: Flask) -> None:
    market = market_of(own_database)
    offer, key = market.offer(market.goods().dataset_id, "one_off"), fresh_key()
    headers = {"Authorization": f"Bearer {market.buyer.token}", "Idempotency-Key": key}
    with ThreadPoolExecutor(8) as pool:
        sent = [
            pool.submit(call, own_database, "POST", "/v1/orders", json=order_of(offer), headers=headers)
            for _ in range(8)
        ]
        answers = [future.result() for future in sent]
    assert [answer.status_code for answer in answers] == [201] * 8, [answer.text for answer in answers]
    assert len({answer.json["id"] for answer in answers}) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1
    placed = ok(market.buyer.get("/v1/orders"))["items"]
    assert len(placed) == 1
    assert placed[0]["checkout_url"]
    deeds = ok(market.auditor.get("/v1/audit/entries", query_string={"verb": "billing.order.placed"}))["items"]
    assert len(deeds) == 1


def test_eight_parallel_orders_with_keys_of_their_own_are_eight(own_database: Flask) -> None:
    market = market_of(own_database)
    offer = market.offer(market.goods().dataset_id)
    with ThreadPoolExecutor(8) as pool:
        keys = [fresh_key() for _ in range(8)]
        answers = list(pool.map(lambda key: market.order(offer, key=key), keys))
    assert [answer.status_code for answer in answers] == [201] * 8, [answer.text for answer in answers]
    assert len({answer.json["grant_id"] for answer in answers}) == 8


def test_a_price_in_the_body_is_refused_not_believed(market: Market, goods: Goods) -> None:
    body = order_of(market.offer(goods.dataset_id, "one_off"))
    for field, value in {
        "amount_yen": 1,
        "amount_net_yen": 1,
        "price": {"kind": "free"},
        "currency": "usd",
        "quantity": -1,
    }.items():
        refused(market.buyer.post("/v1/orders", body | {field: value}), 422, "invalid-input", f"/{field}")


@pytest.mark.parametrize("sha256", ["", "0" * 63, "A" * 64, "g" * 64, 5, None, ["a"]])
def test_a_hash_that_is_none_is_refused(market: Market, goods: Goods, sha256) -> None:
    body = order_of(market.offer(goods.dataset_id)) | {"accept_terms_sha256": sha256}
    refused(market.buyer.post("/v1/orders", body), 422, "invalid-input", "/accept_terms_sha256")


def test_other_terms_than_the_offers_are_refused(market: Market, goods: Goods) -> None:
    offer, other = market.offer(goods.dataset_id), market.terms("one_off")
    before = row_counts()
    body = order_of(offer) | {"accept_terms_sha256": other["sha256"]}
    assert refused(market.buyer.post("/v1/orders", body), 409, "terms-differ")["terms_sha256"] == offer["terms_sha256"]
    assert row_counts() == before


def test_an_offer_superseded_since_the_quote_is_refused(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id, "one_off")
    body = {"terms_id": offer["terms_id"], "price": {"kind": "one_off", "amount_yen": 99_000}}
    answer = market.provider.post(f"/v1/offers/{offer['id']}/supersede", body)
    dearer = ok(answer, 201)
    assert answer.headers["Location"] == f"/v1/offers/{dearer['id']}"
    assert (dearer["version"], dearer["supersedes"]) == (2, offer["id"])
    before = row_counts()
    assert refused(market.order(offer), 409, "offer-not-open")["state"] == "superseded"
    assert row_counts() == before
    assert ok(market.order(dearer), 201)["amount_net_yen"] == 99_000
    refused(market.provider.post(f"/v1/offers/{offer['id']}/supersede", body), 409, "offer-not-open")


def test_a_withdrawn_offer_is_refused_and_what_was_bought_stays(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id)
    bought = ok(market.order(offer), 201)
    assert ok(market.provider.post(f"/v1/offers/{offer['id']}/withdraw"))["state"] == "withdrawn"
    refused(market.order(offer), 409, "offer-not-open")
    assert market.fetch(bought["grant_id"]).data == goods.content
    assert ok(market.nobody.get("/v1/offers", query_string={"dataset_id": goods.dataset_id}))["items"] == []
    assert ok(market.nobody.get(f"/v1/offers/{offer['id']}"))["state"] == "withdrawn"


def test_an_offer_of_ones_own_is_refused(market: Market) -> None:
    both = party(market.app, "both", "provider", "buyer")
    market.provider = both
    offer = market.offer(market.goods().dataset_id)
    before = row_counts()
    refused(market.order(offer, both), 409, "own-offer")
    assert row_counts() == before


def test_an_offer_that_opens_nothing_yet_is_refused(market: Market) -> None:
    offer = market.offer(market.dataset()["id"])
    before = row_counts()
    refused(market.order(offer), 409, "nothing-to-deliver")
    assert row_counts() == before


def test_a_withdrawn_dataset_is_sold_no_more(market: Market, goods: Goods) -> None:
    offer = market.offer(goods.dataset_id)
    ok(market.provider.post(f"/v1/datasets/{goods.dataset_id}/withdraw"))
    before = row_counts()
    assert market.order(offer).status_code == 409
    assert row_counts() == before


def test_an_unknown_offer_is_not_found(market: Market) -> None:
    body = {"offer_id": "ofr_" + "0" * 32, "accept_terms_sha256": "0" * 64}
    refused(market.buyer.post("/v1/orders", body), 404, "not-found")


def test_an_order_is_shown_to_its_parties_and_overseers_alone(market: Market, goods: Goods) -> None:
    order_id = ok(market.order(market.offer(goods.dataset_id)), 201)["id"]
    for who in (market.buyer, market.provider, market.operator, market.auditor):
        assert ok(who.get(f"/v1/orders/{order_id}"))["id"] == order_id
    for who in (market.stranger, market.rival):
        refused(who.get(f"/v1/orders/{order_id}"), 404, "order-not-found")


def test_times_are_utc_with_microseconds(market: Market, goods: Goods) -> None:
    placed = ok(market.order(market.offer(goods.dataset_id)), 201)
    assert placed["created_at"] == clock.text(clock.parse(placed["created_at"]))
