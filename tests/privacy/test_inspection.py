"""Looking through files of every format that the profiler reads, in a confined process that nobody trusts."""

import gzip
import io
import json
from collections.abc import Callable
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketplace.catalog import profiling
from marketplace.catalog.profiling import Profile, ProfileLimits
from marketplace.privacy import inspection
from marketplace.privacy.detectors import Kind, Level
from marketplace.privacy.inspection import Inspected, alike, child, parent, records

ROWS = [("佐藤 花子", "090-1234-5678"), ("鈴木 一郎", "080-2345-6789"), ("高橋 美咲", "070-3456-7890")]
CSV = "氏名,電話番号\n" + "".join(f"{name},{phone}\n" for name, phone in ROWS)
BOTH = {Kind.NAME, Kind.TELEPHONE}
LIMITS = ProfileLimits()


def workbook() -> bytes:
    book = openpyxl.Workbook()
    book.active.append(["年度", "件数"])
    book.active.append([2026, 3])
    hidden = book.create_sheet("名簿")
    hidden.sheet_state = "hidden"
    for row in [("氏名", "電話番号"), *ROWS]:
        hidden.append(row)
    return saved(book.save)


def saved(save: Callable[[io.BytesIO], object]) -> bytes:
    out = io.BytesIO()
    save(out)
    return out.getvalue()


def parquet() -> bytes:
    table = pa.table({"氏名": [name for name, _ in ROWS], "電話番号": [phone for _, phone in ROWS], "n": [1, None, 3]})
    return saved(lambda out: pq.write_table(table, out))


def geojson() -> bytes:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [141.354376, 43.062096]},
            "properties": {"氏名": name, "tel": phone},
        }
        for name, phone in ROWS
    ]
    return json.dumps({"type": "FeatureCollection", "features": features}, ensure_ascii=False).encode()


FILES = {
    "a.csv": CSV.encode(),
    "bom.csv": CSV.encode("utf-8-sig"),
    "sjis.csv": CSV.encode("cp932"),
    "wide.csv": CSV.encode("utf-16"),
    "a.tsv": CSV.replace(",", "\t").encode(),
    "a.xlsx": workbook(),
    "a.parquet": parquet(),
    "a.json": json.dumps(
        [{"氏名": name, "連絡": {"電話番号": [phone]}} for name, phone in ROWS], ensure_ascii=False
    ).encode(),
    "deep.json": json.dumps({"result": {"records": [{"氏名": n, "tel": p} for n, p in ROWS]}}).encode(),
    "a.jsonl": "\n".join(json.dumps({"氏名": name, "tel": phone}) for name, phone in ROWS).encode(),
    "a.geojson": geojson(),
}


@pytest.fixture
def profiled(tmp_path: Path) -> Callable[[str, bytes], tuple[Path, Profile]]:
    def profile(name: str, content: bytes) -> tuple[Path, Profile]:
        path = tmp_path / name
        path.write_bytes(content)
        return path, profiling.profile_file(path, name)

    return profile


@pytest.fixture
def inspected(profiled) -> Callable[[str, bytes], Inspected]:
    def inspect(name: str, content: bytes) -> Inspected:
        path, profile = profiled(name, content)
        return inspection.inspect_file(path, profile.document, LIMITS)

    return inspect


@pytest.mark.parametrize("name", FILES)
def test_people_are_found_in_every_format_and_encoding(inspected, name: str):
    found = inspected(name, FILES[name])
    assert found.is_whole, found.problem
    assert {one.kind for one in found.findings} - {Kind.COORDINATES} == BOTH
    assert {one.level for one in found.findings if one.kind in BOTH} == {Level.HIGH}
    assert all(one.hits == 3 for one in found.findings)


def test_a_hidden_sheet_is_named(inspected):
    assert {one.table for one in inspected("a.xlsx", FILES["a.xlsx"]).findings} == {"名簿"}


def test_the_rows_of_records_are_those_of_the_file(inspected):
    lines = [{"note": "なし"}, {"note": "電話 090-1234-5678"}, {"other": 1}, {"note": "090-1234-5679"}]
    (one,) = inspected("a.jsonl", "\n".join(map(json.dumps, lines)).encode()).findings
    assert (one.column, one.rows, one.cells) == ("note", (2, 4), 3)


def test_text_around_a_table_and_plain_text_are_looked_through(inspected):
    preamble = "# 作成者 連絡先 taro.yamada@example.com\n年度,件数\n2025,1\n2026,2\n"
    assert {one.kind for one in inspected("a.csv", preamble.encode()).findings} == {Kind.EMAIL}
    letter = "来庁者の記録\n\n田中太郎様より問合せ。折返し090-1234-5678\n"
    assert {one.kind for one in inspected("a.txt", letter.encode()).findings} == BOTH


def test_what_cannot_be_read_says_so(inspected):
    assert inspected("a.csv.gz", gzip.compress(FILES["a.csv"])).problem == "unread-format"
    assert inspected("a.json", b'[{"a": 1}, {"a"').problem == "unread-format"


def test_a_file_of_many_findings_tells_how_many_more_there_are(inspected):
    names = ",".join(f"氏名{n}" for n in range(600))
    row = ",".join(["佐藤 花子"] * 600)
    found = inspected("a.csv", f"{names}\n{row}\n{row}\n".encode())
    assert (found.problem, found.total, len(found.findings)) == ("too-many-findings", 600, 500)


def test_a_hurried_look_says_that_it_was_partial():
    limits = ProfileLimits(patience=0)
    content = ("氏名,電話番号\n" + "佐藤 花子,090-1234-5678\n" * 200_000).encode()
    answer = child.answered(io.BytesIO(content), {"deed": "look", "format": "csv", "delimiter": ","}, limits)
    assert answer["complete"] is False
    assert answer["findings"]


