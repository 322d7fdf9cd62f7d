"""A price by the download on the wire, from the offer to the invoice: counted as its term says, on every path."""

from urllib.parse import urlsplit

import pytest

from tests.api.test_usage_counts import metered, settled
from tests.api.trade import CONTENT, Market, ok, refused

BY_DOWNLOAD = {"kind": "per_unit", "unit": "download", "unit_yen": "250"}
AT_FIRST_BYTE = BY_DOWNLOAD | {"download_due": "first_byte"}
HALF = len(CONTENT) // 2


def downloads(market: Market, grant_id: str) -> int:
    return int(ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))["total_downloads"])


def test_the_offer_says_when_a_download_falls_due(market: Market) -> None:
    dataset_id = market.goods().dataset_id
    for price, due in ((BY_DOWNLOAD, "full_coverage"), (AT_FIRST_BYTE, "first_byte")):
        offer = market.offer(dataset_id, "one_off", price=price, rails=["invoice"])
        assert offer["price"]["download_due"] == due
    wrong = BY_DOWNLOAD | {"unit": "request", "download_due": "first_byte"}
    body = {"dataset_id": dataset_id, "terms_id": market.terms()["id"], "price": wrong, "rails": ["invoice"]}
    refused(market.provider.post("/v1/offers", body), 422, "invalid-input", "/price/download_due")


def test_parts_cost_once_when_they_come_to_the_whole_and_what_sends_no_bytes_costs_nothing(market: Market) -> None:
    grant_id = metered(market, BY_DOWNLOAD)["grant_id"]
    etag = market.head(grant_id).headers["ETag"]
    assert market.fetch(grant_id, If_None_Match=etag).status_code == 304
    assert market.fetch(grant_id, Range=f"bytes={len(CONTENT)}-").status_code == 416
    assert market.fetch(grant_id, Range=f"bytes=0-{HALF - 1}").status_code == 206
    assert downloads(market, grant_id) == 0
    assert market.fetch(grant_id, Range=f"bytes={HALF}-").status_code == 206
    assert market.fetch(grant_id).data == CONTENT
    assert downloads(market, grant_id) == 1
    (invoice,) = settled(market)
    (line,) = invoice["lines"]
    assert (line["unit"], line["quantity"], line["amount_net_yen"]) == ("download", "1", 250)
    assert "1 ダウンロード あたり 250 円" in line["description_ja"]
    assert "250 yen per download" in line["description_en"]


def test_at_the_first_byte_a_part_costs_a_download(market: Market) -> None:
    grant_id = metered(market, AT_FIRST_BYTE)["grant_id"]
    assert market.fetch(grant_id, Range="bytes=5-5").status_code == 206
    assert downloads(market, grant_id) == 1
    assert market.fetch(grant_id).data == CONTENT
    assert downloads(market, grant_id) == 1
    (invoice,) = settled(market)
    assert invoice["amount_net_yen"] == 250


def test_a_ticket_fetches_free_again_and_another_release_is_another_download(market: Market) -> None:
    goods = market.goods()
    offer = market.offer(goods.dataset_id, "one_off", price=BY_DOWNLOAD, rails=["invoice"], release_scope="all")
    grant_id = ok(market.order(offer), 201)["grant_id"]
    for content in (CONTENT, CONTENT + b"x"):
        if content != CONTENT:
            release_id = market.release(goods.dataset_id, "2026-12")["id"]
            ok(market.upload(release_id, content=content), 201)
            market.publish(release_id)
        before = downloads(market, grant_id)
        assert market.fetch(grant_id).data == content
        ticket = ok(market.buyer.post(f"/v1/grants/{grant_id}/tickets", {"file_name": goods.file_name}), 201)
        url = urlsplit(ticket["url"])
        assert market.nobody.get(url.path).data == content
        assert downloads(market, grant_id) - before == 1


def test_a_download_that_was_counted_wrongly_is_taken_off(market: Market) -> None:
    grant_id = metered(market, BY_DOWNLOAD)["grant_id"]
    market.fetch(grant_id)
    (delivery,) = ok(market.buyer.get("/v1/deliveries"))["items"]
    less = {"reference": "INC-7", "reason": "二重に数えたため", "downloads": -1}
    corrected = ok(market.provider.post(f"/v1/deliveries/{delivery['id']}/corrections", less))
    assert (corrected["downloads"], corrected["bytes"]) == (-1, 0)
    assert downloads(market, grant_id) == 0
    assert settled(market) == []


@pytest.mark.parametrize("downloads_by", [-2, 2, 1.5])
def test_no_correction_is_of_more_than_one_download(market: Market, downloads_by: float) -> None:
    market.fetch(metered(market, BY_DOWNLOAD)["grant_id"])
    (delivery,) = ok(market.buyer.get("/v1/deliveries"))["items"]
    less = {"reference": "INC-7", "reason": "誤り", "downloads": downloads_by}
    path = f"/v1/deliveries/{delivery['id']}/corrections"
    refused(market.operator.post(path, less), 422, "invalid-input", "/downloads")
    assert ok(market.buyer.get(path)) == []
