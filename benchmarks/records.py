"""The record and the meter: how fast audit entries are placed and verified, and deliveries opened and closed."""

import argparse
import hashlib
import time
from collections.abc import Callable

from sqlalchemy import insert, text

from benchmarks import machine, purchase, world
from benchmarks.purchase import per_second
from benchmarks.world import Shop, World
from marketplace.access import queries as access
from marketplace.audit import rules, sequencer, verification
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.exchange import download
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.metering import service as metering

ENTRIES, ENTRIES_QUICK = 40_000, 4_000
THREADS = 8
ROUNDS, SECONDS = 4, 2.0
ROUNDS_QUICK, SECONDS_QUICK = 1, 1.5
SIZE_BYTES = 10 * 1024
WEIGHED, WEIGHED_QUICK = 2_000, 300
_WEIGHT = text("SELECT pg_database_size(current_database()), pg_current_wal_insert_lsn() - '0/0'::pg_lsn")


def main(arguments: list[str]) -> None:
    """Print figures of the record against bare hashing, and of the meter against TPC-B."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks records")
    parser.add_argument("--quick", action="store_true", help="fewer entries and rounds")
    quick = parser.parse_args(arguments).quick
    with world.installed() as exchange:
        _measure_audit(ENTRIES_QUICK if quick else ENTRIES)
        _measure_metering(exchange, *((ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)))
        _weigh(exchange, WEIGHED_QUICK if quick else WEIGHED)


def _measure_audit(count: int) -> None:
    texts = _write_entries(count)
    hashing = _timed(lambda: [hashlib.sha256(b"\0" + text.encode()).digest() for text in texts * 2])
    placing = _timed(sequencer.sequence_all)
    verifying = _timed(verification.verify)
    least = hashing / count * 1e5
    print(f"audit, {count} entries; the limit is SHA-256 over as many leaves and nodes: {least:.2f} s per 100 k")
    for name, seconds in (("placing them in the tree", placing), ("verifying all of it", verifying)):
        each = seconds / count * 1e5
        print(f"  {name:44} {count / seconds:10.0f}/s  {each:6.1f} s per 100 k, {each / least:.0f} x the limit")


def _write_entries(count: int) -> list[str]:
    texts = []
    for start in range(0, count, 1000):
        rows = [_entry(number) for number in range(start, start + 1000)]
        texts += [str(row["canonical"]) for row in rows]
        with transaction():
            db.session.connection().execute(insert(Entry), rows)
    return texts


def _entry(number: int) -> dict[str, object]:
    columns: dict[str, object] = {
        "id": new_id("aud"), "occurred_at": clock.now(), "organization_id": new_id("org"), "client_id": new_id("cli"),
        "member_id": None, "verb": Verb.DELIVERY_CLOSED.value, "subject": new_id("dlv"),
        "counterparty_id": new_id("org"), "dataset_id": new_id("ds"), "amount_minor": None,
        "facts": {"grant_id": new_id("grt"), "sha256": hashlib.sha256(b"%d" % number).hexdigest(), "bytes_new": number},
    }  # fmt: skip
    return columns | {"canonical": rules.canonical_entry(columns)}


def _measure_metering(exchange: World, rounds: int, seconds: float) -> None:
    shops = [exchange.shop([machine.file_of(SIZE_BYTES)]) for _ in range(THREADS)]
    deeds: dict[str, Callable[[], float]] = {
        "pgbench TPC-B (the limit)": lambda: purchase.tpcb(exchange, seconds),
        "deliveries, each thread its own grant": lambda: _deliveries(exchange, shops, seconds),
        "deliveries, all of one grant": lambda: _deliveries(exchange, shops[:1], seconds),
    }
    for deed in deeds.values():
        deed()
    costs = machine.Costs(exchange.database_process)
    print(f"\nmetering, {THREADS} threads of one process; a delivery is opened and closed: two durable transactions")
    machine.print_ratios(machine.shuffled_rounds(costs.noted(deeds), rounds), "a second")
    costs.print()


def _weigh(exchange: World, count: int) -> None:
    """Print what deliveries leave in the database with their entries and leaves, and what is written ahead of it."""
    shop = exchange.shop([machine.file_of(SIZE_BYTES)])
    before = _weight()
    for _ in range(count):
        _deliver(exchange, shop.grant_id)
    sequencer.sequence_all()
    kept, written = ((late - early) / count for late, early in zip(_weight(), before, strict=True))
    print(f"  a delivery, record included: {kept / 1024:.1f} KiB in the database, {written / 1024:.1f} KiB of WAL")


def _weight() -> tuple[int, int]:
    kept, written = db.session.execute(_WEIGHT).one()
    db.session.rollback()
    return int(kept), int(written)


def _deliveries(exchange: World, shops: list[Shop], seconds: float) -> float:
    waiting = list(range(THREADS))

    def client(over: Callable[[], bool]) -> int:
        done, shop = 0, shops[waiting.pop() % len(shops)]
        while not over():
            with exchange.app.app_context():
                _deliver(exchange, shop.grant_id)
            done += 1
        return done

    return per_second(client, seconds, THREADS)


def _deliver(exchange: World, grant_id: str) -> None:
    with transaction():
        entitled = access.authorize(exchange.buyer, grant_id, machine.file_of(SIZE_BYTES).name)
        opened = metering.open_delivery(entitled, 0, SIZE_BYTES, exchange.buyer.client_id)
    download.close_delivery(opened.id, SIZE_BYTES, SIZE_BYTES, "complete")


def _timed(deed: Callable[[], object]) -> float:
    start = time.perf_counter()
    deed()
    return time.perf_counter() - start
