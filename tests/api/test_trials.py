"""Trials on the wire."""

from tests.api.trade import Market, fresh_key, ok, refused, row_counts

TRIAL = {"duration_days": 7, "quota_bytes": 1_000_000}


def test_a_provider_offers_a_trial_and_a_buyer_takes_it_once(market: Market) -> None:
    goods = market.goods()
    terms = market.terms("free")
    at, try_at = f"/v1/datasets/{goods.dataset_id}/trial", f"/v1/catalog/{goods.dataset_id}/trial"
    assert ok(market.provider.get(at))["duration_days"] is None
    refused(market.buyer.post(try_at, {"accept_terms_sha256": terms["sha256"]}), 404, "not-found")

    told = ok(market.provider.call("PUT", at, json=TRIAL | {"terms_id": terms["id"]}))
    assert ok(market.provider.get(at)) == told
    assert ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))["trial"]["terms_sha256"] == terms["sha256"]
    key = fresh_key()
    answer = market.buyer.post(try_at, {"accept_terms_sha256": terms["sha256"]}, key=key)
    order = ok(answer, 201)

    assert (order["price_kind"], order["amount_gross_yen"], order["checkout_url"]) == ("free", 0, None)
    assert market.fetch(order["grant_id"]).status_code == 200
    again = ok(market.buyer.post(try_at, {"accept_terms_sha256": terms["sha256"]}, key=key), 201)
    assert again["id"] == order["id"]
    before = row_counts()
    refusal = refused(market.buyer.post(try_at, {"accept_terms_sha256": terms["sha256"]}), 409, "tried-already")
    assert refusal["order_id"] == order["id"]
    refused(market.rival.get(at), 404, "not-found")
    refused(market.rival.call("DELETE", at), 404, "not-found")
    refused(
        market.provider.call("PUT", at, json=TRIAL | {"terms_id": terms["id"], "duration_days": 0}),
        422,
        "invalid-input",
        "/duration_days",
    )
    assert row_counts() == before
    assert market.provider.call("DELETE", at).status_code == 204
    assert ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))["trial"] is None


def test_the_trial_stands_on_the_page(market: Market) -> None:
    goods, terms = market.goods(), market.terms("free")
    ok(market.provider.call("PUT", f"/v1/datasets/{goods.dataset_id}/trial", json=TRIAL | {"terms_id": terms["id"]}))
    assert "once for each organization" in market.nobody.get(f"/catalog/{goods.dataset_id}?lang=en").text
    assert "一組織につき一度" in market.nobody.get(f"/catalog/{goods.dataset_id}?lang=ja").text
