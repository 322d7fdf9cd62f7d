"""Delta Sharing on the wire: what its reference server answers, and no more than a grant opens."""

import json
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest

from marketplace.exchange import tabular
from marketplace.identity import service as identity
from marketplace.identity.actors import Actor
from marketplace.identity.states import Capacity
from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.protocols.delta_sharing import asking, names, wire
from tests.api import trade
from tests.api.trade import Goods, Market, Party, ok, row_counts
from tests.factories.catalog import profiled

CSV = "日時,地点,人数\n2026-11-22 09:00,大通,123\n2026-11-23 09:00,駅前,456\n".encode("cp932")
NAME = "人流.csv"
TABLE = "人流_csv"
COLUMNS = [
    {"name": "日時", "type": "datetime", "format": "year-month-day clock", "min": "2026-11-22 09:00:00", "max": "2026-11-23 09:00:00"},
    {"name": "地点", "type": "string", "format": None, "min": "大通", "max": "駅前"},
    {"name": "人数", "type": "integer", "format": None, "min": "123", "max": "456"},
]  # fmt: skip
PROFILE = {"format": "csv", "delimiter": ",", "rows": 2, "columns": COLUMNS}
DELTA = {"delta-sharing-capabilities": "responseformat=delta;readerfeatures=deletionvectors,columnmapping,timestampntz"}


def profiling_as(monkeypatch: pytest.MonkeyPatch, profile: dict[str, Any]) -> None:
    """Have every file profiled so, without starting the profiler."""

    def looked_through(file_id: str) -> None:
        with transaction():
            profiled(file_id, profile)

    monkeypatch.setattr(trade, "profiled", looked_through)


@pytest.fixture
def goods(market: Market, monkeypatch: pytest.MonkeyPatch) -> Goods:
    profiling_as(monkeypatch, PROFILE)
    return market.goods(NAME, CSV)


@pytest.fixture
def grant_id(market: Market, goods: Goods) -> str:
    grant = str(market.bought(goods, "per_mib")["grant_id"])
    jobs.run_pending(tabular.CONVERT_JOB)
    return grant


@pytest.fixture
def table(goods: Goods, grant_id: str) -> str:
    return f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/{TABLE}"


def refused(answer: Any, status: int, code: str, word: str = "") -> None:
    assert (answer.status_code, answer.json["errorCode"]) == (status, code), answer.text
    assert answer.content_type == "application/json; charset=utf-8"
    assert set(answer.json) == {"errorCode", "message"}
    assert word in answer.json["message"]


def lines(answer: Any) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.content_type == "application/x-ndjson; charset=utf-8"
    assert answer.text.isascii()
    return [json.loads(line) for line in answer.text.splitlines()]


def query(who: Party, table: str, body: Any = None, **headers: str) -> Any:
    return who.call("POST", f"{table}/query", json={} if body is None else body, headers=headers)


def url_of(who: Party, table: str) -> str:
    url = urlsplit(lines(query(who, table))[2]["file"]["url"])
    return f"{url.path}?{url.query}"


def test_a_caller_finds_what_its_grants_open(market: Market, goods: Goods, grant_id: str) -> None:
    share = {"name": goods.dataset_id, "id": goods.dataset_id}
    assert ok(market.buyer.get("/delta-sharing/shares")) == {"items": [share]}
    assert ok(market.buyer.get(f"/delta-sharing/shares/{goods.dataset_id.upper()}")) == {"share": share}
    at = f"/delta-sharing/shares/{goods.dataset_id}"
    assert ok(market.buyer.get(f"{at}/schemas"))["items"] == [{"name": "default", "share": goods.dataset_id}]
    shown = {"name": TABLE, "schema": "default", "share": goods.dataset_id, "shareId": goods.dataset_id}
    assert ok(market.buyer.get(f"{at}/schemas/DEFAULT/tables")) == {"items": [shown]}
    assert ok(market.buyer.get(f"{at}/all-tables")) == {"items": [shown]}


