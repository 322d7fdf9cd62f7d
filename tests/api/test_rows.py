"""Pages of rows over the wire: filtered, projected, in order, to the end, and metered like every download."""

import csv
import io
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from werkzeug.test import TestResponse

from marketplace.catalog import queries as catalog
from marketplace.exchange import listing, rows, tabular
from marketplace.kit import settings
from marketplace.kit.transaction import transaction
from tests.api.trade import Goods, Market, Party, ok, refused, row_counts
from tests.delivery.rows.attacks import BLOCKED, ESCAPES, HARMLESS, MEMORY_BOMBS, TIME_BOMBS

HEAD = "団体コード,市区町村名,人口,面積,設立日,備考"
LINES = (
    "011002,札幌市,1973395,1121.26,平成元年4月1日,ﾎｯｶｲﾄﾞｳ",
    "012025,函館市,245000,677.87,令和2年4月1日,１２３",
    "131016,千代田区,66680,11.66,昭和22年3月15日,",
    '141003,"横浜市, 中区",151388,,明治22年4月1日,"改行\nあり"',
    "271004,大阪市,2752412,225.33,令和2年4月1日,",
)  # fmt: skip
TABLE = "\r\n".join((HEAD, *LINES, "")).encode("cp932")


def sold(market: Market, content: bytes = TABLE, name: str = "市区町村.csv", **limits: Any) -> tuple[str, Goods]:
    """A grant of a table that was really profiled."""
    dataset_id = market.dataset()["id"]
    release_id = market.release(dataset_id)["id"]
    released(market, release_id, name, content)
    goods = Goods(dataset_id, release_id, name, content)
    return market.bought(goods, **limits)["grant_id"], goods


def released(market: Market, release_id: str, name: str, content: bytes) -> None:
    ok(market.upload(release_id, name, content), 201)
    for file in catalog.list_files(release_id):
        listing.profile(file.id)
    ok(market.provider.post(f"/v1/releases/{release_id}/publish"))


def ask(who: Party, grant_id: str, name: str = "市区町村.csv", **query: Any) -> TestResponse:
    return who.post(f"/v1/grants/{grant_id}/files/{quote(name)}/rows", query)


def test_a_cp932_table_is_filtered_projected_and_sorted_under_its_japanese_names(market: Market):
    grant_id, goods = sold(market)
    page = ok(
        ask(
            market.buyer,
            grant_id,
            columns=["市区町村名", "人口", "設立日"],
            where=[{"column": "人口", "operator": "ge", "value": 150_000}],
            order=[{"column": "人口", "direction": "desc"}],
            limit=2,
        )
    )
    assert page["rows"] == [
        {"市区町村名": "大阪市", "人口": 2752412, "設立日": "2020-04-01"},
        {"市区町村名": "札幌市", "人口": 1973395, "設立日": "1989-04-01"},
    ]
    assert page["release_id"] == goods.release_id
    assert page["columns"][1] == {"name": "人口", "type": "long"}
    assert page["next_cursor"]


def test_pages_in_an_order_with_ties_and_gaps_show_every_row_once(market: Market):
    grant_id, _goods = sold(market)
    query: dict[str, Any] = {"order": [{"column": "設立日"}, {"column": "面積", "direction": "desc"}], "limit": 1}
    found, cursor = [], None
    for _ in LINES:
        page = ok(ask(market.buyer, grant_id, **query | ({"cursor": cursor} if cursor else {})))
        found += [row["団体コード"] for row in page["rows"]]
        cursor = page["next_cursor"]
    assert found == ["141003", "131016", "011002", "012025", "271004"]
    assert cursor is None


def test_every_format_holds_the_same_rows(market: Market):
    grant_id, _goods = sold(market)
    as_json = ok(ask(market.buyer, grant_id))["rows"]
    in_lines = ask(market.buyer, grant_id, format="ndjson")
    arrow = pa.ipc.open_stream(ask(market.buyer, grant_id, format="arrow").data).read_all()
    parquet = pq.read_table(io.BytesIO(ask(market.buyer, grant_id, format="parquet").data))
    in_csv = ask(market.buyer, grant_id, format="csv")
    assert in_lines.content_type == "application/x-ndjson"
    assert len(in_lines.data.splitlines()) == len(as_json) == len(LINES)
    assert arrow.equals(parquet)
    assert [row | {"設立日": row["設立日"].isoformat()} for row in arrow.to_pylist()] == as_json
    assert in_csv.content_type == "text/csv; charset=utf-8"
    read = list(csv.DictReader(io.StringIO(in_csv.text, newline="")))
    assert [row["備考"] for row in read] == [row["備考"] or "" for row in as_json]


