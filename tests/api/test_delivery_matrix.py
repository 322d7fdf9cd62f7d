"""Every way to the bytes against all that may stand in it: each refuses alike, and counts alike what it sends."""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from joserfc import jws
from joserfc.jwk import KeySet
from sqlalchemy import select, text
from werkzeug.test import TestResponse

from marketplace.audit.models import Entry
from marketplace.catalog import conversions
from marketplace.catalog.states import ProfileState
from marketplace.delivery.stores.presigned import Keys, Links
from marketplace.delivery.stores.s3 import S3Store
from marketplace.exchange import facilities, listing, redirecting
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import is_open, transaction
from marketplace.metering.models import Delivery
from tests import s3
from tests.api import trade
from tests.api.routes import ORIGIN
from tests.api.trade import Goods, Market, Party, file_path, ok, refused, row_counts
from tests.api.upstreams import UPSTREAM
from tests.factories import catalog as factories
from tests.loopback import answer, reached

NAME = "人流.csv"
CONTENT = "地点,人数\n大通,123\n駅前,456\n".encode()
COLUMNS = [{"name": "地点", "type": "string", "format": None}, {"name": "人数", "type": "integer", "format": None}]
PROFILE = {"format": "csv", "delimiter": ",", "rows": 2, "complete": True, "columns": COLUMNS}
SPARK = [{"name": "地点", "type": "string"}, {"name": "人数", "type": "long"}]
READ = pa.table({"地点": ["大通", "駅前"], "人数": [123, 456]})
BY_REQUEST = {"kind": "per_unit", "unit": "request", "unit_yen": "10"}
BODY = b'{"passers_by": 123}'
LINKS = Links("https://musubi.s3.example.jp/exchange", "ap-northeast-1", Keys("AKIATEST", "secret"), 60)

# What stands in the way, with the status and the problem that every way answers with.
STANDING = {
    "no token": (401, "not-authenticated"),
    "another tenant": (404, "not-found"),
    "an expired grant": (403, "grant-expired"),
    "a revoked grant": (403, "grant-revoked"),
    "a wrong purpose": (403, "purpose-not-permitted"),
    "an exhausted quota": (403, "quota-exhausted"),
    "an exhausted budget": (403, "budget-exhausted"),
}
# Delta Sharing has few codes, and says the rest in words.
SHARED = {
    401: ("UNAUTHENTICATED", "Not authenticated"),
    404: ("RESOURCE_DOES_NOT_EXIST", "does not exist"),
    "grant-expired": ("PERMISSION_DENIED", "expired"),
    "grant-revoked": ("PERMISSION_DENIED", "revoked"),
    "purpose-not-permitted": ("PERMISSION_DENIED", "Purpose not permitted"),
    "quota-exhausted": ("PERMISSION_DENIED", "Quota exhausted"),
    "budget-exhausted": ("PERMISSION_DENIED", "Budget"),
}


@dataclass
class Stall:
    """What is sold, under which grant, and who was asked for bytes on the buyer's behalf."""

    market: Market
    goods: Goods
    grant_id: str = ""
    asked: Callable[[], list[str]] = list

    @property
    def file(self) -> str:
        return file_path(self.grant_id, self.goods.file_name)


class Bearer:
    """A download with a token."""

    def __str__(self) -> str:
        return type(self).__name__.lower()

    @contextmanager
    def stall(self, market: Market, folder: Path) -> Iterator[Stall]:
        """Sell what is fetched."""
        del folder
        yield Stall(market, tables(market))

    def begin(self, stall: Stall, who: Party, headers: dict[str, str]) -> TestResponse | str:
        """Return the address of the bytes, or the refusal to tell it."""
        del who, headers
        return stall.file

    def fetch(self, who: Party, address: str, headers: dict[str, str]) -> TestResponse:
        """Ask for the bytes."""
        return who.get(address, headers=headers)

    def refused(self, came: TestResponse, status: int, slug: str) -> None:
        """Hold that an answer is this refusal."""
        refused(came, status, slug)

    def delivered(self, stall: Stall, came: TestResponse) -> bytes:
        """Hold that an answer brings what was sold; return its bytes."""
        del stall
        assert (came.status_code, came.data) == (200, CONTENT)
        return came.data


class Ticket(Bearer):
    """A download under an address for tools without OAuth."""

    def begin(self, stall: Stall, who: Party, headers: dict[str, str]) -> TestResponse | str:
        purpose = {"purpose": headers["Musubi-Purpose"]} if headers else {}
        issued = who.post(f"/v1/grants/{stall.grant_id}/tickets", {"file_name": NAME} | purpose)
        return urlsplit(issued.json["url"]).path if issued.status_code == 201 else issued

    def fetch(self, who: Party, address: str, headers: dict[str, str]) -> TestResponse:
        return Party(who.app, "browser").get(address, headers=headers)