@pytest.mark.parametrize(
    "answer",
    [b"", b"[]", b"{}", b'{"findings": [{}], "total": 1, "rows": 1, "complete": true}', b'{"total": 0.5}', b"nonsense"],
)
def test_whatever_a_broken_reader_says_is_a_problem_and_no_finding(profiled, monkeypatch, answer: bytes):
    path, profile = profiled("a.csv", FILES["a.csv"])
    monkeypatch.setattr(parent, "_START", f"import sys; sys.stdout.buffer.write({answer!r})")
    assert inspection.inspect_file(path, profile.document, LIMITS) == Inspected(problem="reader-stopped")
    assert inspection.measure_file(path, profile.document, ["氏名"], [], LIMITS) == {"problem": "reader-stopped"}


@pytest.mark.parametrize(
    ("error", "slug"),
    [(MemoryError(), "too-much-memory"), (RecursionError(), "nested-too-deeply"), (KeyError(), "reader-stopped")],
)
def test_whatever_a_reader_raises_is_an_answer(monkeypatch, error: Exception, slug: str):
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr("marketplace.privacy.inspection.looking.look", fail)
    assert child.answered(io.BytesIO(b""), {"deed": "look"}, LIMITS) == {"problem": slug}


def test_records_nested_without_end_are_cut():
    deep: dict = {}
    for _ in range(100):
        deep = {"a": deep, "b": "x"}
    assert len(records.flattened(deep)) <= 40
    assert len(records.flattened({"a": list(range(20_000))})) == 10_000
    assert records.flattened({"type": "Feature", "geometry": None, "properties": {"a": 1}}) == [
        ("type", "Feature"),
        ("a", "1"),
    ]


SURVEY = """年代,性別,居住地,病名
30代,女,札幌,風邪
30代,女,札幌,風邪
30代,女,札幌,骨折
40代,男,小樽,風邪
40代,男,小樽,風邪
５０代,男,旭川,骨折
"""
QUASI = ["年代", "性別", "居住地"]


def test_alike_rows_are_counted(profiled):
    path, profile = profiled("a.csv", SURVEY.encode())
    measured = inspection.measure_file(path, profile.document, QUASI, ["病名"], LIMITS)
    assert measured == {
        "rows": 6, "groups": 3, "k": 1, "unique_rows": 1, "unique_mille": 166, "rows_by_size": [1, 2, 3, 0, 0],
        "l": {"病名": 1}, "passes": 1,
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a.xlsx", "a.parquet", "a.geojson", "a.jsonl"])
def test_alike_rows_are_counted_in_every_format(profiled, name: str):
    path, profile = profiled(name, FILES[name])
    measured = inspection.measure_file(path, profile.document, ["氏名"], [], LIMITS)
    assert (measured["rows"], measured["k"], measured["unique_mille"]) == (3, 1, 1000)


def test_unknown_columns_and_unread_files_are_problems(profiled):
    path, profile = profiled("a.csv", SURVEY.encode())
    assert inspection.measure_file(path, profile.document, ["年齢"], [], LIMITS) == {"problem": "damaged"}
    path, profile = profiled("a.gz", gzip.compress(b"x"))
    assert inspection.measure_file(path, profile.document, ["年齢"], [], LIMITS) == {"problem": "unread-format"}


def test_more_groups_than_fit_are_counted_in_several_passes_to_the_same_end():
    content = ("a,b\n" + "".join(f"{n % 700},{n % 3}\n" for n in range(2_000))).encode()
    asked = {"deed": "measure", "format": "csv", "delimiter": ",", "quasi_identifiers": ["a"], "sensitive": ["b"]}
    whole = child.answered(io.BytesIO(content), asked, LIMITS)
    split = child.answered(io.BytesIO(content), asked | {"groups_max": 100}, LIMITS)
    assert whole.pop("passes") == 1
    assert split.pop("passes") > 1
    assert split == whole
    assert (whole["groups"], whole["k"]) == (700, 2)
    assert child.answered(io.BytesIO(content), asked | {"groups_max": 1}, LIMITS) == {"problem": "too-much-memory"}


def test_a_measure_that_is_cut_short_is_none():
    content = ("a\n" + "1\n" * 300_000).encode()
    asked = {"deed": "measure", "format": "csv", "delimiter": ",", "quasi_identifiers": ["a"], "sensitive": []}
    assert child.answered(io.BytesIO(content), asked, ProfileLimits(patience=0)) == {"problem": "too-much-time"}
    assert alike.Tally([]).smallest is None


def test_every_row_of_a_real_table_of_daily_counts_is_counted(profiled, shared_data):
    path = shared_data / "fukui_tourism_daily_count_ccby.csv"
    profile = profiling.profile_file(path, path.name)
    names = [column["name"] for column in profile.document["columns"]]
    measured = inspection.measure_file(path, profile.document, names[:1], [], LIMITS)
    assert measured["rows"] == profile.document["rows"]


def test_real_lists_of_facilities_ask_for_few_answers(shared_data):
    paths = sorted((shared_data / "takamatsu_ccby4").rglob("00*.csv"))
    asking = 0
    for path in paths:
        profile = profiling.profile_file(path, path.name)
        found = inspection.inspect_file(path, profile.document, LIMITS)
        asking += any(one.level is not Level.NOTE for one in found.findings)
    # None of these files is about people: each that asks is a false alarm that somebody has to answer.
    assert asking * 20 <= len(paths)