def test_accept_chooses_the_format_unless_the_query_does(market: Market):
    grant_id, _goods = sold(market)
    path = f"/v1/grants/{grant_id}/files/{quote('市区町村.csv')}/rows"
    accepted = {"Accept": "text/csv, application/json;q=0.5"}
    assert market.buyer.call("POST", path, json={}, headers=accepted).content_type.startswith("text/csv")
    chosen = market.buyer.call("POST", path, json={"format": "ndjson"}, headers=accepted)
    assert chosen.content_type == "application/x-ndjson"
    assert market.buyer.call("POST", path, json={}, headers={"Accept": "image/png"}).is_json


def test_the_same_page_fetched_twice_is_charged_once_and_by_its_own_rows(market: Market):
    grant_id, _goods = sold(market)
    first = ask(market.buyer, grant_id, limit=2)
    assert market.usage(grant_id)[0] == len(first.data)
    again = ask(market.buyer, grant_id, limit=2)
    assert again.data == first.data
    assert market.usage(grant_id)[0] == len(first.data)
    other = ask(market.buyer, grant_id, limit=3)
    assert market.usage(grant_id)[0] == len(first.data) + len(other.data)
    stated = ok(market.buyer.get("/v1/usage", query_string={"grant_id": grant_id}))
    assert stated["total_rows"] == 5


def test_an_exhausted_quota_refuses_a_page_before_its_first_byte(market: Market):
    grant_id, _goods = sold(market, quota_bytes=600)
    ok(ask(market.buyer, grant_id, columns=["人口"], limit=2))
    used = market.usage(grant_id)
    refused(ask(market.buyer, grant_id), 403, "quota-exhausted")
    assert market.usage(grant_id) == used


def test_a_cursor_stays_with_its_release_when_a_newer_one_comes(market: Market):
    grant_id, goods = sold(market, release_scope="all")
    first = ok(ask(market.buyer, grant_id, limit=4))
    newer = market.release(goods.dataset_id, "2026-12")["id"]
    released(market, newer, goods.file_name, "団体コード,市区町村名\n1,新市\n".encode())
    rest = ok(ask(market.buyer, grant_id, limit=4, cursor=first["next_cursor"]))
    assert (rest["release_id"], rest["rows"][0]["市区町村名"]) == (goods.release_id, "大阪市")
    assert ok(ask(market.buyer, grant_id))["release_id"] == newer


def test_nothing_but_the_grant_opens_the_rows(market: Market):
    grant_id, _goods = sold(market)
    before = row_counts()
    refused(ask(market.nobody, grant_id), 401, "not-authenticated")
    refused(ask(market.stranger, grant_id), 404, "not-found")
    refused(ask(market.provider, grant_id), 403, "insufficient-scope")
    refused(ask(market.buyer, grant_id, "無い.csv"), 404, "not-found")
    refused(ask(market.buyer, grant_id, release_id="rel_" + "0" * 32), 404, "not-found")
    assert row_counts() == before
    ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "規約違反"}))
    before = row_counts()
    refused(ask(market.buyer, grant_id), 403, "grant-revoked")
    assert row_counts() == before


def test_what_is_revoked_while_the_query_runs_gives_nothing(market: Market, monkeypatch: pytest.MonkeyPatch):
    grant_id, _goods = sold(market)
    read = rows.reader.read

    def slowly(*args: Any) -> Any:
        found = read(*args)
        ok(market.provider.post(f"/v1/grants/{grant_id}/revoke", {"reason": "規約違反"}))
        return found

    monkeypatch.setattr(rows.reader, "read", slowly)
    refused(ask(market.buyer, grant_id), 403, "grant-revoked")
    assert market.usage(grant_id) == (0, 0)


def test_a_file_that_is_no_table_is_refused(market: Market):
    grant_id, _goods = sold(market, b"%PDF-1.7 \x00\xff", "説明.pdf")
    before = row_counts()
    refused(ask(market.buyer, grant_id, "説明.pdf"), 422, "not-tabular")
    assert row_counts() == before


