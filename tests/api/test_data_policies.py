"""Terms that give a part of a table: on every path that part leaves and nothing else, nor can it be asked about."""

import csv
import io
import json
from dataclasses import replace
from typing import Any
from urllib.parse import quote, urlsplit

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sqlalchemy import text

from marketplace.access import policed
from marketplace.catalog import queries as catalog
from marketplace.delivery.stores.presigned import Keys, Links
from marketplace.exchange import facilities, listing, policing, tabular
from marketplace.identity.models import Organization
from marketplace.kit import jobs
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.db import db
from tests.api.test_rows import ask
from tests.api.trade import PRICES, Market, Party, ok, refused, row_counts
from tests.factories.identity import actor_of
from tests.factories.privacy import cleared

NAME = "会員.csv"
HEAD = ["会員番号", "氏名", "市区町村コード", "生年月日", "人数"]
ROWS = [
    ["A-1001", "札幌花子", "011002", "平成2年4月1日", "12"],
    ["A-1002", "函館次郎", "012025", "昭和63年12月31日", "7"],
    ["A-1003", "千代田太郎", "131016", "令和元年5月1日", "98765"],
    ["A-1001", "札幌花子", "011002", "平成2年4月1日", "3"],
]
CONTENT = ("\r\n".join(",".join(row) for row in [HEAD, *ROWS]) + "\r\n").encode("cp932")
POLICY = {
    "columns": [
        {"column": "氏名", "treatment": "omit"},
        {"column": "会員番号", "treatment": "hash"},
        {"column": "生年月日", "treatment": "truncate", "length": 4},
    ],
    "rows": [{"column": "市区町村コード", "operator": "prefix", "value": "01"}],
}
HIDDEN = [
    "A-1001",
    "A-1002",
    "A-1003",
    "札幌花子",
    "函館次郎",
    "千代田太郎",
    "131016",
    "平成2年",
    "1990-04-01",
    "98765",
]


def put_up(market: Market, content: bytes = CONTENT, name: str = NAME, policy: Any = POLICY) -> tuple[str, str, str]:
    """A dataset of one profiled file, and terms with a policy: dataset, release and terms."""
    dataset_id = market.dataset()["id"]
    release_id = released(market, dataset_id, content, name)
    body = {"template": "public-interest", "items": {"data_policy": policy}}
    return dataset_id, release_id, ok(market.provider.post("/v1/terms", body), 201)["id"]


def released(market: Market, dataset_id: str, content: bytes, name: str = NAME, label: str = "2026-11") -> str:
    release_id = str(market.release(dataset_id, label)["id"])
    ok(market.upload(release_id, name, content), 201)
    looked_through(market, release_id)
    ok(market.provider.post(f"/v1/releases/{release_id}/publish"))
    return release_id


def looked_through(market: Market, release_id: str) -> None:
    """Profile the files of a draft, and have it answered what is found of people in them."""
    for file in catalog.list_files(release_id):
        listing.profile(file.id)
    cleared(actor_of(db.session.get_one(Organization, market.provider.organization_id)), release_id)


def offered(market: Market, dataset_id: str, terms_id: str, **more: Any) -> dict[str, Any]:
    body = {"dataset_id": dataset_id, "terms_id": terms_id, "price": PRICES["free"]}
    return dict(ok(market.provider.post("/v1/offers", body | more), 201))


def bought(market: Market, offer: dict[str, Any], buyer: Party | None = None) -> str:
    placed = ok(market.order(offer, buyer), 201)
    return str(ok((buyer or market.buyer).get(f"/v1/orders/{placed['id']}"))["grant_id"])


def made() -> None:
    jobs.run_pending(policed.PART_JOB)
    jobs.run_pending(tabular.CONVERT_JOB)


def sold(market: Market, content: bytes = CONTENT, name: str = NAME, policy: Any = POLICY, **more: Any) -> str:
    dataset_id, _release_id, terms_id = put_up(market, content, name, policy)
    grant_id = bought(market, offered(market, dataset_id, terms_id, **more))
    made()
    return grant_id


def hidden_in(body: bytes) -> list[str]:
    """The hidden values that stand in some bytes, in whatever encoding and in JSON's escapes."""
    forms = {value: [value.encode(), value.encode("cp932"), json.dumps(value)[1:-1].encode()] for value in HIDDEN}
    return [value for value, spelled in forms.items() if any(form in body for form in spelled)]


def records(body: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline="")))


def tables(market: Market, grant_id: str) -> str:
    dataset_id = ok(market.buyer.get(f"/v1/grants/{grant_id}"))["dataset_id"]
    return f"/delta-sharing/shares/{dataset_id}/schemas/default/tables"


