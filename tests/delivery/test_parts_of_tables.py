"""Making the part of a table that a policy gives, and finding what changed, in this process: the same each time."""

import csv
import datetime as dt
import io
import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.delivery import changes, policing
from marketplace.delivery.changes import child as comparing
from marketplace.delivery.policing import NotEnforceable, child, making, recipe_of
from marketplace.delivery.policing.recipe import Recipe
from marketplace.licensing.reading_policies import read_data_policy

KEY, LIMITS = b"k" * 32, ProfileLimits()
COLUMNS = [
    {"name": "番号", "type": "string", "format": None, "min": "a", "max": "z"},
    {"name": "日付", "type": "date", "format": "era", "min": "1990-04-01", "max": "2019-05-01"},
    {"name": "人数", "type": "integer", "format": None, "min": "1", "max": "98765"},
]
PROFILE = {"format": "csv", "encoding": "cp932", "delimiter": ",", "complete": True, "columns": COLUMNS}
TABLE = '番号,日付,人数\r\nx,平成2年4月1日,1\r\ny,令和元年5月1日,98765\r\n,,\r\n"x",1990-04-01,7\r\n'
POLICY = {
    "columns": [
        {"column": "番号", "treatment": "hash"},
        {"column": "日付", "treatment": "truncate", "length": 7},
    ],
    "rows": [{"column": "人数", "operator": "lt", "value": 1000}],
}


def recipe(policy=POLICY, profile=PROFILE):
    return recipe_of(read_data_policy(policy, ""), profile)


def made(content, wanted, key=KEY):
    """The part of some bytes, by the making process's own words."""
    said = []
    asked = json.loads(wanted.written(key, {}))
    told = child.made(io.BytesIO(content), asked, LIMITS, said.append)
    return b"".join(said), told


def test_a_recipe_travels_whole():
    assert Recipe.read(json.loads(recipe().written(KEY, {}))) == recipe()


def test_texts_are_filtered_hashed_and_cut_the_same_each_time():
    content = TABLE.replace("1990-04-01", "平成2年4月1日").encode("cp932")
    body, said = made(content, recipe())
    assert (body, said) == made(content, recipe())
    assert said == {"rows": 2}
    first, second = csv.DictReader(io.StringIO(body.decode("utf-8-sig"), newline=""))
    assert first == {"番号": making.hashed("x", KEY), "日付": "1990-04", "人数": "1"}
    assert second["番号"] == first["番号"] != making.hashed("x", b"o" * 32)
    assert made(content, recipe(), b"o" * 32)[0] != body


def test_a_value_that_is_absent_stays_absent_and_meets_no_comparison():
    content = TABLE.replace("1990-04-01", "平成2年4月1日").encode("cp932")
    policy = POLICY | {"rows": [{"column": "人数", "operator": "is_null"}]}
    (row,) = csv.DictReader(io.StringIO(made(content, recipe(policy))[0].decode("utf-8-sig"), newline=""))
    assert row == {"番号": "", "日付": "", "人数": ""}
    assert made(content, recipe(POLICY | {"rows": [{"column": "人数", "operator": "ne", "value": 1}]}))[1] == {
        "rows": 2
    }


def test_parquet_keeps_its_types_and_its_statistics_know_the_part_alone():
    table = pa.table({
        "番号": pa.array(["x", "y", None]).dictionary_encode(),
        "日付": pa.array([dt.date(1990, 4, 1), dt.date(2019, 5, 1), None]),
        "人数": pa.array([1, 98765, 2], pa.int32()),
    })  # fmt: skip
    stored = io.BytesIO()
    pq.write_table(table, stored)
    columns = [COLUMNS[0] | {"stored_type": "string"}, COLUMNS[1] | {"stored_type": "date32[day]"}, COLUMNS[2]]
    body, said = made(stored.getvalue(), recipe(profile=PROFILE | {"format": "parquet", "columns": columns}))
    assert said == {"rows": 2}
    found = pq.ParquetFile(io.BytesIO(body))
    assert found.read().to_pylist() == [
        {"番号": making.hashed("x", KEY), "日付": "1990-04", "人数": 1}, {"番号": None, "日付": None, "人数": 2},
    ]  # fmt: skip
    assert found.metadata.row_group(0).column(2).statistics.max == 2
    assert str(found.schema_arrow.field("人数").type) == "int32"


