"""How fast foreign catalogues are taken over: from a started CKAN-like site, again, as a dry run, and from a file.

The limit is PostgreSQL inserting the same records bare, as JSON, in transactions as large. What a record costs of
this process's own time does not depend on who else wants the machine; the rate by tenths, and the most memory that the
process has had, say whether a catalogue ten times as large takes ten times as long.
"""

import argparse
import itertools
import json
import resource
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg

from benchmarks import ckan_site, world
from benchmarks.world import World
from marketplace.catalog.cleaning import comparing
from marketplace.catalog.harvesting import queries, service
from marketplace.catalog.harvesting.rules import BATCH_RECORDS, FILE, HarvestDraft
from marketplace.catalog.harvesting.states import SourceKind
from marketplace.exchange import harvesting, listing
from marketplace.exchange.harvest_fetching import Reach
from marketplace.exchange.harvest_walks import Step
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.kit import postgres
from marketplace.kit.transaction import transaction

RECORDS, RECORDS_QUICK = 5_000, 500
BULK, BULK_QUICK, MILLION = 100_000, 2_000, 1_000_000
FILES_EACH = 2


def main(arguments: list[str]) -> None:
    """Print records a second of each way, and the ratio to bare rows."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks harvest")
    parser.add_argument("--quick", action="store_true", help="500 records from the site, 2,000 from the file")
    parser.add_argument("--million", action="store_true", help="a million records from the file")
    asked = parser.parse_args(arguments)
    count = RECORDS_QUICK if asked.quick else RECORDS
    bulk = MILLION if asked.million else BULK_QUICK if asked.quick else BULK
    with world.installed() as exchange:
        provider = on_behalf_of(exchange.provider.organization_id)
        _of_a_site(exchange, provider, count)
        with TemporaryDirectory() as folder:
            _of_a_file(exchange, provider, Path(folder) / "records.jsonl", bulk)


def _of_a_site(exchange: World, provider: Actor, count: int) -> None:
    files = sum(len(one["resources"]) for one in ckan_site.packages(count))
    print(f"\na site of {count:,} records with {files:,} files, one of {ckan_site.LARGEST}")
    bare = _bare(exchange, count)
    with ckan_site.started(count) as address:
        draft, reach = HarvestDraft(address), Reach(within=True, pause_seconds=0.0)
        for name, how in (
            ("dry run", {"dry_run": True}), ("the first time", {}),
            ("again, all of it", {"is_full": True}), ("again, what changed", {}),
        ):  # fmt: skip
            _told(name, count, bare, lambda tell, how=how: _run(provider, draft, reach, tell, **how))
        _row("the index follows", count, _timed(listing.index), bare)
    _tell_better(provider, draft)


def _of_a_file(exchange: World, provider: Actor, path: Path, count: int) -> None:
    with path.open("w", encoding="utf-8") as out:
        for number in range(count):
            out.write(json.dumps(ckan_site.package(10_000_000 + number, FILES_EACH), ensure_ascii=False) + "\n")
    print(f"\na file of {count:,} records, {path.stat().st_size / 2**20:.0f} MiB")
    bare = _bare(exchange, min(count, RECORDS))
    draft, reach = HarvestDraft(f"{FILE}{path.name}", SourceKind.PACKAGES), Reach(file=path)
    for name in ("the first time", "again, all of it"):
        _told(name, count, bare, lambda tell: _run(provider, draft, reach, tell))
    _row("the index follows", count, _timed(listing.index), bare)
    _size(exchange, count)


def _told(name: str, count: int, bare: float, run: Callable[[harvesting.Tell], None]) -> None:
    """Print how fast a run is as a whole and by tenths, and what it takes of time and memory of its own."""
    tenths, done, worked = [(0, time.perf_counter())], [0], time.process_time()

    def tell(step: Step) -> None:
        done[0] += len(step.records)
        if done[0] >= tenths[-1][0] + count // 10:
            tenths.append((done[0], time.perf_counter()))

    _row(name, count, _timed(lambda: run(tell)), bare)
    rates = [(one[0] - before[0]) / (one[1] - before[1]) for before, one in itertools.pairwise(tenths)]
    own, peak = (time.process_time() - worked) * 1_000 / count, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    by_tenths = f"by tenths {', '.join(f'{rate:,.0f}' for rate in rates)}; " if rates else ""
    print(f"    {by_tenths}{own:.2f} ms of our own for each, {peak / 1024:.0f} MiB at most", flush=True)


def _size(exchange: World, count: int) -> None:
    with psycopg.connect(postgres.libpq_url(str(exchange.settings.database_url))) as connection:
        asked = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    print(f"  the database has {(asked[0] if asked else 0) / 2**20:,.0f} MiB with {count:,} records in it")


def _run(provider: Actor, draft: HarvestDraft, reach: Reach, tell: harvesting.Tell | None = None, **how: Any) -> None:
    with transaction():
        held = service.set_harvest(provider, draft)
        run_id = service.begin_run(provider, held.id, **how).id
    harvesting.carry_on(run_id, reach, tell)
    run = queries.find_run(run_id)
    if run is None or run.state != "done" or run.refused:
        raise RuntimeError(f"the run ended badly: {run and (run.state, run.problem, run.detail, run.refused)}")


def _tell_better(provider: Actor, draft: HarvestDraft) -> None:
    held = queries.find_harvest(provider.organization_id, draft.address)
    runs = queries.list_runs(held.id).items if held else []
    for _, label, whole, before, after in comparing.rows(next((one.comparison for one in runs if one.created), {})):
        print(f"  {label.en:50} {before:>7,} there  {after:>7,} here  of {whole:,}")


def _bare(exchange: World, count: int) -> float:
    """Return how many bare rows of the same JSON a second are inserted."""
    rows = [json.dumps(one, ensure_ascii=False) for one in ckan_site.packages(count)]
    url = postgres.libpq_url(str(exchange.settings.database_url))
    with psycopg.connect(url) as connection, connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE bare (id bigserial PRIMARY KEY, package jsonb)")
        connection.commit()
        began = time.perf_counter()
        for start in range(0, count, BATCH_RECORDS):
            cursor.executemany(
                "INSERT INTO bare (package) VALUES (%s)", [(row,) for row in rows[start : start + BATCH_RECORDS]]
            )
            connection.commit()
        rate = count / (time.perf_counter() - began)
        cursor.execute("DROP TABLE bare")
    print(f"  {'bare rows, as many in a transaction (the limit)':50} {rate:9,.0f} records/s")
    return rate


def _timed(deed: Callable[[], object]) -> float:
    began = time.perf_counter()
    deed()
    return time.perf_counter() - began


def _row(name: str, count: int, seconds: float, bare: float) -> None:
    print(f"  {name:50} {count / seconds:9,.0f} records/s  {bare * seconds / count:6.1f}x the limit", flush=True)
