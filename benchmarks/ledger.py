"""Ledger transactions and sales a second, against PostgreSQL alone on the same server; sums over a million entries.

The limits are pgbench's TPC-B, and pgbench calling the same posting function that we call: what is between is our
Python, the entry on the record and, for a sale, the earnings of its providers. All are durable when acknowledged.
"""

import argparse
import itertools
import os
import re
import subprocess
import time
import uuid
from collections.abc import Callable
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import text
from sqlalchemy.engine import make_url

from benchmarks import machine, purchase, world
from benchmarks.purchase import per_second
from benchmarks.world import Shop, World
from marketplace.billing import ledger, ledger_exports, ledger_queries, postings, sales
from marketplace.billing.shares import Sale, alone, owed
from marketplace.billing.states import SellerRole, Via
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

ROUNDS, SECONDS = 5, 3.0
ROUNDS_QUICK, SECONDS_QUICK = 2, 1.5
ENTRIES, ENTRIES_QUICK = 1_000_000, 100_000
ENTRIES_OF_A_SALE = 4
PROVIDERS = 50
# pgbench replaces what follows a colon, which account codes are full of; hence a function of SQL around it.
_SALE = """
CREATE OR REPLACE FUNCTION benchmark_sale(provider int) RETURNS bigint LANGUAGE sql AS $$
    SELECT id FROM ledger_post('sale', 'ord', gen_random_uuid()::text, CURRENT_DATE, NULL, now(), ARRAY[
        'Assets:Clearing:Stripe', 'Liabilities:Provider:org_' || provider || ':Pending', 'Income:MarketplaceFee',
        'Liabilities:ConsumptionTax:Output'], array_fill('JPY'::text, ARRAY[4]),
        ARRAY[5500, -4950, -500, -50]::bigint[])
$$
"""
_SCRIPT = "\\set provider random(1, 50)\nSELECT benchmark_sale(:provider);\n"
_ENTRIES = """
SELECT t.id, t.effective_on, t.kind, t.ref, t.idem, a.code, e.currency, e.amount_minor
FROM ledger_entry e JOIN ledger_txn t ON t.id = e.txn_id JOIN ledger_account a ON a.id = e.account_id
ORDER BY t.id, e.seq
"""
# Past all triggers, which are measured above: here only the number of rows counts.
_FILL = """
SET session_replication_role = replica;
INSERT INTO ledger_account (code, kind, currency)
    SELECT 'Liabilities:Provider:fill_' || n || ':Pending', 'liability', 'JPY' FROM generate_series(0, 999) n;
WITH heads AS (
    INSERT INTO ledger_txn (kind, ref, idem, effective_on, posted_at)
    SELECT 'fill', 'fill', 'fill:' || n, CURRENT_DATE, now() FROM generate_series(1, {transactions}) n RETURNING id),
lines AS (
    INSERT INTO ledger_entry (txn_id, seq, account_id, currency, amount_minor)
    SELECT h.id, seq, (SELECT min(id) FROM ledger_account WHERE code ~ 'Provider:fill')
        + mod(h.id + seq, 1000), 'JPY', CASE mod(seq, 2) WHEN 0 THEN 5500 ELSE -5500 END
    FROM heads h CROSS JOIN generate_series(1, 4) seq)
INSERT INTO ledger_seal (txn_id, entries) SELECT id, 4 FROM heads;
SET session_replication_role = DEFAULT;
ANALYZE ledger_entry; ANALYZE ledger_txn; ANALYZE ledger_account;
"""