@dataclass
class Shared(Ticket):
    """A table by Delta Sharing, in one of its formats."""

    response_format: str

    def __str__(self) -> str:
        return f"delta sharing {self.response_format}"

    def begin(self, stall: Stall, who: Party, headers: dict[str, str]) -> TestResponse | str:
        can = {"delta-sharing-capabilities": f"responseformat={self.response_format}"}
        table = f"/delta-sharing/shares/{stall.goods.dataset_id}/schemas/default/tables/人流_csv"
        told = who.call("POST", f"{table}/query", json={}, headers=can | headers)
        if told.status_code != 200:
            return told
        file = json.loads(told.text.splitlines()[2])["file"]
        url = urlsplit(file["url"] if self.response_format == "parquet" else file["deltaSingleAction"]["add"]["path"])
        return f"{url.path}?{url.query}"

    def refused(self, came: TestResponse, status: int, slug: str) -> None:
        code, word = SHARED.get(slug) or SHARED[status]
        assert (came.status_code, came.json["errorCode"]) == (status, code), came.text
        assert word in came.json["message"]

    def delivered(self, stall: Stall, came: TestResponse) -> bytes:
        assert came.status_code == 200, came.text
        assert pq.read_table(io.BytesIO(came.data)).equals(READ)
        return came.data


@dataclass
class Rows(Bearer):
    """A page of rows in one of its formats."""

    format_name: str
    read: Callable[[bytes], Any]

    def __str__(self) -> str:
        return f"rows as {self.format_name}"

    def begin(self, stall: Stall, who: Party, headers: dict[str, str]) -> TestResponse | str:
        return f"{stall.file}/rows"

    def fetch(self, who: Party, address: str, headers: dict[str, str]) -> TestResponse:
        return who.post(address, {"format": self.format_name}, headers=headers)

    def delivered(self, stall: Stall, came: TestResponse) -> bytes:
        assert came.status_code == 200, came.text
        assert self.read(came.data) == READ.to_pylist()
        return came.data


class BucketProxied(Bearer):
    """A download from a bucket, through the exchange."""

    @contextmanager
    def stall(self, market: Market, folder: Path) -> Iterator[Stall]:
        with s3.troubled() as bucket, using(store=S3Store(s3.place(bucket.endpoint), folder, 2**20)):
            goods = tables(market)
            for path in folder.glob("??/??/*"):  # as on another machine
                path.unlink()
            bucket.asked.clear()
            yield Stall(market, goods, asked=lambda: bucket.asked)


class BucketRedirected(Bearer):
    """A download from a bucket itself, which its log tells of."""

    @contextmanager
    def stall(self, market: Market, folder: Path) -> Iterator[Stall]:
        with using(links=LINKS):
            yield Stall(market, tables(market))

    def delivered(self, stall: Stall, came: TestResponse) -> bytes:
        assert came.status_code == 307, came.text
        url = urlsplit(came.headers["Location"])
        line = (
            f"o musubi [{clock.now():%d/%b/%Y:%H:%M:%S} +0000] 192.0.2.3 - {url.query[-8:]} REST.GET.OBJECT {url.path[1:]}"
            f' "GET {url.path}?{url.query} HTTP/1.1" 200 - {len(CONTENT)} {len(CONTENT)} 7 7 "-" "-" - - - - -\n'
        )
        redirecting.import_log([line.encode()])
        return CONTENT


class Origin(Bearer):
    """A download from its provider, who reports it."""

    @contextmanager
    def stall(self, market: Market, folder: Path) -> Iterator[Stall]:
        dataset_id = market.dataset()["id"]
        release_id = market.release(dataset_id)["id"]
        held = ORIGIN | {"sha256": hashlib.sha256(CONTENT).hexdigest(), "size_bytes": len(CONTENT)}
        ok(market.provider.call("PUT", f"/v1/releases/{release_id}/files/{NAME}/origin", json=held), 201)
        ok(market.provider.post(f"/v1/releases/{release_id}/publish"))
        yield Stall(market, Goods(dataset_id, release_id, NAME, CONTENT))

    def delivered(self, stall: Stall, came: TestResponse) -> bytes:
        assert came.status_code == 307, came.text
        assert came.headers["Location"].startswith(f"{ORIGIN['url']}?permit=")
        [delivery] = ok(stall.market.buyer.get("/v1/deliveries?state=open"))["items"]
        report = {"report_id": "r1", "bytes_sent": len(CONTENT), "complete": True}
        ok(stall.market.provider.post(f"/v1/deliveries/{delivery['id']}/report", report))
        return CONTENT