def test_whoever_comes_while_all_places_are_taken_is_told_to_come_again(market: Market):
    grant_id, _goods = sold(market)
    places = rows._places(settings.current().row_queries_max)
    taken = [places.acquire(blocking=False) for _ in range(settings.current().row_queries_max)]
    try:
        assert all(taken)
        answer = ask(market.buyer, grant_id)
    finally:
        for _ in taken:
            places.release()
    refused(answer, 503, "rows-busy")
    assert int(answer.headers["Retry-After"]) > 0
    assert market.usage(grant_id) == (0, 0)
    ok(ask(market.buyer, grant_id))


def test_a_query_beyond_the_table_is_refused_where_it_goes_wrong(market: Market):
    grant_id, _goods = sold(market)
    before = row_counts()
    wrong = {"columns": ["無い列"], "where": [{"column": "人口", "operator": "eq", "value": "多い"}], "limit": 10_001}
    refused(ask(market.buyer, grant_id, **wrong), 422, "invalid-input", "/columns/0", "/where/0/value", "/limit")
    unknown = {"order": [{"column": "人口", "direction": "up"}], "sql": "SELECT 1"}
    refused(ask(market.buyer, grant_id, **unknown), 422, "invalid-input", "/order/0/direction", "/sql")
    like = {"where": [{"column": "人口", "operator": "like", "value": "1"}], "columns": []}
    refused(ask(market.buyer, grant_id, **like), 422, "invalid-input", "/where/0/operator", "/columns")
    refused(ask(market.buyer, grant_id, cursor="'; DROP TABLE source; --"), 422, "invalid-input", "/cursor")
    assert row_counts() == before


def test_statements_in_a_query_are_names_that_nobody_has_and_texts_that_nothing_equals(market: Market):
    grant_id, goods = sold(market)
    before = row_counts()
    statements = [*BLOCKED, *HARMLESS, *TIME_BOMBS, *MEMORY_BOMBS, *ESCAPES]
    pointers = [f"/columns/{place}" for place in range(len(statements))]
    refused(ask(market.buyer, grant_id, columns=statements), 422, "invalid-input", *pointers)
    for one in statements:
        refused(ask(market.buyer, grant_id, cursor=one), 422, "invalid-input", "/cursor")
    assert row_counts() == before
    where = [{"column": "市区町村名", "operator": "in", "value": statements}]
    assert ok(ask(market.buyer, grant_id, where=where))["rows"] == []
    assert market.fetch(grant_id, goods.file_name).data == goods.content


def test_the_parquet_of_a_table_gives_the_pages_of_the_table_itself(market: Market):
    grant_id, goods = sold(market)
    query: dict[str, Any] = {"order": [{"column": "設立日"}], "limit": 3}
    first = ask(market.buyer, grant_id, **query)
    file = catalog.list_files(goods.release_id)[0]
    with transaction():
        tabular.ask(file.id, file.sha256)
    tabular.convert(file.id, file.sha256)
    assert tabular.find(file.sha256).state == "done"
    assert ask(market.buyer, grant_id, **query).data == first.data
    rest = ok(ask(market.buyer, grant_id, **query, cursor=ok(first)["next_cursor"]))
    assert [row["団体コード"] for row in rest["rows"]] == ["012025", "271004"]


@pytest.mark.parametrize("change", ["columns", "where", "order", "grant"])
def test_a_cursor_opens_no_other_query_and_no_other_grant(market: Market, change: str):
    grant_id, goods = sold(market)
    query: dict[str, Any] = {"columns": ["団体コード"], "limit": 1}
    cursor = ok(ask(market.buyer, grant_id, **query))["next_cursor"]
    other: dict[str, Any] = {
        "columns": {"columns": ["人口"]},
        "where": {"where": [{"column": "人口", "operator": "gt", "value": 0}]},
        "order": {"order": [{"column": "人口"}]},
        "grant": {},
    }[change]
    asked = market.bought(goods)["grant_id"] if change == "grant" else grant_id
    refused(ask(market.buyer, asked, **query | other, cursor=cursor), 422, "invalid-input", "/cursor")
    assert ok(ask(market.buyer, grant_id, **query, cursor=cursor))["rows"] == [{"団体コード": "012025"}]
