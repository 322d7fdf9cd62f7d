"""What it costs to find what a dataset joins with, while the catalogue grows; beside reading its row by its key.

Half of all datasets tell the day in one of 47 prefectures, a fifth a grid square, a tenth each a code, a postal code,
coordinates. The limit is one row of the same table by its primary key, over the same connection.
"""

import argparse
import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from datetime import date, timedelta
from pathlib import Path

from sqlalchemy import create_engine, text

from benchmarks import machine
from marketplace.app import create_app
from marketplace.catalog import joins
from marketplace.catalog.key_kinds import Key, KeyKind
from marketplace.kit import migrations, postgres
from marketplace.kit.db import db
from marketplace.kit.settings import Settings

SIZES, SIZES_QUICK = (5_000, 100_000, 1_000_000), (5_000,)
ASKED = 200
TODAY = date(2026, 11, 1)
_FILL = text("""
INSERT INTO join_key (dataset_id, kind, grain, area, columns, time_from, time_to, recency)
SELECT 'ds_' || lpad(to_hex(n), 32, '0'), kind, grain, area, '["c"]', first, last, (last - DATE '0001-01-01') + 1
  FROM (
    SELECT n,
           CASE WHEN n % 10 < 5 THEN 'date' WHEN n % 10 < 7 THEN 'mesh' WHEN n % 10 = 7 THEN 'government_code'
                WHEN n % 10 = 8 THEN 'postal_code' ELSE 'coordinates' END AS kind,
           CASE WHEN n % 10 < 5 THEN 'day' WHEN n % 10 < 7 THEN '1km' WHEN n % 10 = 7 THEN 'municipality'
                WHEN n % 10 = 8 THEN 'town' ELSE 'point' END AS grain,
           CASE WHEN n % 10 < 5 OR n % 10 = 7 THEN 'P' || lpad((hashint4(n::int) & 1023) % 47 + 1 || '', 2, '0')
                WHEN n % 10 = 8 THEN 'Z' || lpad((hashint4(n::int) & 1023) % 100 || '', 2, '0')
                ELSE 'M' || (51 + (hashint4(n::int) & 15)) || (30 + (hashint4(n::int + 7) & 15)) END AS area,
           DATE '2026-11-01' - ((hashint4(n::int + 1) & 4095) + 365) AS first,
           DATE '2026-11-01' - (hashint4(n::int + 1) & 4095) AS last
      FROM generate_series(CAST(:first AS bigint), CAST(:last AS bigint)) AS n) AS made
""")
_ROW = text("SELECT * FROM join_key WHERE dataset_id = :dataset_id")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks joins")
    parser.add_argument("--quick", action="store_true", help="the smallest catalogue alone")
    sizes = SIZES_QUICK if parser.parse_args(arguments).quick else SIZES
    with tempfile.TemporaryDirectory(prefix="mk-joins-") as folder:
        home = Path(folder)
        home.chmod(0o755)
        url = postgres.database_url(home / "postgresql", "joins")
        try:
            _measure(Settings(database_url=url, data_dir=home), sizes)
        finally:
            postgres.stop(home / "postgresql")


def _measure(settings: Settings, sizes: Sequence[int]) -> None:
    engine = create_engine(str(settings.database_url))
    migrations.upgrade(engine)
    engine.dispose()
    app, there = create_app(settings), 0
    with app.app_context():
        for size in sizes:
            seconds = _grow(there + 1, size)
            there = size
            _print(size, seconds)
        db.session.remove()
        db.engine.dispose()


def _grow(first: int, last: int) -> float:
    begun = time.perf_counter()
    # What the keys refer to costs nothing here: datasets are not made.
    db.session.execute(text("SET session_replication_role = replica"))
    db.session.execute(_FILL, {"first": first, "last": last})
    db.session.commit()
    db.session.execute(text("ANALYZE join_key"))
    db.session.commit()
    return time.perf_counter() - begun


def _print(size: int, seconds: float) -> None:
    dice = random.Random(size)
    asked = [(f"ds_{dice.randint(1, size):032x}", _keys(dice)) for _ in range(ASKED)]
    found = _times([lambda one=one: joins.find(*one) for one in asked])
    row = _times([lambda one=one: db.session.execute(_ROW, {"dataset_id": one[0]}).all() for one in asked])
    bytes_each = (db.session.scalar(text("SELECT pg_total_relation_size('join_key')")) or 0) // size
    rate = f"{size / seconds:,.0f} keys/s in one statement" if size == SIZES[0] else f"{bytes_each:,} bytes each"
    print(
        f"  {size:>9,} datasets: p50 {_ms(found, 50)} p99 {_ms(found, 99)} ms; one row by its key p50 {_ms(row, 50)} ms"
    )
    print(f"            ratio {statistics.median(found) / statistics.median(row):.1f} to that row; {rate}")


def _keys(dice: random.Random) -> list[Key]:
    """Days and squares of a dataset somewhere in Japan that reaches over a year."""
    last = TODAY - timedelta(days=dice.randint(0, 4000))
    span = {"time_from": last - timedelta(days=365), "time_to": last}
    return [
        Key(KeyKind.DATE, "day", ("日付",), frozenset({f"P{dice.randint(1, 47):02}"}), **span),
        Key(KeyKind.MESH, "1km", ("メッシュ",), frozenset({f"M{dice.randint(51, 66)}{dice.randint(30, 45)}"}), **span),
    ]


def _times(deeds: Sequence[Callable[[], object]]) -> list[float]:
    for deed in deeds[:20]:
        deed()
    times = []
    for deed in deeds:
        begun = time.perf_counter()
        deed()
        times.append(time.perf_counter() - begun)
    db.session.rollback()
    return times


def _ms(times: Sequence[float], percent: int) -> str:
    return f"{statistics.quantiles(times, n=100)[percent - 1] * 1000:.2f}"


if __name__ == "__main__":
    print(machine.header())
    main([])
