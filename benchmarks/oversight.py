"""Searching the record: every combination of filters over N entries, with the plan of each that is slow."""

import argparse
import itertools
import statistics
import time
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import event, select, text

from benchmarks import machine, world
from marketplace.audit import indexing, queries
from marketplace.audit.models import Leaf
from marketplace.audit.queries import Search
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.pages import encode_cursor
from marketplace.kit.transaction import transaction

ENTRIES, ENTRIES_QUICK = 1_000_000, 100_000
CHUNK = 500_000
TRIES, ROUNDS = 5, 5
LIMIT_SECONDS = 0.1
ORGANIZATIONS, DATASETS = 2_000, 5_000
# Skewed as markets are: number k has about 1/k of the largest one's deeds. One entry in a hundred is a rare verb's, and
# of small organizations alone: who looks for it at a large one finds nothing, after all else was looked at.
_FILL = text("""
INSERT INTO audit_entry (id, occurred_at, organization_id, client_id, member_id, verb, subject, counterparty_id,
                         dataset_id, amount_minor, facts, canonical)
SELECT 'aud_' || lpad(to_hex(n), 12, '0') || '7' || md5(n::text)::char(19),
       CAST(:start AS timestamptz) + n * make_interval(secs => :step),
       'org_' || lpad(to_hex(CASE WHEN n % 100 = 0 THEN :organizations / 2 + (n / 100) % (:organizations / 2)
                                  ELSE (:organizations ^ random())::int END), 32, '0'),
       'cli_' || md5((n % 3000)::text), NULL,
       (ARRAY['metering.delivery.opened', 'metering.delivery.closed', 'billing.ledger.posted', 'billing.order.placed',
              'billing.order.paid', 'billing.document.issued', 'access.grant.issued', 'identity.client.registered'])
         [CASE WHEN n % 100 = 0 THEN 8 WHEN n % 10 < 7 THEN 1 + n % 2 ELSE 3 + n % 5 END],
       'dlv_' || md5((n / 2)::text),
       CASE WHEN n % 20 > 0 THEN 'org_' || lpad(to_hex((:organizations ^ random())::int), 32, '0') END,
       CASE WHEN n % 10 < 8 THEN 'ds_' || lpad(to_hex((:datasets ^ random())::int), 32, '0') END,
       CASE WHEN n % 10 >= 7 THEN (10 ^ (2 + 4 * random()))::bigint END,
       jsonb_build_object('grant_id', 'grt_' || md5((n % 90000)::text), 'sha256', md5(n::text) || md5(n::text)),
       rpad('{}', 480, ' ')
  FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n
""")
_PLACE = text("""
INSERT INTO audit_leaf (position, entry_id)
SELECT row_number() OVER (ORDER BY occurred_at, id) - 1, id FROM audit_entry
""")


@dataclass(frozen=True, slots=True)
class Asked:
    """A combination of filters, where its page begins, and how long each try took, in seconds."""

    names: str
    search: Search
    cursor: str | None
    tries: list[float]

    @property
    def seconds(self) -> float:
        """The median try."""
        return statistics.median(self.tries)


