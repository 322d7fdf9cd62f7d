"""What a query may ask, what becomes of it, and that no word of a stranger ever becomes a part of a statement."""

import re

import pytest

from marketplace.delivery.rows import cursors, query, statements
from marketplace.delivery.rows.columns import Column
from marketplace.delivery.rows.cursors import Place
from marketplace.kit.errors import Invalid
from tests.delivery.rows.attacks import BLOCKED, ESCAPES, HARMLESS, MEMORY_BOMBS, TIME_BOMBS

COLUMNS = (
    Column("市区町村名", "string", 0),
    Column("人口", "long", 1),
    Column("面積", "double", 2),
    Column("設立日", "date", 3, "era"),
    Column("更新日時", "timestamp_ntz", 4),
    Column("観測", "timestamp", 5),
    Column("公開", "boolean", 6),
    Column("図形", "opaque", 7),
)
STATEMENTS = (*BLOCKED, *HARMLESS, *TIME_BOMBS, *MEMORY_BOMBS, *ESCAPES)
OURS = re.compile(
    r"SELECT|FROM|AS|WHERE|AND|OR|NOT|IS|NULL|NULLS|LAST|IN|CAST|ORDER|BY|ASC|DESC|LIMIT|DISTINCT|source|after|VARCHAR"
    r"|[sa]\.c[0-9]+|[sa]\.r|[sa]|[0-9]+|[?(),=<>]"
)


def faults(**asked) -> list[str]:
    with pytest.raises(Invalid) as refusal:
        query.checked(asked, COLUMNS, 1000)
    return [error["pointer"] for error in refusal.value.errors]


def test_statements_as_names_are_no_names():
    assert faults(columns=list(STATEMENTS)) == [f"/columns/{place}" for place in range(len(STATEMENTS))]
    order = [{"column": one} for one in STATEMENTS]
    assert faults(order=order) == [f"/order/{place}/column" for place in range(len(STATEMENTS))]
    where = [{"column": one, "operator": "is_null"} for one in STATEMENTS]
    assert faults(where=where) == [f"/where/{place}/column" for place in range(len(STATEMENTS))]


@pytest.mark.parametrize("column", ["人口", "面積", "設立日", "更新日時", "観測", "公開"])
def test_statements_as_values_are_no_numbers_dates_or_truths(column: str):
    where = [{"column": column, "operator": "eq", "value": one} for one in STATEMENTS]
    assert faults(where=where) == [f"/where/{place}/value" for place in range(len(STATEMENTS))]


def test_statements_as_texts_are_parameters_and_nothing_more():
    where = [{"column": "市区町村名", "operator": "in", "value": list(STATEMENTS)}]
    asked = query.checked({"where": where, "order": [{"column": "人口"}]}, COLUMNS, 1000)
    text, values = statements.select(asked.places, asked.where, asked.order, 10, follows=True)
    assert values == list(STATEMENTS)
    assert text.count("?") == len(STATEMENTS)
    assert [word for word in re.findall(r"[\w.]+|[^\w\s]", text) if not OURS.fullmatch(word)] == []


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cursors.installation_key, "derived", lambda purpose: purpose.encode().ljust(32, b"k"))


@pytest.mark.usefixtures("key")
def test_statements_as_cursors_are_none_of_ours():
    asked = query.checked({}, COLUMNS, 1000)
    for one in STATEMENTS:
        with pytest.raises(Invalid):
            cursors.read(one, "grt_1", "5f" * 32, asked)


