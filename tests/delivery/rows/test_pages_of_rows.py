"""Pages of rows out of CSV in the encodings of Japan, workbooks and Parquet: what is asked for, all of it, once."""

import csv
import io
import json
import random
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketplace.delivery.rows import reader
from marketplace.delivery.rows.errors import NotTabular, PageTooLarge, QueryTooExpensive, RowsUnreadable
from marketplace.delivery.rows.task import MIB, RowLimits
from tests.delivery.rows.tables import Asked

TEXT = """\
団体コード,市区町村名,人口,面積,設立日,備考
011002,札幌市,1973395,1121.26,平成元年4月1日,ﾎｯｶｲﾄﾞｳ
012025,函館市,245000,677.87,令和2年4月1日,１２３
131016,千代田区,66680,11.66,昭和22年3月15日,
141003,"横浜市, 中区",151388,,明治22年4月1日,"改行
あり"

271004,大阪市,2752412,225.33,令和2年4月1日,
"""


@pytest.fixture
def cities(tmp_path: Path) -> Asked:
    return Asked(tmp_path, "cities.csv", TEXT.encode("cp932"))


def workbook() -> bytes:
    book = openpyxl.Workbook()
    sheet = book.worksheets[0]
    for row in csv.reader(io.StringIO(TEXT)):
        if row:
            sheet.append(
                [int(cell) if cell.isdecimal() and cell.isascii() and cell[0] in "12" else cell or None for cell in row]
            )
    sheet["A2"] = "011002"
    made = io.BytesIO()
    book.save(made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("condition", "codes"),
    [
        (("人口", "eq", 66680), ["131016"]),
        (("人口", "ne", 66680), ["011002", "012025", "141003", "271004"]),
        (("人口", "lt", 151388), ["131016"]),
        (("人口", "le", 151388), ["131016", "141003"]),
        (("面積", "gt", 677.87), ["011002"]),
        (("面積", "ge", 677.87), ["011002", "012025"]),
        (("面積", "is_null"), ["141003"]),
        (("備考", "not_null"), ["011002", "012025", "141003"]),
        (("備考", "eq", "１２３"), ["012025"]),
        (("備考", "eq", "123"), []),
        (("備考", "eq", "改行\nあり"), ["141003"]),
        (("備考", "prefix", "ﾎｯｶ"), ["011002"]),
        (("団体コード", "prefix", "01"), ["011002", "012025"]),
        (("団体コード", "in", ["131016", "271004", "999999"]), ["131016", "271004"]),
        (("設立日", "eq", "2020-04-01"), ["012025", "271004"]),
        (("設立日", "lt", "1900-01-01"), ["141003"]),
        (("市区町村名", "eq", "横浜市, 中区"), ["141003"]),
    ],
    ids=lambda part: " ".join(map(str, part[:2])) if isinstance(part, tuple) else "",
)
def test_each_operator_finds_the_rows_that_it_says(cities: Asked, condition: tuple, codes: list[str]):
    asked = dict(zip(("column", "operator", "value"), condition, strict=False))
    assert [row["団体コード"] for row in cities.rows(columns=["団体コード"], where=[asked])] == codes


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("bom.csv", TEXT.encode("utf-8-sig")),
        ("euc.csv", TEXT.encode("euc_jp")),
        ("utf16.csv", TEXT.encode("utf-16")),
        ("preamble.csv", b"#LINK,https://example.jp/\n" + TEXT.encode()),
        (
            "tabs.tsv",
            "\r\n".join("\t".join(row) for row in csv.reader(io.StringIO(TEXT)) if "横浜" not in row[1:2]).encode(),
        ),
        ("book.xlsx", workbook()),
    ],
    ids=["bom", "euc-jp", "utf-16", "preamble", "tabs", "workbook"],
)
def test_whatever_the_table_is_written_in_the_rows_are_the_same(
    tmp_path: Path, cities: Asked, name: str, content: bytes
):
    asked = {
        "columns": ["市区町村名", "人口", "設立日"],
        "where": [{"column": "人口", "operator": "gt", "value": 200_000}],
    }
    assert Asked(tmp_path, name, content).rows(**asked) == cities.rows(**asked) != []