def test_pages_follow_each_other_to_the_end(market: Market, goods: Goods, grant_id: str) -> None:
    other = market.bought(market.goods("b.csv", b"a,b\n1,2\n"))
    assert other["grant_id"]
    first = ok(market.buyer.get("/delta-sharing/shares?maxResults=1"))
    second = ok(market.buyer.get(f"/delta-sharing/shares?maxResults=1&pageToken={first['nextPageToken']}"))
    assert first["items"][0]["name"] < second["items"][0]["name"]
    assert "nextPageToken" not in second
    none = ok(market.buyer.get("/delta-sharing/shares?maxResults=0"))
    assert (none["items"], bool(none["nextPageToken"])) == ([], True)


@pytest.mark.parametrize("asked", ["maxResults=501", "maxResults=-1", "maxResults=x", "maxResults=", "pageToken=%21"])
def test_a_page_that_cannot_be_is_refused(market: Market, asked: str) -> None:
    refused(market.buyer.get(f"/delta-sharing/shares?{asked}"), 400, "INVALID_PARAMETER_VALUE")


def test_nobody_else_finds_anything(market: Market, goods: Goods, table: str) -> None:
    unscoped = market.buyer.with_scopes("grants:read")
    before = row_counts()
    assert ok(market.stranger.get("/delta-sharing/shares")) == {"items": []}
    for path in (f"/delta-sharing/shares/{goods.dataset_id}", f"{table}/version", f"{table}/metadata"):
        refused(market.stranger.get(path), 404, "RESOURCE_DOES_NOT_EXIST")
        refused(market.nobody.get(path), 401, "UNAUTHENTICATED")
        refused(unscoped.get(path), 403, "PERMISSION_DENIED", "data:read")
        refused(market.provider.get(path), 403, "PERMISSION_DENIED")
    refused(query(market.stranger, table), 404, "RESOURCE_DOES_NOT_EXIST")
    assert row_counts() == before


@pytest.mark.parametrize("wrong", ["/schemas/other/tables/人流_csv", "/schemas/default/tables/nothing"])
def test_what_is_not_there_is_not_found(market: Market, goods: Goods, grant_id: str, wrong: str) -> None:
    answer = market.buyer.get(f"/delta-sharing/shares/{goods.dataset_id}{wrong}/version")
    refused(answer, 404, "RESOURCE_DOES_NOT_EXIST", "does not exist")


def test_a_table_is_described_in_the_format_that_the_client_reads(market: Market, table: str) -> None:
    plain = market.buyer.get(f"{table}/metadata")
    protocol, metadata = lines(plain)
    assert plain.headers["Delta-Table-Version"] == "0"
    assert plain.headers["delta-sharing-capabilities"] == "responseformat=parquet"
    assert protocol == {"protocol": {"minReaderVersion": 1}}
    fields = json.loads(metadata["metaData"]["schemaString"])["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [
        ("日時", "timestamp"), ("地点", "string"), ("人数", "long"),
    ]  # fmt: skip
    delta = market.buyer.get(f"{table}/metadata", headers=DELTA)
    assert delta.headers["delta-sharing-capabilities"] == "responseformat=delta"
    protocol, metadata = lines(delta)
    assert protocol["protocol"]["deltaProtocol"]["readerFeatures"] == ["timestampNtz"]
    assert metadata["metaData"]["deltaMetadata"]["configuration"]["delta.enableChangeDataFeed"] == "true"
    described = metadata["metaData"]["deltaMetadata"]
    assert '"timestamp_ntz"' in described["schemaString"]
    assert described["id"] == lines(plain)[1]["metaData"]["id"]
    both = {"delta-sharing-capabilities": "responseformat=delta,parquet"}
    assert lines(market.buyer.get(f"{table}/metadata", headers=both)) == lines(plain)
    none = {"delta-sharing-capabilities": "responseformat=csv"}
    refused(market.buyer.get(f"{table}/metadata", headers=none), 400, "INVALID_PARAMETER_VALUE", "responseformat")


