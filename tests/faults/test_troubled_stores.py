"""Stores that are full, slow, broken or wrong: nothing is charged, nothing half kept, and what follows goes well."""

import hashlib
import random
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from flask import Flask

from marketplace.catalog.states import ConversionState
from marketplace.delivery.errors import StorageFull
from marketplace.exchange import facilities, tabular
from marketplace.kit import jobs
from marketplace.metering.models import Delivery
from tests import s3
from tests.exchange.test_tabular import published
from tests.factories import market
from tests.faults.started import Live, live_world
from tests.faults.world import CONTENT, FILE, count

SHA256 = hashlib.sha256(CONTENT).hexdigest()
KEY = f"/musubi/exchange/{SHA256[:2]}/{SHA256[2:4]}/{SHA256}"
RETRIES = 1
ROOM_BYTES = 2**14
"""Room for what a reader is asked, and not for the Parquet of the table."""
TABLE = "日時,地点,人数\n" + "".join(f"{random.Random(row).randbytes(24).hex()},大通,{row}\n" for row in range(2000))


@pytest.fixture(scope="module")
def bucket() -> Iterator[s3.Troubled]:
    """A bucket that fails as it is told."""
    with s3.troubled() as failing:
        failing.objects[KEY] = CONTENT
        yield failing


@pytest.fixture(scope="module")
def live(bucket: s3.Troubled, clone: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A server that asks this bucket twice, and waits a second; it does no jobs, which would ask the bucket as well."""
    patience = {"marketplace_s3_timeout_seconds": 1, "marketplace_s3_retries_max": RETRIES}
    patience |= {"marketplace_run_worker": "false"}
    with live_world(tmp_path_factory.mktemp("far"), clone(), **s3.settings(bucket.endpoint, **patience)) as started:
        yield started


def fetch(live: Live, grant_id: str, **fields: str) -> requests.Response:
    headers = {"Authorization": f"Bearer {live.buyer().token()}"} | fields
    return requests.get(f"{live.base_url}/v1/grants/{grant_id}/files/{quote(FILE)}", headers=headers, timeout=180)


def forget(live: Live) -> None:
    """Empty the folder in which bytes of the bucket pass, as on another machine."""
    for path in (live.exchange.data_dir / "bucket-cache").glob("??/??/*"):
        path.unlink()


@pytest.mark.parametrize("trouble", ["500", "503", "silent", "truncated"])
def test_a_store_in_trouble_is_a_503_that_costs_nothing_and_the_retry_succeeds(
    live: Live, bucket: s3.Troubled, trouble: str
) -> None:
    grant_id, before = live.grant(quota_downloads=1), count(Delivery)
    forget(live)
    bucket.plan["GET"] = [trouble] * (1 + RETRIES)
    answer = fetch(live, grant_id)
    assert (answer.status_code, answer.json()["type"].rsplit("/", 1)[1]) == (503, "store-unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    quota = live.quota(grant_id)
    assert (quota.used_downloads, quota.used_bytes, quota.reserved_bytes, count(Delivery)) == (0, 0, 0, before)

    assert fetch(live, grant_id).content == CONTENT
    live.wait_closed()
    assert (live.quota(grant_id).used_downloads, live.quota(grant_id).used_bytes) == (1, len(CONTENT))


def test_a_store_that_changed_a_file_is_found_out_and_nobody_is_sent_a_mixture(live: Live, bucket: s3.Troubled) -> None:
    grant_id = live.grant()
    half = fetch(live, grant_id, Range="bytes=0-999")
    forget(live)
    bucket.objects[KEY] = CONTENT[:-1] + b"x"
    answer = fetch(live, grant_id, Range="bytes=1000-", **{"If-Range": half.headers["ETag"]})
    bucket.objects[KEY] = CONTENT
    assert answer.status_code == 500
    assert answer.json()["type"].endswith("/bytes-missing")
    live.wait_closed()
    assert live.quota(grant_id).used_bytes == len(half.content) == 1000
    rest = fetch(live, grant_id, Range="bytes=1000-", **{"If-Range": half.headers["ETag"]})
    assert half.content + rest.content == CONTENT


@contextmanager
def full_disk() -> Iterator[None]:
    """No file of this process may grow beyond a few kilobytes: a limit of the kernel that needs no root."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (ROOM_BYTES, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_disk_that_is_full_puts_a_conversion_off_and_leaves_nothing_of_it(app: Flask) -> None:
    file = published(market.seller(), TABLE.encode())
    store_dir: Path = facilities.current().settings.store_dir
    before = sorted(store_dir.rglob("*"))
    with full_disk(), pytest.raises(StorageFull):
        tabular.convert(file.id, file.sha256)
    assert tabular.find(file.sha256).state == ConversionState.PENDING
    assert sorted(store_dir.rglob("*")) == before
    assert jobs.run_pending(tabular.CONVERT_JOB) == 1
    assert tabular.find(file.sha256).state == ConversionState.DONE
