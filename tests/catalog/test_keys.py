"""Keys of tables: known by header and values, check digits where there are any, and nothing that only looks like one."""

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from marketplace.catalog import key_kinds, keys, profiling
from marketplace.catalog.key_kinds import Key, KeyKind
from marketplace.identity.rules import corporate_check_digit, government_check_digit


def government(base: str) -> str:
    return f"{base}{government_check_digit(base)}"


def corporate(base: str) -> str:
    return f"{corporate_check_digit(base)}{base}"


CODES = [government(base) for base in ("01100", "01101", "01102", "13101", "40130")]
NUMBERS = [corporate(f"{base:012}") for base in (20_011_002, 20_012_131, 30_160_004, 20_018_678, 20_018_431)]


@pytest.mark.parametrize(
    ("name", "values", "found"),
    [
        ("メッシュコード", ["53394611", "53394612"], (KeyKind.MESH, "1km", {"M5339"})),
        ("mesh", ["5339461111", "53394622"], (KeyKind.MESH, "1km", {"M5339"})),
        ("mesh_code", ["533946", "644142"], (KeyKind.MESH, "10km", {"M5339", "M6441"})),
        ("市区町村コード", ["011002"], (KeyKind.GOVERNMENT_CODE, "municipality", {"P01"})),
        ("団体コード", ["130001"], (KeyKind.GOVERNMENT_CODE, "prefecture", {"P13"})),
        ("都道府県コード", ["01", "13"], (KeyKind.GOVERNMENT_CODE, "prefecture", {"P01", "P13"})),
        ("city code", ["01100", "13101"], (KeyKind.GOVERNMENT_CODE, "municipality", {"P01", "P13"})),
        ("code", CODES, (KeyKind.GOVERNMENT_CODE, "municipality", {"P01", "P13", "P40"})),
        ("郵便番号", ["060-0001", "0600042"], (KeyKind.POSTAL_CODE, "town", {"Z06"})),
        ("zip", ["〒760-8571"], (KeyKind.POSTAL_CODE, "town", {"Z76"})),
        ("法人番号", NUMBERS[:1], (KeyKind.CORPORATE_NUMBER, "corporation", {"*"})),
        ("column_1", NUMBERS, (KeyKind.CORPORATE_NUMBER, "corporation", {"*"})),
    ],
)
def test_codes_are_known_by_header_and_by_values(name: str, values: list[str], found: tuple) -> None:
    key = key_kinds.code_key(name, values)
    assert key is not None
    assert (key.kind, key.grain, set(key.areas)) == found


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("メッシュコード", ["29394611"]),  # south of Japan
        ("mesh", ["53398611"]),  # an eighth row of secondary squares
        ("mesh", ["533946115"]),  # a fifth quarter
        ("市区町村コード", ["011003"]),  # the check digit is wrong
        ("団体コード", ["480002"]),  # a 48th prefecture
        ("法人番号", ["1000020011002"]),
        ("column_1", NUMBERS[:4]),  # too few for a header that says nothing
        ("column_1", ["0600042", "0600001", "0600002", "0600003", "0600004"]),  # any number of seven digits
        ("電話番号", ["011-211-2111"]),
        ("人数", ["53394611", "53394612", "53394613", "53394614", "53394621"]),
        ("メッシュコード", []),
    ],
)
def test_what_only_looks_like_a_code_is_none(name: str, values: list[str]) -> None:
    assert key_kinds.code_key(name, values) is None


@pytest.mark.parametrize(
    ("name", "kind", "values", "grain", "first", "last"),
    [
        ("日付", "date", ["2026-04-01", "2026-04-30"], "day", date(2026, 4, 1), date(2026, 4, 30)),
        ("day", "integer", ["20220401", "20260822"], "day", date(2022, 4, 1), date(2026, 8, 22)),
        ("計測", "date", ["令和8年4月1日", "R8.4.3"], "day", date(2026, 4, 1), date(2026, 4, 3)),
        ("日時", "datetime", ["2026-04-01T09:30"], "time", date(2026, 4, 1), date(2026, 4, 1)),
        ("aggregate from", "datetime", ["2026-04-01 00:00:00"], "day", date(2026, 4, 1), date(2026, 4, 1)),
        ("年月", "string", ["2026年4月", "2026-12"], "month", date(2026, 4, 1), date(2026, 12, 1)),
        ("年月", "integer", ["202604"], "month", date(2026, 4, 1), date(2026, 4, 1)),
        ("年度", "integer", ["2019", "2026"], "year", date(2019, 1, 1), date(2026, 1, 1)),
        ("日時", "", [], "day", None, None),
    ],
)
def test_days_are_known_however_they_are_written(
    name: str, kind: str, values: list[str], grain: str, first: date | None, last: date | None
) -> None:
    key = key_kinds.date_key(name, kind, values)
    assert key == Key(KeyKind.DATE, grain, (name,), frozenset({"*"}), first, last)


