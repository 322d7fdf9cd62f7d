"""Rails, bank transfers and credit through the interface alone."""

from typing import Any

import pytest

from marketplace.billing.bank import accounts
from marketplace.exchange import banking
from marketplace.identity.actors import SYSTEM
from marketplace.kit.transaction import transaction
from tests.api.trade import PRICES, Goods, Market, fresh_key, ok, order_of, party, refused, row_counts


def offered(market: Market, goods: Goods, *rails: str, **said: Any) -> dict[str, Any]:
    plain = market.offer(goods.dataset_id, "one_off")
    body = {"dataset_id": goods.dataset_id, "terms_id": plain["terms_id"], "price": PRICES["one_off"]}
    return ok(market.provider.post("/v1/offers", body | {"rails": list(rails)} | said), 201)


def ordered(market: Market, offer: dict[str, Any], **wish: Any) -> Any:
    return market.buyer.post("/v1/orders", order_of(offer) | wish)


def test_an_order_by_invoice_is_delivered_and_its_invoice_says_what_is_owed(market: Market, goods: Goods) -> None:
    placed = ok(ordered(market, offered(market, goods, "card", "invoice"), rail="invoice"), 201)
    assert (placed["rail"], placed["state"], placed["paid_at"], placed["checkout_url"]) == (
        "invoice",
        "fulfilled",
        None,
        None,
    )
    assert (placed["list_net_yen"], placed["deductions"], placed["amount_gross_yen"]) == (12_000, [], 13_200)
    invoice = ok(market.buyer.get(f"/v1/invoices/{placed['invoice_id']}"))
    assert (invoice["state"], invoice["paid_yen"], invoice["dunning"]) == ("open", 0, "none")
    assert invoice["due_on"] > invoice["issued_on"]
    owed = ok(market.buyer.get(f"/v1/receivables/{market.buyer.organization_id}"))
    assert (owed["owed_yen"], owed["credit_limit_yen"], owed["overdue"]) == (13_200, 1_000_000, [])


@pytest.mark.parametrize(
    ("rail", "status", "slug"),
    [("outside", 409, "rail-not-offered"), ("prepaid", 422, "rail-refused"), ("barter", 422, "invalid-input")],
)
def test_another_way_to_pay_is_refused_with_a_reason(
    market: Market, goods: Goods, rail: str, status: int, slug: str
) -> None:
    offer = offered(market, goods, "card", "invoice")
    before = row_counts()
    problem = refused(ordered(market, offer, rail=rail), status, slug)
    assert row_counts() == before
    if rail == "prepaid":
        assert "Payment Services Act" in problem["detail"]
        assert problem["errors"][0]["pointer"] == "/rail"


def test_credit_ends_where_the_operator_says(market: Market, goods: Goods) -> None:
    offer = offered(market, goods, "invoice")
    address = f"/v1/receivables/{market.buyer.organization_id}/limit"
    assert ok(market.operator.post(address, {"credit_limit_yen": 13_199}))["credit_limit_yen"] == 13_199
    problem = refused(ordered(market, offer), 409, "credit-exhausted")
    assert (problem["credit_limit_yen"], problem["owed_yen"]) == (13_199, 0)
    assert ok(market.operator.post(address, {"credit_limit_yen": None}))["credit_limit_yen"] == 1_000_000
    ok(ordered(market, offer), 201)


def test_a_slip_is_noted_once_under_its_key(market: Market, goods: Goods) -> None:
    placed = ok(ordered(market, offered(market, goods, "outside")), 201)
    slip = {"number": "札幌-2026-1", "paid_on": "2026-11-20", "ordinance": "札幌市手数料条例"}
    address, key = f"/v1/orders/{placed['id']}/slip", {"Idempotency-Key": fresh_key()}
    first, second = (market.provider.call("POST", address, json=slip, headers=key) for _ in range(2))
    assert ok(first, 201)["state"] == "fulfilled"
    assert second.headers["Idempotent-Replayed"] == "true"
    assert ok(second, 201) == first.json
    assert (first.json["slip_number"], first.json["slip_paid_on"]) == (slip["number"], slip["paid_on"])
    other = market.provider.call("POST", address, json=slip | {"number": "2"}, headers=key)
    refused(other, 422, "idempotency-key-reused")
    refused(market.provider.post(address, slip | {"number": "2"}), 409, "slip-differs")