def test_a_query_names_one_file_whose_address_serves_at_once(market: Market, grant_id: str, table: str) -> None:
    found = lines(query(market.buyer, table))[2]["file"]
    assert found["partitionValues"] == {}
    assert json.loads(found["stats"]) == {"numRecords": 2}
    assert len(found["id"]) == 32
    assert clock.now().timestamp() * 1000 < found["expirationTimestamp"] <= (clock.now().timestamp() + 3601) * 1000
    url = url_of(market.buyer, table)
    head = market.nobody.call("HEAD", url)
    assert (head.status_code, head.headers["Content-Length"]) == (200, str(found["size"]))
    assert head.headers["Accept-Ranges"] == "bytes"
    assert market.usage(grant_id)[0] == 0
    part = market.nobody.get(url, headers={"Range": "bytes=-8"})
    assert (part.status_code, part.data[-4:]) == (206, b"PAR1")
    whole = market.nobody.get(url)
    assert (whole.data[:4], len(whole.data)) == (b"PAR1", found["size"])
    assert "no-store" in whole.headers["Cache-Control"]


def test_however_many_requests_a_client_makes_it_is_charged_the_union(
    market: Market, grant_id: str, table: str
) -> None:
    url = url_of(market.buyer, table)
    size = len(market.nobody.get(url).data)
    for _ in range(3):
        assert market.nobody.get(url).status_code == 200
        assert market.nobody.get(url_of(market.buyer, table), headers={"Range": "bytes=0-99"}).status_code == 206
    assert market.usage(grant_id)[0] == size
    assert ok(market.buyer.get(f"/v1/grants/{grant_id}"))["quota"]["used_bytes"] == size


