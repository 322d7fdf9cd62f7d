"""Incidents and holds on the wire: opened once, read page by page, told to those concerned, and closed."""

from datetime import timedelta
from typing import Any

import pytest

from marketplace.kit import clock
from tests.api.trade import Goods, Market, ok, order_of, pages_of, refused, row_counts

EVIDENCE = "5f" * 32


def body(goods: Goods, **changes: Any) -> dict[str, Any]:
    now = clock.now()
    return {
        "kind": "leak",
        "summary_ja": "鍵が漏えいした。",
        "summary_en": "A key has leaked.",
        "began_at": clock.text(now - timedelta(days=1)),
        "noticed_at": clock.text(now),
        "dataset_ids": [goods.dataset_id],
    } | changes


def opened(market: Market, goods: Goods, **changes: Any) -> dict[str, Any]:
    return ok(market.operator.post("/v1/incidents", body(goods, **changes)), 201)


def test_an_incident_goes_from_its_opening_to_its_report(market: Market) -> None:
    goods = market.goods()
    grant_id = market.bought(goods)["grant_id"]
    assert market.fetch(grant_id, Range="bytes=0-9").status_code == 206
    incident = opened(market, goods, suspends=["grants", "sales"], personal_data=True)
    path = f"/v1/incidents/{incident['id']}"
    assert incident["affected"] == {
        "grants": 1, "buyers": 1, "providers": 1, "receivers": 1, "deliveries": 1, "receipts": 0, "contents": 1,
        "bytes_received": 10,
    }  # fmt: skip
    assert [(duty["stage"], duty["done_at"]) for duty in incident["duties"]] == [("preliminary", None), ("full", None)]
    refused(market.fetch(grant_id), 403, "grant-suspended")
    refused(market.buyer.post("/v1/orders", order_of(market.offer(goods.dataset_id))), 409, "sales-halted")

    refused(market.operator.post(f"{path}/close", {"report": "報告"}), 409, "incident-untold")
    for _ in range(2):
        ok(market.operator.post(f"{path}/notices"))
    told = ok(market.auditor.get(f"{path}/notices"))["items"]
    assert sorted(
        (one["addressee"], one["organization_id"], one["state"]) for one in told if one["organization_id"]
    ) == sorted(("organization", who.organization_id, "held") for who in (market.buyer, market.provider))
    [own] = ok(market.buyer.get("/v1/incident-notices"))["items"]
    address = f"/v1/incident-notices/{own['id']}"
    noted = ok(market.buyer.post(f"{address}/acknowledge"))
    assert (noted["state"], noted["acknowledged_by"], noted["summary_en"]) == (
        "acknowledged", market.buyer.client_id, "A key has leaked.",
    )  # fmt: skip
    refused(market.operator.post(f"{path}/close", {"report": "報告"}), 409, "incident-unreported")
    for stage in ("preliminary", "full"):
        note = {"stage": stage, "reference": f"PPC-{stage}", "evidence_sha256": EVIDENCE}
        ok(market.operator.post(f"{path}/reports", note))
    closed = ok(market.operator.post(f"{path}/close", {"report": "原因と再発防止策"}))
    assert (closed["state"], closed["report"]) == ("closed", "原因と再発防止策")
    assert market.fetch(grant_id).status_code == 200
    refused(market.operator.post(f"{path}/lift"), 409, "incident-closed")


def test_lists_of_an_incident_lead_to_their_end(market: Market) -> None:
    goods = market.goods()
    offer = market.offer(goods.dataset_id)
    grants = {ok(market.order(offer), 201)["grant_id"] for _ in range(3)}
    for grant_id in grants:
        market.fetch(grant_id)
    incident = opened(market, goods)
    path = f"/v1/incidents/{incident['id']}"
    assert {one["grant_id"] for one in pages_of(market.auditor, f"{path}/grants", 2)} == grants
    assert {one["grant_id"] for one in pages_of(market.auditor, f"{path}/deliveries", 2)} == grants
    another = opened(market, goods, drill=True)
    listed = [one["id"] for one in pages_of(market.auditor, "/v1/incidents", 1, state="open")]
    assert listed == [another["id"], incident["id"]]
    assert ok(market.auditor.get("/v1/incidents", query_string={"state": "closed"}))["items"] == []