class PullApi(Bearer):
    """A provider's own API, asked through the exchange."""

    @contextmanager
    def stall(self, market: Market, folder: Path) -> Iterator[Stall]:
        goods = tables(market)
        ok(market.provider.call("PUT", f"/v1/datasets/{goods.dataset_id}/upstream", json=UPSTREAM))
        with pytest.MonkeyPatch.context() as patch, reached(patch) as upstream:
            upstream.respond = answer(BODY, Content_Type="application/json")
            yield Stall(market, goods, asked=lambda: upstream.asked)

    def begin(self, stall: Stall, who: Party, headers: dict[str, str]) -> TestResponse | str:
        return f"/v1/grants/{stall.grant_id}/api/stations"

    def delivered(self, stall: Stall, came: TestResponse) -> bytes:
        assert (came.status_code, came.data) == (200, BODY)
        return came.data


def of_csv(body: bytes) -> list[dict[str, Any]]:
    read = csv.DictReader(io.StringIO(body.decode(), newline=""))
    return [row | {"人数": int(row["人数"])} for row in read]


WAYS = [
    Bearer(),
    Ticket(),
    Shared("parquet"),
    Shared("delta"),
    Rows("json", lambda body: json.loads(body)["rows"]),
    Rows("csv", of_csv),
    Rows("arrow", lambda body: pa.ipc.open_stream(body).read_all().to_pylist()),
    Rows("parquet", lambda body: pq.read_table(io.BytesIO(body)).to_pylist()),
    BucketProxied(),
    BucketRedirected(),
    Origin(),
    PullApi(),
]


@contextmanager
def using(**means: Any) -> Iterator[None]:
    """Have the exchange use other facilities."""
    before = facilities.current()
    facilities.install(replace(before, **means))
    try:
        yield
    finally:
        facilities.install(before)


def tables(market: Market) -> Goods:
    """A published table whose Parquet is made."""
    goods = market.goods(NAME, CONTENT)
    made = io.BytesIO()
    pq.write_table(READ, made)
    kept = listing.receive([made.getvalue()], None, None)
    source = hashlib.sha256(CONTENT).hexdigest()
    with transaction():
        conversions.begin(source, clock.now())
        conversions.finish(source, kept.sha256, kept.size_bytes, READ.num_rows, SPARK)
    return goods


def profiled(file_id: str) -> None:
    with transaction():
        factories.profiled(file_id, PROFILE, ProfileState.PROFILED)


@pytest.fixture(params=WAYS, ids=str)
def way(request: pytest.FixtureRequest) -> Bearer:
    return request.param


@pytest.fixture
def stall(market: Market, way: Bearer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Stall]:
    """What is sold, and a grant of it for a day, for research and commerce, of one request at 10 yen."""
    monkeypatch.setattr(trade, "profiled", profiled)
    with way.stall(market, tmp_path) as made:
        offered = {"price": BY_REQUEST, "duration_days": 1, "quota_requests": 1}
        made.grant_id = market.bought(made.goods, "per_mib", **offered)["grant_id"]
        yield made


def state_of(stall: Stall) -> list[Any]:
    """Everything that a delivery would change: rows, the record among them, and what is held."""
    quota = db.session.execute(text("SELECT * FROM quota WHERE grant_id = :id"), {"id": stall.grant_id}).one()
    budgets = db.session.execute(text("SELECT yen_used, yen_held FROM budget_count")).all()
    return [row_counts(), tuple(quota), [tuple(row) for row in budgets]]


def whose(market: Market, what: str) -> Party:
    """Who asks; in time for the end of a grant, with a token of that time."""
    others = {"no token": market.nobody, "another tenant": market.stranger}
    return market.buyer.with_scopes("data:read") if what == "an expired grant" else others.get(what, market.buyer)


def stands(stall: Stall, what: str) -> None:
    """Put something in the way of whoever has an address already."""
    market = stall.market
    if what == "a revoked grant":
        ok(market.provider.post(f"/v1/grants/{stall.grant_id}/revoke", {"reason": "規約違反"}))
    elif what == "an exhausted quota":
        assert market.buyer.get(stall.file).status_code in {200, 307}
    elif what == "an exhausted budget":
        ok(market.buyer.post("/v1/budgets", {"name": "研究費", "limit_yen": 9}), 201)