def test_eleven_requests_and_one_make_the_same_download_due(market: Market, goods: Goods) -> None:
    price = {"kind": "per_unit", "unit": "download", "unit_yen": "250"}
    offer = market.offer(goods.dataset_id, "one_off", price=price, rails=["invoice"])
    due = []
    for parts in (11, 1):
        granted = ok(market.order(offer), 201)["grant_id"]
        jobs.run_pending(tabular.CONVERT_JOB)
        url = url_of(market.buyer, f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/{TABLE}")
        size = int(market.nobody.call("HEAD", url).headers["Content-Length"])
        step = -(-size // parts)
        for start in range(0, size, step):
            part = market.nobody.get(url, headers={"Range": f"bytes={start}-{start + step - 1}"})
            assert part.status_code == 206
        stated = ok(market.buyer.get("/v1/usage", query_string={"grant_id": granted}))
        due.append((stated["total_downloads"], stated["total_requests"]))
    assert due == [(1, 11), (1, 1)]


def test_both_formats_name_the_same_content(market: Market, table: str) -> None:
    parquet, delta = lines(query(market.buyer, table))[2]["file"], lines(query(market.buyer, table, **DELTA))[2]["file"]
    add = delta["deltaSingleAction"]["add"]
    assert urlsplit(parquet["url"]).path == urlsplit(add["path"]).path
    assert (add["size"], add["stats"]) == (parquet["size"], parquet["stats"])
    assert (len(delta["id"]), delta["id"][:32]) == (64, parquet["id"])


def test_the_hash_of_file_ids_is_as_asked(market: Market, table: str) -> None:
    asked = query(market.buyer, table, fileidhash="sha256")
    assert (asked.headers["fileidhash"], len(lines(asked)[2]["file"]["id"])) == ("sha256", 64)
    refused(query(market.buyer, table, fileidhash="crc32"), 400, "INVALID_PARAMETER_VALUE", "fileidhash")


def test_an_answer_ends_with_a_line_of_its_own_where_that_is_asked(market: Market, table: str) -> None:
    header = {"delta-sharing-capabilities": "responseformat=parquet;includeEndStreamAction=true"}
    asked = query(market.buyer, table, {"includeRefreshToken": True, "maxFiles": 10}, **header)
    assert asked.headers["delta-sharing-capabilities"] == "responseformat=parquet;includeendstreamaction=true"
    end = lines(asked)[-1]["endStreamAction"]
    assert end["minUrlExpirationTimestamp"] == lines(asked)[2]["file"]["expirationTimestamp"]
    again = lines(query(market.buyer, table, {"refreshToken": end["refreshToken"]}))
    assert again[2]["file"]["id"] == lines(asked)[2]["file"]["id"]
    assert len(lines(query(market.buyer, table))) == 3
    with clock.stopped(clock.now() + timedelta(minutes=1)):
        refreshed = lines(query(market.buyer, table, {"refreshToken": end["refreshToken"]}))
    assert refreshed[2]["file"]["expirationTimestamp"] > end["minUrlExpirationTimestamp"]


def test_a_refresh_token_is_good_for_one_table_and_a_day(market: Market, table: str) -> None:
    asked = query(market.buyer, table, {"includeRefreshToken": True})
    token = lines(asked)[-1]["endStreamAction"]["refreshToken"]
    other = table.removesuffix(TABLE) + "other_csv"
    refused(
        query(market.buyer, other, {"refreshToken": token}), 400, "INVALID_PARAMETER_VALUE", "Invalid refresh token"
    )
    late = asking.refresh_token(0, ".".join(table.split("/")[3::2]))
    with clock.stopped(clock.now() + asking.REFRESHED_WITHIN + timedelta(seconds=1)), pytest.raises(asking.NotAsAgreed):
        asking.query({"refreshToken": late}, ".".join(table.split("/")[3::2]))


@pytest.mark.parametrize(
    ("body", "word"),
    [
        ({"version": 0, "timestamp": "2026-01-01T00:00:00Z"}, "Please only provide one of"),
        ({"version": 0, "refreshToken": "x"}, "refreshToken"),
        ({"version": -1}, "table version cannot be negative"),
        ({"version": 1}, "Cannot time travel Delta table to version 1. Available versions: [0, 0]."),
        ({"version": "0"}, "version must be a whole number"),
        ({"version": True}, "version must be a whole number"),
        ({"timestamp": "random_timestamp"}, "Invalid timestamp"),
        ({"timestamp": "2000-01-01T00:00:00Z"}, "Please use a timestamp greater"),
        ({"version": 0, "startingVersion": 0}, "Please only provide one of"),
        ({"limitHint": -1}, "limitHint cannot be negative"),
        ({"predicateHints": "a = 1"}, "predicateHints"),
        ({"jsonPredicateHints": {"op": "equal"}}, "jsonPredicateHints"),
        ({"maxFiles": 0}, "maxFiles"),
        ({"pageToken": "x"}, "Invalid page token"),
        ({"refreshToken": "x"}, "Invalid refresh token"),
    ],
    ids=str,
)
def test_what_the_protocol_does_not_allow_is_refused(market: Market, table: str, body: Any, word: str) -> None:
    refused(query(market.buyer, table, body), 400, "INVALID_PARAMETER_VALUE", word)


@pytest.mark.parametrize("body", ["[]", "{", "1", "[" * 100_000])
def test_a_body_that_is_no_object_is_malformed(market: Market, table: str, body: str) -> None:
    refused(market.buyer.call("POST", f"{table}/query", data=body), 400, "MALFORMED_REQUEST")


def test_hints_may_be_given_and_a_body_may_be_missing(market: Market, table: str) -> None:
    hints = {"predicateHints": ["人数 > 1"], "jsonPredicateHints": '{"op":"equal"}', "limitHint": 1}
    assert len(lines(query(market.buyer, table, hints))) == 3
    assert len(lines(market.buyer.call("POST", f"{table}/query", data=b""))) == 3


def test_releases_are_the_versions_of_a_table(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", release_scope="all")["grant_id"]
    second = market.release(goods.dataset_id, "2026-12")["id"]
    ok(market.upload(second, NAME, CSV + b"2026-11-24 09:00,x,7\n"), 201)
    with clock.stopped(clock.now() + timedelta(minutes=2)):
        market.publish(second)
    jobs.run_pending(tabular.CONVERT_JOB)
    table = f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/{TABLE}"
    assert market.buyer.get(f"{table}/version").headers["Delta-Table-Version"] == "1"
    assert market.buyer.call("HEAD", table).headers["Delta-Table-Version"] == "1"
    old, new = (lines(query(market.buyer, table, {"version": version})) for version in (0, 1))
    assert [json.loads(one[2]["file"]["stats"])["numRecords"] for one in (old, new)] == [2, 3]
    now = clock.text(clock.now())
    assert lines(query(market.buyer, table, {"timestamp": now}))[2]["file"]["id"] == old[2]["file"]["id"]
    since = market.buyer.get(f"{table}/version", query_string={"startingTimestamp": now})
    assert since.headers["Delta-Table-Version"] == "1"
    late = market.buyer.get(f"{table}/version?startingTimestamp=2100-01-01T00:00:00Z")
    refused(late, 400, "INVALID_PARAMETER_VALUE", "after the latest version")
    assert grant_id


def test_a_table_that_is_not_made_yet_is_asked_for_and_comes(market: Market, goods: Goods) -> None:
    market.bought(goods)
    db.session.execute(db.text("DELETE FROM conversion"))
    db.session.commit()
    jobs.run_pending(tabular.CONVERT_JOB)
    table = f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/{TABLE}"
    waiting = market.buyer.get(f"{table}/metadata")
    refused(waiting, 503, "TEMPORARILY_UNAVAILABLE", "Retry-After")
    assert waiting.headers["Retry-After"]
    assert jobs.run_pending(tabular.CONVERT_JOB) == 1
    assert len(lines(query(market.buyer, table))) == 3


def test_a_table_that_cannot_be_made_says_why_at_once(market: Market, monkeypatch: pytest.MonkeyPatch) -> None:
    profiling_as(monkeypatch, PROFILE | {"format": "xlsx"})
    goods = market.goods("a.xlsx", b"PK\x03\x04 no workbook")
    market.bought(goods)
    jobs.run_pending(tabular.CONVERT_JOB)
    table = f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/a_xlsx"
    refused(query(market.buyer, table), 400, "INVALID_PARAMETER_VALUE", "cut off")


def revoked(market: Market, grant_id: str) -> None:
    ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "規約違反"}))


