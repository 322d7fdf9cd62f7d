"""Deliveries and their receipts on the wire."""

import hashlib
import json

from joserfc import jws
from joserfc.jwk import KeySet

from marketplace.access.copies import COPY_JOB
from marketplace.kit import jobs
from marketplace.metering import service as metering
from tests.api.trade import CONTENT, Market, audit_count, ok, pages_of, refused, row_counts
from tests.factories.metering import entitlement_of


def test_both_parties_and_overseers_fetch_the_same_receipt_and_anybody_verifies_it(market: Market) -> None:
    grant_id = market.bought()["grant_id"]
    market.fetch(grant_id)
    (delivery,) = pages_of(market.buyer, "/v1/deliveries", 20, grant_id=grant_id)
    assert (delivery["state"], delivery["bytes_acked"]) == ("complete", len(CONTENT))
    path = f"/v1/deliveries/{delivery['id']}"
    assert ok(market.provider.get(path)) == delivery
    first = market.buyer.get(f"{path}/receipt")
    assert (first.status_code, first.content_type) == (200, "application/jose")
    assert first.headers["Cache-Control"] == "private, no-store"
    for party in (market.provider, market.operator, market.auditor):
        assert party.get(f"{path}/receipt").data == first.data
    keys = KeySet.import_key_set(ok(market.nobody.get("/v1/receipt-keys")))
    said = json.loads(jws.deserialize_compact(first.text.strip(), keys, algorithms=["ES256"]).payload)
    assert said["content"]["sha256"] == hashlib.sha256(CONTENT).hexdigest()
    assert said["range"] == {"start_byte": 0, "length": len(CONTENT), "bytes_acked": len(CONTENT)}
    assert said["counted"]["rows_new"] == 2
    bearing = {"Authorization": f"Bearer {first.text.strip()}"}
    refused(market.nobody.get("/v1/grants", headers=bearing), 401, "invalid-token")


def test_to_everybody_else_there_is_no_such_delivery(market: Market) -> None:
    market.fetch(market.bought()["grant_id"])
    (delivery,) = ok(market.buyer.get("/v1/deliveries"))["items"]
    path = f"/v1/deliveries/{delivery['id']}"
    narrow = market.buyer.with_scopes("orders:read")
    before = row_counts()
    for address in (path, f"{path}/receipt"):
        for who in (market.stranger, market.rival):
            told = refused(who.get(address), 404, "not-found")
            nothing = refused(who.get(address.replace(delivery["id"], "dlv_" + "0" * 32)), 404, "not-found")
            assert told | {"instance": ""} == nothing | {"instance": ""}
        refused(market.nobody.get(address), 401, "not-authenticated")
        refused(narrow.get(address), 403, "insufficient-scope")
    assert ok(market.stranger.get("/v1/deliveries"))["items"] == []
    assert row_counts() == before


def test_deliveries_are_listed_page_by_page_by_grant_and_state(market: Market) -> None:
    goods = market.goods()
    grant_id = market.bought(goods)["grant_id"]
    for start in range(3):
        market.fetch(grant_id, Range=f"bytes={start}-9")
    listed = pages_of(market.buyer, "/v1/deliveries", 2, grant_id=grant_id)
    assert [one["start_byte"] for one in listed] == [2, 1, 0]
    assert pages_of(market.provider, "/v1/deliveries", 2, state="complete") == listed
    assert pages_of(market.buyer, "/v1/deliveries", 2, state="broken") == []
    refused(market.buyer.get("/v1/deliveries?state=done"), 422, "invalid-input", "/state")


def test_a_delivery_that_runs_has_no_receipt_yet(market: Market) -> None:
    entitlement = entitlement_of(CONTENT)
    opened = metering.open_delivery(entitlement, 0, 10, None)
    before = audit_count()
    refused(market.operator.get(f"/v1/deliveries/{opened.id}/receipt"), 409, "delivery-still-open")
    assert ok(market.operator.get(f"/v1/deliveries/{opened.id}"))["closed_at"] is None
    assert audit_count() == before


def test_terms_that_trace_say_so_to_the_buyer_before_and_deliver_a_copy_after(market: Market) -> None:
    items = {"tracing": "row_order"}
    terms = ok(market.provider.post("/v1/terms", {"template": "standard-commercial", "items": items}), 201)
    read = ok(market.nobody.get(f"/v1/terms/{terms['sha256']}"))
    assert "流出した写しがどの利用権のものか" in read["text_ja"]
    assert "in an order that differs by grant" in read["text_en"]
    assert read["odrl"]["musubi:tracing"] == {"@id": "musubi:tracing:row_order"}
    plain = ok(market.provider.post("/v1/terms", {"template": "standard-commercial"}), 201)
    assert plain["sha256"] != terms["sha256"]
    assert "tracing" not in plain["document"]
    public = {"template": "cc-by-4.0", "items": items}
    refused(market.provider.post("/v1/terms", public), 422, "invalid-input", "/items/tracing")
    rows = "\n".join(["日時,地点", *(f"2026-11-{n % 28 + 1:02},{n}番街" for n in range(50)), ""]).encode()
    goods = market.goods(content=rows)
    grant_id = market.bought(goods, "one_off", terms_id=terms["id"])["grant_id"]
    waiting = market.fetch(grant_id)
    refused(waiting, 503, "copy-in-the-making")
    assert int(waiting.headers["Retry-After"]) > 0
    assert market.usage(grant_id) == (0, 0)
    _make_copies()
    fetched = market.fetch(grant_id)
    assert fetched.data != rows
    assert sorted(fetched.data.splitlines()) == sorted(rows.splitlines())
    (listed,) = ok(market.buyer.get(f"/v1/grants/{grant_id}/files"))
    assert listed["sha256"] == hashlib.sha256(fetched.data).hexdigest()
    assert market.usage(grant_id) == (len(rows), 1)


def _make_copies() -> None:
    assert jobs.run_pending(COPY_JOB) == 1


def test_a_receipt_says_what_was_delivered_also_when_its_usage_was_corrected_first(market: Market) -> None:
    market.fetch(market.bought()["grant_id"])
    (delivery,) = ok(market.buyer.get("/v1/deliveries"))["items"]
    correction = {"reference": "c1", "reason": "訂正", "bytes": -1}
    assert market.provider.post(f"/v1/deliveries/{delivery['id']}/corrections", correction).status_code in {200, 201}
    receipt = market.buyer.get(f"/v1/deliveries/{delivery['id']}/receipt")
    assert receipt.status_code == 200, receipt.text
    keys = KeySet.import_key_set(ok(market.nobody.get("/v1/receipt-keys")))
    said = json.loads(jws.deserialize_compact(receipt.text.strip(), keys, algorithms=["ES256"]).payload)
    assert said["counted"]["bytes_new"] == len(CONTENT)