@pytest.mark.parametrize(
    ("name", "kind", "values"),
    [
        ("生年月日", "date", ["1980-01-01"]),
        ("birthdate", "date", ["1980-01-01"]),
        ("更新日", "date", ["2026-01-01"]),
        ("曜日", "string", ["月", "火"]),
        ("month", "integer", ["4", "12"]),
        ("利用可能曜日", "string", []),
        ("availableDateNote", "empty", []),
        ("日付", "integer", ["20261301"]),
        ("人数", "integer", ["2026"]),
    ],
)
def test_days_of_births_and_of_rows_and_other_numbers_are_no_keys(name: str, kind: str, values: list[str]) -> None:
    assert key_kinds.date_key(name, kind, values) is None


def test_coordinates_are_a_pair_in_japan() -> None:
    found = key_kinds.coordinate_key([("緯度", ["43.06", "43.10"]), ("経度", ["141.35", "141.4"])])
    assert found == Key(KeyKind.COORDINATES, "point", ("緯度", "経度"), frozenset({"M6441"}))
    pair = key_kinds.coordinate_key([("location", ["34.26,134.01", "34.2, 133.9"])])
    assert pair is not None
    assert pair.areas == {"M5134", "M5133"}
    assert key_kinds.coordinate_key([("lat", ["143.06"]), ("lng", ["141.35"])]) is None
    assert key_kinds.coordinate_key([("緯度", ["43.06"]), ("高さ", ["141.35"])]) is None
    assert key_kinds.coordinate_key([("lat", ["24.3", "45.4"]), ("lon", ["123.0", "145.5"])]).areas == {"*"}
    assert key_kinds.box_key(["-10", "50", "2", "55"]) is None


def document(*columns: dict[str, Any], preview: list[list[str]] | None = None, **more: Any) -> dict[str, Any]:
    profile = {"columns": list(columns), "preview": preview or []}
    return {"region": "011002", "releases": [{"files": [{"profile": profile}]}]} | more


def test_a_document_has_the_keys_of_its_newest_release_with_the_days_it_reaches_over() -> None:
    told = document(
        {"name": "日付", "type": "date", "min": "2025-04-01", "max": "2026-03-31", "examples": ["2025-05-01"]},
        {"name": "mesh", "type": "integer", "min": "53394611", "max": "53394699", "examples": []},
        {"name": "人数", "type": "integer", "min": "0", "max": "9", "examples": []},
        preview=[["2025-06-01", "53394612", "3"]],
    )
    told["releases"].append({"files": [{"profile": {"columns": [{"name": "郵便番号", "examples": ["060-0001"]}]}}]})
    span = {"time_from": date(2025, 4, 1), "time_to": date(2026, 3, 31)}
    assert keys.keys_of(told) == [
        Key(KeyKind.DATE, "day", ("日付",), frozenset({"P01"}), **span),
        Key(KeyKind.MESH, "1km", ("mesh",), frozenset({"M5339"}), **span),
    ]


def test_one_wrong_value_anywhere_that_is_shown_is_enough() -> None:
    column = {"name": "市区町村コード", "type": "string", "min": "011002", "max": "011011", "examples": ["011002"]}
    assert keys.keys_of(document(column))
    assert keys.keys_of(document(column, preview=[["不明"]])) == []


def test_where_few_of_many_values_are_seen_the_areas_between_are_not_known() -> None:
    column = {"name": "団体コード", "type": "string", "min": CODES[0], "max": CODES[-1], "distinct_estimate": 1900}
    [key] = keys.keys_of(document(column))
    assert key.areas == {"*"}


def test_hostile_documents_have_no_keys_and_cost_little() -> None:
    for told in (
        {},
        {"releases": []},
        {"releases": [{"files": [{"profile": None}]}]},
        document({}),
        document({"name": None}),
    ):
        assert keys.keys_of(told) == []
    wide = document(*({"name": f"日付{n}", "type": "date", "min": "2026-01-01"} for n in range(5000)))
    assert len(keys.keys_of(wide)) == 1
    assert key_kinds.code_key("郵便番号", ["〒" * 10_000]) is None


def test_real_municipal_files_have_the_keys_that_a_reader_sees(shared_data: Path) -> None:
    def of(name: str, region: str) -> dict[str, Key]:
        profile = profiling.profile_file(shared_data / name, name).document
        told = {"region": region, "releases": [{"files": [{"profile": profile}]}]}
        return {key.kind.value: key for key in keys.keys_of(told)}

    tourism = of("fukui_tourism_daily_count_ccby.csv", "182010")
    people = of("fukui_station_people_flow.csv", "182010")
    assert (tourism["date"].grain, people["date"].grain) == ("day", "day")
    assert tourism["date"].areas == people["date"].areas == {"P18"}
    towns = of("localgovjp_utf8bom_cc0.csv", "JP")
    assert towns.keys() == {"government_code", "coordinates"}
    assert of("corporate_numbers_2000.csv", "JP").keys() == {"corporate_number"}
    bears = of("sapporo_bears_ccby4.geojson", "011002")
    assert (bears["coordinates"].areas, bears["date"].time_from) == ({"M6441"}, date(2017, 4, 15))
    assert of("takamatsu_ccby4/0001.csv", "372013").keys() == {"coordinates"}
