"""Rating a million usage events of one grant: sums where the rows are, and claims that are kept, against a bare SUM."""

import argparse
import resource
import time
from collections.abc import Callable
from decimal import Decimal
from functools import partial

from sqlalchemy import text

from benchmarks import machine, world
from benchmarks.world import Shop
from marketplace.billing import rating
from marketplace.billing.rating import Metered, Stretch
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.licensing.prices import Price, Tier
from marketplace.licensing.states import PriceKind, UsageUnit
from marketplace.metering import periods, queries, rollups
from marketplace.metering import service as metering

EVENTS, EVENTS_QUICK = 1_000_000, 100_000
ROUNDS, ROUNDS_QUICK = 3, 1
TIERED = Price(
    PriceKind.GRADUATED,
    unit=UsageUnit.ROW,
    tiers=(Tier(Decimal(1_000_000), Decimal("0.05")), Tier(None, Decimal("0.013"))),
)
# Past all triggers and foreign keys, which deliveries pay one by one: here only the number of rows counts.
_FILL = """
SET session_replication_role = replica;
INSERT INTO usage_event (id, delivery_id, grant_id, organization_id, provider_organization_id, dataset_id, sha256,
                         occurred_at, bytes_new, bytes_acked, rows_new, requests)
SELECT 'use_' || lpad(to_hex(n), 32, '0'), 'dlv_' || lpad(to_hex(n), 32, '0'), g.id, g.organization_id,
       g.provider_organization_id, g.dataset_id, repeat('0', 64), now() - make_interval(secs => n), 1000, 1000, 7, 1
  FROM access_grant g, generate_series(1, {events}) n WHERE g.id = :grant_id;
INSERT INTO usage_key (event_id, delivery_id, reference, occurred_at)
SELECT id, delivery_id, '', occurred_at FROM usage_event ON CONFLICT DO NOTHING;
SET session_replication_role = DEFAULT;
ANALYZE usage_event; ANALYZE usage_key; ANALYZE usage_claim;
"""
_BARE = text(
    "SELECT sum(bytes_new), sum(rows_new), sum(requests), count(*) FROM usage_event WHERE grant_id = :grant_id"
)


def main(arguments: list[str]) -> None:
    """Print events a second, and how much memory rating them takes in our process."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks rating")
    parser.add_argument("--quick", action="store_true", help="a tenth of the events, one round")
    quick = parser.parse_args(arguments).quick
    events, rounds = (EVENTS_QUICK, ROUNDS_QUICK) if quick else (EVENTS, ROUNDS)
    with world.installed() as exchange:
        shop = exchange.shop([machine.file_of(10 * 1024)])
        for statement in _FILL.format(events=events).split(";"):
            if statement.strip():
                db.session.execute(text(statement), {"grant_id": shop.grant_id} if ":grant_id" in statement else {})
        db.session.commit()
        deeds: dict[str, Callable[[], float]] = {
            "a bare SUM of them (the limit)": partial(_speed, events, partial(_bare, shop)),
            "the statement of usage, all of it": partial(_speed, events, partial(queries.total, exchange.buyer)),
            "claimed, summed by month and rated": partial(_speed, events, partial(_rated, shop)),
        }
        deeds["a bare SUM of them (the limit)"]()
        before = _peak_mib()
        figures = machine.shuffled_rounds(deeds, rounds)
        print(f"{events:,} usage events of one grant; a claim is a row of its own, so that no event is billed twice")
        machine.print_ratios(figures, "events/s")
        summed_up = _speed(events, rollups.roll_up)
        told = _speed(events, partial(queries.total, exchange.buyer))
        print(f"  summed up by the hour, once: {summed_up:,.0f} events/s; the statement after it: {told:,.0f} events/s")
        print(f"  our process grew by {_peak_mib() - before} MiB")


def _bare(shop: Shop) -> None:
    db.session.execute(_BARE, {"grant_id": shop.grant_id}).one()


def _rated(shop: Shop) -> None:
    now = clock.now()
    of = Metered(shop.grant_id, "org", "org")
    for claim in metering.claim_unbilled(shop.grant_id, now, "stl_benchmark"):
        month = periods.last_day(claim.month)
        stretch = Stretch(f"{claim.month:%Y-%m}", month < clock.today(), claim.first_day, month, claim.rows_new)
        if rating.rate(of, stretch, TIERED) is None:
            raise AssertionError("nothing was rated")


def _speed(events: int, deed: Callable[[], object]) -> float:
    start = time.perf_counter()
    deed()
    seconds = time.perf_counter() - start
    # Every round claims the same events anew.
    db.session.rollback()
    return events / seconds


def _peak_mib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