def test_a_transfer_is_taken_in_assigned_and_reported(market: Market, goods: Goods) -> None:
    placed = ok(ordered(market, offered(market, goods, "invoice")), 201)
    banking.import_statement(SYSTEM, "日付,入金額,振込依頼人名\n2026/11/22,14000,ﾔﾏﾀﾞ\n".encode())
    (line,) = ok(market.operator.get("/v1/bank/lines?state=suspense"))["items"]
    assert (line["amount_yen"], line["payer"], line["rule"]) == (14_000, "ヤマダ", "unknown_payer")
    address, body = f"/v1/bank/lines/{line['id']}/assign", {"invoice_id": placed["invoice_id"]}
    refused(market.operator.post(address, {}), 422, "invalid-input")
    key = {"Idempotency-Key": fresh_key()}
    assigned = ok(market.operator.call("POST", address, json=body, headers=key))
    assert (assigned["state"], assigned["applied_yen"], assigned["unapplied_yen"]) == ("matched", 13_200, 800)
    assert ok(market.operator.call("POST", address, json=body, headers=key)) == assigned
    assert refused(market.operator.post(address, body), 409, "bank-line-settled")["state"] == "matched"
    assert ok(market.buyer.get(f"/v1/invoices/{placed['invoice_id']}"))["state"] == "paid"
    returned = ok(market.operator.post(f"/v1/bank/lines/{line['id']}/return", {"reason": "過入金の返金"}))
    assert (returned["state"], returned["returned_yen"]) == ("matched", 800)
    assert ok(market.auditor.get("/v1/bank/lines"))["items"] == [returned]


def test_money_on_hand_pays_an_invoice_when_the_operator_says(market: Market, goods: Goods) -> None:
    offer = offered(market, goods, "invoice")
    first, second = (ok(ordered(market, offer), 201)["invoice_id"] for _ in range(2))
    number = ok(market.buyer.get(f"/v1/invoices/{first}"))["number"]
    banking.import_statement(SYSTEM, f"日付,入金額,摘要\n2026/11/22,14000,{number}\n".encode())
    draft = {"invoice_id": second, "amount_yen": 801}
    assert (
        refused(market.operator.post("/v1/bank/applications", draft), 409, "nothing-unapplied")["unapplied_yen"] == 800
    )
    applied = ok(market.operator.post("/v1/bank/applications", draft | {"amount_yen": 800}), 201)
    assert applied == {"invoice_id": second, "applied_yen": 800}
    assert ok(market.buyer.get(f"/v1/invoices/{second}"))["paid_yen"] == 800


def test_a_buyer_asks_for_its_account_and_gets_the_same_one(market: Market) -> None:
    refused(market.buyer.get("/v1/bank/account"), 404, "not-found")
    refused(market.buyer.post("/v1/bank/account"), 409, "virtual-accounts-used-up")
    with transaction():
        accounts.add(["0010000001", "0010000002"])
    asked = [ok(market.buyer.post("/v1/bank/account"), 201)["number"] for _ in range(2)]
    assert asked == ["0010000001"] * 2
    assert ok(market.buyer.get("/v1/bank/account"))["number"] == "0010000001"


def test_what_others_owe_is_not_told(market: Market) -> None:
    stranger = party(market.app, "stranger", "buyer")
    before = row_counts()
    refused(stranger.get(f"/v1/receivables/{market.buyer.organization_id}"), 404, "not-found")
    ok(market.operator.get(f"/v1/receivables/{market.buyer.organization_id}"))
    assert row_counts() == before
