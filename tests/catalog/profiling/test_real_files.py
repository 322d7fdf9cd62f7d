"""Profiles of real municipal files against facts counted in other ways than the profiler's."""

import json
import re
import xml.etree.ElementTree as ET
import zipfile
from decimal import Decimal
from pathlib import Path

import pytest

from marketplace.catalog import profiling

pytestmark = pytest.mark.shared_data


def cells_by_hand(text: str, delimiter: str = ",") -> list[list[str]]:
    """Split delimited text character by character (RFC 4180), without the csv module."""
    rows, row, cell, quoted, place = [], [], [], False, 0
    while place < len(text):
        sign = text[place]
        if quoted:
            if sign == '"' and text[place + 1 : place + 2] == '"':
                cell.append('"')
                place += 1
            elif sign == '"':
                quoted = False
            else:
                cell.append(sign)
        elif sign == '"' and not cell:
            quoted = True
        elif sign == delimiter:
            row.append("".join(cell))
            cell = []
        elif sign in "\r\n":
            if text[place : place + 2] == "\r\n":
                place += 1
            rows.append([*row, "".join(cell)] if row or cell else [])
            row, cell = [], []
        else:
            cell.append(sign)
        place += 1
    if row or cell:
        rows.append([*row, "".join(cell)])
    return rows


def facts(document: dict) -> list[tuple]:
    return [
        (column["name"], column["nulls"], column["null_fraction"], column["distinct_estimate"])
        for column in document["columns"]
    ]


def counted(names: list[str], rows: list[list[str]]) -> list[tuple]:
    found = []
    for place, name in enumerate(names):
        shown = name or f"column_{place + 1}"
        values = [row[place] for row in rows]
        nulls = values.count("")
        found.append((shown, nulls, f"{nulls}/{len(rows)}", len({value for value in values if value})))
    return found


def test_every_takamatsu_csv_has_the_columns_rows_nulls_and_distinct_values_counted_by_hand(shared_data: Path):
    files = sorted((shared_data / "takamatsu_ccby4").glob("*.csv"))
    assert len(files) > 100
    for path in files:
        profile = profiling.profile_file(path, path.name)
        rows = cells_by_hand(path.read_bytes().decode("utf-8-sig"))
        names = next(row for row in rows if row[0] == "#property")
        data = [row for row in rows if not row[0].startswith("#")]
        document = profile.document
        assert profile.state == "profiled", path.name
        assert document["rows"] == len(data), path.name
        assert facts(document) == counted(names, data), path.name
        assert (document["format"], document["encoding"], document["bom"]) == ("csv", "utf-8", True)
        assert document["ragged"] == {"short": 0, "long": 0, "first_row": None}


def test_the_licence_inside_the_takamatsu_files_is_captured_as_it_stands(shared_data: Path):
    for path in sorted((shared_data / "takamatsu_ccby4").glob("00[0-5]*.csv")):
        said = re.search(r"^#license,([^,\n]+)", path.read_text("utf-8-sig"), re.MULTILINE)
        document = profiling.profile_file(path, path.name).document
        assert said is not None
        assert document["embedded_license"]["value"] == said.group(1)
        assert document["embedded_license"]["id"] == "CC-BY-3.0"
        assert {"line": 2, "key": "lang", "value": "ja"} in document["preamble"]


def test_integers_and_decimals_of_the_population_files_have_the_extremes_counted_by_hand(shared_data: Path):
    path = shared_data / "takamatsu_ccby4" / "0066_202009.csv"
    rows = cells_by_hand(path.read_text("utf-8-sig"))
    names = next(row for row in rows if row[0] == "#property")
    data = [row for row in rows if not row[0].startswith("#")]
    columns = {column["name"]: column for column in profiling.profile_file(path, path.name).document["columns"]}
    whole = [place for place in range(len(names)) if all(row[place].isdigit() for row in data)]
    assert len(whole) > 10
    for place in whole:
        values = sorted(int(row[place]) for row in data)
        column = columns[names[place]]
        assert (column["type"], column["min"], column["max"]) == ("integer", str(values[0]), str(values[-1]))


def test_both_encodings_of_the_municipality_list_have_the_same_columns(shared_data: Path):
    old = profiling.profile_file(shared_data / "localgovjp_sjis_cc0.csv", "localgovjp_sjis_cc0.csv").document
    new = profiling.profile_file(shared_data / "localgovjp_utf8bom_cc0.csv", "localgovjp_utf8bom_cc0.csv").document
    assert (old["encoding"], old["bom"], old["line_ending"]) == ("cp932", False, "crlf")
    assert (new["encoding"], new["bom"]) == ("utf-8", True)
    assert old["rows"] == new["rows"] == 1916
    old_names = [column["name"] for column in old["columns"]]
    assert old_names == [column["name"] for column in new["columns"]][: len(old_names)]
    types = {column["name"]: column["type"] for column in new["columns"]}
    assert (types["lgcode"], types["pid"], types["lat"]) == ("string", "integer", "decimal")


