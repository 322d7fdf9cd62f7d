"""Budgets on the wire: set, read, changed and removed by their buyer alone, and told of where they refuse."""

from typing import Any

from tests.api.trade import Market, ok, order_of, refused, row_counts

BY_REQUEST = {"kind": "per_unit", "unit": "request", "unit_yen": "120"}
DRAFT = {"name": "研究費", "limit_yen": 250}


def metered(market: Market) -> str:
    """A grant of data that are billed by the request."""
    offer = market.offer(market.goods().dataset_id, "one_off", price=BY_REQUEST, rails=["invoice"])
    return str(ok(market.buyer.post("/v1/orders", order_of(offer)), 201)["grant_id"])


def made(market: Market, **changes: Any) -> dict[str, Any]:
    return ok(market.buyer.post("/v1/budgets", DRAFT | changes), 201)


def change(market: Market, budget: dict[str, Any], body: dict[str, Any], version: int = 1) -> Any:
    return market.buyer.call("PATCH", f"/v1/budgets/{budget['id']}", json=body, headers={"If-Match": f'"{version}"'})


def test_a_budget_refuses_what_it_cannot_pay_and_says_what_is_left(market: Market) -> None:
    grant_id = metered(market)
    budget = made(market)
    assert (budget["period"], budget["grant_ids"], budget["yen_left"], budget["alerts"]) == ("month", None, 250, [])
    for _ in range(2):
        assert market.fetch(grant_id).status_code == 200
    problem = refused(market.fetch(grant_id), 403, "budget-exhausted")
    assert (problem["budget_id"], problem["budget_name"]) == (budget["id"], "研究費")
    assert (problem["yen_left"], problem["yen_asked"], problem["yen_held"], problem["limit_yen"]) == (10, 120, 0, 250)
    seen = ok(market.buyer.get("/v1/budgets"))["items"]
    assert [(one["yen_used"], one["yen_held"], one["yen_left"]) for one in seen] == [(240, 0, 10)]
    assert [alert["percent"] for alert in seen[0]["alerts"]] == [50, 80]
    assert market.usage(grant_id)[1] == 2
    # What has no bytes costs nothing.
    assert market.head(grant_id).status_code == 200


def test_a_budget_refuses_an_order_and_nothing_is_charged(market: Market) -> None:
    offer = market.offer(market.goods().dataset_id, "one_off")
    budget = made(market, limit_yen=23_999)
    ok(market.buyer.post("/v1/orders", order_of(offer)), 201)
    before = row_counts()
    problem = refused(market.buyer.post("/v1/orders", order_of(offer)), 403, "budget-exhausted")
    assert (problem["budget_id"], problem["yen_left"], problem["yen_asked"]) == (budget["id"], 11_999, 12_000)
    assert row_counts() == before
    seen = ok(market.buyer.get(f"/v1/budgets/{budget['id']}"))
    assert (seen["yen_used"], [alert["percent"] for alert in seen["alerts"]]) == (12_000, [50])
    ok(market.stranger.post("/v1/orders", order_of(offer)), 201)


def test_a_raised_budget_opens_again(market: Market) -> None:
    grant_id = metered(market)
    budget = made(market, limit_yen=100, grant_ids=[grant_id])
    refused(market.fetch(grant_id), 403, "budget-exhausted")
    changed = ok(change(market, budget, {"limit_yen": 120, "name": "研究費（増額）"}))
    assert (changed["limit_yen"], changed["name"], changed["version"]) == (120, "研究費（増額）", 2)
    assert market.fetch(grant_id).status_code == 200
    refused(change(market, budget, {"limit_yen": 500}), 412, "budget-stale")
    assert ok(market.buyer.get(f"/v1/budgets/{budget['id']}"))["limit_yen"] == 120


def test_a_removed_budget_is_gone(market: Market) -> None:
    budget = made(market)
    assert market.buyer.call("DELETE", f"/v1/budgets/{budget['id']}").status_code == 204
    refused(market.buyer.get(f"/v1/budgets/{budget['id']}"), 404, "not-found")
    assert ok(market.buyer.get("/v1/budgets"))["items"] == []


def test_a_budget_is_nobody_elses_business(market: Market) -> None:
    budget = made(market)
    address = f"/v1/budgets/{budget['id']}"
    refused(market.stranger.get(address), 404, "not-found")
    refused(market.stranger.call("DELETE", address), 404, "not-found")
    refused(
        market.stranger.call("PATCH", address, json={"limit_yen": 9}, headers={"If-Match": '"1"'}), 404, "not-found"
    )
    assert ok(market.stranger.get("/v1/budgets"))["items"] == []
    for other in (market.provider, market.operator, market.auditor):
        assert other.get(address).status_code == 403
    assert ok(market.buyer.get(address)) == budget


def test_who_fetches_cannot_raise_the_budget(market: Market) -> None:
    budget, program = made(market), market.buyer.with_scopes("data:read", "grants:read", "orders:write")
    answer = program.call(
        "PATCH", f"/v1/budgets/{budget['id']}", json={"limit_yen": 9_999}, headers={"If-Match": '"1"'}
    )
    refused(answer, 403, "insufficient-scope")
    assert ok(market.buyer.get(f"/v1/budgets/{budget['id']}"))["limit_yen"] == 250


def test_a_budget_that_makes_no_sense_is_refused(market: Market) -> None:
    theirs = "grt_" + "0" * 32
    for body, pointer in (
        ({"limit_yen": 0}, "/limit_yen"),
        ({"limit_yen": 2.5}, "/limit_yen"),
        ({"period": "year"}, "/period"),
        ({"grant_ids": []}, "/grant_ids"),
        ({"grant_ids": [theirs]}, "/grant_ids/0"),
    ):
        refused(market.buyer.post("/v1/budgets", DRAFT | body), 422, "invalid-input", pointer)
    assert ok(market.buyer.get("/v1/budgets"))["items"] == []


def test_an_organization_has_so_many_budgets_and_no_more(market: Market) -> None:
    for _ in range(50):
        made(market)
    assert refused(market.buyer.post("/v1/budgets", DRAFT), 409, "budgets-full")["budgets_max"] == 50
    first = ok(market.buyer.get("/v1/budgets", query_string={"size": 30}))
    rest = ok(market.buyer.get("/v1/budgets", query_string={"size": 30, "cursor": first["next_cursor"]}))
    assert (len(first["items"]), len(rest["items"]), rest["next_cursor"]) == (30, 20, None)