def test_the_process_apart_reads_what_is_read_here(cities: Asked):
    asked = {"order": [{"column": "面積", "direction": "desc"}], "limit": 2}
    first = cities.read_apart(**asked)
    assert first == cities.read(**asked)
    assert cities.read_apart(first.last, **asked) == cities.read(first.last, **asked)


def test_a_table_of_a_hundred_thousand_rows_comes_out_whole_page_by_page(tmp_path: Path):
    dice = random.Random(20261129)
    source = [
        {
            "番号": number,
            "地点": dice.choice(["大通", "すすきの", "ＪＲ札幌駅", ""]) or None,
            "人数": dice.randrange(50),
        }
        for number in range(100_000)
    ]
    lines = io.StringIO()
    written = csv.DictWriter(lines, ["番号", "地点", "人数"])
    written.writeheader()
    written.writerows(source)
    table = Asked(tmp_path, "人流.csv", lines.getvalue().encode("cp932"))
    assert list(table.every_page(30_000)) == source
    by_place = sorted(source, key=lambda row: (row["地点"] is None, row["地点"] or "", -row["人数"], row["番号"]))
    order = [{"column": "地点"}, {"column": "人数", "direction": "desc"}]
    assert list(table.every_page(30_000, order=order)) == by_place
    busy = [row for row in by_place if row["人数"] >= 25]
    where = [{"column": "人数", "operator": "ge", "value": 25}]
    assert list(table.every_page(20_000, order=order, where=where)) == busy


STORED = pa.table(
    {
        "整数": pa.array([3, None, 2**63 + 5], pa.uint64()),
        "額": pa.array([Decimal("1.10"), Decimal("-2.25"), None], pa.decimal128(10, 2)),
        "日時": pa.array(
            [datetime.fromisoformat("2026-11-22T09:00"), None, datetime.fromisoformat("2026-11-23T00:00")],
            pa.timestamp("ns"),
        ),
        "瞬間": pa.array([datetime(2026, 11, 22, tzinfo=UTC), None, None], pa.timestamp("us", "Asia/Tokyo")),
        "時刻": pa.array([time(9, 30), time(23, 59), None], pa.time64("us")),
        "区": pa.array(["北区", "中央区", "北区"]).dictionary_encode(),
        "一覧": pa.array([[1, 2], None, []], pa.list_(pa.int64())),
        "印": pa.array([b"\x00\xff", None, b""], pa.binary()),
        "数": pa.array([1.5, float("nan"), None]),
    }
)


def parquet_of(table: pa.Table, group: int = 2) -> bytes:
    made = io.BytesIO()
    pq.write_table(table, made, row_group_size=group)
    return made.getvalue()


def test_parquet_keeps_its_types(tmp_path: Path):
    table = Asked(tmp_path, "a.parquet", parquet_of(STORED))
    kept = pa.ipc.open_stream(table.read(format="arrow").body).read_all()
    assert kept.num_rows == 3
    assert kept["整数"].to_pylist() == [3, None, 2**63 + 5]
    assert kept["額"].type == pa.decimal128(10, 2)
    assert kept["瞬間"].type == pa.timestamp("us", "UTC")
    assert kept["一覧"].to_pylist() == [[1, 2], None, []]
    said = table.rows()[0]
    assert said == {
        "整数": 3, "額": "1.10", "日時": "2026-11-22T09:00:00", "瞬間": "2026-11-22T00:00:00+00:00",
        "時刻": "09:30:00", "区": "北区", "一覧": [1, 2], "印": "AP8=", "数": 1.5,
    }  # fmt: skip
    flat = list(csv.DictReader(io.StringIO(table.read(format="csv").body.decode())))
    assert (flat[0]["一覧"], flat[0]["印"], flat[1]["一覧"]) == ("[1,2]", "AP8=", "")


