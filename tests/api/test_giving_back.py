"""Refunds, disputes, cancellations and service levels on the wire, through the sandbox from end to end."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace.billing import queries
from marketplace.billing.refunds.queries import require_refund
from marketplace.exchange import facilities, payment, service_level
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.sandbox import controls
from tests.api.trade import Market, ok, refused, row_counts

EVIDENCE = {"evidence_reference": "監視記録 2026-10", "evidence_sha256": "a1" * 32}
STEPS = [{"below_basis_points": 9_990, "credit_basis_points": 1_000}]


@pytest.fixture
def bought(market: Market) -> dict[str, Any]:
    """An order of 13,200 yen, paid by card."""
    return market.bought(kind="one_off")


def learn() -> None:
    """Do what waits, and learn what the gateway knows."""
    jobs.run_pending("billing.refund.send")
    payment.backfill()
    payment.work_inbox()
    db.session.commit()


def charge_of(order: dict[str, Any]) -> str:
    paid = queries.list_payments(order_id=order["id"])[0]
    return facilities.current().gateway.fetch_checkout(paid.session_id).charge_id


def refund_of(market: Market, order: dict[str, Any], body: dict[str, Any] | None = None, **rest: Any) -> Any:
    return market.provider.post(f"/v1/invoices/{order['invoice_id']}/refunds", body, **rest)


def test_a_provider_gives_all_of_it_back_and_the_next_download_is_refused(market: Market, bought) -> None:
    assert market.fetch(bought["grant_id"]).status_code == 200
    [made] = ok(refund_of(market, bought, {"note": "誤って二重に注文されたため"}), 201)["items"]
    assert (made["amount_yen"], made["way"], made["state"]) == (13_200, "gateway", "created")
    learn()
    for party in (market.provider, market.buyer, market.operator, market.auditor):
        shown = ok(party.get(f"/v1/refunds/{made['id']}"))
        assert (shown["state"], shown["note"]) == ("succeeded", "誤って二重に注文されたため")
        assert [one["id"] for one in ok(party.get("/v1/refunds"))["items"]] == [made["id"]]
    refused(market.stranger.get(f"/v1/refunds/{made['id']}"), 404, "refund-not-found")
    assert ok(market.stranger.get("/v1/refunds"))["items"] == []
    refused(market.fetch(bought["grant_id"]), 403, "grant-revoked")
    [note] = ok(market.buyer.get(f"/v1/documents?kind=credit_note&about={made['id']}"))["items"]
    assert note["amount_yen"] == -13_200


def test_a_refund_is_asked_for_once_per_key(market: Market, bought) -> None:
    first = refund_of(market, bought, {"amount_yen": 100}, key="k1")
    again = refund_of(market, bought, {"amount_yen": 100}, key="k1")
    assert ok(first, 201) == ok(again, 201)
    assert again.headers["Idempotent-Replayed"] == "true"
    refused(refund_of(market, bought, {"amount_yen": 200}, key="k1"), 422, "idempotency-key-reused")
    assert len(ok(market.buyer.get(f"/v1/refunds?invoice_id={bought['invoice_id']}"))["items"]) == 1


def test_refunds_that_cannot_be_are_refused_and_change_nothing(market: Market, bought) -> None:
    address, before = f"/v1/invoices/{bought['invoice_id']}/refunds", row_counts()
    assert refused(refund_of(market, bought, {"amount_yen": 13_201}), 422, "refund-too-large")["left_yen"] == 13_200
    for body in ({"amount_yen": 0}, {"amount_yen": 1.5}, {"amount_yen": "7"}, {"ends_access": 1}, {"why": "?"}):
        refused(refund_of(market, bought, body), 422, "invalid-input")
    refused(market.buyer.post(address), 403, "insufficient-scope")
    refused(market.auditor.post(address), 403, "insufficient-scope")
    refused(market.rival.post(address), 404, "invoice-not-found")
    assert row_counts() == before


def test_a_dispute_is_seen_by_its_parties_and_decides_about_access(market: Market, bought) -> None:
    name = controls.open_dispute(charge_of(bought))["id"]
    learn()
    refused(market.fetch(bought["grant_id"]), 403, "grant-suspended")
    refused(refund_of(market, bought), 409, "refund-disputed")
    for party in (market.provider, market.buyer, market.operator, market.auditor):
        [shown] = ok(party.get("/v1/disputes?state=opened"))["items"]
        assert ok(party.get(f"/v1/disputes/{shown['id']}"))["amount_yen"] == 13_200
    refused(market.stranger.get(f"/v1/disputes/{shown['id']}"), 404, "dispute-not-found")
    assert ok(market.stranger.get("/v1/disputes"))["items"] == []
    controls.close_dispute(name, "won")
    learn()
    assert market.fetch(bought["grant_id"]).status_code == 200
    assert ok(market.buyer.get("/v1/disputes"))["items"][0]["state"] == "won"


def test_the_operator_notes_what_the_bank_did(market: Market, bought) -> None:
    ok(refund_of(market, bought, {"amount_yen": 100}), 201)
    learn()
    [sent] = ok(market.buyer.get("/v1/refunds"))["items"]
    note = f"/v1/refunds/{sent['id']}/bank"
    refused(market.operator.post(note, {"succeeded": True}), 409, "refund-not-by-bank")
    refused(market.provider.post(note, {"succeeded": True}), 403, "insufficient-scope")
    controls.fail_refund(gateway_name(sent["id"]))
    learn()
    [again] = ok(refund_of(market, bought, {"amount_yen": 100}), 201)["items"]
    assert (again["way"], again["state"]) == ("bank", "created")
    told = market.operator.post(f"/v1/refunds/{again['id']}/bank", {"succeeded": False, "failure": "口座相違"})
    assert (ok(told)["state"], ok(told)["failure"]) == ("failed", "口座相違")


def gateway_name(refund_id: str) -> str:
    return str(require_refund(refund_id).gateway_refund_id)


def test_an_offer_says_what_it_promises_and_a_buyer_cancels_by_it(market: Market) -> None:
    goods = market.goods()
    promised = {"cancellation": "pro_rata", "service_level": STEPS, "duration_days": 30}
    made = market.offer(goods.dataset_id, "one_off", **promised)
    shown = ok(market.nobody.get(f"/v1/offers/{made['id']}"))
    assert (shown["cancellation"], shown["service_level"]) == ("pro_rata", STEPS)
    assert [set(one) for one in shown["promises"]] == [{"ja", "en"}] * 2
    bought = market.bought(goods, "one_off", **promised)
    cancel = f"/v1/orders/{bought['id']}/cancel"
    refused(market.stranger.post(cancel), 404, "order-not-found")
    [given] = ok(market.buyer.post(cancel))["items"]
    assert (given["amount_yen"], given["reason"]) == (13_200 * 30 // 31, "cancellation")
    assert ok(market.buyer.post(cancel))["items"][0]["id"] == given["id"]
    refused(market.fetch(bought["grant_id"]), 403, "grant-revoked")


def test_what_promises_nothing_is_not_cancelled(market: Market, bought) -> None:
    refused(market.buyer.post(f"/v1/orders/{bought['id']}/cancel"), 409, "cancellation-excluded")
    assert market.fetch(bought["grant_id"]).status_code == 200


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"cancellation": "sometimes"}, "/cancellation"),
        ({"service_level": [STEPS[0] | {"credit_basis_points": 0}]}, "/service_level/0/credit_basis_points"),
        ({"service_level": [*STEPS, *STEPS]}, "/service_level"),
        ({"service_level": STEPS * 11}, "/service_level"),
    ],
)
def test_promises_that_make_no_sense_are_refused(market: Market, goods, changes: dict, pointer: str) -> None:
    body = {"dataset_id": goods.dataset_id, "terms_id": market.terms()["id"]}
    price = {"price": {"kind": "one_off", "amount_yen": 12_000}}
    refused(market.provider.post("/v1/offers", body | price | changes), 422, "invalid-input", pointer)


def test_a_missed_month_is_stated_once_and_credited(market: Market) -> None:
    with clock.stopped(clock.now() - timedelta(days=60)):
        goods = market.goods()
        bought = market.bought(goods, "one_off", service_level=STEPS, duration_days=90)
        month = f"{clock.today():%Y-%m}"
    said = EVIDENCE | {"dataset_id": goods.dataset_id, "month": month, "availability_basis_points": 9_000}
    ok(market.operator.post("/v1/service-levels", said), 201)
    ok(market.operator.post("/v1/service-levels", said), 201)
    service_level.work_credit(goods.dataset_id, month)
    [given] = ok(market.buyer.get(f"/v1/refunds?invoice_id={bought['invoice_id']}"))["items"]
    assert given["reason"] == "service_level"
    other = said | {"availability_basis_points": 9_001}
    refused(market.operator.post("/v1/service-levels", other), 409, "service-level-conflict")
    refused(market.operator.post("/v1/service-levels", said | {"month": "2026-13"}), 422, "invalid-input", "/month")
    refused(market.operator.post("/v1/service-levels", said | {"month": "2099-01"}), 422, "month-not-over")
    refused(market.provider.post("/v1/service-levels", said), 403, "insufficient-scope")
    [kept] = ok(market.auditor.get(f"/v1/service-levels?dataset_id={goods.dataset_id}"))["items"]
    assert kept["availability_basis_points"] == 9_000
    assert ok(market.auditor.get("/v1/service-levels?dataset_id=ds_" + "0" * 32))["items"] == []