def main(arguments: list[str]) -> None:
    """Print transactions a second on 1 and 8 connections, and the time of sums over all entries."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks ledger")
    parser.add_argument("--quick", action="store_true", help="fewer and shorter rounds, a tenth of the entries")
    quick = parser.parse_args(arguments).quick
    rounds, seconds = (ROUNDS_QUICK, SECONDS_QUICK) if quick else (ROUNDS, SECONDS)
    with world.installed() as exchange, TemporaryDirectory() as folder:
        shop = exchange.shop([machine.file_of(10 * 1024)])
        script = Path(folder) / "sale.sql"
        script.write_text(_SCRIPT)
        _execute(_SALE)
        for clients in (1, 8):
            deeds = _deeds(exchange, shop, script, seconds, clients)
            for deed in deeds.values():
                deed()
            print(f"\n{clients} connections")
            costs = machine.Costs(exchange.database_process)
            machine.print_ratios(machine.shuffled_rounds(costs.noted(deeds), rounds), "transactions/s")
            costs.print()
        _measure_sums(ENTRIES_QUICK if quick else ENTRIES)


def _deeds(exchange: World, shop: Shop, script: Path, seconds: float, clients: int) -> dict[str, Callable[[], float]]:
    return {
        "pgbench and our posting function (the limit)": partial(pgbench, exchange, script, seconds, clients),
        "pgbench TPC-B": partial(purchase.tpcb, exchange, seconds, clients),
        "ledger.post": partial(_in_threads, exchange, _post, seconds, clients),
        "sales.book_sale": partial(_in_threads, exchange, partial(_sell, exchange, shop), seconds, clients),
    }


def pgbench(exchange: World, script: Path, seconds: float, clients: int) -> float:
    """Run a script with prepared statements against the exchange's database and return its transactions a second."""
    url = make_url(str(exchange.settings.database_url))
    place = ["-h", str(url.query["host"]), "-U", str(url.username), str(url.database)]
    command = [machine.postgresql_program("pgbench"), "-n", "-M", "prepared", "-c", str(clients), "-j", "1"]
    command += ["-T", str(max(1, round(seconds))), "-f", script, *place]
    told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    return float(re.findall(r"tps = ([0-9.]+)", told)[0])


def _in_threads(exchange: World, deed: Callable[[str], object], seconds: float, clients: int) -> float:
    def client(over: Callable[[], bool]) -> int:
        done = 0
        with exchange.app.app_context():
            while not over():
                with transaction():
                    deed(uuid.uuid4().hex)
                done += 1
        return done

    return per_second(client, seconds, clients)


_turn = itertools.count()


def _post(key: str) -> None:
    parts = owed(Sale(alone(f"org_{next(_turn) % PROVIDERS}"), 5000, 500, 500, 50))
    entries = postings.sold(parts, postings.CLEARING, SellerRole.AGENT)
    ledger.post("sale", key, f"sale:{key}", clock.today(), entries)


def _sell(exchange: World, shop: Shop, key: str) -> None:
    sales.book_sale(
        SYSTEM,
        Sale(alone(exchange.provider.organization_id), 5000, 500, 500, 50),
        kind="sale",
        ref=key,
        idem=f"sale:{key}",
        via=Via.GATEWAY,
        buyer_organization_id=exchange.buyer.organization_id,
        nets_by_dataset={shop.dataset_id: 5000},
        on=clock.today(),
    )


def _measure_sums(entries: int) -> None:
    _execute(_FILL.format(transactions=entries // ENTRIES_OF_A_SALE))
    print(f"\nover {entries:,} entries more")
    bare = text("SELECT account_id, sum(amount_minor) FROM ledger_entry GROUP BY account_id")
    pairs: tuple[dict[str, Callable[[], object]], ...] = (
        {
            "sum by account, SQL alone (the limit)": lambda: db.session.execute(bare).all(),
            "trial balance": ledger_queries.trial_balance,
        },
        {"every entry, by COPY (the limit)": _copied, "export for beancount": _exported},
    )
    for pair in pairs:
        limit = None
        for name, deed in pair.items():
            seconds = _timed(deed)
            limit = limit or seconds
            print(f"  {name:40} {seconds:8.2f} s, {seconds / limit:.2g} x the limit", flush=True)


def _timed(deed: Callable[[], object]) -> float:
    start = time.perf_counter()
    with transaction():
        deed()
    return time.perf_counter() - start


def _copied() -> None:
    connection = db.session.connection().connection.driver_connection
    if connection is None:
        raise RuntimeError("the connection is gone")
    with connection.cursor().copy(f"COPY ({_ENTRIES}) TO STDOUT") as rows:
        for _row in rows:
            pass


def _exported() -> None:
    before = machine.memory_bytes(os.getpid())[0]
    lines = sum(1 for _line in ledger_exports.export(ledger_exports.FORMS["beancount"]))
    grown = machine.memory_bytes(os.getpid())[0] - before
    print(f"  {lines:,} pieces written, {max(0, grown) / 2**20:.0f} MiB of memory more")


def _execute(statement: str) -> None:
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(statement)
