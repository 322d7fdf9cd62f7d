"""Hostile and broken files: a clear problem or an honest profile, in bounded memory, and the caller lives."""

import gzip
import io
import json
import struct
import subprocess
import sys
import zipfile
from pathlib import Path

import openpyxl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketplace.catalog import profiling
from marketplace.catalog.profiling import ProfileLimits
from marketplace.catalog.states import ProfileState

SMALL = ProfileLimits(memory_bytes=512 << 20, cpu_seconds=60, wall_seconds=120)


def read_apart(folder: Path, name: str, content: bytes, limits: ProfileLimits) -> profiling.Profile:
    """Profile in a subprocess only: what exhausts a reader would exhaust this process."""
    path = folder / "stored"
    path.write_bytes(content)
    return profiling.profile_file(path, name, limits)


def problem_of(profile: profiling.Profile) -> str:
    assert profile.state is ProfileState.FAILED
    problem = profile.document["problem"]
    assert problem["detail"]
    assert any(ord(sign) > 0x3000 for sign in problem["detail_ja"])
    return problem["slug"]


def codes(profile: profiling.Profile) -> list[str]:
    return [warning["code"] for warning in profile.document["warnings"]]


def workbook(members: dict[str, bytes]) -> bytes:
    base = {
        "[Content_Types].xml": b'<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
        b'<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.'
        b'spreadsheetml.sheet.main+xml"/></Types>',
        "xl/workbook.xml": b"<workbook/>",
    }
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in {**base, **members}.items():
            archive.writestr(name, data)
    return content.getvalue()


@pytest.mark.parametrize("content", [b"", b"\xef\xbb\xbf", b" \r\n\r\n", b"\xff\xfe"])
def test_a_file_without_content_is_empty(profile_of, content: bytes):
    assert problem_of(profile_of("a.csv", content)) == "empty-file"


def test_a_million_columns_are_refused_with_their_number(profile_of):
    profile = profile_of("a.csv", b",".join(b"c%d" % n for n in range(1_000_000)) + b"\n1\n")
    assert problem_of(profile) == "too-many-columns"
    assert profile.document["problem"]["columns"] == 1_000_000


def test_a_gigabyte_cell_is_refused_and_memory_stays_small(tmp_path: Path):
    path = tmp_path / "stored"
    with path.open("wb") as file:
        file.write(b"a,b\n1,")
        for _ in range(1024):
            file.write(b"x" * (1 << 20))
    # In a process of its own: the largest child of this one may have been another test's.
    script = (
        "import resource, sys; from pathlib import Path; from marketplace.catalog import profiling;"
        "print(profiling.profile_file(Path(sys.argv[1]), 'a.csv').document['problem']['slug'],"
        " resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    told = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=True).stdout
    slug, kibibytes = told.split()
    assert slug == "line-too-long"
    assert int(kibibytes) < 512 * 1024


def test_a_quoted_cell_over_the_field_limit_is_refused_with_its_line(profile_of):
    profile = profile_of("a.csv", b'a,b\n1,"' + b"line\n" * 60_000)
    assert problem_of(profile) == "cell-too-long"


def test_ragged_rows_are_counted_and_none_is_lost(profile_of):
    profile = profile_of("a.csv", "名,値,年\nあ,1,2020\nい,2\n\nう,3,2021,余り\nえ".encode())
    assert profile.document["rows"] == 4
    assert profile.document["ragged"] == {"short": 2, "long": 1, "first_row": 2}
    assert {"ragged-rows", "cut-off-row", "blank-lines"} <= set(codes(profile))


def test_an_unclosed_quote_is_reported(profile_of):
    profile = profile_of("a.csv", b'a,b\n1,2\n3,"cut off here\n')
    assert profile.state is ProfileState.PROFILED
    assert "unclosed-quote" in codes(profile)


def test_bytes_that_are_not_utf8_in_the_middle_are_counted(profile_of):
    rows = "".join(f"{n},札幌市中央区,{n}\n" for n in range(5000)).encode()
    profile = profile_of("a.csv", "番号,地区,値\n".encode() + rows + b"7,\xff\xfe,1\n" + rows)
    assert (profile.document["encoding"], profile.document["rows"]) == ("utf-8", 10_001)
    assert next(w for w in profile.document["warnings"] if w["code"] == "invalid-bytes")["count"] == 2


def test_nul_characters_are_reported_and_never_reach_the_document(profile_of):
    profile = profile_of("a.csv", b"a,b\n" + b"plain text,12\n" * 20 + b"x\0y,1\n")
    assert "nul-bytes" in codes(profile)
    assert "\\u0000" not in json.dumps(profile.document)


def test_random_bytes_are_opaque_and_mislabelled(profile_of):
    profile = profile_of("a.csv", bytes(range(256)) * 64)
    assert profile.state is ProfileState.OPAQUE
    assert profile.document["mislabelled"] is True
    assert codes(profile) == ["mislabelled"]


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"<!doctype html><script>alert(1)</script>", "html"),
        ("a.csv", b"<svg xmlns='http://www.w3.org/2000/svg'/>", "svg"),
        ("a.xlsx", b"a,b\n1,2\n3,4\n5,6\n", "csv"),
        ("a.json", b"a\tb\n1\t2\n3\t4\n", "tsv"),
        ("a.csv", b'[{"a": 1}]', "json"),
        ("a.parquet", gzip.compress(b"a,b\n1,2\n", mtime=0), "gzip"),
        ("a.csv", b"%PDF-1.7\n\xe2\xe3", "pdf"),
    ],
)
def test_content_decides_and_a_wrong_name_is_reported(profile_of, name: str, content: bytes, found: str):
    profile = profile_of(name, content)
    assert (profile.document["format"], profile.document["mislabelled"]) == (found, True)