def main(arguments: list[str]) -> None:
    """Print how long searches of one, two and more filters take, and the plans of those above a tenth of a second."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks oversight")
    parser.add_argument("--quick", action="store_true", help=f"{ENTRIES_QUICK:,} entries")
    parser.add_argument(
        "--entries",
        type=int,
        help=f"how many entries; {ENTRIES:,} when absent, 10,000,000 takes half an hour and 20 GB of disk",
    )
    chosen = parser.parse_args(arguments)
    count = chosen.entries or (ENTRIES_QUICK if chosen.quick else ENTRIES)
    with world.installed():
        print(f"{count:,} entries, written in {_timed(lambda: _fill(count)):.0f} s")
        print(f"indexed at {_timed(indexing.index_all) / count * 1e6:.0f} us an entry; {_size()}")
        measure(count)


def measure(count: int) -> None:
    """Ask every combination for its first page and for one in the middle of the record; print what each kind takes."""
    with db.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM (ANALYZE) audit_entry, audit_leaf, audit_block, audit_trait, audit_floor"))
    middle = select(Leaf.entry_id).where(Leaf.position == count // 2)
    deep = encode_cursor([db.session.scalar(middle)])
    asked = [_ask(names, search, cursor) for names, search in _combinations(count) for cursor in (None, deep)]
    _print(asked)
    _print_ratios(asked)


def _fill(count: int) -> None:
    start = clock.now() - timedelta(days=365)
    given = {"start": start, "step": 365 * 86_400 / count, "organizations": ORGANIZATIONS, "datasets": DATASETS}
    with transaction():
        indexes = db.session.execute(
            text("SELECT indexname, indexdef FROM pg_indexes WHERE indexname LIKE 'ix_audit_entry_%'")
        ).all()
        for name, _definition in indexes:
            db.session.execute(text(f"DROP INDEX {name}"))
    for first in range(0, count, CHUNK):
        with transaction():
            # What waits for a place is placed below, all at once.
            db.session.execute(text("SET LOCAL session_replication_role = replica"))
            db.session.execute(_FILL, given | {"first": first, "last": min(first + CHUNK, count) - 1})
    with transaction():
        db.session.execute(_PLACE)
        for _name, definition in indexes:
            db.session.execute(text(definition))


def _size() -> str:
    tables = ("audit_entry", "audit_leaf", "audit_block", "audit_trait", "audit_floor")
    size = text("SELECT pg_total_relation_size(CAST(:table AS regclass))")
    return ", ".join(f"{name} {db.session.scalar(size, {'table': name}) / 2**20:,.0f} MiB" for name in tables)


def _combinations(count: int) -> list[tuple[str, Search]]:
    """Every set of filters, each with a common and a rare value where that makes a difference."""
    half = clock.now() - timedelta(days=180)
    common, rare = f"org_{1:032x}", f"org_{ORGANIZATIONS - 3:032x}"
    parts: dict[str, list[dict[str, Any]]] = {
        "date": [{"occurred_to": half}, {"occurred_from": half, "occurred_to": half + timedelta(hours=1)}],
        "amount": [{"amount_from": 100, "amount_to": 900_000}, {"amount_from": 999_000}],
        "organization": [{"organization_id": common}, {"organization_id": rare}],
        "counterparty": [{"counterparty_id": common}, {"counterparty_id": rare}],
        "verb": [{"verb": "metering.delivery.closed"}, {"verb": "identity.client.registered"}],
        "dataset": [{"dataset_id": f"ds_{1:032x}"}, {"dataset_id": f"ds_{DATASETS - 3:032x}"}],
    }
    found = [("nothing", Search()), ("subject", Search(subject=_subject(count)))]
    for size in range(1, len(parts) + 1):
        for names in itertools.combinations(parts, size):
            for values in itertools.product(*(enumerate(parts[name]) for name in names)):
                told = " ".join(
                    f"{name}{'-rare' if at else ''}" for name, (at, _value) in zip(names, values, strict=True)
                )
                found.append((told, Search(**{key: one for _at, value in values for key, one in value.items()})))
    return found


def _subject(count: int) -> str:
    return str(db.session.scalar(text("SELECT subject FROM audit_entry OFFSET :n LIMIT 1"), {"n": count // 2}))


def _ask(names: str, search: Search, cursor: str | None) -> Asked:
    def once() -> None:
        queries.search_entries(search, cursor)
        db.session.rollback()

    once()
    return Asked(names, search, cursor, [_timed(once) for _ in range(TRIES)])


def _print(asked: list[Asked]) -> None:
    kinds: dict[str, list[Asked]] = {}
    for one in asked:
        filters = len(one.names.split()) if one.names != "nothing" else 0
        kinds.setdefault(f"{filters} filters, {'in the middle' if one.cursor else 'newest'}", []).append(one)
    for kind, some in [*sorted(kinds.items()), ("all", asked)]:
        tries = sorted(seconds * 1000 for one in some for seconds in one.tries)
        told = ", ".join(f"{name} {tries[int(len(tries) * at)]:.1f}" for name, at in (("p50", 0.5), ("p99", 0.99)))
        slow = sum(one.seconds > LIMIT_SECONDS for one in some)
        print(f"{kind:26} {len(some):4} searches, ms: {told}, most {tries[-1]:.1f}; medians above the limit: {slow}")
    for one in sorted(asked, key=lambda one: -one.seconds)[:12]:
        print(f"  {one.seconds * 1000:8.1f} ms  {one.names}{', in the middle' if one.cursor else ''}")
    for one in (one for one in asked if one.seconds > LIMIT_SECONDS):
        print("\n".join([one.names, *(f"      {line}" for line in _plan(one)[:8])]))


def _plan(asked: Asked) -> list[str]:
    """How the database goes about the last statement of a search, as it was sent."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: Any, _cursor: Any, statement: str, given: Any, _context: Any, _many: Any) -> None:
        sent.append((statement, given))

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        queries.search_entries(asked.search, asked.cursor)
    finally:
        event.remove(db.engine, "before_cursor_execute", note)
    statement, given = sent[-1]
    plan = db.session.connection().exec_driver_sql(f"EXPLAIN {statement}", given).scalars().all()
    db.session.rollback()
    return [str(line) for line in plan]


def _print_ratios(asked: list[Asked]) -> None:
    """Print what the median and the slowest search cost against reading one entry by its id, round by round."""
    ordered = sorted(asked, key=lambda one: one.seconds)
    middle, slowest = ordered[len(ordered) // 2], ordered[-1]
    entry_id = queries.search_entries(Search()).items[0].entry.id
    deeds = {
        "one entry by its id (the limit)": lambda: _timed(lambda: queries.get_entry(entry_id)),
        f"median: {middle.names}"[:44]: lambda: _timed(lambda: queries.search_entries(middle.search, middle.cursor)),
        f"slowest: {slowest.names}"[:44]: lambda: _timed(
            lambda: queries.search_entries(slowest.search, slowest.cursor)
        ),
    }
    machine.print_ratios(machine.shuffled_rounds(deeds, ROUNDS), "seconds")


def _timed(deed: Any) -> float:
    start = time.perf_counter()
    deed()
    return time.perf_counter() - start
