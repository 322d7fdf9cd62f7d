"""Files that stay with their provider, on the wire: declared, redirected to, reported."""

from urllib.parse import parse_qs, urlsplit

import pytest
from werkzeug.test import TestResponse

from tests.api.routes import ORIGIN
from tests.api.trade import Goods, Market, Party, audit_count, ok, refused, row_counts

NAME = "people.csv"
SIZE = 4


def declared(market: Market, release_id: str, **changes: object) -> TestResponse:
    return market.provider.call("PUT", f"/v1/releases/{release_id}/files/{NAME}/origin", json=ORIGIN | changes)


@pytest.fixture
def draft(market: Market) -> str:
    """A draft release of the provider."""
    return str(market.release(market.dataset()["id"])["id"])


@pytest.fixture
def grant_id(market: Market, draft: str) -> str:
    """A grant of the buyer that opens a file which its provider holds."""
    ok(declared(market, draft), 201)
    release = ok(market.provider.post(f"/v1/releases/{draft}/publish"))
    return str(market.bought(Goods(release["dataset_id"], draft, NAME, b""))["grant_id"])


def sent(market: Market, grant_id: str) -> str:
    """Fetch, and return the id of the delivery that is left to the provider."""
    answer = market.fetch(grant_id, NAME)
    assert answer.status_code == 307, answer.text
    [delivery] = ok(market.buyer.get("/v1/deliveries?state=open"))["items"]
    return str(delivery["id"])


def report(who: Party, delivery_id: str, report_id: str = "r1", **changes: object) -> TestResponse:
    body = {"report_id": report_id, "bytes_sent": SIZE, "complete": True} | changes
    return who.post(f"/v1/deliveries/{delivery_id}/report", body)


def test_a_file_is_declared_once_and_shown_as_held_by_its_provider(market: Market, draft: str) -> None:
    file = ok(declared(market, draft), 201)
    assert (file["held_by"], file["profile_state"], file["profile"]) == ("provider", "opaque", None)
    assert "url" not in file
    before = row_counts()
    assert ok(declared(market, draft), 201) == file
    refused(declared(market, draft, sha256="1f" * 32), 409, "file-name-taken")
    refused(declared(market, draft, url="https://93.184.216.34/other.csv"), 409, "file-name-taken")
    refused(market.upload(draft, NAME, b"a,b\n"), 409, "file-name-taken")
    assert row_counts() == before
    assert ok(market.provider.get(f"/v1/releases/{draft}"))["files"][0]["held_by"] == "provider"


@pytest.mark.parametrize(
    "url",
    [
        "http://93.184.216.34/a", "https://93.184.216.34:8443/a", "https://127.0.0.1/a", "https://[::1]/a",
        "https://10.0.0.1/a", "https://169.254.169.254/latest", "https://93.184.216.34/a?b=c", "https://93.184.216.34/a?",
        "https://93.184.216.34/", "https://93.184.216.34/a/../b", "https://93.184.216.34/a/%2e%2e/b", "https://u:p@93.184.216.34/a",
        "https://93.184.216.34/a#b", 'https://93.184.216.34/a"b', "file:///etc/passwd",
    ],
)  # fmt: skip
def test_an_address_that_no_buyer_should_be_sent_to_is_refused(market: Market, draft: str, url: str) -> None:
    before = row_counts()
    answer = refused(declared(market, draft, url=url), 422, "invalid-input")
    assert [error["pointer"] for error in answer["errors"]] == ["/url"]
    assert row_counts() == before


def test_a_declaration_says_what_a_file_must_have(market: Market, draft: str) -> None:
    before = row_counts()
    refused(declared(market, draft, sha256="0F" * 32), 422, "invalid-input")
    refused(declared(market, draft, size_bytes=-1), 422, "invalid-input")
    refused(declared(market, draft, media_type="csv"), 422, "invalid-input")
    assert row_counts() == before


def test_a_published_release_takes_no_declaration(market: Market, grant_id: str, draft: str) -> None:
    before = row_counts()
    refused(declared(market, draft), 409, "release-sealed")
    assert row_counts() == before


def test_nobody_else_declares_into_a_release(market: Market, draft: str) -> None:
    before = row_counts()
    path = f"/v1/releases/{draft}/files/{NAME}/origin"
    refused(market.rival.call("PUT", path, json=ORIGIN), 404, "not-found")
    assert row_counts() == before


