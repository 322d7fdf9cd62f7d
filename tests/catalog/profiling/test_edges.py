"""Rarer turns: long files cut short by patience, odd headers, odd workbooks, answers of a starving reader."""

import io
import json
import zipfile

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketplace.catalog.profiling import ProfileLimits, child, detection
from marketplace.catalog.states import ProfileState

HURRIED = ProfileLimits(patience=0)


def read_here(name: str, content: bytes, limits: ProfileLimits) -> dict:
    return json.loads(child.answered(io.BytesIO(content), name, limits))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.json", json.dumps([{"a": n} for n in range(2000)]).encode()),
        ("a.geojson", json.dumps({"features": [{"type": "Feature", "id": n} for n in range(2000)]}).encode()),
        ("a.csv", b"a,b\n" + b"1,2\n" * 40_000),
    ],
)
def test_a_hurried_reader_says_how_far_it_came(name: str, content: bytes):
    said = read_here(name, content, HURRIED)
    assert said["state"] == ProfileState.PROFILED
    assert (said["document"]["rows"], said["document"]["complete"]) == (None, False)
    assert 0 < said["document"]["rows_read"] < 40_000


def test_a_hurried_reader_of_a_workbook_or_parquet_file_says_how_far_it_came():
    book, sheets = io.BytesIO(), openpyxl.Workbook()
    for number in range(30_000):
        sheets.active.append([number, number])
    sheets.save(book)
    assert read_here("a.xlsx", book.getvalue(), HURRIED)["document"]["rows_read"] == 25_000
    rows = io.BytesIO()
    pq.write_table(pa.table({"n": range(50_000)}), rows)
    document = read_here("a.parquet", rows.getvalue(), HURRIED)["document"]
    assert (document["rows_read"], document["rows_promised"], document["complete"]) == (16_384, 50_000, False)


@pytest.mark.parametrize(
    ("text", "is_header"),
    [
        ("名,名\n北区,1\n", True),
        ("北区,北区\n南区,西区\n", False),
        ("2019,2020\n1,2\n", False),
        ("区,2019\n北区,2020\n", False),
        (",\n1,2\n", False),
    ],
)
def test_a_header_is_known_by_what_stands_below_it(profile_of, text: str, is_header: bool):
    assert profile_of("a.csv", text.encode()).document["header"] is is_header


def test_a_spoken_waiver_and_an_unknown_licence_are_kept_as_they_are(profile_of):
    document = profile_of("a.csv", "#license,独自の規約\na,b\n1,2\n".encode()).document
    assert document["embedded_license"] == {"value": "独自の規約", "id": None, "source": "preamble"}


def test_a_workbook_with_macros_links_and_no_header_says_so(profile_of):
    made, odd = io.BytesIO(), io.BytesIO()
    book = openpyxl.Workbook()
    for row in ([1, 2], [3, None], [5, 6]):
        book.active.append(row)
    book.save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(odd, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name))
        target.writestr("xl/vbaProject.bin", b"macro")
        target.writestr("xl/externalLinks/externalLink1.xml", b"<externalLink/>")
    document = profile_of("a.xlsm", odd.getvalue()).document
    assert {warning["code"] for warning in document["warnings"]} == {"no-header", "external-links", "contains-macros"}
    assert [column["nulls"] for column in document["columns"]] == [0, 1]


def test_an_ordinary_archive_is_opaque_and_counted(profile_of):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("../../escape.csv", b"a,b\n")
    document = profile_of("a.zip", content.getvalue()).document
    assert (document["format"], document["members"], document["unpacked_bytes"]) == ("zip", 1, 4)


@pytest.mark.parametrize(
    ("error", "slug"),
    [(MemoryError, "too-much-memory"), (RecursionError, "nested-too-deeply"), (ZeroDivisionError, "reader-stopped")],
)
def test_whatever_a_reader_raises_is_an_answer(monkeypatch, error: type[Exception], slug: str):
    def fail(*_arguments: object) -> None:
        raise error

    monkeypatch.setattr(detection, "profile", fail)
    assert read_here("a.csv", b"a", ProfileLimits())["document"]["problem"]["slug"] == slug


def test_parquet_metadata_that_is_not_what_it_says_names_no_geometry(profile_of):
    content = io.BytesIO()
    table = pa.table({"n": [None, None], "a": pa.array([1, 2], pa.duration("s"))})
    pq.write_table(table.replace_schema_metadata({"geo": "[not json"}), content)
    columns = profile_of("a.parquet", content.getvalue()).document["columns"]
    assert [column["type"] for column in columns] == ["empty", "duration"]


def test_a_text_with_zones_in_one_batch_and_none_in_the_next_is_text(profile_of):
    content = b"t,n\n" + b"2024-01-01T00:00:00Z,1\n" * 20_000 + b"2024-01-01T00:00:00,1\n" * 20_000
    assert profile_of("a.csv", content).document["columns"][0]["type"] == "string"
