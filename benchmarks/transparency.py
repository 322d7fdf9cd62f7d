"""What the record costs: purchases with and without it, how soon a deed is placed and signed, proofs, bytes an entry.

Without means: no entry is written and nobody places or signs. With means all of it, the clerk working in the same
process, as it does in a server.
"""

import argparse
import contextlib
import random
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import islice
from typing import Any
from unittest import mock

import psycopg
from sqlalchemy import insert, text

from benchmarks import machine, market, world
from benchmarks.purchase import CLIENTS, in_process, per_second
from benchmarks.world import Shop, World
from marketplace.audit import checkpoints, proofs, queries, sequencer, service
from marketplace.audit.clerk import Clerk
from marketplace.audit.models import Entry
from marketplace.exchange import archiving
from marketplace.kit import postgres
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction

ROUNDS, SECONDS = 6, 3.0
ROUNDS_QUICK, SECONDS_QUICK = 2, 1.5
LAG_SECONDS, LAG_CLIENTS = 20.0, 2
ENTRIES, ENTRIES_QUICK = 100_000, 10_000
CHUNK = 1000
POLL_SECONDS = 0.005
_WEIGHTS = text("""
SELECT relname, pg_relation_size(oid) AS rows, pg_indexes_size(oid) AS indexes FROM pg_class
 WHERE relname IN ('audit_entry', 'audit_leaf', 'audit_node')
""")


def main(arguments: list[str]) -> None:
    """Print the four figures of the record, each beside its limit or its aim."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks transparency")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, a tenth of the entries")
    quick = parser.parse_args(arguments).quick
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    count = ENTRIES_QUICK if quick else ENTRIES
    with world.installed() as exchange:
        _weigh(count)
        _prove(exchange, count, rounds, seconds)
        shop = exchange.shop([machine.file_of(10 * 1024)])
        _compare(exchange, shop, rounds, seconds)
        _wait(exchange, shop, LAG_SECONDS / 4 if quick else LAG_SECONDS)


@contextlib.contextmanager
def _clerk(exchange: World) -> Iterator[None]:
    clerk = Clerk(exchange.app.app_context)
    clerk.start()
    try:
        yield
    finally:
        clerk.stop()


def _compare(exchange: World, shop: Shop, rounds: int, seconds: float) -> None:
    story = partial(in_process, exchange, shop, seconds)

    def bare() -> float:
        with mock.patch.object(service, "record", return_value=new_id("aud")):
            return story()

    def whole() -> float:
        with _clerk(exchange):
            return story()

    deeds: dict[str, Callable[[], float]] = {
        "no record at all (the limit)": bare,
        "entries written, placed later": story,
        "entries written, placed and signed": whole,
    }
    for deed in deeds.values():
        deed()
    print(f"\nfree purchases, {CLIENTS} threads of one process, four entries each; the aim is 0.95")
    costs = machine.Costs(exchange.database_process)
    machine.print_ratios(machine.shuffled_rounds(costs.noted(deeds), rounds), "purchases/s")
    costs.print()


@dataclass
class Watch:
    """When deeds were committed, placed and signed, by their entries, as a stranger's connection sees it."""

    committed: dict[str, float] = field(default_factory=dict)
    placed: dict[str, float] = field(default_factory=dict)
    signed: dict[str, float] = field(default_factory=dict)

    def look(self, connection: psycopg.Connection[Any], waiting: list[tuple[int, str]], size: int) -> int:
        """Note what is new since ``size``; returns the size that is placed."""
        found = connection.execute(
            "SELECT position, entry_id FROM audit_leaf WHERE position >= %s ORDER BY position", [size]
        ).fetchall()
        signed = connection.execute("SELECT coalesce(max(size), 0) FROM audit_checkpoint").fetchone()
        now = time.perf_counter()
        self.placed.update((entry_id, now) for _position, entry_id in found)
        waiting += found
        while signed and waiting and waiting[0][0] < signed[0]:
            self.signed[waiting.pop(0)[1]] = now
        return size + len(found)

    def lags(self, reached: dict[str, float]) -> list[float]:
        """Return the sorted waits of those that came so far, in ms."""
        return sorted((reached[one] - at) * 1e3 for one, at in self.committed.items() if one in reached)