def test_buyers_who_are_sent_to_the_bucket_are_sent_to_the_part(market: Market) -> None:
    grant_id = sold(market)
    address = f"/v1/grants/{grant_id}/files/{quote(NAME)}"
    part = market.buyer.get(address)
    before = facilities.current()
    facilities.install(
        replace(before, links=Links("https://musubi.s3.example.jp/exchange", "ap-northeast-1", Keys("AK", "s"), 60))
    )
    try:
        sent = market.buyer.get(address)
    finally:
        facilities.install(before)
    assert (sent.status_code, sent.data) == (307, b"")
    path = urlsplit(sent.headers["Location"]).path
    assert path.endswith(f"/{sha256_hex(part.data)}")
    assert sha256_hex(CONTENT) not in sent.headers["Location"]


def test_a_download_is_the_part_with_a_hash_of_its_own_in_ranges_and_tickets_too(market: Market) -> None:
    grant_id = sold(market)
    whole = market.fetch(grant_id, NAME)
    assert (whole.status_code, hidden_in(whole.data)) == (200, [])
    assert list(records(whole.data)[0]) == ["会員番号", "市区町村コード", "生年月日", "人数"]
    assert [(row["市区町村コード"], row["生年月日"], row["人数"]) for row in records(whole.data)] == [
        ("011002", "1990", "12"), ("012025", "1988", "7"), ("011002", "1990", "3"),
    ]  # fmt: skip
    first, second, third = (row["会員番号"] for row in records(whole.data))
    assert (first == third, first == second, len(first)) == (True, False, 64)
    assert whole.headers["ETag"] == f'"{sha256_hex(whole.data)}"'
    assert sha256_hex(CONTENT) not in str(whole.headers)
    part = market.fetch(grant_id, NAME, Range="bytes=3-40")
    assert (part.status_code, part.data) == (206, whole.data[3:41])
    ticket = ok(market.buyer.post(f"/v1/grants/{grant_id}/tickets", {"file_name": NAME}), 201)
    url = urlsplit(ticket["url"])
    assert market.nobody.get(url.path).data == whole.data
    (listed,) = ok(market.buyer.get(f"/v1/grants/{grant_id}/files"))
    assert (listed["sha256"], listed["size_bytes"]) == (sha256_hex(whole.data), len(whole.data))


def test_delta_sharing_knows_the_part_alone_in_schema_statistics_and_bytes(market: Market) -> None:
    grant_id = sold(market)
    at = f"{tables(market, grant_id)}/会員_csv"
    for capabilities in ("responseformat=parquet", "responseformat=delta"):
        answer = market.buyer.post(f"{at}/query", {}, headers={"delta-sharing-capabilities": capabilities})
        assert (answer.status_code, hidden_in(answer.data)) == (200, [])
        lines = [json.loads(line) for line in answer.text.splitlines()]
        described = lines[1]["metaData"].get("deltaMetadata", lines[1]["metaData"])
        names = [field["name"] for field in json.loads(described["schemaString"])["fields"]]
        assert names == ["会員番号", "市区町村コード", "生年月日", "人数"]
        file = lines[2]["file"]
        told = (
            file
            if "url" in file
            else file["deltaSingleAction"]["add"] | {"url": file["deltaSingleAction"]["add"]["path"]}
        )
        assert json.loads(told["stats"])["numRecords"] == 3
        url = urlsplit(told["url"])
        body = market.nobody.get(f"{url.path}?{url.query}").data
        assert hidden_in(body) == []
        parquet = pq.ParquetFile(io.BytesIO(body))
        statistics = [parquet.metadata.row_group(0).column(place).statistics for place in range(4)]
        assert (statistics[1].max, statistics[3].max) == ("012025", 12)
        since = market.buyer.post(f"{at}/query", {"startingVersion": 0})
        assert urlsplit(json.loads(since.text.splitlines()[2])["add"]["url"]).path == url.path


def test_a_query_for_rows_cannot_ask_about_what_is_hidden(market: Market) -> None:
    grant_id = sold(market)
    page = ok(ask(market.buyer, grant_id, NAME))
    assert [row["人数"] for row in page["rows"]] == [12, 7, 3]
    assert hidden_in(ask(market.buyer, grant_id, NAME, format="csv").data) == []
    before = row_counts()
    for asked in (
        {"columns": ["氏名"]},
        {"where": [{"column": "氏名", "operator": "eq", "value": "札幌花子"}]},
        {"order": [{"column": "氏名"}]},
    ):
        refused(ask(market.buyer, grant_id, NAME, **asked), 422, "invalid-input")
    assert row_counts() == before
    for condition in (
        {"column": "会員番号", "operator": "eq", "value": "A-1001"},
        {"column": "生年月日", "operator": "eq", "value": "1990-04-01"},
        {"column": "市区町村コード", "operator": "prefix", "value": "13"},
        {"column": "人数", "operator": "gt", "value": 90_000},
    ):
        answer = ask(market.buyer, grant_id, NAME, where=[condition])
        assert answer.status_code == 422 or ok(answer)["rows"] == []


