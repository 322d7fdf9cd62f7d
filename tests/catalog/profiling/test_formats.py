"""Each format and each type, from files made here."""

import io
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, time
from decimal import Decimal

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import rfc8785

from marketplace.catalog.profiling import ProfileLimits


@pytest.fixture
def document_of(profile_of) -> Callable[..., dict]:
    """Profile some bytes and return the document."""
    return lambda name, content, **limits: profile_of(name, content, ProfileLimits(**limits)).document


@pytest.mark.parametrize(
    ("values", "kind", "low", "high"),
    [
        (["3", "-12", "+7"], "integer", "-12", "7"),
        (["3", "-0.5", "1e3"], "decimal", "-0.5", "1E+3"),
        (["007", "11"], "string", "007", "11"),
        (["true", "FALSE"], "boolean", "false", "true"),
        (["2024-02-29", "2023-12-31"], "date", "2023-12-31", "2024-02-29"),
        (["2024-02-29", "2024-3-1"], "date", "2024-02-29", "2024-03-01"),
        (["2023-02-29"], "string", "2023-02-29", "2023-02-29"),
        (["2024/1/5", "2023/12/31"], "date", "2023-12-31", "2024-01-05"),
        (["2024年1月5日"], "date", "2024-01-05", "2024-01-05"),
        (["令和4年1月1日", "平成元年1月8日", "昭和64年1月7日"], "date", "1989-01-07", "2022-01-01"),
        (["R4.1.1", "H31/4/30", "M45.7.29"], "date", "1912-07-29", "2022-01-01"),
        (["令和元年4月30日"], "string", "令和元年4月30日", "令和元年4月30日"),
        (["令和4年13月1日"], "string", "令和4年13月1日", "令和4年13月1日"),
        (["12/31/2018", "1/2/2019"], "date", "2018-12-31", "2019-01-02"),
        (["31/12/2018"], "date", "2018-12-31", "2018-12-31"),
        (["1/2/2018"], "string", "1/2/2018", "1/2/2018"),
        (["2017年04月15日 12:00", "2017年4月1日 9時5分"], "datetime", "2017-04-01 09:05:00", "2017-04-15 12:00:00"),
        (["2024-01-01T00:00:00Z", "2024-01-01T08:00:00+09:00"], "datetime", "2024-01-01T08:00:00+09:00", None),
        (["2024-01-01T00:00:00Z", "2024-01-01 00:00"], "string", "2024-01-01 00:00", "2024-01-01T00:00:00Z"),
        (["2024/1/5 24:00"], "datetime", "2024-01-06 00:00:00", "2024-01-06 00:00:00"),
        (["8:30", "17:15:30"], "time", "08:30:00", "17:15:30"),
        (["POINT (141.3 43.0)"], "geometry", "POINT (141.3 43.0)", "POINT (141.3 43.0)"),
        (["１２３", "４５"], "string", "１２３", "４５"),
        (["1\x1f2", *["1234567"] * 20], "string", None, None),
        (["1", "なし"], "string", "1", "なし"),
        (["NaN", "1.5"], "string", "1.5", "NaN"),
        (["", ""], "empty", None, None),
    ],
)
def test_a_column_has_the_type_that_all_its_values_have(document_of, values, kind, low, high):
    text = "値\n" + "".join(f'"{value}"\n' for value in values)
    column = document_of("a.csv", text.encode())["columns"][0]
    assert column["type"] == kind
    if low is not None:
        assert column["min"] == low
    if high is not None:
        assert column["max"] == high


@pytest.mark.parametrize(
    ("value", "code"),
    [("１２３", "full-width-digits"), ("1/2/2018", "ambiguous-dates"), ("20240131", "compact-dates")],
)
def test_what_a_type_does_not_say_is_a_warning(document_of, value: str, code: str):
    document = document_of("a.csv", f"値,名\n{value},あ\n".encode())
    assert [warning["code"] for warning in document["warnings"]] == [code]


def test_nulls_are_given_exactly_and_as_a_decimal_share(document_of):
    column = document_of("a.csv", b"a,b\n1,\n2,x\n3,\n")["columns"][1]
    assert (column["nulls"], column["null_fraction"], column["null_share"]) == (2, "2/3", "0.666667")


def test_a_type_that_changes_late_in_a_long_file_is_noticed(document_of):
    rows = b"".join(b"%d,%d\n" % (n, n) for n in range(30_000))
    late = document_of("a.csv", b"a,b\n" + rows + b"5,0.25\n" + b"5,1\n")
    assert [column["type"] for column in late["columns"]] == ["integer", "decimal"]
    assert (late["columns"][1]["min"], late["columns"][1]["max"]) == ("0", "29999")
    assert late["rows"] == 30_002