def test_a_notice_leads_to_ones_own_files_and_bytes_as_far_as_is_known_by_now(market: Market) -> None:
    goods = market.goods()
    offer = market.offer(goods.dataset_id)
    own, other = (ok(market.order(offer, who), 201)["grant_id"] for who in (market.buyer, market.stranger))
    incident = opened(market, goods)
    ok(market.operator.post(f"/v1/incidents/{incident['id']}/notices"))
    for grant_id, who in ((own, market.buyer), (other, market.stranger)):
        assert market.fetch(grant_id, who=who, Range="bytes=3-9").status_code == 206
    ok(market.operator.post(f"/v1/incidents/{incident['id']}/assessment"))
    for who, grants in ((market.buyer, {own}), (market.stranger, {other}), (market.provider, {own, other})):
        [notice] = ok(who.get("/v1/incident-notices"))["items"]
        address = f"/v1/incident-notices/{notice['id']}"
        counts = {"grants": len(grants), "deliveries": len(grants), "bytes_received": 7 * len(grants)}
        assert notice == notice | counts
        assert ok(who.get(address)) | notice == ok(who.get(address))
        listed = list(pages_of(who, f"{address}/grants", 1))
        assert {one["grant_id"] for one in listed} == grants
        assert {(one["dataset_id"], content["ranges"]) for one in listed for content in one["contents"]} == {
            (goods.dataset_id, "{[3,10)}")
        }
        sent = list(pages_of(who, f"{address}/deliveries", 1))
        assert {one["grant_id"] for one in sent} == grants
        assert {file_id for one in listed for content in one["contents"] for file_id in content["file_ids"]} == {
            one["file_id"] for one in sent
        }


def test_the_same_request_opens_one_incident(market: Market) -> None:
    draft = body(market.goods())
    first = market.operator.post("/v1/incidents", draft, key="once")
    again = market.operator.post("/v1/incidents", draft, key="once")
    assert ok(first, 201)["id"] == ok(again, 201)["id"]
    assert len(ok(market.auditor.get("/v1/incidents"))["items"]) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"kind": "flood"}, "/kind"),
        ({"summary_ja": ""}, "/summary_ja"),
        ({"sha256s": ["abc"]}, "/sha256s/0"),
        ({"suspends": ["clients"]}, "/suspends"),
        ({"drill": "yes"}, "/drill"),
        ({"noticed_at": "2999-01-01T00:00:00Z"}, "/noticed_at"),
    ],
)
def test_an_incident_that_makes_no_sense_is_refused(market: Market, changes: dict[str, Any], pointer: str) -> None:
    draft = body(market.goods(), **changes)
    before = row_counts()
    refused(market.operator.post("/v1/incidents", draft), 422, "invalid-input", pointer)
    assert row_counts() == before


def test_a_notice_is_nobody_elses_business(market: Market) -> None:
    goods = market.goods()
    market.bought(goods)
    incident = opened(market, goods)
    ok(market.operator.post(f"/v1/incidents/{incident['id']}/notices"))
    [own] = ok(market.buyer.get("/v1/incident-notices"))["items"]
    address = f"/v1/incident-notices/{own['id']}"
    before = row_counts()
    for other in (market.stranger, market.rival, market.provider):
        for path in (address, f"{address}/grants", f"{address}/deliveries"):
            refused(other.get(path), 404, "not-found")
        refused(other.post(f"{address}/acknowledge"), 404, "not-found")
    refused(market.operator.post(f"{address}/acknowledge"), 404, "not-found")
    assert ok(market.stranger.get("/v1/incident-notices"))["items"] == []
    assert row_counts() == before
    assert ok(market.operator.get(address))["state"] == "held"


def test_a_hold_is_placed_read_and_lifted(market: Market) -> None:
    goods = market.goods()
    draft = {"subject": goods.dataset_id, "reason": "訴訟のため"}
    hold = ok(market.operator.post("/v1/holds", draft), 201)
    path = f"/v1/holds/{hold['id']}"
    assert ok(market.auditor.get("/v1/holds", query_string={"subject": goods.dataset_id}))["items"] == [hold]
    lifted = ok(market.operator.post(f"{path}/lift", {"reason": "和解"}))
    assert (lifted["lifted_by"], lifted["lifted_reason"]) == (market.operator.organization_id, "和解")
    assert ok(market.auditor.get(path)) == lifted
    refused(market.operator.post(f"{path}/lift", {"reason": "和解"}), 409, "hold-lifted")
    before = row_counts()
    refused(market.operator.post("/v1/holds", draft | {"subject": "ds_" + "0" * 32}), 404, "not-found")
    refused(market.operator.post("/v1/holds", draft | {"subject": "grt_" + "0" * 32}), 422, "invalid-input", "/subject")
    assert row_counts() == before