@pytest.mark.parametrize(
    ("policy", "profile", "word"),
    [
        ({"columns": [{"column": "電話", "treatment": "omit"}]}, PROFILE, "電話"),
        ({"columns": [{"column": "人数", "treatment": "truncate", "length": 1}]}, PROFILE, "人数"),
        ({"columns": [{"column": one["name"], "treatment": "omit"} for one in COLUMNS]}, PROFILE, "no column"),
        ({"rows": [{"column": "人数", "operator": "eq", "value": "1"}]}, PROFILE, "人数: a whole number"),
        (POLICY, PROFILE | {"complete": False}, "人数"),
        (
            {"columns": [{"column": "木", "treatment": "hash"}]},
            PROFILE | {"format": "parquet", "columns": [{"name": "木", "type": "nested", "format": None}]},
            "cannot be hashed",
        ),
    ],
    ids=["unknown", "number", "nothing", "misfit", "half read", "nested"],
)
def test_a_policy_that_a_table_cannot_keep_says_why_without_a_value(policy, profile, word):
    with pytest.raises(NotEnforceable, match=word) as reason:
        recipe(policy, profile)
    assert "98765" not in str(reason.value)


def test_what_cannot_be_read_is_told_by_its_kind_alone(tmp_path):
    content = TABLE.replace("98765", "九万八千").encode("cp932")
    assert made(content, recipe())[1] == {"problem": "Misfit"}
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(NotEnforceable, match="Misfit") as reason:
        policing.make(path, recipe(), KEY, LIMITS, b"".join)
    assert "九万" not in str(reason.value)


def parquet(rows, names=("番号", "値")):
    stored = io.BytesIO()
    pq.write_table(
        pa.table({name: list(column) for name, column in zip(names, zip(*rows, strict=True), strict=True)}), stored
    )
    return stored


BEFORE = [(1, 1.5), (2, None), (3, 2.0), (4, float("nan"))]
AFTER = [(4, float("nan")), (2, 0.5), (1, 1.5), (5, None)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        (["番号"], [("delete", 3), ("update_preimage", 2), ("update_postimage", 2), ("insert", 5)]),
        ([], [("delete", 2), ("delete", 3), ("insert", 2), ("insert", 5)]),
        (["無い"], [("delete", 2), ("delete", 3), ("insert", 2), ("insert", 5)]),
    ],
    ids=["key", "no key", "no such key"],
)
def test_changes_are_found_by_key_or_by_whole_rows_the_same_each_time(keys, expected):
    bodies = []
    for _ in range(2):
        tables = [parquet(BEFORE), parquet(AFTER)]
        for table in tables:
            table.seek(0)
        body, rows = changes.compare(tables, keys, LIMITS, b"".join)
        assert rows == len(expected)
        bodies.append(body)
    assert bodies[0] == bodies[1]
    found = pq.read_table(io.BytesIO(bodies[0])).to_pylist()
    assert [(row["_change_type"], row["番号"]) for row in found] == expected


@pytest.mark.parametrize(
    ("after", "problem"),
    [(parquet(AFTER, ("番号", "別")).getvalue(), "columns"), (b"none", "ArrowInvalid")],
    ids=["other columns", "no table"],
)
def test_tables_that_cannot_be_compared_say_so(after, problem):
    before, said = parquet(BEFORE).getvalue(), []
    asked = {"sizes": [len(before), len(after)], "keys": []}
    assert comparing.compared(io.BytesIO(before + after), asked, LIMITS, said.append) == {"problem": problem}
    with pytest.raises(changes.NotComparable, match=r"columns changed|could not be read"):
        changes.compare([io.BytesIO(before), io.BytesIO(after)], [], LIMITS, b"".join)