def test_a_gzip_bomb_is_never_unpacked(profile_of):
    profile = profile_of("a.csv.gz", gzip.compress(b"\0" * (1 << 28)))
    assert (profile.state, profile.document["format"]) == (ProfileState.OPAQUE, "gzip")


def test_a_zip_bomb_is_refused_from_its_directory(profile_of):
    profile = profile_of("a.xlsx", workbook({"xl/worksheets/sheet1.xml": b"\0" * (300 << 20)}))
    assert problem_of(profile) == "unpacks-too-large"


def test_a_hundred_thousand_members_are_refused(profile_of):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for number in range(100_000):
            archive.writestr(f"../{number}", b"")
    assert problem_of(profile_of("a.zip", content.getvalue())) == "too-many-members"


def test_a_few_more_members_than_allowed_are_refused(profile_of):
    content = workbook({f"m{number}": b"" for number in range(40)})
    profile = profile_of("a.xlsx", content, ProfileLimits(archive_members=20))
    assert problem_of(profile) == "too-many-members"


@pytest.mark.parametrize("codec", ["utf-8", "utf-16"])
def test_a_workbook_with_a_document_type_is_not_opened(profile_of, codec: str):
    hostile = '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><worksheet>&e;</worksheet>'.encode(codec)
    assert problem_of(profile_of("a.xlsx", workbook({"xl/worksheets/sheet1.xml": hostile}))) == (
        "document-type-forbidden"
    )


def test_a_broken_workbook_and_a_cut_off_one_are_told_apart(profile_of):
    made, broken = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(broken, "w") as target:
        for name in source.namelist():
            target.writestr(name, b"<worksheet><sheetData><row>" if "sheet1" in name else source.read(name))
    assert problem_of(profile_of("a.xlsx", broken.getvalue())) == "damaged"
    assert problem_of(profile_of("a.xlsx", made.getvalue()[:2000])) == "truncated"
    assert problem_of(profile_of("a.xlsx", made.getvalue())) == "empty-file"


SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
VALUE = b"<c><v>1</v></c>"


def sheet_of(rows: bytes) -> bytes:
    """A workbook whose only sheet has these rows."""
    made, changed = io.BytesIO(), io.BytesIO()
    openpyxl.Workbook().save(made)
    with zipfile.ZipFile(made) as source, zipfile.ZipFile(changed, "w", zipfile.ZIP_DEFLATED) as target:
        for name in source.namelist():
            written = f'<worksheet xmlns="{SHEET}"><sheetData>'.encode() + rows + b"</sheetData></worksheet>"
            target.writestr(name, written if "sheet1" in name else source.read(name))
    return changed.getvalue()


@pytest.mark.parametrize("lie", [b"999999999999", b"9" * 300, b"1048577", b"1e300"])
def test_a_row_beyond_the_last_of_a_sheet_is_refused_before_the_rows_up_to_it_are_made_up(profile_of, lie: bytes):
    profile = profile_of("a.xlsx", sheet_of(b"<row>" + VALUE + b'</row><row r="' + lie + b'"/>'))
    assert problem_of(profile) == "damaged"
    assert "more than 1,048,576 rows" in profile.document["problem"]["detail"]


def test_the_last_row_of_a_sheet_is_read_and_the_blank_ones_before_it_are_none(profile_of):
    profile = profile_of("a.xlsx", sheet_of(b'<row r="1048576">' + VALUE + b"</row>"))
    assert (profile.document["rows"], profile.document["complete"]) == (1, True)


@pytest.mark.parametrize(
    ("column", "slug"), [(b"ZZZZZZ1", "damaged"), (b"ZZZ1", "too-many-columns"), (b"FAO1", "too-many-columns")]
)
def test_a_column_beyond_the_last_that_is_read_is_refused(profile_of, column: bytes, slug: str):
    profile = profile_of("a.xlsx", sheet_of(b'<row><c r="' + column + b'"><v>1</v></c></row>'))
    assert problem_of(profile) == slug


def test_blank_rows_end_with_patience_and_what_came_before_them_is_reported(profile_of):
    blank, hurried = b"<row/>" * 100, ProfileLimits(patience=0)
    document = profile_of("a.xlsx", sheet_of(b"<row>" + VALUE + b"</row>" + blank), hurried).document
    assert (document["rows"], document["rows_read"], document["complete"]) == (None, 1, False)
    assert problem_of(profile_of("a.xlsx", sheet_of(blank), hurried)) == "too-much-time"


