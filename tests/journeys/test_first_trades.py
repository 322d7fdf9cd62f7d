"""Whole trades through HTTP only: free, by card, metered; and what may go otherwise on the way."""

import random
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from urllib.parse import urljoin

import pytest
import requests

from marketplace.demo import buying, cast
from marketplace.demo.party import Refused
from tests import live
from tests.journeys.conftest import TITLES


def press(checkout_url, button):
    """Press the button of the hosted payment page whose form ends in this word."""
    page = requests.get(checkout_url, timeout=180)
    action = next(found for found in re.findall(r'<form[^>]*action="([^"]+)"', page.text) if found.endswith(button))
    return requests.post(urljoin(checkout_url, unescape(action)), allow_redirects=False, timeout=180)


def test_a_free_offer_is_granted_at_once_and_costs_nothing(market):
    sold = market.sold("free")
    assert sold.order["amount_gross_yen"] == 0
    assert sold.order["checkout_url"] is None
    assert sold.fetch().content == sold.content
    assert sold.metered(len(sold.content))


def test_a_one_off_offer_is_paid_by_card_and_invoiced_with_tax(market):
    sold = market.sold("one_off", 1999)
    assert (sold.order["amount_net_yen"], sold.order["amount_tax_yen"]) == (1999, 199)
    invoice = market.parties["buyer"].get(f"/v1/invoices/{sold.order['invoice_id']}")
    assert (invoice["state"], invoice["amount_gross_yen"]) == ("paid", 2198)
    assert sold.fetch().content == sold.content
    assert market.parties["auditor"].get("/v1/ledger/trial-balance")["total_minor"] == 0


def test_a_metered_offer_bills_every_byte_once_and_never_twice(market):
    sold = market.sold("per_mib", 100_000)
    sold.fetch()
    sold.fetch(headers={"Range": "bytes=10-99"})
    assert sold.metered(len(sold.content))
    operator = market.parties["operator"]
    invoices = operator.post("/v1/settlements")["invoices"]
    lines = [line for invoice in invoices for line in invoice["lines"] if line["grant_id"] == sold.grant_id]
    assert [int(line["quantity"]) for line in lines] == [len(sold.content)]
    assert lines[0]["amount_net_yen"] == round(len(sold.content) * 100_000 / 2**20)
    sold.fetch()
    again = operator.post("/v1/settlements")["invoices"]
    assert not [line for invoice in again for line in invoice["lines"] if line["grant_id"] == sold.grant_id]


def test_a_declined_card_grants_nothing_and_another_card_pays(market):
    release = market.listed(market.file(b"a,b\n1,2\n"))
    offer = live.offer(market.parties["provider"], release["dataset_id"], "one_off", 500)
    buyer = market.parties["buyer"]
    order = buying.order(buyer, offer)
    press(order["checkout_url"], "decline")
    declined = buyer.get(f"/v1/orders/{order['id']}")
    assert declined["grant_id"] is None
    assert declined["checkout_url"] == order["checkout_url"]
    buying.pay_on_page(declined["checkout_url"])
    paid = buying.wait_for_grant(buyer, order["id"])
    assert paid["payment_state"] == "paid"


def test_paying_twice_on_the_page_charges_once(market):
    sold = market.sold("one_off", 700)
    order = market.parties["buyer"].get(f"/v1/orders/{sold.order['id']}")
    assert order["checkout_url"] is None
    charged = market.parties["auditor"].get("/v1/audit/entries", subject=sold.grant_id)["items"]
    assert len(charged) == 1


def test_two_buyers_have_grants_of_their_own_and_cannot_use_each_others(market):
    sold = market.sold("free")
    rival = market.exchange.admit(
        market.parties["operator"], "rival", cast.application(60, "競合商会", "Rival", "company", "buyer")
    )
    theirs = live.buy(rival, sold.offer)
    assert theirs["grant_id"] != sold.grant_id
    assert rival.call("GET", f"/v1/grants/{theirs['grant_id']}/files/人流.bin").content == sold.content
    assert rival.call("GET", sold.path, expect=404).status_code == 404
    assert rival.call("GET", f"/v1/orders/{sold.order['id']}", expect=404).status_code == 404


