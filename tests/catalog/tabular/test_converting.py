"""Tables become Parquet: typed as the profile found them, the same each time, and never more than is allowed."""

import csv
import io
import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time
from itertools import repeat
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketplace.catalog import profiling, tabular
from marketplace.catalog.profiling import ProfileLimits
from marketplace.catalog.tabular import child, confined, frames, parent, typing

SMALL = ProfileLimits(memory_bytes=768 << 20, cpu_seconds=60, wall_seconds=120)
TYPED = "番号,名称,日付,時刻,値,印,時間,世界時\n1,大通,令和4年1月1日,2026-11-22 09:00,1.5,true,9:00,2026-11-22T09:00:00+09:00\n2,,平成元年5月1日,2026-11-22 10:00,.5,false,10:00,2026-11-22T10:00:00+09:00\n"


class Made:
    """A table as it was made, and its bytes."""

    def __init__(self, converted: tabular.Converted[bytes]) -> None:
        self.converted = converted
        self.bytes = converted.kept

    @property
    def types(self) -> dict[str, str]:
        return {column["name"]: column["type"] for column in self.converted.columns}

    def rows(self) -> list[dict[str, Any]]:
        return pq.read_table(io.BytesIO(self.bytes or b"")).to_pylist()


@pytest.fixture
def convert(tmp_path: Path) -> Iterator[Callable[..., Made]]:
    """Convert some bytes under a name, as the exchange does and in this process; both must agree."""
    cell_limit = csv.field_size_limit()

    def made(name: str, content: bytes, profile: dict[str, Any] | None = None) -> Made:
        path = tmp_path / "stored"
        path.write_bytes(content)
        found = profile or profiling.profile_file(path, name, SMALL).document
        converted = tabular.convert_file(path, found, SMALL, b"".join)
        assert _here(path, found) == (converted.kept or b"", converted.rows)
        return Made(converted)

    yield made
    csv.field_size_limit(cell_limit)


def _here(path: Path, profile: dict[str, Any]) -> tuple[bytes, int]:
    plans = [typing.planned(column) for column in profile["columns"]]
    said: list[bytes] = []
    asked = {"format": profile["format"], "delimiter": profile.get("delimiter"), "plans": plans}
    with path.open("rb") as file:
        confined.answer(file, asked, SMALL, said.append, child.copied)
    heard = frames.Frames(said)
    data = b"".join(heard.data())
    if heard.end.get("misfit"):
        return _here(path, profile | {"columns": [{"type": "string"}] * len(plans)})
    return data, heard.end["rows"]


@pytest.mark.parametrize("encoding", ["cp932", "utf-8-sig", "euc_jp"])
def test_a_table_of_texts_gets_the_types_of_its_profile_whatever_its_encoding(convert, encoding):
    made = convert("人流.csv", TYPED.encode(encoding))
    assert made.types == {
        "番号": "long", "名称": "string", "日付": "date", "時刻": "timestamp_ntz", "値": "double", "印": "boolean",
        "時間": "string", "世界時": "timestamp",
    }  # fmt: skip
    assert made.rows() == [
        {
            "番号": 1, "名称": "大通", "日付": date(2022, 1, 1), "時刻": datetime.fromisoformat("2026-11-22T09:00"), "値": 1.5, "印": True,
            "時間": "9:00", "世界時": datetime(2026, 11, 22, 0, tzinfo=UTC),
        },
        {
            "番号": 2, "名称": None, "日付": date(1989, 5, 1), "時刻": datetime.fromisoformat("2026-11-22T10:00"), "値": 0.5, "印": False,
            "時間": "10:00", "世界時": datetime(2026, 11, 22, 1, tzinfo=UTC),
        },
    ]  # fmt: skip


def test_the_same_table_becomes_the_same_bytes_each_time(convert):
    assert convert("a.csv", TYPED.encode()).bytes == convert("b.csv", TYPED.encode("cp932")).bytes


def test_codes_with_leading_zeros_and_numbers_that_a_reader_would_change_stay_texts(convert):
    made = convert("a.csv", b"code,large,vast\n011002,99999999999999999999,1e999\n013048,1,1\n")
    assert made.types == {"code": "string", "large": "string", "vast": "string"}
    assert made.rows()[0] == {"code": "011002", "large": "99999999999999999999", "vast": "1e999"}


def test_names_that_tables_cannot_tell_apart_are_numbered(convert):
    assert list(convert("a.csv", b"id,ID,id,\n1,2,3,4\n").types) == ["id", "ID_2", "id_3", "column_4"]


def test_a_table_without_rows_keeps_its_columns(convert):
    made = convert("a.csv", "名称,人数\n".encode())
    assert (made.converted.rows, made.types, made.rows()) == (0, {"名称": "string", "人数": "string"}, [])


def test_a_workbook_becomes_the_table_of_its_first_sheet_with_cells(convert):
    book = openpyxl.Workbook()
    book.active.title = "空"
    sheet = book.create_sheet("人流")
    for row in (
        ["地点", "人数", "比率", "測定"],
        ["大通", 12, 0.5, datetime.fromisoformat("2026-11-22T09:00")],
        ["駅", None, 1, None],
    ):
        sheet.append(row)
    content = io.BytesIO()
    book.save(content)
    made = convert("a.xlsx", content.getvalue())
    assert made.types == {"地点": "string", "人数": "long", "比率": "double", "測定": "timestamp_ntz"}
    assert made.rows() == [
        {"地点": "大通", "人数": 12, "比率": 0.5, "測定": datetime.fromisoformat("2026-11-22T09:00")},
        {"地点": "駅", "人数": None, "比率": 1.0, "測定": None},
    ]