def test_many_distinct_values_are_estimated_within_three_percent_and_repeatably(document_of):
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n % 9000) for n in range(120_000))
    one, other = (document_of("a.csv", content) for _ in range(2))
    assert one == other
    many, few = one["columns"]
    assert many["distinct_method"] == "bottom-k"
    assert abs(many["distinct_estimate"] - 120_000) < 3600
    assert (few["distinct_method"], few["distinct_estimate"]) == ("exact", 9000)


@pytest.mark.parametrize("delimiter", [",", "\t", ";", "|"])
def test_each_delimiter_is_found(document_of, delimiter: str):
    rows = [["町名", "人口", "備考"], ["塩屋町", "227", "a,b"], ["築地町", "658", "c;d"], ["塩上町", "115", ""]]
    text = "\r\n".join(delimiter.join(f'"{cell}"' for cell in row) for row in rows)
    document = document_of("a.txt", text.encode())
    assert (document["delimiter"], document["rows"]) == (delimiter, 3)
    assert [column["name"] for column in document["columns"]] == rows[0]


@pytest.mark.parametrize("codec", ["utf-8", "utf-8-sig", "cp932", "utf-16", "euc_jp", "iso2022_jp"])
def test_the_same_text_has_the_same_columns_in_each_encoding(document_of, codec: str):
    text = '区,人口,備考\r\n中央区,239000,"二行の\n備考"\r\n北区,286000,特になし\r\n' * 3
    document = document_of("a.csv", text.encode(codec))
    assert document["encoding"] in {codec.removesuffix("-sig"), "utf-16-le"}
    assert document["line_ending"] == "crlf"
    assert document["preview"][0] == ["中央区", "239000", "二行の\n備考"]


def test_a_mark_on_the_header_line_and_comments_before_it_are_told_apart(document_of):
    marked = document_of("a.csv", b"#date,count\n2024-01-01,5\n2024-01-02,6\n")
    assert [column["name"] for column in marked["columns"]] == ["date", "count"]
    noted = document_of("a.csv", "# 出典,札幌市\n#license,CC BY 4.0\nday,n\n2024-01-01,5\n".encode())
    assert [column["name"] for column in noted["columns"]] == ["day", "n"]
    assert noted["preamble"][0] == {"line": 1, "key": "出典", "value": "札幌市"}
    assert noted["embedded_license"]["id"] == "CC-BY-4.0"


def test_years_may_head_columns_and_twins_are_reported(document_of):
    document = document_of("a.csv", "区,2019,2020,区\n北区,1,2,x\n南区,3,4,y\n".encode())
    assert document["header"] is True
    assert [warning["code"] for warning in document["warnings"]] == ["duplicate-columns"]


def test_a_list_without_delimiters_is_a_table_only_by_its_name(document_of):
    content = "区\n中央区\n北区\n".encode()
    assert document_of("a.csv", content)["rows"] == 2
    assert document_of("a.md", content)["format"] == "text"


def test_the_preview_is_bounded_in_rows_and_cells(document_of):
    content = b"a,b\n" + b"x," + b"y" * 5000 + b"\n" + b"1,2\n" * 100
    document = document_of("a.csv", content, preview_rows=4, cell_characters=30)
    assert len(document["preview"]) == 4
    assert len(document["preview"][0][1]) == 30
    assert document_of("a.csv", content, preview_rows=0)["preview"] == []


def test_json_records_keep_their_stated_types(document_of):
    records = [
        {"id": 1, "名": "札幌", "t": 1.5, "ok": True, "day": "2024-01-01", "o": {"x": [1]}},
        {"id": 2, "名": "", "t": 2, "ok": None, "day": "2024-02-01", "o": {"x": []}, "extra": [1]},
    ] * 400
    document = document_of("a.json", json.dumps(records).encode())
    kinds = {column["name"]: column["type"] for column in document["columns"]}
    assert kinds == {
        "id": "integer", "名": "string", "t": "decimal", "ok": "boolean", "day": "date", "o": "object", "extra": "array",
    }  # fmt: skip
    columns = {column["name"]: column for column in document["columns"]}
    assert (document["rows"], columns["ok"]["nulls"], columns["extra"]["nulls"]) == (800, 400, 400)
    assert (columns["名"]["nulls"], columns["名"]["empty_texts"]) == (0, 400)
    assert document["media_type"] == "application/json"