@pytest.mark.usefixtures("key")
def test_a_cursor_is_good_for_its_grant_content_and_query_alone():
    asked = query.checked({"order": [{"column": "人口"}]}, COLUMNS, 1000)
    place = Place("rel_" + "0" * 32, 41)
    cursor = cursors.written(place, "grt_1", "5f" * 32, asked)
    assert cursors.read(cursor, "grt_1", "5f" * 32, asked) == place
    assert cursors.release_of(cursor) == place.release_id
    larger = query.checked({"order": [{"column": "人口"}], "limit": 7, "format": "csv"}, COLUMNS, 1000)
    assert cursors.read(cursor, "grt_1", "5f" * 32, larger) == place
    others = (
        {"order": [{"column": "人口", "direction": "desc"}]},
        {"order": [{"column": "人口"}], "columns": ["人口"]},
        {"order": [{"column": "人口"}], "where": [{"column": "人口", "operator": "gt", "value": 0}]},
    )
    for other in others:
        with pytest.raises(Invalid):
            cursors.read(cursor, "grt_1", "5f" * 32, query.checked(other, COLUMNS, 1000))
    for grant_id, sha256 in (("grt_2", "5f" * 32), ("grt_1", "6f" * 32)):
        with pytest.raises(Invalid):
            cursors.read(cursor, grant_id, sha256, asked)


@pytest.mark.usefixtures("key")
def test_a_cursor_with_any_sign_changed_is_none_of_ours():
    asked = query.checked({}, COLUMNS, 1000)
    cursor = cursors.written(Place("rel_" + "0" * 32, 41), "grt_1", "5f" * 32, asked)
    for place, sign in enumerate(cursor[:-1]):
        bent = cursor[:place] + ("A" if sign != "A" else "B") + cursor[place + 1 :]
        with pytest.raises(Invalid):
            cursors.read(bent, "grt_1", "5f" * 32, asked)


@pytest.mark.parametrize(
    ("asked", "pointer"),
    [
        ({"columns": ["人口", "人口"]}, "/columns"),
        ({"where": [{"column": "人口", "operator": "eq", "value": 2.5}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "eq", "value": 10**40}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "eq", "value": True}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "eq", "value": None}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "eq"}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "eq", "value": [1]}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "in", "value": 1}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "in", "value": []}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "in", "value": [1, "二"]}]}, "/where/0/value/1"),
        ({"where": [{"column": "人口", "operator": "is_null", "value": 1}]}, "/where/0/value"),
        ({"where": [{"column": "人口", "operator": "prefix", "value": "1"}]}, "/where/0/operator"),
        ({"where": [{"column": "公開", "operator": "lt", "value": True}]}, "/where/0/operator"),
        ({"where": [{"column": "市区町村名", "operator": "eq", "value": 1}]}, "/where/0/value"),
        ({"where": [{"column": "面積", "operator": "eq", "value": float("inf")}]}, "/where/0/value"),
        ({"where": [{"column": "設立日", "operator": "eq", "value": "令和2年4月1日"}]}, "/where/0/value"),
        ({"where": [{"column": "更新日時", "operator": "eq", "value": "2026-11-22T09:00:00Z"}]}, "/where/0/value"),
        ({"where": [{"column": "観測", "operator": "eq", "value": "2026-11-22T09:00:00"}]}, "/where/0/value"),
        ({"where": [{"column": "図形", "operator": "eq", "value": "POINT(1 2)"}]}, "/where/0/column"),
        ({"order": [{"column": "図形"}]}, "/order/0/column"),
        ({"limit": 0}, "/limit"),
        ({"limit": 1001}, "/limit"),
    ],
    ids=lambda part: None if isinstance(part, str) else "+".join(part),
)
def test_a_query_beyond_the_table_is_refused_where_it_goes_wrong(asked: dict, pointer: str):
    assert faults(**asked) == [pointer]


def test_all_faults_are_told_at_once():
    assert faults(columns=["無い"], order=[{"column": "無い"}], limit=0) == ["/columns/0", "/order/0/column", "/limit"]


def test_values_travel_in_the_words_of_their_type():
    asked = [
        {"column": "人口", "operator": "eq", "value": 5000.0},
        {"column": "面積", "operator": "eq", "value": 1e-7},
        {"column": "観測", "operator": "eq", "value": "2026-11-22T09:00:00+09:00"},
        {"column": "公開", "operator": "ne", "value": False},
    ]
    found = query.checked({"where": asked}, COLUMNS, 1000).where
    assert [one.values for one in found] == [("5000",), ("1E-7",), ("2026-11-22 09:00:00+09:00",), ("false",)]