def _wait(exchange: World, shop: Shop, seconds: float) -> None:
    sequencer.sequence_all()
    watch, over = Watch(), threading.Event()
    watching = threading.Thread(target=_watch, args=(exchange, watch, sequencer.tree_size(), over))
    db.session.rollback()

    def client(is_over: Callable[[], bool]) -> int:
        done = 0
        while not is_over():
            with exchange.app.app_context():
                exchange.buy(shop.offer_id, shop.terms_sha256)
                now = time.perf_counter()
                watch.committed.update((one, now) for one in service.written())
            done += 1
        return done

    with _clerk(exchange):
        watching.start()
        rate = per_second(client, seconds, LAG_CLIENTS)
        time.sleep(2)  # a signature later than the last deed
        over.set()
        watching.join()
    print(f"\nfrom commit to a place in the tree (the aim is 300 ms) and to a signature, at {rate:.0f} purchases/s")
    for name, lags in (("placed", watch.lags(watch.placed)), ("signed", watch.lags(watch.signed))):
        cuts = statistics.quantiles(lags, n=100)
        told = f"p50 {cuts[49]:.0f}, p99 {cuts[98]:.0f}, at most {lags[-1]:.0f} ms"
        print(f"  {name:44} {told}, of {len(lags)} entries of {len(watch.committed)}", flush=True)


def _watch(exchange: World, watch: Watch, size: int, over: threading.Event) -> None:
    waiting: list[tuple[int, str]] = []
    url = postgres.libpq_url(str(exchange.settings.database_url))
    with psycopg.connect(url, autocommit=True) as connection:
        while not over.wait(POLL_SECONDS):
            size = watch.look(connection, waiting, size)


def _weigh(count: int) -> None:
    """Print what so many entries weigh in the database, in an archive and as tiles."""
    written = market.entries(count)
    while rows := list(islice(written, CHUNK)):
        with transaction():
            db.session.connection().execute(insert(Entry), rows)
    sequencer.sequence_all()
    with transaction():
        checkpoints.publish()
    canonical = db.session.execute(text("SELECT sum(octet_length(canonical)) FROM audit_entry")).scalar_one()
    print(f"{count:,} entries of {canonical / count:.0f} bytes of text each; bytes an entry:")
    for name, table, indexes in db.session.execute(_WEIGHTS):
        print(f"  {name:44} {(table + indexes) / count:6.0f}, of which indexes {indexes / count:.0f}")
    db.session.rollback()
    with tempfile.TemporaryFile() as file, transaction():
        archiving.archive(file)
        print(f"  {'archive':44} {file.tell() / count:6.0f}")
    hashes = 32 * sum(count >> level for level in range(0, 64, 8))
    print(f"  {'tiles of hashes':44} {hashes / count:6.0f}")
    print(f"  {'tiles of entries':44} {canonical / count + 2:6.0f}")


def _prove(exchange: World, count: int, rounds: int, seconds: float) -> None:
    positions = random.sample(range(count), min(count, 5000))
    entry_ids = list(db.session.scalars(text("SELECT entry_id FROM audit_leaf ORDER BY random() LIMIT 5000")))
    deeds = {
        "one entry by its id (the limit)": partial(_rate, seconds, queries.get_entry, entry_ids),
        "the proof of one entry": partial(_rate, seconds, proofs.proof_of, positions),
    }
    for deed in deeds.values():
        deed()
    print(f"\nproofs in a tree of {count:,}, one thread")
    costs = machine.Costs(exchange.database_process)
    machine.print_ratios(machine.shuffled_rounds(costs.noted(deeds), rounds), "a second")
    costs.print()


def _rate(seconds: float, deed: Callable[[Any], object], given: list[Any]) -> float:
    start, done = time.perf_counter(), 0
    while time.perf_counter() - start < seconds:
        with transaction():
            deed(given[done % len(given)])
        done += 1
    return done / (time.perf_counter() - start)
