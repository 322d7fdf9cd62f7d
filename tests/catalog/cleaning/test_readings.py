"""What publishers write, read as codes."""

import csv
from datetime import date
from pathlib import Path

import pytest

from marketplace.catalog.cleaning import formats, periods, regions, tags, themes
from marketplace.catalog.cleaning.licences import differ, licence_of
from marketplace.catalog.states import Licence, Theme

LICENCES = {
    "CC-BY-4.0": (Licence.CC_BY, "CC-BY-4.0"),
    "cc-by": (Licence.CC_BY, "CC-BY"),
    "http://creativecommons.org/licenses/by/3.0/deed.ja": (Licence.OTHER, "CC-BY-3.0"),
    "https://creativecommons.org/licenses/by/4.0/legalcode.ja": (Licence.CC_BY, "CC-BY-4.0"),
    "ＣＣ　ＢＹ－ＳＡ　４．０": (Licence.CC_BY_SA, "CC-BY-SA-4.0"),
    "CC BY-NC-ND 4.0": (Licence.CC_BY_NC_ND, "CC-BY-NC-ND-4.0"),
    "CC-BY-2.1-JP": (Licence.OTHER, "CC-BY-2.1"),
    "クリエイティブ・コモンズ 表示（CC BY）": (Licence.CC_BY, "CC-BY"),
    "クリエイティブ・コモンズ 表示-継承 4.0 国際": (Licence.CC_BY_SA, "CC-BY-SA-4.0"),
    "政府標準利用規約（第2.0版）": (Licence.GOVERNMENT_2, "GJSTU-2.0"),
    "政府標準利用規約（第1.0版）": (Licence.OTHER, "GJSTU-1.0"),
    "公共データ利用規約（第1.0版）": (Licence.PUBLIC_DATA, "PDL-1.0"),
    "PDL1.0": (Licence.PUBLIC_DATA, "PDL-1.0"),
    "cc-zero": (Licence.CC0, "CC0-1.0"),
    "other-pd": (Licence.PUBLIC_DOMAIN, "PDM-1.0"),
}


@pytest.mark.parametrize("written", LICENCES)
def test_licences_are_read_however_they_are_written(written: str) -> None:
    read = licence_of(written)
    assert read is not None
    assert (read.code, read.name) == LICENCES[written]


@pytest.mark.parametrize("written", ["", "notspecified", "表示", "OGL-Canada", "cc by-nd-sa"])
def test_what_names_no_licence_is_none(written: str) -> None:
    assert licence_of(written) is None


def test_licences_differ_by_their_terms_and_by_their_versions_where_both_say_one() -> None:
    by = licence_of("CC-BY-4.0")
    others = [licence_of(text) for text in ("CC BY 3.0", "cc-by", "CC BY-SA 4.0")]
    assert [by is not None and one is not None and differ(by, one) for one in others] == [True, False, True]


@pytest.mark.parametrize(
    ("stated", "address", "name"),
    [
        ("xisx", "", "xlsx"), ("ＣＳＶ", "", "csv"), ("CSV（UTF-8）", "", "csv"), ("Excel形式", "", "xlsx"),
        (".geojson", "", "geojson"), ("", "https://data.example.jp/a.CSV?x=1", "csv"), ("???", "https://a.example/b", ""),
        ("シェープファイル", "", "shp"), ("", "https://[", ""),
    ],
)  # fmt: skip
def test_formats_have_one_name(stated: str, address: str, name: str) -> None:
    assert formats.format_of(stated, address) == name


@pytest.mark.parametrize(
    ("text", "first", "last"),
    [
        ("世帯と人口 _平成29年10月", date(2017, 10, 1), date(2017, 10, 31)),
        ("令和３年度", date(2021, 4, 1), date(2022, 3, 31)),
        ("令和元年度", date(2019, 4, 1), date(2020, 3, 31)),
        ("平成28年度 2月", date(2017, 2, 1), date(2017, 2, 28)),
        ("H30_屋内運動場面積", date(2018, 1, 1), date(2018, 12, 31)),
        ("写真 平成10年～平成19年（1998～2007）", date(1998, 1, 1), date(2007, 12, 31)),
        ("昭和64年1月7日", date(1989, 1, 7), date(1989, 1, 7)),
        ("（2021年2月29日）（2020年2月29日）", date(2020, 2, 29), date(2020, 2, 29)),
    ],
)
def test_periods_are_read_in_eras_and_fiscal_years(text: str, first: date, last: date) -> None:
    found = periods.period_of(text)
    assert found is not None
    assert (found.first, found.last) == (first, last)


@pytest.mark.parametrize("text", ["人口", "PDF20.3MB 3,500KB", "1234", "平成99年", "令和0年", "第12345号", "2021.5"])
def test_numbers_that_are_no_years_are_none(text: str) -> None:
    assert periods.period_of(text) is None


def test_places_are_read_from_the_publisher_before_the_title() -> None:
    assert regions.region_of("新宿区 危機管理課", "東京都の避難所") == ("131041", 90)
    assert regions.region_of("警視庁 交通部") == ("130001", 85)
    assert regions.region_of("統計課", "札幌市の人口") == ("011002", 75)
    assert regions.region_of("統計課", "札幌市と仙台市の比較") is None
    assert regions.region_of("港区") is None
    assert regions.region_of("港区", within="130001") == ("131032", 90)
    assert regions.region_of("東京都港区") == ("131032", 90)
    assert regions.region_of("統計課") is None


def test_every_code_is_that_of_the_list_of_municipalities(shared_data: Path) -> None:
    known: dict[str, set[str]] = {}
    with (shared_data / "localgovjp_utf8bom_cc0.csv").open(encoding="utf-8-sig", newline="") as file:
        for row in csv.DictReader(file):
            known.setdefault(row["city"], set()).add(row["lgcode"])
    for name, code in regions.MUNICIPALITIES.items():
        assert code in known[name], name


def test_themes_and_tags_are_those_of_the_words_with_how_sure_they_are() -> None:
    found = themes.themes_of("避難所一覧", ["指定避難所の位置", "避難所"])
    assert found[0][0] == Theme.SAFETY_ENVIRONMENT
    assert found[0][1] > 80
    assert themes.themes_of("なぞの表", []) == []
    assert themes.themes_of("Bus timetable", []) == [(Theme.TRANSPORT_TOURISM, 70)]
    words = dict(tags.tags_of("避難所一覧（札幌市）平成30年", ["避難所の位置"]))
    assert "避難所" in words
    assert not {"一覧", "札幌市", "平成"} & set(words)
    assert tags.tags_of("避難所", [], known=("避難所",)) == []