def test_hashes_differ_by_grant_and_nothing_else_does(market: Market) -> None:
    dataset_id, _release_id, terms_id = put_up(market)
    offer = offered(market, dataset_id, terms_id)
    grants = [(bought(market, offer, who), who) for who in (market.buyer, market.stranger)]
    made()
    one, other = (records(market.fetch(grant_id, NAME, who).data) for grant_id, who in grants)
    assert {row["会員番号"] for row in one}.isdisjoint({row["会員番号"] for row in other})
    assert [row | {"会員番号": ""} for row in one] == [row | {"会員番号": ""} for row in other]


def test_without_hashes_all_grants_share_one_content_that_is_made_once(
    market: Market, monkeypatch: pytest.MonkeyPatch
) -> None:
    dataset_id, _release_id, terms_id = put_up(market, policy={"columns": POLICY["columns"][::2]})
    offer = offered(market, dataset_id, terms_id)
    first = bought(market, offer)
    made()
    monkeypatch.setattr(policing, "_made", None)
    second = bought(market, offer, market.stranger)
    made()
    assert market.fetch(first, NAME).data == market.fetch(second, NAME, market.stranger).data
    assert db.session.scalar(text("SELECT count(DISTINCT sha256) FROM policed_copy")) == 1


def test_nothing_is_delivered_before_the_part_is_made(market: Market) -> None:
    dataset_id, _release_id, terms_id = put_up(market)
    grant_id = bought(market, offered(market, dataset_id, terms_id))
    for answer in (
        market.fetch(grant_id, NAME),
        ask(market.buyer, grant_id, NAME),
        market.buyer.get(f"/v1/grants/{grant_id}/files"),
        market.buyer.post(f"/v1/grants/{grant_id}/tickets", {"file_name": NAME}),
    ):
        refused(answer, 503, "copy-in-the-making")
    waiting = market.buyer.post(f"{tables(market, grant_id)}/会員_csv/query", {})
    assert (waiting.status_code, hidden_in(waiting.data)) == (503, [])
    assert market.usage(grant_id) == (0, 0)
    made()
    assert market.fetch(grant_id, NAME).status_code == 200


def test_a_grant_whose_order_of_a_part_was_lost_opens_nothing(market: Market) -> None:
    grant_id = sold(market)
    db.session.execute(text("DELETE FROM policed_copy"))
    db.session.commit()
    refused(market.fetch(grant_id, NAME), 503, "copy-in-the-making")
    assert market.usage(grant_id) == (0, 0)


def test_a_release_that_lacks_a_column_of_the_policy_is_not_published_while_it_is_for_sale(market: Market) -> None:
    dataset_id, _release_id, terms_id = put_up(market)
    offer = offered(market, dataset_id, terms_id, release_scope="all")
    grant_id = bought(market, offer)
    made()
    renamed = CONTENT.decode("cp932").replace("氏名", "名前").encode()
    second = str(market.release(dataset_id, "2026-12")["id"])
    ok(market.upload(second, NAME, renamed), 201)
    looked_through(market, second)
    refused(market.provider.post(f"/v1/releases/{second}/publish"), 422, "policy-not-enforceable")
    assert ok(market.provider.get(f"/v1/releases/{second}"))["state"] == "draft"
    ok(market.provider.post(f"/v1/offers/{offer['id']}/withdraw"))
    ok(market.provider.post(f"/v1/releases/{second}/publish"))
    made()
    fault = refused(market.fetch(grant_id, NAME), 403, "part-not-possible")
    assert "氏名" in fault["detail"]
    refused(ask(market.buyer, grant_id, NAME), 403, "part-not-possible")
    assert len(ok(market.buyer.get(f"/v1/grants/{grant_id}/files"))) == 1
    delta = market.buyer.post(f"{tables(market, grant_id)}/会員_csv/query", {})
    assert (delta.status_code, hidden_in(delta.data)) == (403, [])


@pytest.mark.parametrize(
    "policy",
    [
        {"columns": [{"column": "氏 名", "treatment": "omit"}]},
        {"columns": [{"column": "人数", "treatment": "truncate", "length": 1}]},
        {"columns": [{"column": name, "treatment": "omit"} for name in HEAD]},
        {"rows": [{"column": "人数", "operator": "ge", "value": "many"}]},
    ],
    ids=["unknown", "number cut", "nothing left", "misfit"],
)
def test_an_offer_that_cannot_be_kept_is_not_made(market: Market, policy: Any) -> None:
    dataset_id, _release_id, terms_id = put_up(market, policy=policy)
    before = row_counts()
    body = {"dataset_id": dataset_id, "terms_id": terms_id, "price": PRICES["free"]}
    refused(market.provider.post("/v1/offers", body), 422, "policy-not-enforceable", "/terms_id")
    assert row_counts() == before


