"""Units are read from what tables write, and from nothing else."""

import pytest

from marketplace.catalog.units import find_unit, unit_in


@pytest.mark.parametrize(
    ("header", "code"),
    [
        ("人口（人）", "{person}"), ("面積(km2)", "km2"), ("面積（㎢）", "km2"), ("金額［千円］", "k{JPY}"), ("気温(℃)", "Cel"),
        ("降水量_mm", "mm"), ("増減率（％）", "%"), ("年間売上（単位：百万円）", "M{JPY}"), ("世帯数【世帯】", "{household}"),
        ("電力量 kWh", "kW.h"), ("緯度（度）", "deg"), ("PM2.5(μg/m3)", "ug/m3"), ("人口密度(人/㎢)", "{person}/km2"),
        ("延床面積（平方メートル）", "m2"), ("面積（実測）（ha）", "har"),
    ],
)  # fmt: skip
def test_a_header_states_its_unit(header, code):
    assert unit_in(header).code == code


@pytest.mark.parametrize(
    "header",
    ["名称（カナ）", "名称", "population_total", "km/h(最大)", "品目(A)", "区分（V）", "", "(", "備考（）", "時間_s"],
)
def test_a_header_without_a_unit_states_none(header):
    assert unit_in(header) is None


def test_a_hostile_header_is_read_in_no_time():
    assert unit_in("（" * 100_000) is None
    assert unit_in("単位" * 100_000) is None


def test_units_have_names_in_both_languages():
    assert find_unit("㎢") == ("km2", "km²", "square kilometres")
    assert find_unit("ぬ") is None
