"""Whole trades on an exchange whose files lie in a bucket: through us, and straight from the bucket."""

from urllib.parse import urlsplit

import pytest
import requests

from tests import live, s3
from tests.journeys.conftest import Market

TABLE = "日付,人数\n" + "".join(f"2026-11-{day:02},{day * 100}\n" for day in range(1, 29))


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory):
    with s3.served(tmp_path_factory.mktemp("s3")) as address:
        yield address


@pytest.fixture(scope="module")
def market(tmp_path_factory, clone, endpoint):
    with live.exchange(tmp_path_factory.mktemp("market"), clone(), **s3.settings(endpoint)) as exchange:
        yield Market(exchange, exchange.assemble(), tmp_path_factory.mktemp("files"))


@pytest.fixture
def redirecting(market):
    """The exchange sends its buyers to the bucket, until the test is over."""
    market.exchange.stop()
    market.exchange.settings["marketplace_s3_delivery"] = "redirect"
    market.exchange.restart()
    yield
    market.exchange.stop()
    del market.exchange.settings["marketplace_s3_delivery"]
    market.exchange.restart()


def forget(market):
    """Empty the folder in which bytes of the bucket pass, as on another machine."""
    for path in (market.exchange.data_dir / "bucket-cache").glob("??/??/*"):
        path.unlink()


def test_a_table_is_uploaded_profiled_sold_and_fetched_in_ranges(market):
    release = market.listed(market.file(TABLE.encode(), "人流.csv"))
    seen = market.parties["provider"].get(f"/v1/releases/{release['id']}/files/人流.csv")
    assert seen["profile"]["rows"] == 28
    order = live.buy(
        market.parties["buyer"], live.offer(market.parties["provider"], release["dataset_id"], "one_off", 500)
    )
    forget(market)
    path, buyer = f"/v1/grants/{order['grant_id']}/files/人流.csv", market.parties["buyer"]
    first = buyer.call("GET", path, headers={"Range": "bytes=0-99"})
    rest = buyer.call("GET", path, headers={"Range": "bytes=100-", "If-Range": first.headers["ETag"]})
    assert (first.status_code, rest.status_code) == (206, 206)
    assert first.content + rest.content == TABLE.encode()
    assert not list((market.exchange.data_dir / "store").glob("??/??/*"))


def test_a_file_that_the_bucket_has_lost_is_never_charged(market, endpoint):
    sold = market.sold("per_mib", 1000)
    forget(market)
    s3.remove(endpoint, sold.sha256)
    answer = sold.fetch(expect=500)
    assert answer.json()["type"].endswith("/bytes-missing")
    quota = market.parties["buyer"].get(f"/v1/grants/{sold.grant_id}")["quota"]
    assert (quota["used_bytes"], quota["reserved_bytes"], quota["used_downloads"]) == (0, 0, 0)


@pytest.mark.usefixtures("redirecting")
def test_buyers_are_sent_to_the_bucket_and_its_log_is_charged(market, tmp_path):
    sold = market.sold("per_mib", 1000)
    sent = sold.fetch(expect=307, allow_redirects=False, headers={"Range": "bytes=0-999"})
    fetched = requests.get(sent.headers["Location"], headers={"Range": "bytes=0-999"}, timeout=180)
    assert (fetched.status_code, fetched.content) == (206, sold.content[:1000])
    assert requests.get(sent.headers["Location"], timeout=180).status_code == 403
    parts = urlsplit(sent.headers["Location"])
    log = tmp_path / "access.log"
    log.write_text(
        f"o musubi [29/Nov/2026:00:00:00 +0000] 127.0.0.1 - R1 REST.GET.OBJECT {parts.path.partition('musubi/')[2]}"
        f' "GET {parts.path}?{parts.query} HTTP/1.1" 206 - 1000 200000 7 7 "-" "-" - - SigV4 - - - - -\n'
    )
    for _ in range(2):
        said = market.exchange.command("delivery", "import-log", str(log))
        assert said.returncode == 0, said.stderr
    assert sold.metered(1000)
