"""The same application under other people's WSGI servers: what they deliver is metered to the byte, or kindly."""

import subprocess
import sys

import pytest
import requests

from tests import live
from tests.journeys.conftest import Market

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


@pytest.fixture(scope="module", params=sorted(SERVERS))
def foreign(request, market):
    """Another server over the same database and the same files, beside our own."""
    port = live.free_port()
    with (market.folder / f"{request.param}.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, *SERVERS[request.param](port)],
            env=live.environment(**market.exchange.given),
            cwd=live.ROOT,
            stdout=log,
            stderr=log,
        )
    base_url = f"http://127.0.0.1:{port}"

    def ready():
        assert process.poll() is None, (market.folder / f"{request.param}.log").read_text()
        try:
            return requests.get(f"{base_url}/v1/health", timeout=10).ok
        except requests.RequestException:
            return False

    try:
        live.wait_until(request.param, ready)
        yield base_url
    finally:
        process.terminate()
        process.wait(live.WAIT_SECONDS)


def fetch(market: Market, base_url, sold, **kwargs):
    bearer = {"Authorization": f"Bearer {market.parties['buyer'].token()}"} | kwargs.pop("headers", {})
    return requests.get(base_url + sold.path, headers=bearer, timeout=60, **kwargs)


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
