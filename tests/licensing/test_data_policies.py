"""Policies on the columns and rows of tables: read strictly, named by what they say, said to people and machines."""

import pytest

from marketplace.delivery.rows.query import OPERATORS
from marketplace.kit.errors import Invalid
from marketplace.licensing import policy, rules
from marketplace.licensing.reading_policies import policy_sha256, read_data_policy, write_data_policy
from marketplace.licensing.states import Comparison, Treatment

FULL = {
    "columns": [
        {"column": "番号", "treatment": "鍵付きハッシュ"},
        {"column": "氏名", "treatment": "omit"},
        {"column": "生年月日", "treatment": "truncate", "length": 4.0},
    ],
    "rows": [
        {"column": "人数", "operator": "ge", "value": 10.0},
        {"column": "公開", "operator": "eq", "value": True},
        {"column": "区", "operator": "in", "value": ["中央区", "北区"]},
        {"column": "備考", "operator": "is_null"},
    ],
}


def terms_with(data_policy, **items):
    return rules.read_terms({"template": "standard-commercial", "data_policy": data_policy, **items})


def test_conditions_have_the_operators_of_the_row_api():
    assert {one.value for one in Comparison} == set(OPERATORS)


def test_the_same_policy_has_one_name_whoever_writes_it():
    turned = {name: list(reversed(FULL[name])) for name in FULL}
    assert policy_sha256(read_data_policy(FULL, "")) == policy_sha256(read_data_policy(turned, ""))
    written = write_data_policy(read_data_policy(FULL, ""))
    assert read_data_policy(written, "") == read_data_policy(FULL, "")
    assert [one["column"] for one in written["columns"]] == ["氏名", "生年月日", "番号"]
    assert {"column": "人数", "operator": "ge", "value": 10} in written["rows"]


def test_a_policy_is_a_part_of_the_terms_that_have_one_and_of_no_others():
    plain, policed = rules.read_terms({"template": "standard-commercial"}), terms_with(FULL)
    assert "data_policy" not in rules.terms_document(plain)
    assert rules.terms_sha256(plain) != rules.terms_sha256(policed)
    assert rules.restore_terms(rules.terms_document(policed)) == policed
    assert rules.read_terms({"template": "cc-by-4.0", "data_policy": FULL}).data_policy == policed.data_policy


@pytest.mark.parametrize(
    ("data_policy", "pointer"),
    [
        ({}, ""),
        ("SELECT 1", ""),
        ({"sql": "1=1"}, "/sql"),
        ({"columns": {}}, "/columns"),
        ({"columns": [{"column": "a", "treatment": "drop"}]}, "/columns/0/treatment"),
        ({"columns": [{"column": "a", "treatment": "truncate"}]}, "/columns/0/length"),
        ({"columns": [{"column": "a", "treatment": "truncate", "length": 0}]}, "/columns/0/length"),
        ({"columns": [{"column": "a", "treatment": "omit", "length": 1}]}, "/columns/0/length"),
        ({"columns": [{"column": "", "treatment": "omit"}]}, "/columns/0/column"),
        ({"columns": [{"column": "a\nb", "treatment": "omit"}]}, "/columns/0/column"),
        ({"columns": [{"column": "a", "treatment": t} for t in ("omit", "hash")]}, "/columns"),
        ({"rows": [{"column": "a", "operator": "like", "value": "%"}]}, "/rows/0/operator"),
        ({"rows": [{"column": "a", "operator": "eq"}]}, "/rows/0/value"),
        ({"rows": [{"column": "a", "operator": "eq", "value": {"$ne": 1}}]}, "/rows/0/value"),
        ({"rows": [{"column": "a", "operator": "eq", "value": float("nan")}]}, "/rows/0/value"),
        ({"rows": [{"column": "a", "operator": "in", "value": "b"}]}, "/rows/0/value"),
        ({"rows": [{"column": "a", "operator": "in", "value": []}]}, "/rows/0/value"),
        ({"rows": [{"column": "a", "operator": "not_null", "value": None}]}, "/rows/0/value"),
    ],
    ids=str,
)
def test_what_is_no_policy_is_refused_where_it_stands(data_policy, pointer):
    with pytest.raises(Invalid) as refusal:
        terms_with(data_policy)
    assert [one["pointer"] for one in refusal.value.errors] == [f"/data_policy{pointer}"]


def test_a_part_is_not_marked_as_well():
    with pytest.raises(Invalid) as refusal:
        terms_with(FULL, tracing="row_order")
    assert [one["pointer"] for one in refusal.value.errors] == ["/tracing"]


def test_people_read_it_in_both_languages():
    japanese, english = policy.to_japanese(terms_with(FULL)), policy.to_english(terms_with(FULL))
    for said in (
        "第16条(提供する列と行)",
        "列「氏名」は除外する。",
        "列「番号」の値は、利用権ごとに異なる鍵によるハッシュ(HMAC-SHA256)に置き換える。",
        "列「生年月日」の値は、先頭の4文字だけを提供する。",
        "・列「人数」が次以上：10",
        "・列「公開」が次に等しい：true",
        "・列「区」が次のいずれか：中央区、北区",
        "・列「備考」に値がない",
    ):
        assert f"  {said}\n" in japanese or f"{said}\n" in japanese, said
    for said in (
        '"氏名" is left out.',
        "HMAC-SHA256",
        "the first 4 characters",
        '- "人数" is at least: 10',
        '- "備考" has no value',
    ):
        assert said in english, said


def test_machines_read_it_as_a_refinement_of_use():
    (rule,) = [
        one for one in policy.to_odrl(terms_with(FULL), "urn:u", "urn:a")["permission"] if one["action"] != "distribute"
    ]
    (action,) = rule["action"]
    assert action["rdf:value"] == {"@id": "odrl:use"}
    assert action["refinement"][0] == {
        "leftOperand": "musubi:columns", "operator": "isNoneOf", "rightOperand": ["氏名"],
    }  # fmt: skip
    masked = {one["musubi:column"]: one for one in action["refinement"][1]["rightOperand"]}
    assert masked["番号"]["musubi:treatment"] == {"@id": f"musubi:treatment:{Treatment.HASH.value}"}
    assert masked["生年月日"]["musubi:length"] == 4
    cells = {one["musubi:column"]: (one["operator"], one["rightOperand"]) for one in action["refinement"][2:]}
    assert cells == {
        "人数": ("gteq", 10), "公開": ("eq", True), "区": ("isAnyOf", ["中央区", "北区"]), "備考": ("eq", policy.NO_VALUE),
    }  # fmt: skip