@pytest.mark.parametrize(
    ("column", "operator", "value", "places"),
    [
        ("整数", "gt", 2**63, [2]),
        ("額", "lt", 1.1, [1]),
        ("額", "eq", 1.1, [0]),
        ("日時", "ge", "2026-11-22T09:00:00", [0, 2]),
        ("瞬間", "eq", "2026-11-22T09:00:00+09:00", [0]),
        ("時刻", "gt", "12:00:00", [1]),
        ("区", "eq", "北区", [0, 2]),
        ("区", "prefix", "中央", [1]),
        ("一覧", "is_null", None, [1]),
    ],
)
def test_parquet_columns_are_compared_as_what_they_are(tmp_path: Path, column, operator, value, places):
    table = Asked(tmp_path, "a.parquet", parquet_of(STORED))
    asked = {"column": column, "operator": operator} | ({} if value is None else {"value": value})
    found = pa.ipc.open_stream(table.read(format="arrow", where=[asked]).body).read_all()
    assert found["区"].to_pylist() == [STORED["区"][place].as_py() for place in places]


@pytest.mark.parametrize("column", ["整数", "額", "日時", "瞬間", "時刻", "区", "数"])
@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_pages_one_row_long_show_each_row_of_parquet_once(tmp_path: Path, column: str, direction: str):
    table = Asked(tmp_path, "a.parquet", parquet_of(STORED))
    rows = {"1.10": 0, "-2.25": 1, None: 2}
    found = [rows[row["額"]] for row in table.every_page(1, order=[{"column": column, "direction": direction}])]
    assert sorted(found) == [0, 1, 2]
    gaps = [STORED[column][place].as_py() is None for place in found]
    assert gaps == sorted(gaps)


def test_pages_begin_within_groups_of_rows(tmp_path: Path):
    table = Asked(tmp_path, "n.parquet", parquet_of(pa.table({"n": list(range(50))}), group=7))
    assert [row["n"] for row in table.every_page(4)] == list(range(50))


def test_columns_of_one_name_get_names_of_their_own(tmp_path: Path):
    table = Asked(tmp_path, "twice.csv", "値,値,名\n1,2,a\n3,4,b\n".encode())
    assert table.rows(columns=["値_2"]) == [{"値_2": 2}, {"値_2": 4}]
    assert table.rows(limit=1) == [{"値": 1, "値_2": 2, "名": "a"}]


def test_a_page_over_its_bytes_is_refused(cities: Asked):
    with pytest.raises(PageTooLarge):
        cities.read(limits=RowLimits(page_bytes=100))


def test_a_query_over_its_memory_or_time_is_refused_with_what_to_do(tmp_path: Path):
    wide = Asked(tmp_path, "wide.csv", b"a,b\n" + b"".join(b"%d,%s\n" % (n, b"x" * 900) for n in range(60_000)))
    order = [{"column": "b"}, {"column": "a", "direction": "desc"}]
    with pytest.raises(QueryTooExpensive, match="memory"):
        wide.read(limits=RowLimits(memory_bytes=32 * MIB), order=order, limit=60_000)
    with pytest.raises(QueryTooExpensive, match="seconds"):
        wide.read_apart(limits=RowLimits(wall_seconds=0))


def test_a_reader_that_says_nonsense_is_our_fault(cities: Asked):
    task = cities.task()
    for answer in (
        b"",
        b"[]\n",
        b'{"rows": -1}\n',
        b'{"rows": 9999}\n',
        b'{"rows": 1, "last": "x"}\n',
        b'{"problem": "KeyError"}\n',
    ):
        with pytest.raises(RowsUnreadable):
            reader.judged(answer, task)


def test_what_is_no_table_has_no_rows(tmp_path: Path):
    for name, content in (("a.json", b'[{"a": 1}]'), ("a.pdf", b"%PDF-1.7 \x00\xff"), ("a.txt", "本文".encode())):
        with pytest.raises(NotTabular):
            Asked(tmp_path, name, content)


def test_the_same_page_is_the_same_bytes(cities: Asked):
    for format_name in ("json", "ndjson", "csv", "arrow", "parquet"):
        assert cities.read(format=format_name) == cities.read_apart(format=format_name)


def test_dates_stay_dates_in_every_format(cities: Asked):
    as_parquet = pq.read_table(io.BytesIO(cities.read(format="parquet").body))
    assert as_parquet["設立日"][0].as_py() == date(1989, 4, 1)
    assert json.loads(cities.read(format="ndjson").body.splitlines()[0])["設立日"] == "1989-04-01"