@pytest.mark.parametrize("what", STANDING)
def test_what_stands_in_the_way_is_told_and_nothing_is_sent_counted_recorded_or_asked(
    way: Bearer, stall: Stall, what: str
) -> None:
    headers = {"Musubi-Purpose": "medical"} if what == "a wrong purpose" else {}
    ends = datetime.fromisoformat(ok(stall.market.buyer.get(f"/v1/grants/{stall.grant_id}"))["expires_at"])
    at = ends if what == "an expired grant" else clock.now() + timedelta(seconds=10)
    with clock.stopped(at - timedelta(seconds=10)):
        who = whose(stall.market, what)
        before = state_of(stall)
        came = way.begin(stall, who, headers)
        stands(stall, what)
    asked = len(stall.asked())
    if isinstance(came, str):
        before = state_of(stall)
        with clock.stopped(at):
            came = way.fetch(who, came, headers)
    way.refused(came, *STANDING[what])
    assert state_of(stall) == before
    # What a file would cost is known once it is held, and what is held is near: our own bucket may be asked before.
    assert len(stall.asked()) == asked or (isinstance(way, BucketProxied) and what == "an exhausted budget")


def test_what_is_sent_is_counted_recorded_and_receipted(way: Bearer, stall: Stall) -> None:
    buyer, headers = stall.market.buyer, {"Musubi-Purpose": "research"}
    address = way.begin(stall, buyer, headers)
    assert isinstance(address, str)
    body = way.delivered(stall, way.fetch(buyer, address, headers))
    [delivery] = ok(buyer.get(f"/v1/deliveries?grant_id={stall.grant_id}"))["items"]
    assert (delivery["state"], delivery["bytes_acked"]) == ("complete", len(body))
    quota = ok(buyer.get(f"/v1/grants/{stall.grant_id}"))["quota"]
    assert (quota["used_bytes"], quota["used_requests"], quota["open_deliveries"]) == (len(body), 1, 0)
    assert stall.market.usage(stall.grant_id)[0] == len(body)
    about = select(Entry.verb).where(Entry.subject == delivery["id"])
    assert {"metering.delivery.opened", "metering.delivery.closed"} <= set(db.session.scalars(about))
    receipt = buyer.get(f"/v1/deliveries/{delivery['id']}/receipt").text.strip()
    keys = KeySet.import_key_set(ok(buyer.get("/v1/receipt-keys")))
    said = json.loads(jws.deserialize_compact(receipt, keys, algorithms=["ES256"]).payload)
    assert said["content"]["sha256"] == hashlib.sha256(body).hexdigest()
    assert said["range"] == {"start_byte": 0, "length": len(body), "bytes_acked": len(body)}
    assert kept_purpose(delivery["id"]) == "research"


def kept_purpose(delivery_id: str) -> str | None:
    return db.session.scalar(select(Delivery.purpose).where(Delivery.id == delivery_id))


def test_the_same_bytes_again_cost_nothing_more_by_bytes(way: Bearer, stall: Stall) -> None:
    buyer, grant_id = stall.market.buyer, stall.market.bought(stall.goods)["grant_id"]
    stall.grant_id = grant_id
    sizes = []
    for _ in range(2):
        address = way.begin(stall, buyer, {})
        assert isinstance(address, str)
        sizes.append(len(way.delivered(stall, way.fetch(buyer, address, {}))))
    states = [one["state"] for one in ok(buyer.get(f"/v1/deliveries?grant_id={grant_id}"))["items"]]
    assert states == ["complete", "complete"]
    assert ok(buyer.get(f"/v1/grants/{grant_id}"))["quota"]["used_bytes"] == sizes[0] == sizes[1]


class Far(S3Store):
    """A bucket that notes whether it was asked within a story of ours."""

    within: list[bool]

    def _fetch(self, sha256: str) -> None:
        self.within.append(is_open())
        super()._fetch(sha256)


@pytest.mark.parametrize("links", [None, LINKS], ids=["proxied", "redirected"])
@pytest.mark.parametrize("way", [WAYS[0], WAYS[1], WAYS[2], WAYS[5]], ids=str)
def test_a_file_that_lies_far_is_fetched_before_the_grant_is_held(
    market: Market, way: Bearer, links: Links | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trade, "profiled", profiled)
    with s3.troubled() as bucket, using(store=Far(s3.place(bucket.endpoint), tmp_path, 2**20), links=links):
        far = facilities.current().store
        goods = tables(market)
        stall = Stall(market, goods, market.bought(goods)["grant_id"])
        address = way.begin(stall, market.buyer, {})
        assert isinstance(address, str)
        for path in tmp_path.glob("??/??/*"):
            path.unlink()
        far.within = []
        came = way.fetch(market.buyer, address, {"Musubi-Redirect": "no"})
    way.delivered(stall, came)
    assert far.within == [False]
