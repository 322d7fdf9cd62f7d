"""What is counted and billed, on the wire: rows and requests, discounts on the line, money that paid nothing."""

from datetime import timedelta
from typing import Any

from marketplace.billing import payments, postings, queries
from marketplace.catalog.states import ProfileState
from marketplace.exchange import balance, pages, payment, refund
from marketplace.identity.actors import SYSTEM, Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.sandbox import controls
from tests.api.trade import CONTENT, Market, fresh_key, ok, order_of, refused
from tests.factories.catalog import profiled
from tests.factories.receivables import paid_in

BY_ROW = {"kind": "per_unit", "unit": "row", "unit_yen": "100.5"}
BY_REQUEST = {"kind": "per_unit", "unit": "request", "unit_yen": "120"}
COLUMNS = ("total_bytes", "total_rows", "total_requests", "total_deliveries")


def metered(market: Market, price: dict[str, Any], **order: Any) -> dict[str, Any]:
    """An order of data that are billed by usage, with its grant."""
    offer = market.offer(market.goods().dataset_id, "one_off", price=price, rails=["invoice"])
    return ok(market.buyer.post("/v1/orders", order_of(offer) | order), 201)


def settled(market: Market) -> list[dict[str, Any]]:
    return ok(market.operator.post("/v1/settlements", {"until": clock.text(clock.now())}), 201)["invoices"]


def test_usage_states_rows_and_requests_beside_bytes(market: Market) -> None:
    grant_id = metered(market, BY_ROW)["grant_id"]
    for _ in range(2):
        assert market.fetch(grant_id).data == CONTENT
    stated = ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))
    assert [stated[name] for name in COLUMNS] == [len(CONTENT), 2, 2, 2]
    (line,) = stated["items"]
    assert (line["bytes_new"], line["bytes_acked"], line["rows_new"], line["requests"]) == (
        len(CONTENT),
        2 * len(CONTENT),
        2,
        2,
    )
    assert ok(market.provider.get("/v1/usage", query_string={"grant_id": grant_id})) == stated
    assert ok(market.stranger.get("/v1/usage", query_string={"grant_id": grant_id}))["total_rows"] == 0


def test_rows_are_billed_once_and_each_request_is(market: Market) -> None:
    for price, unit, quantity, yen in ((BY_ROW, "row", "2", 201), (BY_REQUEST, "request", "3", 360)):
        grant_id = metered(market, price)["grant_id"]
        for _ in range(3):
            market.fetch(grant_id)
        (invoice,) = settled(market)
        (line,) = invoice["lines"]
        assert (line["unit"], line["quantity"], line["amount_net_yen"]) == (unit, quantity, yen)


def test_a_share_off_usage_is_pinned_on_the_order_and_said_on_the_invoice(market: Market) -> None:
    draft = {"basis_points": 1_500, "valid_until": clock.text(clock.now() + timedelta(days=90))}
    code = ok(market.provider.post("/v1/coupons", draft), 201)["code"]
    order = metered(market, BY_REQUEST, coupon_code=code)
    assert [(one["basis_points"], one["amount_yen"]) for one in order["deductions"]] == [(1_500, 0)]
    market.fetch(order["grant_id"])
    (invoice,) = settled(market)
    assert invoice["lines"][0]["amount_net_yen"] == 102
    assert "クーポン 15% 引き" in invoice["lines"][0]["description_ja"]
    assert "less 15 % (coupon)" in invoice["lines"][0]["description_en"]


def test_what_is_sold_by_the_row_is_not_published_without_a_count(market: Market) -> None:
    goods = market.goods()
    offer = market.offer(goods.dataset_id, "one_off", price=BY_ROW, rails=["invoice"])
    release_id = market.release(goods.dataset_id, "2026-12")["id"]
    ok(market.upload(release_id, "写真.zip", b"PK"), 201)
    (file,) = ok(market.provider.get(f"/v1/releases/{release_id}"))["files"]
    with transaction():
        profiled(file["id"], {"format": "ZIP", "rows": None, "columns": []}, ProfileState.PROFILED)
    problem = refused(market.provider.post(f"/v1/releases/{release_id}/publish"), 422, "rows-not-counted")
    assert [error["detail"] for error in problem["errors"]] == ["写真.zip"]
    assert ok(market.provider.get(f"/v1/releases/{release_id}"))["state"] == "draft"
    ok(market.provider.post(f"/v1/offers/{offer['id']}/withdraw"))
    assert ok(market.provider.post(f"/v1/releases/{release_id}/publish"))["state"] == "published"


def paid_twice(market: Market) -> str:
    """A card payment of an invoice that a transfer had paid; returns the payment's id."""
    offer = market.offer(market.goods().dataset_id, "one_off", rails=["invoice"])
    invoice_id = ok(market.buyer.post("/v1/orders", order_of(offer)), 201)["invoice_id"]
    with transaction():
        payment_id = payments.open_for_invoice(Actor(market.buyer.organization_id), invoice_id).id
    pages.begin(payment_id)
    with transaction():
        paid_in(SYSTEM, invoice_id, 13_200, new_id("bnk"), account=postings.BANK)
    controls.pay(queries.get_payment(payment_id).session_id)
    payment.backfill()
    payment.work_inbox()
    balance.reconcile()
    db.session.commit()
    return payment_id


def test_the_operator_sends_back_a_second_payment_the_way_it_came(market: Market) -> None:
    payment_id, key = paid_twice(market), fresh_key()
    found = ok(market.operator.get("/v1/audit/entries", query_string={"verb": "billing.payment.unapplied"}))
    assert payment_id in [entry["subject"] for entry in found["items"]]
    for nobody in (market.buyer, market.provider, market.auditor):
        assert nobody.post("/v1/bank/returns", {"payment_id": payment_id}).status_code == 403
    draft = {"payment_id": payment_id, "note": "二重のお支払い"}
    back = ok(market.operator.post("/v1/bank/returns", draft, key=key), 201)
    assert (back["invoice_id"], back["way"], back["reason"], back["amount_yen"], back["state"]) == (
        None,
        "gateway",
        "unapplied",
        13_200,
        "created",
    )
    assert ok(market.operator.post("/v1/bank/returns", draft, key=key), 201)["id"] == back["id"]
    again = refused(market.operator.post("/v1/bank/returns", draft), 409, "nothing-unapplied")
    assert again["unapplied_yen"] == 0
    assert market.operator.post("/v1/bank/returns", {"payment_id": new_id("pay")}).status_code == 404
    refund.send(back["id"])
    assert ok(market.buyer.get(f"/v1/refunds/{back['id']}"))["state"] == "succeeded"
