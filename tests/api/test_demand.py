"""Data requests on the wire: what everybody sees, what is one's own, and what became of them."""

from datetime import timedelta

from marketplace.kit import clock
from tests.api.routes import REQUEST
from tests.api.trade import Goods, Market, fresh_key, ok, party, refused

OWN = {"requester", "standing", "budget_yen"}


def stated(market: Market, **changes: object) -> dict:
    return ok(market.buyer.post("/v1/data-requests", REQUEST | changes), 201)


def test_a_need_goes_from_its_statement_to_the_dataset_that_meets_it(market: Market, goods: Goods) -> None:
    request = stated(market, detail="10分ごと", period_from="2025-04-01", period_to="2026-03-31")
    assert (request["state"], request["standing"]["is_requester"]) == ("open", True)
    address = f"/v1/data-requests/{request['id']}"
    public = ok(market.nobody.get(address))
    assert (public["requester"], public["standing"], public["detail"]) == (None, None, "10分ごと")
    assert [one["id"] for one in ok(market.nobody.get("/v1/data-requests?q=歩行者数"))["items"]] == [request["id"]]
    follower = party(market.app, "follower", "buyer")
    ok(follower.call("PUT", f"{address}/pledge", json={"amount_yen": 50_000}))
    assert ok(follower.get(address))["standing"] == {"is_requester": False, "follows": True, "pledge_yen": 50_000}
    assert ok(market.nobody.get(address))["pledges"] is None
    valid = (clock.today() + timedelta(days=30)).isoformat()
    quote = {"kind": "quote", "words": "年額", "amount_yen": 200_000, "valid_until": valid}
    ok(market.provider.post(f"{address}/answers", quote), 201)
    listing = ok(market.provider.post(f"{address}/answers", {"kind": "listing", "dataset_id": goods.dataset_id}), 201)
    seen = ok(market.nobody.get(f"{address}/answers"))["items"]
    assert [(one["kind"], one["amount_yen"]) for one in seen] == [("quote", None), ("listing", None)]
    assert ok(market.buyer.get(f"{address}/answers"))["items"][0]["amount_yen"] == 200_000
    met = ok(market.buyer.post(f"{address}/met", {"answer_id": listing["id"]}))
    assert met["state"] == "met"
    notices = ok(follower.get("/v1/data-request-notices"))["items"]
    assert (notices[0]["event"], notices[0]["about"]) == ("met", listing["id"])
    assert [one["state"] for one in ok(follower.get("/v1/data-requests/own"))["items"]] == ["met"]
    refused(follower.call("PUT", f"{address}/pledge", json={"amount_yen": 1}), 409, "request-ended")


def test_one_statement_under_one_key_is_one_request(market: Market) -> None:
    headers = {"Idempotency-Key": fresh_key()}
    first = market.buyer.call("POST", "/v1/data-requests", json=REQUEST, headers=headers)
    again = market.buyer.call("POST", "/v1/data-requests", json=REQUEST, headers=headers)
    assert ok(first, 201)["id"] == ok(again, 201)["id"]
    assert len(ok(market.buyer.get("/v1/data-requests/own"))["items"]) == 1


def test_alike_requests_are_shown_and_merged_by_agreement(market: Market) -> None:
    one, into = stated(market), ok(party(market.app, "other", "buyer").post("/v1/data-requests", REQUEST), 201)
    near = ok(market.nobody.get(f"/v1/data-requests/{one['id']}/alike"))["items"]
    assert [(item["request"]["id"], item["likeness_percent"]) for item in near] == [(into["id"], 100)]
    merge = f"/v1/data-requests/{one['id']}/merge"
    refused(market.stranger.post(merge, {"into_id": into["id"]}), 404, "not-found")
    assert ok(market.buyer.post(merge, {"into_id": into["id"]}))["id"] == into["id"]
    gone = ok(market.nobody.get(f"/v1/data-requests/{one['id']}"))
    assert (gone["state"], gone["merged_into_id"]) == ("merged", into["id"])
    answer = refused(market.rival.post(f"/v1/data-requests/{one['id']}/follow"), 409, "request-ended")
    assert answer["merged_into_id"] == into["id"]


def test_answers_and_follows_are_taken_back(market: Market) -> None:
    request = stated(market)
    address = f"/v1/data-requests/{request['id']}"
    headers = {"Idempotency-Key": fresh_key()}
    teaser = {"kind": "teaser", "words": "作れます。"}
    given = ok(market.provider.call("POST", f"{address}/answers", json=teaser, headers=headers), 201)
    ok(market.stranger.call("PUT", f"{address}/pledge", json={"amount_yen": 7_000}))
    ok(market.stranger.call("DELETE", f"{address}/pledge"))
    assert ok(market.stranger.get(address))["standing"] == {"is_requester": False, "follows": True, "pledge_yen": None}
    assert not ok(market.stranger.call("DELETE", f"{address}/follow"))["standing"]["follows"]
    refused(market.rival.call("DELETE", f"{address}/answers/{given['id']}"), 404, "not-found")
    assert market.provider.call("DELETE", f"{address}/answers/{given['id']}").status_code == 204
    assert ok(market.nobody.get(f"{address}/answers"))["items"] == []
    refused(market.provider.call("POST", f"{address}/answers", json=teaser, headers=headers), 404, "not-found")


def test_what_the_operator_closes_is_there_for_its_requester_alone(market: Market) -> None:
    request = stated(market)
    address = f"/v1/data-requests/{request['id']}"
    refused(market.stranger.post(f"{address}/close", {"reason": ""}), 404, "not-found")
    ok(market.operator.post(f"{address}/close", {"reason": "規約違反"}))
    refused(market.nobody.get(address), 404, "not-found")
    refused(market.stranger.get(f"{address}/answers"), 404, "not-found")
    assert ok(market.buyer.get(address))["closing_words"] == "規約違反"
    assert ok(market.nobody.get("/v1/data-requests?state=closed"))["items"] == []


def test_hostile_requests_are_refused_with_their_fields(market: Market) -> None:
    for changes, pointer in (
        ({"budget_yen": 2.5}, "/budget_yen"),
        ({"title": "一行\n二行"}, "/title"),
        ({"deadline": "2026-13-01"}, "/deadline"),
        ({"theme": "weather"}, "/theme"),
        ({"unknown": 1}, "/unknown"),
    ):
        document = refused(market.buyer.post("/v1/data-requests", REQUEST | changes), 422, "invalid-input")
        assert [error["pointer"] for error in document["errors"]] == [pointer]
    refused(market.nobody.get("/v1/data-requests?region=1"), 422, "invalid-input")


def test_prices_are_guided_by_theme_and_say_nothing_of_too_few(market: Market) -> None:
    told = ok(market.nobody.get("/v1/price-guidance?theme=population&region=011002"))
    assert told == {
        "theme": "population", "price_kind": "one_off", "region": None, "month": None, "deals_min": None,
        "buyers_min": None, "lower_yen": None, "median_yen": None, "upper_yen": None,
    }  # fmt: skip
    refused(market.nobody.get("/v1/price-guidance"), 422, "invalid-input")
    refused(market.nobody.get("/v1/price-guidance?theme=population&price_kind=free"), 422, "invalid-input")
