"""Events metered a second, one and a hundred to a transaction, against pgbench inserting bare rows of such events.

Metering one is: the delivery ends, its range joins what arrived before, the quota is charged, the event and the entry
on the record are kept, budgets are looked at. The limit keeps a row with two indexes.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text

from benchmarks import machine, world
from benchmarks.ledger import pgbench
from benchmarks.world import Shop, World
from marketplace.access import queries as access
from marketplace.exchange import spending
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import service as metering

THREADS, BATCH = 8, 100
EACH = 100
ROUNDS, ROUNDS_QUICK = 3, 1
SECONDS = 2.0
SIZE_BYTES = 10 * 1024
_TABLE = text("""
CREATE TABLE benchmark_event (
  id text PRIMARY KEY, delivery_id text, grant_id text, organization_id text, provider_organization_id text,
  dataset_id text, sha256 text, occurred_at timestamptz, bytes_new bigint, bytes_acked bigint, rows_new bigint,
  requests int);
CREATE INDEX ON benchmark_event (grant_id, occurred_at);
""")
_ROWS = """
INSERT INTO benchmark_event
SELECT 'use_' || gen_random_uuid(), 'dlv_' || gen_random_uuid(), 'grt_' || gen_random_uuid(), 'org_of_a_buyer',
       'org_of_a_provider', 'ds_of_a_dataset', repeat('0', 64), now(), 10240, 10240, 0, 1
  FROM generate_series(1, {rows});
"""


def main(arguments: list[str]) -> None:
    """Print events a second beside the limit of as many to a transaction."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks events")
    parser.add_argument("--quick", action="store_true", help="one round")
    quick = parser.parse_args(arguments).quick
    rounds = ROUNDS_QUICK if quick else ROUNDS
    with world.installed() as exchange, TemporaryDirectory() as folder:
        shops = [exchange.shop([machine.file_of(SIZE_BYTES)]) for _ in range(THREADS)]
        with transaction():
            db.session.execute(_TABLE)
        for batch in (1, BATCH):
            _measure(exchange, shops, Path(folder), batch, rounds)


def _measure(exchange: World, shops: Sequence[Shop], folder: Path, batch: int, rounds: int) -> None:
    script = folder / f"{batch}.sql"
    script.write_text(_ROWS.format(rows=batch))
    deeds: dict[str, Callable[[], float]] = {
        "pgbench, bare rows (the limit)": lambda: batch * pgbench(exchange, script, SECONDS, THREADS),
        "deliveries metered": partial(_metered, exchange, shops, batch),
    }
    for deed in deeds.values():
        deed()
    print(f"\n{THREADS} connections, {batch} event(s) to a transaction, each connection its own grant")
    machine.print_ratios(machine.shuffled_rounds(deeds, rounds), "events/s")


def _metered(exchange: World, shops: Sequence[Shop], batch: int) -> float:
    """Open deliveries, meter them in as many threads as there are shops, and return how many a second were metered."""
    opened = [_opened(exchange, shop) for shop in shops]
    start = time.perf_counter()
    with ThreadPoolExecutor(len(shops)) as pool:
        list(pool.map(partial(_close, exchange, batch), opened))
    return EACH * len(shops) / (time.perf_counter() - start)


def _opened(exchange: World, shop: Shop) -> list[str]:
    with transaction():
        entitled = access.authorize(exchange.buyer, shop.grant_id, machine.file_of(SIZE_BYTES).name)
        return [metering.open_delivery(entitled, 0, SIZE_BYTES, exchange.buyer.client_id).id for _ in range(EACH)]


def _close(exchange: World, batch: int, delivery_ids: Sequence[str]) -> None:
    with exchange.app.app_context():
        for start in range(0, len(delivery_ids), batch):
            with transaction():
                for delivery_id in delivery_ids[start : start + batch]:
                    usage = metering.close_delivery(delivery_id, SIZE_BYTES, SIZE_BYTES, "complete")
                    if usage is None:
                        raise RuntimeError("metered before")
                    spending.count_ended(usage.organization_id, usage.grant_id)