def test_a_revoked_grant_gives_nothing_and_ends_the_addresses_it_gave(
    market: Market, goods: Goods, grant_id: str, table: str
) -> None:
    url = url_of(market.buyer, table)
    assert market.nobody.get(url).status_code == 200
    used = market.usage(grant_id)
    revoked(market, grant_id)
    refused(query(market.buyer, table), 403, "PERMISSION_DENIED", "revoked")
    refused(market.buyer.get(f"{table}/version"), 403, "PERMISSION_DENIED", "revoked")
    refused(market.nobody.get(url), 403, "PERMISSION_DENIED", "revoked")
    assert ok(market.buyer.get("/delta-sharing/shares")) == {"items": []}
    assert market.usage(grant_id) == used


def test_an_expired_grant_says_so(market: Market, goods: Goods) -> None:
    market.bought(goods, "free", duration_days=1)
    jobs.run_pending(tabular.CONVERT_JOB)
    table = f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/{TABLE}"
    url = url_of(market.buyer, table)
    db.session.execute(
        db.text("UPDATE access_grant SET expires_at = now() - interval '1 s', starts_at = now() - interval '1 h'")
    )
    db.session.commit()
    refused(query(market.buyer, table), 403, "PERMISSION_DENIED", "ran out")
    refused(market.nobody.get(url), 403, "PERMISSION_DENIED", "ran out")