def parquet(**columns: Any) -> bytes:
    content = io.BytesIO()
    pq.write_table(pa.table(columns), content)
    return content.getvalue()


def test_parquet_that_readers_of_tables_know_is_delivered_as_it_is(convert):
    made = convert("a.parquet", parquet(地点=["大通", None], 人数=pa.array([1, 2], pa.int32())))
    assert made.bytes is None
    assert (made.converted.rows, made.types) == (2, {"地点": "string", "人数": "integer"})


def test_parquet_with_types_that_no_table_has_is_written_anew(convert):
    made = convert(
        "a.parquet",
        parquet(
            nested=[{"a": 1}], unsigned=pa.array([1], pa.uint32()), clock=[time(9, 0)],
            fine=pa.array([1_000], pa.timestamp("ns")), coded=pa.array(["x"]).dictionary_encode(),
        ),
    )  # fmt: skip
    assert made.types == {
        "nested": "string", "unsigned": "long", "clock": "string", "fine": "timestamp_ntz", "coded": "string",
    }  # fmt: skip
    assert made.rows()[0] | {"fine": None} == {
        "nested": '{"a": 1}', "unsigned": 1, "clock": "09:00:00", "fine": None, "coded": "x",
    }  # fmt: skip


def test_a_table_whose_rest_is_of_other_types_than_the_part_profiled_becomes_texts(convert):
    column = {"name": "人数", "type": "integer", "format": None, "min": "1", "max": "1"}
    profile = {"format": "csv", "delimiter": ",", "columns": [column, column]}
    made = convert("a.csv", "人数,値\n1,1\n不明,2\n".encode(), profile)
    assert made.types == {"人数": "string", "値": "string"}
    assert made.rows()[1] == {"人数": "不明", "値": "2"}


def refused(path: Path, profile: dict[str, Any], limits: ProfileLimits = SMALL) -> str:
    kept: list[bytes] = []
    with pytest.raises(tabular.Unreadable) as refusal:
        tabular.convert_file(path, profile, limits, lambda chunks: kept.append(b"".join(chunks)))
    assert kept == []
    return refusal.value.slug


def test_a_damaged_file_is_no_table_and_nothing_is_kept(tmp_path):
    path = tmp_path / "stored"
    path.write_bytes(b"PAR1" + b"\xff" * 40 + b"PAR1")
    assert refused(path, {"format": "parquet", "columns": [{}]}) in {"damaged", "truncated"}
    path.write_bytes(b"PK\x03\x04 no archive")
    assert refused(path, {"format": "xlsx", "columns": [{}]}) in {"damaged", "truncated"}


def test_a_copy_that_takes_too_much_time_or_memory_is_ended(tmp_path):
    path = tmp_path / "stored"
    with path.open("wb") as file:
        file.write(b"a,b\n")
        # Of the second that is allowed, the fastest machine so far took 0.7 for a twentieth of this.
        file.writelines(repeat(b"1,2\n" * 1_000_000, 40))
    profile = {"format": "csv", "delimiter": ",", "columns": [{"type": "string"}] * 2}
    assert refused(path, profile, ProfileLimits(cpu_seconds=1)) in {"too-much-time", "reader-stopped"}
    assert refused(path, profile, ProfileLimits(memory_bytes=1 << 20)) == "reader-stopped"


@pytest.mark.parametrize(
    "said",
    [
        b"", b"X", b"D\x00\x00\x00\x09half", b"E\x00\x00\x00\x02[]", b"E\xff\xff\xff\xff", b"E\x00\x00\x00\x03NaN",
        frames.framed(frames.END, b"{}"),
        frames.framed(frames.END, json.dumps({"rows": -1, "columns": [{"name": "a", "type": "long"}]}).encode()),
        frames.framed(frames.END, json.dumps({"rows": True, "columns": [{"name": "a", "type": "long"}]}).encode()),
        frames.framed(frames.END, json.dumps({"rows": 1, "columns": ["a"]}).encode()),
        frames.framed(frames.END, json.dumps({"rows": 1.5, "columns": []}).encode()),
    ],
    ids=range(11),
)  # fmt: skip
def test_whatever_the_copying_process_says_is_judged(said, monkeypatch, tmp_path):
    path = tmp_path / "stored"
    path.write_bytes(b"a\n1\n")
    monkeypatch.setattr(parent.process, "stream", lambda *_args: (piece for piece in (said[:3], said[3:])))
    assert refused(path, {"format": "csv", "columns": [{}]}) == "reader-stopped"


def test_facts_of_a_copying_process_are_kept_only_as_the_database_can_keep_them(monkeypatch, tmp_path):
    path = tmp_path / "stored"
    path.write_bytes(b"a\n1\n")
    facts = {"reason": "a\0\ud800", "deep": [1], "count": 3}
    said = frames.framed(frames.END, json.dumps({"problem": "damaged", "facts": facts}).encode())
    monkeypatch.setattr(parent.process, "stream", lambda *_args: (piece for piece in (said,)))
    with pytest.raises(tabular.Unreadable) as refusal:
        tabular.convert_file(path, {"format": "csv", "columns": [{}]}, SMALL, b"".join)
    assert refusal.value.facts == {"reason": "a␀?", "count": 3}