def test_a_grant_of_all_releases_gets_the_later_ones_and_a_grant_of_one_does_not(market):
    provider, buyer = market.parties["provider"], market.parties["buyer"]
    first = market.listed(market.file(b"a,b\n1,2\n", "2025.csv"))
    grants = {
        scope: live.buy(buyer, live.offer(provider, first["dataset_id"], "free", release_scope=scope))["grant_id"]
        for scope in ("all", "current")
    }
    live.publish(provider, [market.file(b"a,b\n3,4\n", "2026.csv")], TITLES, first["dataset_id"])
    assert buyer.call("GET", f"/v1/grants/{grants['all']}/files/2026.csv").content == b"a,b\n3,4\n"
    assert buyer.call("GET", f"/v1/grants/{grants['all']}/files/2025.csv").content == b"a,b\n1,2\n"
    assert buyer.call("GET", f"/v1/grants/{grants['current']}/files/2026.csv", expect=404).status_code == 404


def test_what_is_withdrawn_after_the_sale_stays_with_the_buyer(market):
    sold = market.sold("free")
    provider = market.parties["provider"]
    provider.post(f"/v1/offers/{sold.offer['id']}/withdraw")
    provider.post(f"/v1/releases/{sold.release['id']}/withdraw")
    provider.post(f"/v1/datasets/{sold.release['dataset_id']}/withdraw")
    gone = requests.get(f"{market.base_url}/v1/catalog/{sold.release['dataset_id']}", timeout=180)
    assert gone.status_code == 404
    assert sold.fetch().content == sold.content
    with pytest.raises(Refused, match="409"):
        live.buy(market.parties["buyer"], sold.offer)


def test_a_revoked_grant_is_refused_at_the_next_request_and_recorded(market):
    sold = market.sold("free")
    sold.fetch()
    market.parties["operator"].post(f"/v1/grants/{sold.grant_id}/revoke", {"reason": "契約違反 / breach of terms"})
    refused = sold.fetch(expect=403)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("grant-revoked")
    verbs = [one["verb"] for one in market.parties["auditor"].get("/v1/audit/entries", subject=sold.grant_id)["items"]]
    assert "access.grant.revoked" in verbs


def test_head_tells_everything_and_costs_nothing(market):
    sold = market.sold("free")
    head = market.parties["buyer"].call("HEAD", sold.path)
    assert head.headers["Content-Length"] == str(len(sold.content))
    assert head.headers["ETag"] == f'"{sold.sha256}"'
    assert head.content == b""
    sold.fetch(headers={"Range": "bytes=0-9"})
    assert sold.metered(10)


def test_a_broken_download_resumes_and_costs_one_file(market):
    sold = market.sold("free", size_bytes=3_000_000)
    first = sold.fetch(stream=True)
    piece = first.raw.read(1_000_000)
    first.close()
    rest = sold.fetch(headers={"Range": f"bytes={len(piece)}-", "If-Range": first.headers["ETag"]})
    assert rest.status_code == 206
    assert piece + rest.content == sold.content
    assert sold.metered(len(sold.content))


def test_curl_resumes_a_download(market, tmp_path):
    curl = shutil.which("curl")
    if curl is None:
        pytest.skip("curl is not installed")
    sold = market.sold("free", size_bytes=3_000_000)
    (tmp_path / "out.bin").write_bytes(sold.content[:1_234_567])
    done = subprocess.run(
        [curl, "-sS", "--fail", "-C", "-", "-o", tmp_path / "out.bin", "-H",
         f"Authorization: Bearer {market.parties['buyer'].token()}",
         market.base_url + f"/v1/grants/{sold.grant_id}/files/%E4%BA%BA%E6%B5%81.bin"],
        check=False, capture_output=True, timeout=180,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out.bin").read_bytes() == sold.content
    assert sold.metered(len(sold.content) - 1_234_567)


def test_ranges_fetched_by_eight_connections_cost_one_file(market):
    sold = market.sold("free", size_bytes=2_000_003)
    buyer, step = market.parties["buyer"], 2_000_003 // 16
    token = buyer.token()
    starts = list(range(0, len(sold.content), step))
    random.Random(1).shuffle(starts)

    def fetch(start):
        wanted = {"Authorization": f"Bearer {token}", "Range": f"bytes={start}-{start + step + 500}"}
        return start, requests.get(market.base_url + sold.path, headers=wanted, timeout=180).content

    with ThreadPoolExecutor(8) as pool:
        pieces = dict(pool.map(fetch, starts))
    assert all(sold.content[start:].startswith(piece) and piece for start, piece in pieces.items())
    assert b"".join(pieces[start][:step] for start in sorted(pieces)) == sold.content
    assert sold.metered(len(sold.content))
