"""A whole trade in data that the exchange never holds: declared, sold, fetched at the provider's server, reported."""

import hashlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from werkzeug.serving import make_server
from werkzeug.utils import send_file

from marketplace.origin.verifier import Verifier
from tests import live
from tests.journeys.conftest import TITLES, Market

HOST = "https://93.184.216.34"
"""An address on the open internet; what buyers ask there is brought to the loopback interface."""

CONTENT = "日付,人数\n".encode() + b"2026-11-22,120\n" * 20_000


@dataclass
class Origin:
    """A provider's own server with the verifier in front, and the time that this goes by."""

    address: str
    verifier: Verifier
    ahead: list[float]

    def get(self, location: str, **headers: str) -> requests.Response:
        """Follow a redirect, as a buyer's program does."""
        assert location.startswith(f"{HOST}/")
        parts = urlsplit(location)
        return requests.get(f"{self.address}{parts.path}?{parts.query}", headers=headers, timeout=180)


@pytest.fixture(scope="module")
def origin(market: Market, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Origin]:
    path: Path = tmp_path_factory.mktemp("origin") / "flow.csv"
    path.write_bytes(CONTENT)
    ahead = [0.0]

    def files(environ: Any, start_response: Any) -> Any:
        return send_file(path, environ, "text/csv", conditional=True)(environ, start_response)

    jwks = requests.get(f"{market.base_url}/oauth/jwks.json", timeout=180).json()
    now = live.time.time
    verifier = Verifier(files, origin=HOST, issuer=market.base_url, jwks=jwks, now=lambda: now() + ahead[0])
    server = make_server("127.0.0.1", 0, verifier, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield Origin(f"http://127.0.0.1:{server.port}", verifier, ahead)
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def grant_id(market: Market, origin: Origin) -> str:
    """A grant for a file that lies with the provider alone."""
    provider = market.parties["provider"]
    dataset_id = live.listing.list_dataset(provider, TITLES)
    release = provider.post(f"/v1/datasets/{dataset_id}/releases", {"label": "2026-11", "notes": ""})
    said = {
        "url": f"{HOST}/2026/flow.csv",
        "sha256": hashlib.sha256(CONTENT).hexdigest(),
        "size_bytes": len(CONTENT),
        "media_type": "text/csv",
    }
    provider.call("PUT", f"/v1/releases/{release['id']}/files/flow.csv/origin", json=said, expect=201)
    provider.post(f"/v1/releases/{release['id']}/publish")
    return str(live.buy(market.parties["buyer"], live.offer(provider, dataset_id, "per_mib", 1000))["grant_id"])


def sent_there(market: Market, grant_id: str, **headers: str) -> str:
    """Ask the exchange for the file, and return where it sends the buyer."""
    path = f"/v1/grants/{grant_id}/files/flow.csv"
    answer = market.parties["buyer"].call("GET", path, headers=headers, allow_redirects=False, expect=307)
    return str(answer.headers["Location"])


def report(market: Market, origin: Origin) -> list[dict[str, Any]]:
    """Report, as the provider does by the clock, what was sent of deliveries of which no more can come."""
    origin.ahead[0] += 61
    ended = live.wait_until("the count of what was sent", origin.verifier.take_ended)
    origin.ahead[0] = 0
    provider = market.parties["provider"]
    return [
        provider.post(
            f"/v1/deliveries/{sent.delivery_id}/report",
            {"report_id": "1", "bytes_sent": sent.bytes_sent, "complete": sent.complete},
        )
        for sent in ended
    ]


def test_a_file_is_fetched_at_its_provider_in_ranges_and_charged_by_its_reports(
    market: Market, origin: Origin, grant_id: str
) -> None:
    first = origin.get(sent_there(market, grant_id, Range="bytes=0-99999"), Range="bytes=0-99999")
    rest = origin.get(sent_there(market, grant_id, Range="bytes=100000-"), Range="bytes=100000-")
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == CONTENT
    usage = market.parties["buyer"].get("/v1/usage", grant_id=grant_id)
    assert usage["total_bytes"] == 0
    assert [one["noted"] for one in report(market, origin)] == ["new", "new"]
    assert market.parties["buyer"].get("/v1/usage", grant_id=grant_id)["total_bytes"] == len(CONTENT)

    whole = origin.get(sent_there(market, grant_id))
    assert (whole.status_code, whole.content) == (200, CONTENT)
    [told] = report(market, origin)
    assert (told["delivery"]["state"], told["delivery"]["bytes_acked"]) == ("complete", len(CONTENT))
    usage = market.parties["buyer"].get("/v1/usage", grant_id=grant_id)
    assert usage["total_bytes"] == len(CONTENT)  # bytes received before cost nothing again
    receipt = market.parties["buyer"].call("GET", f"/v1/deliveries/{told['delivery']['id']}/receipt")
    assert receipt.status_code == 200


def test_the_exchange_holds_and_logs_nothing_of_it(market: Market, origin: Origin, grant_id: str) -> None:
    location = sent_there(market, grant_id)
    assert not list((market.exchange.data_dir / "store").glob(f"??/??/{hashlib.sha256(CONTENT).hexdigest()}"))
    assert location.partition("permit=")[2] not in market.exchange.log


def test_a_permit_opens_nothing_beside_what_it_says(market: Market, origin: Origin, grant_id: str) -> None:
    location = sent_there(market, grant_id, Range="bytes=0-9")
    assert origin.get(location.replace("flow.csv", "other.csv"), Range="bytes=0-9").status_code == 403
    assert origin.get(location, Range="bytes=0-10").status_code == 403
    assert origin.get(location).status_code == 403
    assert origin.get(f"{location[:-6]}AAAAAA", Range="bytes=0-9").status_code == 403
    assert origin.get(location.partition("?")[0]).status_code == 403
    origin.ahead[0] = 61
    assert "expired" in origin.get(location, Range="bytes=0-9").text
    origin.ahead[0] = 0
    assert origin.get(location, Range="bytes=0-9").content == CONTENT[:10]
    report(market, origin)


def test_a_revoked_grant_gets_no_more_permits(market: Market, origin: Origin, grant_id: str) -> None:
    permitted = sent_there(market, grant_id)
    market.parties["provider"].post(f"/v1/grants/{grant_id}/revoke", {"reason": "規約違反"})
    refused = market.parties["buyer"].call("GET", f"/v1/grants/{grant_id}/files/flow.csv", expect=403)
    assert json.loads(refused.text)["type"].endswith("/grant-revoked")
    # What was permitted before lives for its seconds, as the documents say.
    assert origin.get(permitted).status_code == 200
    report(market, origin)
