"""Columns that look like personal data are found, and no value of theirs is shown."""

import json

import pytest

from marketplace.privacy import masking
from marketplace.privacy.detectors import MASK

SECRET = "090-1234-5678"
MY_NUMBER = "123456789018"


def profile_of(name, *cells):
    column = {"name": name, "type": "string", "min": min(cells), "max": max(cells), "examples": list(cells[:2])}
    column["distribution"] = {"kind": "values", "values": [{"value": cells[0], "count": 10}], "others": 0}
    other = {"name": "区", "type": "string", "min": "北区", "max": "東区", "examples": ["北区"]}
    return {
        "format": "csv",
        "columns": [column, other],
        "preview": [[cell, "北区"] for cell in cells] + [[None, "東区"]],
    }


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("電話番号", [SECRET, "090-2345-6789"]), ("連絡先", ["sato@example.jp", "suzuki@example.jp"]),
        ("氏名", ["佐藤 花子", "鈴木 一郎"]), ("生年月日", ["1980-01-01", "1975-12-31"]), ("個人番号", [MY_NUMBER, MY_NUMBER]),
        ("カード番号", ["4111 1111 1111 1111", "5555 5555 5555 4444"]),
    ],
)  # fmt: skip
def test_no_value_of_what_looks_like_personal_data_is_left(name, cells):
    profile = profile_of(name, *cells)
    findings = masking.suspect(profile)
    told = masking.masked(profile, findings)
    assert list(findings) == [name]
    assert told["columns"][0]["masked"] == findings[name]
    assert not any(cell in json.dumps(told, ensure_ascii=False) for cell in cells)
    assert told["preview"] == [[MASK, "北区"]] * 2 + [[None, "東区"]]
    assert told["columns"][1] == profile["columns"][1]
    assert cells[0] in json.dumps(profile, ensure_ascii=False)


@pytest.mark.parametrize(
    ("name", "cells"),
    [
        ("施設名", ["中央図書館", "北図書館"]),
        ("説明", ["多様な仕様", "お客様へ"]),
        ("年度", ["2024", "2025"]),
        ("日付", ["2026-11-22", "2026-11-23"]),
    ],
)
def test_a_profile_without_such_columns_is_the_same(name, cells):
    profile = profile_of(name, *cells)
    assert masking.masked(profile, masking.suspect(profile)) is profile


def test_values_beside_the_preview_are_looked_at_too():
    profile = profile_of("電話番号", SECRET, SECRET) | {"preview": []}
    assert "電話番号" in masking.suspect(profile)
    assert masking.suspect({}) == {}


def test_a_provider_may_lift_what_is_not_of_persons_and_mask_what_is():
    findings = {"電話": ["telephone"], "番号": ["myNumber", "telephone"]}
    assert masking.decided(findings, {"電話": False, "番号": False}) == {"番号": ["myNumber"]}
    assert masking.decided(findings, {"備考": True, "電話": True}) == findings | {"備考": ["declared"]}


def test_a_row_that_is_short_or_holds_no_text_is_no_trouble():
    profile = {"columns": [{"name": "a"}, {"name": "氏名"}], "preview": [["x"], [1, "佐藤 花子"], ["y", "鈴木 一郎"]]}
    assert masking.masked(profile, masking.suspect(profile))["preview"] == [["x"], [1, MASK], ["y", MASK]]