def test_an_exhausted_quota_is_403_and_never_429(market: Market, goods: Goods) -> None:
    grant_id = market.bought(goods, "free", quota_bytes=10)["grant_id"]
    jobs.run_pending(tabular.CONVERT_JOB)
    table = f"/delta-sharing/shares/{goods.dataset_id}/schemas/default/tables/{TABLE}"
    refused(market.nobody.get(url_of(market.buyer, table)), 403, "PERMISSION_DENIED", "Quota exhausted")
    assert market.usage(grant_id) == (0, 0)


def test_an_address_opens_one_content_until_its_time_and_no_other(market: Market, grant_id: str, table: str) -> None:
    url = url_of(market.buyer, table)
    path, _, signature = url.partition("?X-Amz-Signature=")
    said, mac = signature.split(".")
    forged = [
        f"{path}", f"{path}?X-Amz-Signature=", f"{path}?X-Amz-Signature={said}", f"{path}?X-Amz-Signature={said}.{mac[:-2]}xx",
        f"{path}?X-Amz-Signature={said[:-3]}abc.{mac}", f"{path}?X-Amz-Signature={said}.é", f"{path}?X-Amz-Signature={'a' * 5000}.{mac}",
        f"/delta-sharing/files/{'0' * 64}.parquet?X-Amz-Signature={signature}",
    ]  # fmt: skip
    before = row_counts()
    for address in forged:
        refused(market.nobody.get(address), 403, "PERMISSION_DENIED", "Signed address not valid")
    with clock.stopped(clock.now() + timedelta(seconds=3601)):
        refused(market.nobody.get(url), 403, "PERMISSION_DENIED", "Signed address not valid")
    assert row_counts() == before
    assert market.nobody.get(url).status_code == 200


def test_an_address_ends_with_its_client(market: Market, table: str) -> None:
    url = url_of(market.buyer, table)
    owner = Actor(market.buyer.organization_id, capacities=frozenset({Capacity.BUYER}))
    with transaction():
        identity.suspend_client(owner, market.buyer.client_id)
    refused(market.nobody.get(url), 403, "PERMISSION_DENIED", "Signed address not valid")


def test_the_profile_of_a_grant_names_everything_but_the_secret(market: Market, grant_id: str) -> None:
    answer = market.buyer.get(f"/v1/grants/{grant_id}/delta-sharing-profile")
    assert ok(answer) == {
        "shareCredentialsVersion": 2, "type": "oauth_client_credentials",
        "endpoint": "http://127.0.0.1:8000/delta-sharing", "tokenEndpoint": "http://127.0.0.1:8000/oauth/token",
        "clientId": market.buyer.client_id, "clientSecret": "<client_secret of your program>", "scope": "data:read",
    }  # fmt: skip
    assert answer.headers["Content-Disposition"] == 'attachment; filename="musubi.share"'
    assert "no-store" in answer.headers["Cache-Control"]
    assert market.stranger.get(f"/v1/grants/{grant_id}/delta-sharing-profile").status_code == 404


def test_names_are_legal_and_never_shared() -> None:
    files = [
        "a.csv",
        "a_csv",
        "a b.csv",
        "a/b.csv",
        "a.b.csv",
        "人流 2026.csv",
        "x" * 300 + ".csv",
        ".csv",
        "é.CSV",
        "a\u3000b.csv",
    ]
    made = [names.table_of(name) for name in files]
    assert len({name.casefold() for name in made}) == len(files)
    assert all(0 < len(name) <= 255 and not set(" /.\u3000") & set(name) for name in made)
    assert names.table_of("people.csv") == "people_csv"


def test_a_line_is_one_line_whatever_stands_in_it() -> None:
    assert wire.line({"name": "a\u2028b\u0085c\nd"}).splitlines() == ['{"name":"a\\u2028b\\u0085c\\nd"}']