def test_a_file_that_stays_with_its_provider_and_an_api_are_not_offered_in_part(market: Market) -> None:
    dataset_id, release_id, terms_id = put_up(market)
    body = {"dataset_id": dataset_id, "terms_id": terms_id, "price": PRICES["free"]}
    upstream = {"base_url": "https://api.example.com/", "paths": ["/v1/*"], "requests_per_minute": 60}
    grant_id = bought(market, offered(market, dataset_id, terms_id))
    made()
    ok(market.provider.call("PUT", f"/v1/datasets/{dataset_id}/upstream", json=upstream))
    refused(market.provider.post("/v1/offers", body), 422, "policy-not-enforceable")
    refused(market.buyer.get(f"/v1/grants/{grant_id}/api/v1/x"), 403, "part-not-possible")
    assert market.usage(grant_id) == (0, 0)
    db.session.execute(text("DELETE FROM upstream"))
    db.session.execute(text("ALTER TABLE file DISABLE TRIGGER USER"))
    db.session.execute(
        text(
            "UPDATE file SET origin_url = 'https://data.example.com/x.csv', profile_state = 'opaque' WHERE release_id = :id"
        ),
        {"id": release_id},
    )
    db.session.execute(text("ALTER TABLE file ENABLE TRIGGER USER"))
    db.session.commit()
    refused(market.provider.post("/v1/offers", body), 422, "policy-not-enforceable", "/terms_id")
    refused(market.fetch(grant_id, NAME), 403, "part-not-possible")


def test_a_workbook_comes_as_text_and_parquet_as_parquet(market: Market) -> None:
    book = openpyxl.Workbook()
    for row in [HEAD, *ROWS]:
        book.active.append(row)
    written = io.BytesIO()
    book.save(written)
    from_book = market.fetch(sold(market, written.getvalue(), "会員.xlsx"), "会員.xlsx")
    assert (from_book.mimetype, hidden_in(from_book.data)) == ("text/csv", [])
    assert quote("会員.csv") in from_book.headers["Content-Disposition"]
    assert [row["生年月日"] for row in records(from_book.data)] == ["1990", "1988", "1990"]
    columns = zip(*[[*row[:4], int(row[4])] for row in ROWS], strict=True)
    stored = io.BytesIO()
    policy = POLICY | {"columns": POLICY["columns"][:2]}
    pq.write_table(pa.table(dict(zip(HEAD, map(list, columns), strict=True))), stored)
    parquet = market.fetch(sold(market, stored.getvalue(), "会員.parquet", policy), "会員.parquet").data
    table = pq.read_table(io.BytesIO(parquet))
    assert (table.column_names, table["人数"].to_pylist()) == (["会員番号", *HEAD[2:]], [12, 7, 3])
    assert not set(HIDDEN[:6]) & set(hidden_in(parquet))


def test_the_catalogue_shows_no_values_of_what_is_sold_in_part(market: Market) -> None:
    dataset_id, release_id, terms_id = put_up(market)
    offered(market, dataset_id, terms_id)
    for path in (
        f"/v1/catalog/{dataset_id}",
        f"/v1/catalog/{dataset_id}/releases/{release_id}/files",
    ):
        answer = market.nobody.get(path)
        assert (answer.status_code, hidden_in(answer.data)) == (200, [])


def test_receipts_and_usage_speak_of_the_part(market: Market) -> None:
    grant_id = sold(market)
    body = market.fetch(grant_id, NAME).data
    assert market.usage(grant_id)[0] == len(body)
    usage = market.buyer.get("/v1/usage", query_string={"grant_id": grant_id})
    assert (ok(usage)["total_rows"], hidden_in(usage.data)) == (3, [])
    deliveries = market.buyer.get("/v1/deliveries", query_string={"grant_id": grant_id})
    (delivery,) = ok(deliveries)["items"]
    receipt = market.buyer.get(f"/v1/deliveries/{delivery['id']}/receipt")
    assert (receipt.status_code, hidden_in(deliveries.data + receipt.data)) == (200, [])


def test_terms_say_the_policy_to_people_and_machines(market: Market) -> None:
    _dataset_id, _release_id, terms_id = put_up(market)
    read = ok(market.nobody.get(f"/v1/terms/{terms_id}"))
    assert "列「氏名」は除外する。" in read["text_ja"]
    assert '- "市区町村コード" begins with: 01' in read["text_en"]
    used = read["odrl"]["permission"][0]["action"][0]
    assert used["refinement"][0] == {
        "leftOperand": "musubi:columns", "operator": "isNoneOf", "rightOperand": ["氏名"],
    }  # fmt: skip
