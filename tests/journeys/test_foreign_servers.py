"""The same application under other people's WSGI servers: it trades, and what they deliver is metered, or kindly."""

import hashlib
import subprocess
import sys
from contextlib import contextmanager
from dataclasses import replace

import pytest
import requests

from marketplace.demo import listing
from tests import live
from tests.journeys.conftest import TITLES, Market

WERKZEUG = """
import sys
from werkzeug.serving import make_server
from wsgi import app
make_server("127.0.0.1", int(sys.argv[1]), app, threaded=True).serve_forever()
"""
WSGIREF = """
import sys
from wsgiref.simple_server import make_server
from wsgi import app
make_server("127.0.0.1", int(sys.argv[1]), app).serve_forever()
"""
SERVERS = {
    "gunicorn": lambda port: [
        "-m",
        "gunicorn",
        "wsgi:app",
        "-k",
        "gthread",
        "--threads",
        "4",
        "-b",
        f"127.0.0.1:{port}",
    ],
    "werkzeug": lambda port: ["-c", WERKZEUG, str(port)],
    "wsgiref": lambda port: ["-c", WSGIREF, str(port)],
}


@contextmanager
def serving(name, folder, **settings):
    """Run another server over this installation's database and files; yields its address."""
    port, log = live.free_port(), folder / f"{name}.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, *SERVERS[name](port)],
            env=live.environment(**settings),
            cwd=live.ROOT,
            stdout=out,
            stderr=out,
        )
    base_url = f"http://127.0.0.1:{port}"

    def answers():
        assert process.poll() is None, log.read_text()
        try:
            return requests.get(f"{base_url}/v1/health", timeout=10).ok
        except requests.RequestException:
            return False

    try:
        live.wait_until(name, answers)
        yield base_url
    finally:
        process.terminate()
        process.wait(live.WAIT_SECONDS)


@pytest.fixture(scope="module", params=sorted(SERVERS))
def foreign(request, market):
    """Another server over the same database and the same files, beside our own, which does the background work."""
    with serving(request.param, market.folder, **market.exchange.given) as base_url:
        yield base_url


def fetch(market: Market, base_url, sold, **kwargs):
    bearer = {"Authorization": f"Bearer {market.parties['buyer'].token()}"} | kwargs.pop("headers", {})
    return requests.get(base_url + sold.path, headers=bearer, timeout=180, **kwargs)


def test_a_download_is_whole_and_metered_once(market, foreign):
    sold = market.sold("free")
    assert fetch(market, foreign, sold).content == sold.content
    assert sold.metered(len(sold.content))
    part = fetch(market, foreign, sold, headers={"Range": "bytes=5-104"})
    assert (part.status_code, part.content) == (206, sold.content[5:105])
    assert sold.metered(len(sold.content))


def test_a_range_costs_its_bytes_and_not_the_file(market, foreign):
    sold = market.sold("free")
    assert fetch(market, foreign, sold, headers={"Range": "bytes=1000-1999"}).content == sold.content[1000:2000]
    assert sold.metered(1000)


def test_a_client_that_vanishes_pays_no_more_than_was_handed_to_the_network(market, foreign):
    sold = market.sold("free", size_bytes=32_000_000)
    answer = fetch(market, foreign, sold, stream=True)
    assert answer.raw.read(1_000_000) == sold.content[:1_000_000]
    answer.close()
    usage = live.wait_until(
        "the broken download to be metered",
        lambda: market.parties["buyer"].get("/v1/usage", grant_id=sold.grant_id)["total_bytes"],
    )
    assert usage < len(sold.content) // 2


def test_head_costs_nothing(market, foreign):
    sold = market.sold("free")
    head = requests.head(
        foreign + sold.path, headers={"Authorization": f"Bearer {market.parties['buyer'].token()}"}, timeout=30
    )
    assert head.headers["Content-Length"] == str(len(sold.content))
    assert fetch(market, foreign, sold, headers={"Range": "bytes=0-0"}).content == sold.content[:1]
    assert sold.metered(1)


def draft(provider):
    """The address of the files of a fresh draft release, with its dataset and its own address."""
    dataset = listing.list_dataset(provider, TITLES)
    release = f"/v1/releases/{provider.post(f'/v1/datasets/{dataset}/releases', {'label': 'v1'})['id']}"
    return dataset, release, f"{release}/files/人流.csv"


def test_what_is_uploaded_there_is_sold_paid_for_and_fetched_there(market, foreign):
    provider, buyer = (replace(market.parties[role], base_url=foreign) for role in ("provider", "buyer"))
    dataset, release, path = draft(provider)
    content = "日付,人数\n2026-11-22,12345\n".encode() * 20_000
    file = provider.call("PUT", path, data=content).json()
    assert (file["size_bytes"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    profiled = live.wait_until("the worker to profile it", lambda: done(provider.get(path)))
    assert (profiled["profile_state"], profiled["profile"]["rows"]) == ("profiled", 2 * 20_000 - 1)
    provider.post(f"{release}/publish")
    bought = live.buy(buyer, live.offer(provider, dataset, "one_off", 5_000))
    order = buyer.get(f"/v1/orders/{bought['id']}")  # again: the grant may have come while the order was being read
    assert (order["state"], order["payment_state"], order["amount_gross_yen"]) == ("fulfilled", "paid", 5_500)
    assert buyer.call("GET", f"/v1/grants/{order['grant_id']}/files/人流.csv").content == content


def done(file):
    return file if file["profile_state"] != "pending" else None


def test_a_file_of_untold_length_is_taken_whole_or_refused_and_never_kept_as_an_empty_one(market, foreign):
    provider = replace(market.parties["provider"], base_url=foreign)
    _, release, path = draft(provider)
    headers = {"Authorization": f"Bearer {provider.token()}"}
    answer = requests.put(foreign + path, data=iter([b"abc"] * 3), headers=headers, timeout=180)
    if answer.status_code == 411:
        assert answer.json()["type"].endswith("/length-required")
        assert provider.get(release)["files"] == []
    else:
        assert (answer.status_code, answer.json()["size_bytes"]) == (201, 9)


def test_a_server_before_the_first_migration_says_what_to_do_and_serves_afterwards(tmp_path, clone):
    exchange = live.Exchange(tmp_path, clone())
    assert exchange.command("migrate", "--down-to", "base").returncode == 0
    with serving("gunicorn", tmp_path, **exchange.given) as base_url:
        refused = requests.get(f"{base_url}/v1/catalog", timeout=180)
        assert (refused.status_code, refused.headers["Content-Type"]) == (503, "application/problem+json")
        assert "run `marketplace migrate`" in refused.json()["detail"]
        assert exchange.command("migrate").returncode == 0
        assert requests.get(f"{base_url}/v1/catalog", timeout=180).json()["items"] == []
