"""How the values of a column are spread, and that nothing rare is told."""

from datetime import date, timedelta

import pytest

from marketplace.catalog.profiling import kinds
from marketplace.catalog.profiling.columns import Column
from marketplace.catalog.profiling.distinct import DistinctCounter
from marketplace.catalog.profiling.distribution import Distribution


def reported(cells, kind="string", read=None, **sized):
    known = Distribution(**sized)
    for start in range(0, len(cells), 100):
        known.add(cells[start : start + 100])
    return known.report(kind, read)


def test_frequent_values_are_told_with_their_counts():
    found = reported(["中央区"] * 30 + ["北区"] * 12 + ["東区"] * 10)
    assert found == {
        "kind": "values",
        "values": [{"value": "中央区", "count": 30}, {"value": "北区", "count": 12}, {"value": "東区", "count": 10}],
        "others": 0,
    }


def test_what_fewer_than_ten_rows_have_is_not_told():
    found = reported(["中央区"] * 30 + ["難病"] * 9 + [f"氏名{n}" for n in range(8)])
    assert found["values"] == [{"value": "中央区", "count": 30}]
    assert found["others"] == 17
    assert reported([f"氏名{n}" for n in range(50)]) is None


def test_many_different_values_and_long_ones_are_not_counted_as_frequent():
    assert reported([f"番地{n % 300}" for n in range(30_000)]) is None
    assert reported(["長い説明" * 20] * 1000) is None


def test_the_ends_of_a_histogram_are_those_of_many():
    ages = [str(20 + n % 60) for n in range(6000)] + ["117"]
    found = reported(ages, "integer", int)
    assert found["kind"] == "histogram"
    assert (found["low"], found["high"]) == ("20", "79")
    assert len(found["counts"]) == 16
    assert sum(found["counts"]) == 6001
    assert not found["sampled"]


def test_a_bar_of_few_says_so_and_not_how_many():
    numbers = [str(n % 10) for n in range(1000)] + [str(100 + n) for n in range(60)] + ["50"] * 3
    found = reported(numbers, "integer", int)
    assert None in found["counts"]
    assert all(count is None or count == 0 or count >= Distribution.RARE for count in found["counts"])


def test_a_long_column_is_sampled_evenly_at_constant_memory():
    known = Distribution(64)
    for start in range(0, 100_000, 1000):
        known.add([str(n) for n in range(start, start + 1000)])
    found = known.report("integer", int)
    assert found["sampled"]
    assert len(known._sample) <= 128
    assert sum(found["counts"]) == pytest.approx(100_000, rel=0.05)
    assert max(found["counts"]) < 2 * min(found["counts"])


def test_counted_values_are_taken_in_as_if_each_came_alone():
    one, other = Distribution(32), Distribution(32)
    one.add_counted({"a": 700, "b": 300})
    other.add(["a"] * 700 + ["b"] * 300)
    assert one.report("string", None) == other.report("string", None)
    assert one._sample == other._sample


def test_dates_of_every_spelling_are_on_one_axis():
    days = [date(2024, 1, 1) + timedelta(days=n) for n in range(366)]
    column = Column("日付", DistinctCounter())
    column.add_texts([f"令和6年{day.month}月{day.day}日" for day in days])
    found = column.report(366, 200)["distribution"]
    assert found["kind"] == "histogram"
    assert found["low"].startswith("2024-01-1")
    assert found["high"].startswith("2024-12-2")


def test_numbers_that_are_on_no_axis_have_no_histogram():
    strange = [f"{n}E+900" for n in range(1, 300)] * 2
    assert reported(strange, "decimal", kinds.SPELLINGS[2].read) is None
    assert reported(["x"] * 500 + [str(n) for n in range(300)], "integer") is None


def test_columns_of_a_wide_table_share_the_memory():
    assert Distribution.beside(DistinctCounter.shared_by(4096))._size < 64
    assert Distribution.beside(None)._size == 16
