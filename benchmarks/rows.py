"""A page of rows, read in its confined process and without one, against DuckDB on the same local file, in pairs."""

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from marketplace.catalog import profiling
from marketplace.delivery.rows import child, columns, query, reader
from marketplace.delivery.rows.task import RowLimits, Source, Task

ROWS, ROWS_QUICK = 2_000_000, 200_000
PAIRS, PAIRS_QUICK = 9, 3
LIMIT = 10_000
FIRST = {"columns": ["place", "people"], "where": [{"column": "people", "operator": "ge", "value": 90}]}
QUERIES: dict[str, tuple[dict[str, Any], str]] = {
    "the first rows that meet a condition": (FIRST, "SELECT place, people FROM '{}' WHERE people >= 90 LIMIT 10000"),
    "the same, sorted": (
        FIRST | {"order": [{"column": "people", "direction": "desc"}, {"column": "place"}]},
        "SELECT place, people FROM '{}' WHERE people >= 90 ORDER BY people DESC, place LIMIT 10000",
    ),
}
BARE = "import duckdb, sys; duckdb.sql('SET threads = 1'); duckdb.sql(sys.argv[1]).to_arrow_table()"


def main(arguments: list[str]) -> None:
    """Print seconds, and the paired ratio to DuckDB in one thread on the file, each with and without a process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rows")
    parser.add_argument("--quick", action="store_true", help="a smaller table and fewer pairs")
    is_quick = parser.parse_args(arguments).quick
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "table.parquet"
        _write(path, ROWS_QUICK if is_quick else ROWS)
        for name, (asked, statement) in QUERIES.items():
            print(f"{name}, {LIMIT} of {ROWS_QUICK if is_quick else ROWS} rows, as an Arrow stream")
            _compare(path, asked, statement.format(path), PAIRS_QUICK if is_quick else PAIRS)


def _write(path: Path, rows: int) -> None:
    numbers = range(rows)
    table = pa.table(
        {
            "number": pa.array(numbers, pa.int64()),
            "place": pa.array([f"地点{number * 7919 % 1000:03d}" for number in numbers]),
            "people": pa.array([number * 104_729 % 100 for number in numbers], pa.int64()),
            "note": pa.array([f"備考 {number * 31 % 9973}" for number in numbers]),
        }
    )
    pq.write_table(table, path, row_group_size=131_072)


def _compare(path: Path, asked: dict[str, Any], statement: str, pairs: int) -> None:
    task = _task(path, asked)
    own = duckdb.connect(":memory:")
    own.execute("SET threads = 1")
    deeds: dict[str, Callable[[], object]] = {
        "DuckDB on the file": lambda: own.sql(statement).to_arrow_table(),
        "our reading, in this process": lambda: _here(path, task),
        "DuckDB on the file, in a process of its own": lambda: subprocess.run(
            [sys.executable, "-c", BARE, statement], check=True
        ),
        "our page, in its confined process": lambda: _apart(path, task),
    }
    figures: dict[str, list[float]] = {name: [] for name in deeds}
    for _pair in range(pairs):
        for name, deed in deeds.items():
            figures[name].append(_seconds(deed))
    bare, _here_too, bare_apart, _apart_too = figures.values()
    for (name, seconds), limit in zip(figures.items(), (bare, bare, bare_apart, bare_apart), strict=True):
        ratio = statistics.median(one / other for one, other in zip(seconds, limit, strict=True))
        print(f"  {name:44} {statistics.median(seconds):8.3f} s, {ratio:6.2f} x the limit")


def _task(path: Path, asked: dict[str, Any]) -> Task:
    profile = profiling.profile_file(path, path.name).document
    found = columns.columns_of(profile)
    wanted = query.checked(asked | {"limit": LIMIT, "format": "arrow"}, found, LIMIT)
    return Task.of(Source.of(profile), found, wanted, None, RowLimits())


def _here(path: Path, task: Task) -> None:
    with path.open("rb") as file:
        _whole(reader.judged(child.answered(file, task), task))


def _apart(path: Path, task: Task) -> None:
    with path.open("rb") as file:
        _whole(reader.read(file, task))


def _whole(page: reader.Read) -> None:
    if page.rows != LIMIT:
        raise RuntimeError(f"a page of {page.rows} rows")


def _seconds(deed: Callable[[], object]) -> float:
    start = time.perf_counter()
    deed()
    return time.perf_counter() - start
