"""Prices, private offers, rails, shares, eligibilities and coupons on the wire."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace.kit import clock
from tests.api.routes import COUPON, EVIDENCE
from tests.api.trade import Goods, Market, Party, ok, party, refused, row_counts

TIERS = [{"up_to": "100", "unit_yen": "0.5", "flat_yen": "10"}, {"unit_yen": "0.25"}]
PRICES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"kind": "subscription", "amount_yen": 12_000, "term_months": 12}, {"fiscal_year": False}),
    ({"kind": "subscription", "amount_yen": 12_000, "fiscal_year": True}, {"term_months": None}),
    ({"kind": "per_unit", "unit": "row", "unit_yen": "0.050"}, {"unit_yen": "0.05", "period": "month"}),
    ({"kind": "graduated", "unit": "mib", "tiers": TIERS}, {"flat_fee_at_zero": False}),
    ({"kind": "volume", "unit": "request", "tiers": TIERS, "flat_fee_at_zero": True}, {"flat_fee_at_zero": True}),
    ({"kind": "package", "unit": "request", "amount_yen": 5, "package_size": 10, "trial_days": 7}, {"trial_days": 7}),
]


@pytest.fixture
def goods(market: Market) -> Goods:
    return market.goods()


def body(market: Market, goods: Goods, price: dict[str, Any] | None = None, **said: Any) -> dict[str, Any]:
    price = price or {"kind": "one_off", "amount_yen": 5_000}
    return {"dataset_id": goods.dataset_id, "terms_id": market.terms()["id"], "price": price} | said


@pytest.mark.parametrize(("price", "shown"), PRICES)
def test_every_kind_of_price_goes_in_and_comes_out(market: Market, goods: Goods, price: Any, shown: Any) -> None:
    made = ok(market.provider.post("/v1/offers", body(market, goods, price)), 201)
    assert shown.items() <= made["price"].items()
    assert (made["price_kind"], made["amount_yen"]) == (price["kind"], price.get("amount_yen", 0))
    assert ok(market.nobody.get(f"/v1/offers/{made['id']}"))["price"] == made["price"]
    again = ok(market.provider.post("/v1/offers", body(market, goods, made["price"])), 201)
    assert again["price"] == made["price"]


@pytest.mark.parametrize(
    ("price", "pointers"),
    [
        ({"kind": "graduated", "unit": "row", "tiers": []}, ["/price/tiers"]),
        ({"kind": "graduated", "unit": "row", "tiers": [{"up_to": "5", "unit_yen": "1"}]}, ["/price/tiers/0/up_to"]),
        ({"kind": "graduated", "unit": "row", "tiers": [{"unit_yen": 0.5}]}, ["/price/tiers/0/unit_yen"]),
        ({"kind": "graduated", "unit": "row", "tiers": [{"unit_yen": "NaN"}]}, ["/price/tiers/0/unit_yen"]),
        ({"kind": "graduated", "unit": "row", "tiers": [{"unit_yen": "1e99"}]}, ["/price/tiers/0/unit_yen"]),
        ({"kind": "graduated", "unit": "row", "tiers": [{"unit_yen": "-1"}]}, ["/price/tiers/0/unit_yen"]),
        ({"kind": "volume", "unit": "byte", "tiers": TIERS}, ["/price/unit"]),
        ({"kind": "volume", "unit": "row", "tiers": TIERS, "flat_fee_at_zero": 1}, ["/price/flat_fee_at_zero"]),
        ({"kind": "package", "unit": "row", "amount_yen": 5, "package_size": True}, ["/price/package_size"]),
        ({"kind": "subscription", "amount_yen": 500, "term_months": 37}, ["/price/term_months"]),
        ({"kind": "subscription", "amount_yen": 500}, ["/price/term_months"]),
        ({"kind": "per_mib", "amount_yen": 300}, ["/price/kind"]),
        ({"kind": "one_off", "amount_yen": 500, "unit_yen": "1"}, ["/price/unit_yen"]),
        ({"kind": "one_off"}, ["/price/amount_yen"]),
        (
            {"kind": "per_unit", "unit": "row", "unit_yen": "1", "minimum_yen": 2, "maximum_yen": 1},
            ["/price/maximum_yen"],
        ),
    ],
)
def test_an_unsound_price_is_refused_where_it_is_unsound(
    market: Market, goods: Goods, price: Any, pointers: list[str]
) -> None:
    draft = body(market, goods, price)
    before = row_counts()
    refused(market.provider.post("/v1/offers", draft), 422, "invalid-input", *pointers)
    assert row_counts() == before


def test_rails_are_chosen_and_what_is_off_is_refused_with_its_legal_reason(market: Market, goods: Goods) -> None:
    made = ok(market.provider.post("/v1/offers", body(market, goods, rails=["outside", "invoice"])), 201)
    assert made["rails"] == ["invoice", "outside"]
    draft = body(market, goods, rails=["card", "prepaid"])
    before = row_counts()
    problem = refused(market.provider.post("/v1/offers", draft), 422, "rail-refused", "/rails/1")
    assert (problem["rail"], "資金決済法" in problem["reason_ja"]) == ("prepaid", True)
    assert "Payment Services Act" in problem["detail"]
    assert row_counts() == before
    refused(market.provider.post("/v1/offers", body(market, goods, rails=["barter"])), 422, "invalid-input", "/rails/0")


def test_a_private_offer_is_found_by_its_buyer_and_by_nobody_else(market: Market, goods: Goods) -> None:
    said = {"buyer_organization_id": market.buyer.organization_id}
    private = ok(market.provider.post("/v1/offers", body(market, goods, **said)), 201)
    public = ok(market.provider.post("/v1/offers", body(market, goods)), 201)
    query = {"dataset_id": goods.dataset_id}
    for insider in (market.buyer, market.provider, market.operator, market.auditor):
        found = ok(insider.get("/v1/offers", query_string=query))["items"]
        assert [one["id"] for one in found] == [public["id"], private["id"]]
        assert ok(insider.get(f"/v1/offers/{private['id']}"))["id"] == private["id"]
    for outsider in (market.nobody, market.stranger, market.rival):
        found = ok(outsider.get("/v1/offers", query_string=query))["items"]
        assert [one["id"] for one in found] == [public["id"]]
        refused(outsider.get(f"/v1/offers/{private['id']}"), 404, "not-found")
    before = row_counts()
    refused(market.order(private, market.stranger), 404, "not-found")
    assert row_counts() == before
    document = ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))
    assert [one["id"] for one in document["offers"]] == [public["id"]]
    assert private["id"] not in market.nobody.get(f"/catalog/{goods.dataset_id}").text
    assert ok(market.order(private), 201)["state"] == "placed"


def test_an_offer_that_ended_is_not_shown_and_not_sold(market: Market, goods: Goods) -> None:
    until = clock.now() + timedelta(hours=1)
    made = ok(market.provider.post("/v1/offers", body(market, goods, valid_until=until.isoformat())), 201)
    shown = ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))["offers"]
    assert [one["id"] for one in shown] == [made["id"]]
    with clock.stopped(until):
        assert ok(market.nobody.get(f"/v1/catalog/{goods.dataset_id}"))["offers"] == []
        assert ok(market.nobody.get("/v1/offers", query_string={"dataset_id": goods.dataset_id}))["items"] == []
        assert made["id"] not in market.nobody.get(f"/catalog/{goods.dataset_id}").text


def test_shares_are_told_to_those_who_share_alone(market: Market, goods: Goods) -> None:
    shares = [
        {"organization_id": market.rival.organization_id, "basis_points": 2_500},
        {"organization_id": market.provider.organization_id, "basis_points": 7_500},
    ]
    made = ok(market.provider.post("/v1/offers", body(market, goods, shares=shares)), 201)
    assert made["shares"] == shares[::-1]
    address = f"/v1/offers/{made['id']}"
    for insider in (market.rival, market.auditor):
        assert ok(insider.get(address))["shares"] == shares[::-1]
    for outsider in (market.nobody, market.buyer):
        assert "shares" not in ok(outsider.get(address))
    shares[0]["organization_id"] = market.buyer.organization_id
    draft = body(market, goods, shares=shares)
    pointer = "/shares/0/organization_id"
    refused(market.provider.post("/v1/offers", draft), 422, "payee-not-eligible", pointer)


def test_a_price_is_changed_by_a_new_version_alone(market: Market, goods: Goods) -> None:
    first = ok(market.provider.post("/v1/offers", body(market, goods)), 201)
    changed = {"terms_id": first["terms_id"], "price": {"kind": "one_off", "amount_yen": 6_000}, "rails": ["invoice"]}
    second = ok(market.provider.post(f"/v1/offers/{first['id']}/supersede", changed), 201)
    assert (second["version"], second["supersedes"], second["rails"]) == (2, first["id"], ["invoice"])
    old = ok(market.nobody.get(f"/v1/offers/{first['id']}"))
    assert (old["state"], old["price"], old["rails"]) == ("superseded", first["price"], ["card"])


def apply(who: Party, **changes: Any) -> Any:
    return who.post("/v1/eligibilities", EVIDENCE | changes)


def test_evidence_is_applied_with_judged_and_read(market: Market) -> None:
    applied = ok(apply(market.buyer), 201)
    address = f"/v1/eligibilities/{applied['id']}"
    assert (applied["class"], applied["state"]) == ("academic", "applied")
    refused(apply(market.buyer), 409, "eligibility-waiting")
    for outsider in (market.stranger, party(market.app, "another", "buyer")):
        refused(outsider.get(address), 404, "not-found")
    granted = ok(market.operator.post(f"{address}/grant", {"valid_until": COUPON["valid_until"], "single_use": True}))
    assert (granted["state"], granted["single_use"]) == ("granted", True)
    refused(
        market.operator.post(f"{address}/grant", {"valid_until": COUPON["valid_until"]}), 409, "eligibility-decided"
    )
    listed = ok(market.auditor.get("/v1/eligibilities", query_string={"state": "granted"}))["items"]
    assert [one["id"] for one in listed] == [applied["id"]]
    taken_back = ok(market.operator.post(f"{address}/refuse", {"reason": "虚偽の申請"}))
    assert ok(market.buyer.get(address)) == taken_back
    assert taken_back["decision_reason"] == "虚偽の申請"


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"class": "rich"}, "/class"),
        ({"evidence_sha256": "AB" * 32}, "/evidence_sha256"),
        ({"evidence_reference": ""}, "/evidence_reference"),
        ({"evidence_reference": "x\ny"}, "/evidence_reference"),
        ({"state": "granted"}, "/state"),
    ],
)
def test_an_unsound_application_is_refused(market: Market, changes: Any, pointer: str) -> None:
    before = row_counts()
    refused(apply(market.buyer, **changes), 422, "invalid-input", pointer)
    assert row_counts() == before


def test_a_code_is_shown_once_and_never_again(market: Market, goods: Goods) -> None:
    made = ok(market.provider.post("/v1/coupons", COUPON), 201)
    address = f"/v1/coupons/{made['id']}"
    assert len(made["code"]) == 24
    shown = market.provider.get(address)
    assert ok(shown) == {name: value for name, value in made.items() if name != "code"}
    assert made["code"] not in market.provider.get("/v1/coupons").text
    refused(market.rival.get(address), 404, "not-found")
    refused(market.rival.post(f"{address}/end"), 404, "not-found")
    assert ok(market.provider.post(f"{address}/end"))["state"] == "ended"


@pytest.mark.parametrize(
    ("changes", "pointers"),
    [
        ({"basis_points": 0}, ["/basis_points"]),
        ({"basis_points": True}, ["/basis_points"]),
        ({"amount_yen": 5}, ["/basis_points"]),
        ({"max_redemptions": 0}, ["/max_redemptions"]),
        ({"valid_until": "2020-01-01T00:00:00Z"}, ["/valid_until"]),
        ({"valid_until": "tomorrow"}, ["/valid_until"]),
        ({"code": "CHOSEN"}, ["/code"]),
    ],
)
def test_an_unsound_coupon_is_refused(market: Market, changes: Any, pointers: list[str]) -> None:
    before = row_counts()
    refused(market.provider.post("/v1/coupons", COUPON | changes), 422, "invalid-input", *pointers)
    assert row_counts() == before
