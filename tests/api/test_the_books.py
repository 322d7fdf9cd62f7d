"""The books on the wire: balanced at any time, usage billed once, invoices paid once, and shown to whom they concern."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace.kit import clock
from tests.api.trade import Goods, Market, fresh_key, ok, refused, row_counts

MIB = bytes(2**20)


@pytest.fixture
def metered(market: Market) -> dict[str, Any]:
    """A metered grant of which 3 MiB were fetched, at 300 yen each."""
    goods = market.goods("large.bin", MIB * 3)
    bought = market.bought(goods, "per_mib")
    assert market.fetch(bought["grant_id"], "large.bin").status_code == 200
    return bought


def settle(market: Market, **body: Any) -> list[dict[str, Any]]:
    return ok(market.operator.post("/v1/settlements", body), 201)["invoices"]


def balance(market: Market) -> dict[str, int]:
    books = ok(market.auditor.get("/v1/ledger/trial-balance"))
    assert books["total_minor"] == 0
    return {account["code"]: account["balance_minor"] for account in books["accounts"]}


def test_usage_is_billed_once_however_often_it_is_settled(market: Market, metered: dict[str, Any]) -> None:
    invoices = settle(market)
    assert [(invoice["amount_net_yen"], invoice["amount_tax_yen"], invoice["state"]) for invoice in invoices] == [
        (900, 90, "open")
    ]
    assert invoices[0]["lines"][0]["quantity"] == str(3 * 2**20)
    before = row_counts() | {"audit_entry": 0}
    assert settle(market) == []
    assert row_counts() | {"audit_entry": 0} == before
    market.fetch(metered["grant_id"], "large.bin")
    assert settle(market) == [], "bytes that were paid for cost nothing again"
    balance(market)


def test_usage_after_a_settlement_is_billed_with_the_next(market: Market, metered: dict[str, Any]) -> None:
    assert len(settle(market)) == 1
    second = market.bought(market.goods("more.bin", MIB), "per_mib")
    market.fetch(second["grant_id"], "more.bin", Range="bytes=0-524287")
    assert [invoice["amount_net_yen"] for invoice in settle(market)] == [150]
    market.fetch(second["grant_id"], "more.bin")
    assert [invoice["amount_net_yen"] for invoice in settle(market)] == [150]


def test_a_settlement_bills_until_then_and_never_ahead(market: Market, metered: dict[str, Any]) -> None:
    assert settle(market, until="2020-01-01T00:00:00Z") == []
    answer = ok(market.operator.post("/v1/settlements", {"until": "2999-01-01T00:00:00Z"}), 201)
    assert clock.parse(answer["until"]) <= clock.now()
    assert len(answer["invoices"]) == 1


@pytest.mark.parametrize(
    "until", ["yesterday", "2026-11-22", "2026-11-22T00:00:00", 5, None, "0001-01-01T00:00:00+09:00"]
)
def test_an_instant_that_is_none_settles_nothing(market: Market, metered: dict[str, Any], until: Any) -> None:
    before = row_counts()
    refused(market.operator.post("/v1/settlements", {"until": until}), 422, "invalid-input", "/until")
    assert row_counts() == before


def test_an_invoice_is_paid_once(market: Market, metered: dict[str, Any]) -> None:
    invoice, key = settle(market)[0], fresh_key()
    path = f"/v1/invoices/{invoice['id']}"
    due = market.buyer.post(f"{path}/pay", key=key)
    assert ok(due, 201)["checkout_url"]
    assert ok(market.provider.get(path))["checkout_url"] is None
    assert ok(market.operator.get(path))["checkout_url"] == due.json["checkout_url"]
    again = market.buyer.post(f"{path}/pay", key=key)
    assert (again.json, again.headers["Idempotent-Replayed"]) == (due.json, "true")
    assert ok(market.buyer.post(f"{path}/pay"), 201)["checkout_url"] == due.json["checkout_url"], (
        "one page for one debt"
    )
    market.pay(due.json["checkout_url"])
    paid = ok(market.buyer.get(path))
    assert (paid["state"], paid["checkout_url"], bool(paid["paid_at"])) == ("paid", None, True)
    before = row_counts()
    refused(market.buyer.post(f"{path}/pay"), 409, "invoice-not-payable")
    assert row_counts() == before
    assert balance(market)["Assets:Clearing:Stripe"] == 990 - 35


def test_paying_an_invoice_needs_a_key_and_its_recipient(market: Market, metered: dict[str, Any]) -> None:
    path = f"/v1/invoices/{settle(market)[0]['id']}/pay"
    before = row_counts()
    refused(market.buyer.call("POST", path, json={}), 400, "idempotency-key-missing")
    refused(market.stranger.post(path), 404, "invoice-not-found")
    refused(market.provider.post(path), 403, "insufficient-scope")
    refused(market.operator.post(path), 403, "insufficient-scope")
    assert row_counts() == before


def test_a_key_used_for_an_order_is_not_one_for_an_invoice(
    market: Market, metered: dict[str, Any], goods: Goods
) -> None:
    key = fresh_key()
    ok(market.order(market.offer(goods.dataset_id), key=key), 201)
    refused(market.buyer.post(f"/v1/invoices/{settle(market)[0]['id']}/pay", key=key), 422, "idempotency-key-reused")


def test_an_invoice_says_what_japan_asks_of_it(market: Market, metered: dict[str, Any]) -> None:
    invoice = settle(market)[0]
    issuer = ok(market.provider.get("/v1/organizations/me"))
    assert invoice["registration_number"] == issuer["invoice_registration_number"]
    assert invoice["issuer_name_ja"] == issuer["name_ja"]
    assert (invoice["transaction_on"], invoice["kind"]) == (clock.today().isoformat(), "usage")
    assert [total["tax_yen"] for total in invoice["rate_totals"]] == [90]
    assert invoice["amount_gross_yen"] == 990
    for who in (market.buyer, market.provider, market.auditor, market.operator):
        assert ok(who.get(f"/v1/invoices/{invoice['id']}"))["number"] == invoice["number"]
    refused(market.stranger.get(f"/v1/invoices/{invoice['id']}"), 404, "invoice-not-found")


def test_the_books_balance_after_every_kind_of_trade(market: Market, goods: Goods, metered: dict[str, Any]) -> None:
    assert balance(market) == {}
    market.bought(goods, "free")
    assert balance(market) == {}
    market.bought(goods, "one_off")
    after_sale = balance(market)
    assert after_sale["Assets:Clearing:Stripe"] == 13_200 - 475
    settle(market)
    assert balance(market)[f"Assets:Receivable:{market.buyer.organization_id}"] == 990


def test_the_books_are_read_by_day_account_and_reference(market: Market, goods: Goods) -> None:
    bought = market.bought(goods, "one_off")
    today, tomorrow = clock.today(), clock.today() + timedelta(days=1)
    for query, kinds in (
        ({"ref": bought["id"]}, ["sale"]),
        ({"account": "Income"}, ["sale"]),
        ({"account": "Income:Market"}, []),
        ({"account": "Expenses:PaymentProcessing"}, ["processing_fee"]),
        ({"date_from": today.isoformat(), "date_to": today.isoformat()}, ["processing_fee", "sale"]),
        ({"date_from": tomorrow.isoformat()}, []),
        ({"account": "%"}, []),
        ({"account": "Income' OR '1'='1"}, []),
    ):  # fmt: skip
        found = ok(market.auditor.get("/v1/ledger/transactions", query_string=query))["items"]
        assert sorted(entry["kind"] for entry in found) == kinds, query
        assert all(sum(leg["amount_minor"] for leg in entry["entries"]) == 0 for entry in found)
    for name, value in (
        ("date_from", "today"),
        ("date_to", "2026-02-30"),
        ("account", "x" * 201),
        ("until", "2026-01-01"),
    ):
        refused(
            market.auditor.get("/v1/ledger/transactions", query_string={name: value}), 422, "invalid-input", f"/{name}"
        )


def test_a_trial_balance_is_drawn_up_to_a_day(market: Market, goods: Goods) -> None:
    market.bought(goods, "one_off")
    path = "/v1/ledger/trial-balance"
    yesterday = (clock.today() - timedelta(days=1)).isoformat()
    assert ok(market.auditor.get(path, query_string={"until": yesterday}))["accounts"] == []
    assert len(ok(market.operator.get(path, query_string={"until": clock.today().isoformat()}))["accounts"]) == 5
    for day in ("2026-13-01", "x", ""):
        refused(market.auditor.get(path, query_string={"until": day}), 422, "invalid-input", "/until")


def test_what_moved_the_gateways_balance_is_read_with_what_explains_it(market: Market, goods: Goods) -> None:
    market.bought(goods, "one_off")
    path = "/v1/ledger/balance-transactions"
    for who in (market.auditor, market.operator):
        [one] = ok(who.get(path))["items"]
        assert (one["type"], one["amount_minor"], one["fee_minor"], one["net_minor"]) == ("charge", 13_200, 475, 12_725)
        assert (one["state"], one["currency"]) == ("matched", "JPY")
        assert one["ledger_txn_id"] > 0
    for state in ("suspense", "waiting"):
        assert ok(market.operator.get(path, query_string={"state": state}))["items"] == []
    refused(market.operator.get(path, query_string={"state": "lost"}), 422, "invalid-input", "/state")
    refused(market.buyer.get(path), 403, "insufficient-scope")
