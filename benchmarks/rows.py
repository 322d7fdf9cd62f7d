"""A page of rows, by itself and through the exchange, against DuckDB on the same local file, in pairs."""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from benchmarks import machine, world
from benchmarks.download_servers import EVENTS, THREADED
from benchmarks.world import Shop, World
from marketplace.catalog import profiling
from marketplace.delivery.rows import child, columns, query, reader
from marketplace.delivery.rows.task import RowLimits, Source, Task

ROWS, ROWS_QUICK = 2_000_000, 200_000
PAIRS, PAIRS_QUICK = 5, 3
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
    parser.add_argument("--worker", choices=(THREADED, EVENTS), default=THREADED)
    options = parser.parse_args(arguments)
    rows, pairs = (ROWS_QUICK, PAIRS_QUICK) if options.quick else (ROWS, PAIRS)
    with tempfile.TemporaryDirectory() as folder, world.installed() as exchange:
        path = Path(folder) / "table.parquet"
        write_table(path, rows)
        shop = exchange.table_shop(path)
        with exchange.serving("cubic", options.worker):
            for name, (asked, statement) in QUERIES.items():
                print(f"{name}, {LIMIT} of {rows} rows, as an Arrow stream")
                _compare(path, asked, statement.format(path), pairs, _through(exchange, shop, path.name, asked))


def _through(exchange: World, shop: Shop, name: str, asked: dict[str, Any]) -> Callable[[], None]:
    """Return what asks the exchange for the page over HTTP: authorised, held, metered and recorded."""
    address = f"{exchange.settings.base_url}/v1/grants/{shop.grant_id}/files/{name}/rows"
    headers = {"Authorization": exchange.bearer(exchange.buyer), "Content-Type": "application/json"}
    body = json.dumps(asked | {"limit": LIMIT, "format": "arrow"}).encode()

    def ask() -> None:
        with urllib.request.urlopen(urllib.request.Request(address, data=body, headers=headers)) as answer:
            if pa.ipc.open_stream(answer.read()).read_all().num_rows != LIMIT:
                raise RuntimeError("not the whole page")

    return ask


def write_table(path: Path, rows: int) -> None:
    """Write a table of numbers and Japanese texts as Parquet."""
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


def _compare(path: Path, asked: dict[str, Any], statement: str, pairs: int, through: Callable[[], None]) -> None:
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
        "the same through the exchange, over HTTP": through,
    }
    through()
    figures = machine.shuffled_rounds({name: partial(_seconds, deed) for name, deed in deeds.items()}, pairs)
    bare, _here_too, bare_apart, _apart_too, _through_too = figures.values()
    limits = (bare, bare, bare_apart, bare_apart, bare_apart)
    for (name, seconds), limit in zip(figures.items(), limits, strict=True):
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