@pytest.mark.parametrize(
    ("content", "kind", "rows"),
    [
        (b'{"a": 1}\n{"a": 2}\n{"a": 3}\n', "json-lines", 3),
        (b'{"a": {"b": 2}}', "json", 1),
        (b"[]", "json", 0),
        (b"{}", "json", 1),
        (b"[1, 2, 3]", "json", 3),
        (b'{"type": "FeatureCollection", "features": []}', "geojson", 0),
        (b'{"features": [{"type": "Feature"}], "type": "FeatureCollection"}', "geojson", 1),
        (b'{"type": "Feature", "geometry": null, "properties": {"a": 1}}', "geojson", 1),
        (b'{"type": "Point", "coordinates": [141.35, 43.06]}', "geojson", 1),
        (b'{"type": "other", "features": [{"a": 1}]}', "json", 1),
    ],
)
def test_json_has_many_shapes(document_of, content: bytes, kind: str, rows: int):
    document = document_of("a.json", content)
    assert (document["format"], document["rows"]) == (kind, rows)


def test_the_extent_covers_nested_geometries_and_strangers_are_counted(document_of):
    shapes = {
        "type": "GeometryCollection",
        "geometries": [{"type": "Polygon", "coordinates": [[[141.0, 43.0], [141.5, 42.5], [140.5, 43.5]]]}],
    }
    features = [{"type": "Feature", "geometry": shapes, "properties": None}, {"a": 1}, 7]
    document = document_of(
        "a.geojson", json.dumps({"type": "FeatureCollection", "name": "区域", "features": features}).encode()
    )
    assert document["bbox"] == ["140.5", "42.5", "141.5", "43.5"]
    assert document["geometry_types"] == {"GeometryCollection": 1}
    assert [warning["code"] for warning in document["warnings"]] == ["not-features"]


def test_a_workbook_gives_stated_types_its_sheets_and_no_empty_rows(document_of):
    book = openpyxl.Workbook()
    book.active.title = "空"
    sheet = book.create_sheet("人流")
    for row in (
        ["日付", "人数", "率", "時刻", "可", "名"],
        [
            datetime(2024, 1, 1),  # noqa: DTZ001 - workbooks know no zones
            5,
            0.5,
            time(9),
            True,
            "北",
        ],
        [],
        [
            datetime(2024, 1, 2),  # noqa: DTZ001 - workbooks know no zones
            7,
            2,
            time(10),
            False,
            None,
        ],
    ):
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    document = document_of("a.xlsx", content.getvalue())
    assert (document["sheet"], document["sheets"], document["rows"]) == ("人流", ["空", "人流"], 2)
    assert [column["type"] for column in document["columns"]] == [
        "datetime", "integer", "decimal", "time", "boolean", "string",
    ]  # fmt: skip
    assert document["columns"][5]["nulls"] == 1
    assert [warning["code"] for warning in document["warnings"]] == ["other-sheets"]


def test_a_parquet_file_gives_stored_types_and_exact_counts(document_of):
    table = pa.table(
        {
            "n": [1, 2, None],
            "f": [0.5, float("nan"), 2.25],
            "d": [date(2024, 1, 1)] * 3,
            "t": [datetime(2024, 1, 1, tzinfo=UTC)] * 3,
            "s": pa.array(["あ", "い", "あ"]).dictionary_encode(),
            "m": [Decimal("1.10"), Decimal("2.20"), None],
            "b": [b"\0", b"\1", None],
            "l": [[1], [2], None],
            "geom": [b"\1", b"\2", b"\3"],
            "none": pa.nulls(3),
        },
    ).replace_schema_metadata({"geo": '{"columns": {"geom": {}}}'})
    content = io.BytesIO()
    pq.write_table(table, content)
    document = document_of("a.parquet", content.getvalue())
    columns = {column["name"]: column for column in document["columns"]}
    assert {name: column["type"] for name, column in columns.items()} == {
        "n": "integer", "f": "decimal", "d": "date", "t": "datetime", "s": "string", "m": "decimal",
        "b": "binary", "l": "array", "geom": "geometry", "none": "empty",
    }  # fmt: skip
    assert (document["rows"], columns["n"]["nulls"], columns["s"]["distinct_estimate"]) == (3, 1, 2)
    assert (columns["f"]["min"], columns["f"]["max"], columns["b"]["distinct_method"]) == ("0.5", "2.25", "not-counted")
    assert document["preview"][0][:3] == ["1", "0.5", "2024-01-01"]


def test_a_profile_is_canonical_json(document_of):
    document = document_of("a.csv", "値,率\n1,0.25\n2,0.75\n".encode())
    assert rfc8785.dumps(document)