def test_a_zip_whose_directory_lies_is_damaged(profile_of):
    lie = b"PK\x03\x04" + b"\0" * 60 + b"PK\x05\x06" + struct.pack("<HHHHIIH", 0, 0, 1, 1, 46, 4, 0)
    assert problem_of(profile_of("a.xlsx", lie)) == "damaged"


def test_a_parquet_file_of_two_billion_rows_is_refused_from_its_footer(tmp_path: Path, profile_of):
    pages, footer = io.BytesIO(), io.BytesIO()
    column = pa.chunked_array([pa.array([7] * 1_000_000, pa.int64())] * 20)
    pq.write_table(pa.table({"n": column}), pages, row_group_size=20_000_000)
    promised = pq.read_metadata(pages)
    one = pq.read_metadata(pages)
    for _ in range(99):
        promised.append_row_groups(one)
    promised.write_metadata_file(footer)
    path = tmp_path / "stored"
    path.write_bytes(pages.getvalue() + footer.getvalue()[4:])
    profile = profile_of("a.parquet", path)
    assert problem_of(profile) == "unpacks-too-large"
    assert profile.document["problem"]["unpacked_bytes"] == 16_000_000_000


@pytest.mark.parametrize("cut", [8, 40, -1, -9])
def test_a_cut_off_parquet_file_is_a_clear_problem(profile_of, cut: int):
    content = io.BytesIO()
    pq.write_table(pa.table({"n": list(range(100))}), content)
    assert problem_of(profile_of("a.parquet", content.getvalue()[:cut])) == "truncated"


def test_a_parquet_file_with_a_scrambled_footer_is_damaged(profile_of):
    content = b"PAR1" + b"\xff" * 500 + struct.pack("<I", 400) + b"PAR1"
    assert problem_of(profile_of("a.parquet", content)) == "damaged"
    huge = b"PAR1" + b"\xff" * 500 + struct.pack("<I", 0xFFFFFFFF) + b"PAR1"
    assert problem_of(profile_of("a.parquet", huge)) == "damaged"


@pytest.mark.parametrize(
    ("content", "slug"),
    [
        (b"[" * 200_000, "nested-too-deeply"),
        (b'{"a":' * 200_000, "nested-too-deeply"),
        (b'[{"a": 1}, {"a": ', "truncated"),
        (b'[{"a": "never closed', "truncated"),
        (b'[{"a": 1} {"a": 2}]', "invalid-json"),
        (b'{"a": 1, b: 2}', "invalid-json"),
        (b'[{"a": 1}] tail', "invalid-json"),
        (b'[{"a": nope}]' + b" " * 100, "invalid-json"),
        (b'[{"a": 1e9999999999999999999999}]', "invalid-json"),
    ],
)
def test_broken_json_says_how(profile_of, content: bytes, slug: str):
    assert problem_of(profile_of("a.json", content)) == slug


def test_numbers_that_json_does_not_know_are_reported_and_never_numbers(profile_of):
    profile = profile_of("a.json", b'[{"a": NaN}, {"a": -Infinity}, {"a": 1.5}]')
    assert "not-finite" in codes(profile)
    assert profile.document["columns"][0]["type"] == "mixed"


def test_huge_numbers_and_lone_surrogates_survive_as_text(profile_of):
    profile = profile_of("a.json", b'[{"n": ' + b"9" * 5000 + b', "t": "\\ud800\\u0000x"}]')
    assert profile.state is ProfileState.PROFILED
    json.dumps(profile.document, ensure_ascii=False).encode()


def test_too_little_memory_is_a_clear_problem(tmp_path: Path):
    content = b'[{"a": "' + b"x" * (120 << 20) + b'"}]'
    limits = ProfileLimits(memory_bytes=256 << 20, cpu_seconds=30, wall_seconds=60)
    assert problem_of(read_apart(tmp_path, "a.json", content, limits)) == "too-much-memory"


def test_the_kernel_ends_a_reader_that_burns_too_much_cpu(tmp_path: Path):
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7) for n in range(2_000_000))
    limits = ProfileLimits(cpu_seconds=1, wall_seconds=120, patience=1000)
    assert problem_of(read_apart(tmp_path, "a.csv", content, limits)) == "too-much-time"


def test_a_reader_out_of_patience_reports_what_it_read(tmp_path: Path):
    content = b"a,b\n" + b"".join(b"%d,%d\n" % (n, n * 7) for n in range(300_000))
    profile = read_apart(tmp_path, "a.csv", content, ProfileLimits(patience=0))
    assert profile.state is ProfileState.PROFILED
    assert (profile.document["complete"], profile.document["rows"]) == (False, None)
    assert 0 < profile.document["rows_read"] < 300_000
    assert "partial" in codes(profile)


@pytest.mark.parametrize("name", ["../../etc/passwd", "a\0.csv", "\ud800.csv", "名" * 500 + ".csv", ".csv", "", "-rf"])
def test_names_cannot_do_anything(profile_of, name: str):
    assert profile_of(name, b"a,b\n1,2\n3,4\n5,6\n").document["rows"] == 3
