"""A table read by Delta Sharing, authorised and metered, against the same Parquet on the local disk, in pairs."""

import argparse
import io
import json
import os
import subprocess
import tempfile
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from benchmarks import machine, world
from benchmarks.download_servers import EVENTS, THREADED
from benchmarks.rows import write_table
from benchmarks.world import Shop, World

ROWS, ROWS_QUICK = 1_000_000, 100_000
ROUNDS, ROUNDS_QUICK = 7, 2
TABLE = "table.parquet"
CLIENT = machine.HERE / "sharing_client.py"


def main(arguments: list[str]) -> None:
    """Print seconds, and the paired ratio to pyarrow and pandas on the file."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks sharing")
    parser.add_argument("--quick", action="store_true", help="a smaller table and fewer rounds")
    parser.add_argument("--worker", choices=(THREADED, EVENTS), default=THREADED)
    options = parser.parse_args(arguments)
    rows, rounds = (ROWS_QUICK, ROUNDS_QUICK) if options.quick else (ROWS, ROUNDS)
    with tempfile.TemporaryDirectory() as folder, world.installed() as exchange:
        path = Path(folder) / TABLE
        write_table(path, rows)
        shop = exchange.table_shop(path)
        print(f"  {rows} rows, {path.stat().st_size / 2**20:.1f} MiB of Parquet")
        with exchange.serving("cubic", options.worker):
            _print(_raw(exchange, shop, path, rounds))
            _print(_official(exchange, shop, path, rounds))


def _raw(exchange: World, shop: Shop, path: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of the protocol's two requests and pyarrow, and of pyarrow alone."""
    authorization = exchange.bearer(exchange.buyer)

    def shared() -> None:
        [file] = [action["file"] for action in _asked(exchange, shop, authorization) if "file" in action]
        with urllib.request.urlopen(file["url"]) as answer:
            pq.read_table(io.BytesIO(answer.read()))

    deeds = {
        "pyarrow on the local file (the limit)": lambda: pq.read_table(path),
        "a query, one GET, and pyarrow": shared,
        "the query alone": lambda: _asked(exchange, shop, authorization),
    }
    shared()
    return machine.shuffled_rounds({name: _timed(deed) for name, deed in deeds.items()}, rounds)


def _asked(exchange: World, shop: Shop, authorization: str) -> list[dict[str, Any]]:
    """Query the table (delta-io/delta-sharing, PROTOCOL.md, Read Data from a Table) and return the actions."""
    share = f"{exchange.settings.base_url}/delta-sharing/shares/{shop.dataset_id}"
    headers = {"Authorization": authorization, "Content-Type": "application/json"}
    request = urllib.request.Request(f"{share}/schemas/default/tables/table_parquet/query", data=b"{}", headers=headers)
    with urllib.request.urlopen(request) as answer:
        return [json.loads(line) for line in answer]


def _official(exchange: World, shop: Shop, path: Path, rounds: int) -> dict[str, list[float]]:
    """Return the seconds of the official client in both formats; says so where it is not installed."""
    python = _python()
    if python is None:
        print("  skipped: the official client is not here: tests/conformance/test_delta_sharing.py installs it")
        return {}
    profile = path.with_name("exchange.share")
    token = exchange.bearer(exchange.buyer).removeprefix("Bearer ")
    endpoint = f"{exchange.settings.base_url}/delta-sharing/"
    profile.write_text(json.dumps({"shareCredentialsVersion": 1, "endpoint": endpoint, "bearerToken": token}))
    table = f"{shop.dataset_id}.default.table_parquet"
    command = [python, CLIENT, profile, table, path, str(rounds)]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    found: dict[str, list[float]] = json.loads(told)
    return found


def _python() -> Path | None:
    """Return the Python of the tests that has the official client, the newest of them."""
    cache = os.environ.get("MUSUBI_TESTS_CACHE") or Path.home() / ".cache" / "musubi-tests"
    whole = sorted(Path(cache).glob("pandas-*/whole"), key=lambda mark: mark.stat().st_mtime)
    return whole[-1].parent / "bin" / "python" if whole else None


def _timed(deed: Callable[[], object]) -> Callable[[], float]:
    def timed() -> float:
        start = time.perf_counter()
        deed()
        return time.perf_counter() - start

    return timed


def _print(figures: Mapping[str, Sequence[float]]) -> None:
    limit = next(iter(figures.values()), [])
    for name, seconds in figures.items():
        ratios = [one / other for one, other in zip(seconds, limit, strict=True)]
        print(f"  {name:44} {machine.median(seconds):24} s, {machine.median(ratios):22} x the limit", flush=True)