@pytest.mark.parametrize("name", ["localgovjp_sjis_cc0.csv", "fukui_tourism_daily_count_ccby.csv"])
def test_the_same_content_in_cp932_and_in_utf8_with_a_mark_has_the_same_profile(
    shared_data: Path, tmp_path: Path, name: str
):
    raw = (shared_data / name).read_bytes()
    text = raw.decode("cp932" if "sjis" in name else "utf-8-sig")
    (tmp_path / "a.csv").write_bytes(text.encode("cp932"))
    (tmp_path / "b.csv").write_bytes(text.encode("utf-8-sig"))
    one, other = (profiling.profile_file(tmp_path / n, n).document for n in ("a.csv", "b.csv"))
    for part in ("columns", "preview", "rows", "line_endings", "delimiter", "warnings", "header"):
        assert one[part] == other[part], part


def test_the_workbook_has_the_rows_and_columns_that_its_xml_holds(shared_data: Path):
    path = shared_data / "takamatsu_ccby4" / "shopping_street_traffic.xlsx"
    space = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    with zipfile.ZipFile(path) as archive:
        sheet = ET.fromstring(archive.read("xl/worksheets/sheet1.xml"))
    filled = [row for row in sheet.iter(f"{space}row") if any(cell.find(f"{space}v") is not None for cell in row)]
    document = profiling.profile_file(path, path.name).document
    assert document["format"] == "xlsx"
    assert document["rows"] == len(filled) - 1
    names = [column["name"] for column in document["columns"]]
    assert names == [
        "#property",
        "latitude",
        "longitude",
        "name",
        "surveyDate",
        "totalWeekdaysAverage",
        "totalHolidayAverage",
    ]
    assert document["columns"][5]["type"] == "integer"


def test_the_sapporo_sightings_are_1590_features_with_their_extent(shared_data: Path):
    path = shared_data / "sapporo_bears_ccby4.geojson"
    features = json.loads(path.read_text("utf-8"), parse_float=Decimal)["features"]
    xs, ys = zip(*(feature["geometry"]["coordinates"][:2] for feature in features), strict=True)
    document = profiling.profile_file(path, path.name).document
    assert document["format"] == "geojson"
    assert document["rows"] == document["features"] == len(features) == 1590
    assert document["geometry_types"] == {"Point": 1590}
    assert document["bbox"] == [str(min(xs)), str(min(ys)), str(max(xs)), str(max(ys))]
    columns = {column["name"]: column for column in document["columns"]}
    for name in features[0]["properties"]:
        values = [feature["properties"].get(name) for feature in features]
        assert columns[name]["nulls"] == values.count(None), name
        texts = {str(value) for value in values if value not in (None, "")}
        assert columns[name]["distinct_estimate"] == len(texts), name
    years = [feature["properties"]["year"] for feature in features]
    assert (columns["year"]["min"], columns["year"]["max"]) == (str(min(years)), str(max(years)))


def test_the_fukui_series_keep_their_blank_lines_and_moments(shared_data: Path):
    path = shared_data / "fukui_station_people_flow.csv"
    lines = path.read_text().split("\n")
    data = [line.split(",") for line in lines[1:] if line]
    document = profiling.profile_file(path, path.name).document
    assert document["rows"] == len(data)
    assert document["blank_lines"] == lines[1:-1].count("")
    columns = {column["name"]: column for column in document["columns"]}
    moments = columns["aggregate from"]
    assert (moments["type"], moments["min"], moments["max"]) == (
        "datetime",
        min(row[2] for row in data),
        max(row[2] for row in data),
    )
    assert columns["total count"]["max"] == str(max(int(row[4]) for row in data))


def test_corporate_numbers_without_a_header_are_numbered_columns(shared_data: Path):
    document = profiling.profile_file(shared_data / "corporate_numbers_2000.csv", "corporate_numbers_2000.csv").document
    assert document["rows"] == 2000
    assert document["header"] is False
    assert [column["name"] for column in document["columns"]] == ["column_1", "column_2"]


def test_compressed_catalogue_records_stay_opaque(shared_data: Path):
    profile = profiling.profile_file(shared_data / "tokyo_ckan_sample300.jsonl.gz", "tokyo_ckan_sample300.jsonl.gz")
    assert (profile.state, profile.document["format"], profile.document["mislabelled"]) == ("opaque", "gzip", False)