def test_a_grant_says_who_holds_its_files(market: Market, grant_id: str) -> None:
    [file] = ok(market.buyer.get(f"/v1/grants/{grant_id}/files"))
    assert (file["held_by"], file["sha256"], file["size_bytes"]) == ("provider", ORIGIN["sha256"], SIZE)


def test_a_buyer_is_sent_to_the_origin_with_a_permit_and_charged_by_its_report(market: Market, grant_id: str) -> None:
    answer = market.fetch(grant_id, NAME)
    assert answer.status_code == 307
    parts = urlsplit(answer.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == ORIGIN["url"]
    assert list(parse_qs(parts.query)) == ["permit"]
    assert answer.headers["Cache-Control"] == "private, no-store"
    [delivery] = ok(market.buyer.get("/v1/deliveries"))["items"]
    assert market.usage(grant_id) == (0, 0)

    taken = ok(report(market.provider, delivery["id"]))
    assert (taken["noted"], taken["delivery"]["state"], taken["delivery"]["bytes_acked"]) == ("new", "complete", SIZE)
    assert ok(market.buyer.get(f"/v1/grants/{grant_id}"))["quota"]["used_bytes"] == SIZE


def test_a_ticket_leads_to_the_origin_as_well(market: Market, grant_id: str) -> None:
    ticket = ok(market.buyer.post(f"/v1/grants/{grant_id}/tickets", {"file_name": NAME}), 201)
    answer = market.nobody.get(urlsplit(ticket["url"]).path)
    assert (answer.status_code, answer.headers["Location"].startswith(f"{ORIGIN['url']}?permit=")) == (307, True)


def test_what_costs_nothing_needs_no_origin(market: Market, grant_id: str) -> None:
    head = market.head(grant_id, NAME)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(SIZE))
    assert market.fetch(grant_id, NAME, If_None_Match=head.headers["ETag"]).status_code == 304
    assert ok(market.buyer.get("/v1/deliveries"))["items"] == []


def test_who_follows_no_redirect_is_told_and_holds_nothing(market: Market, grant_id: str) -> None:
    before = row_counts()
    refused(market.fetch(grant_id, NAME, Musubi_Redirect="no"), 406, "redirect-needed")
    assert row_counts() == before


def test_a_file_without_a_table_has_no_rows(market: Market, grant_id: str) -> None:
    before = row_counts()
    answer = market.buyer.post(f"/v1/grants/{grant_id}/files/{NAME}/rows", {})
    assert answer.status_code >= 400
    assert row_counts() == before


def test_a_report_sent_twice_is_one_and_a_changed_one_is_refused(market: Market, grant_id: str) -> None:
    delivery_id = sent(market, grant_id)
    ok(report(market.provider, delivery_id))
    before, deeds = row_counts(), audit_count()
    assert ok(report(market.provider, delivery_id))["noted"] == "known"
    refused(report(market.provider, delivery_id, bytes_sent=SIZE - 1), 409, "report-contradicted")
    refused(report(market.provider, delivery_id, complete=False), 409, "report-contradicted")
    assert (row_counts(), audit_count()) == (before, deeds)
    assert ok(report(market.provider, delivery_id, "r2"))["noted"] == "late"
    assert ok(market.buyer.get(f"/v1/grants/{grant_id}"))["quota"]["used_bytes"] == SIZE


def test_another_provider_and_the_buyer_report_nothing(market: Market, grant_id: str) -> None:
    delivery_id = sent(market, grant_id)
    before = row_counts()
    refused(report(market.rival, delivery_id), 404, "not-found")
    refused(report(market.buyer, delivery_id), 403, "insufficient-scope")
    refused(report(market.provider, "dlv_nothing"), 404, "not-found")
    assert row_counts() == before
    assert ok(market.buyer.get(f"/v1/deliveries/{delivery_id}"))["state"] == "open"


def test_what_we_sent_ourselves_is_not_reported(market: Market) -> None:
    bought = market.bought()
    market.fetch(bought["grant_id"])
    [delivery] = ok(market.buyer.get("/v1/deliveries"))["items"]
    before = row_counts()
    refused(report(market.provider, delivery["id"]), 404, "not-found")
    assert row_counts() == before


@pytest.mark.parametrize("body", [{"report_id": "a b"}, {"bytes_sent": -1}, {"bytes_sent": 2**53}, {"more": 1}])
def test_a_report_that_says_nonsense_is_refused(market: Market, grant_id: str, body: dict[str, object]) -> None:
    delivery_id = sent(market, grant_id)
    before = row_counts()
    refused(report(market.provider, delivery_id, **body), 422, "invalid-input")
    assert row_counts() == before
