"""Usage summed up by the hour: each event once, whoever writes meanwhile, and told as it stands at any moment."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from sqlalchemy import func, select, text

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import queries, rollups
from marketplace.metering.models import UsageEvent
from marketplace.metering.queries import UsageTotal
from marketplace.metering.rollup_models import RollupCursor, UsageRollup
from tests.factories.metering import buyer_of, entitlement_of, fetch

WRITERS = 8
EACH = int(os.environ.get("MUSUBI_TESTS_USAGE_EVENTS", "240")) // WRITERS
PATIENCE_SECONDS = 120


def prepare(count=1, **facts):
    with transaction():
        return [entitlement_of(**facts) for _ in range(count)]


def hours():
    db.session.rollback()
    columns = (UsageRollup.hour, UsageRollup.bytes_new, UsageRollup.bytes_acked, UsageRollup.deliveries)
    return [tuple(row) for row in db.session.execute(select(*columns).order_by(UsageRollup.hour, UsageRollup.grant_id))]


class Naive:
    """Sums up what has a greater id than any event it has seen, as one writes it at first."""

    def __init__(self):
        self.last, self.events = "", 0

    def roll_up(self):
        ids = db.session.scalars(select(UsageEvent.id).where(UsageEvent.id > self.last).order_by(UsageEvent.id)).all()
        db.session.rollback()
        self.events += len(ids)
        self.last = max([self.last, *ids])


def test_a_cursor_over_ids_loses_what_a_slower_writer_keeps_later_and_the_horizon_does_not(own_database):
    slow, quick = prepare(2, size_bytes=100)
    naive, written, may_end = Naive(), threading.Event(), threading.Event()

    def write_slowly():
        with own_database.app_context(), transaction():
            fetch(slow)
            written.set()
            assert may_end.wait(PATIENCE_SECONDS)

    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(write_slowly)
        assert written.wait(PATIENCE_SECONDS)
        with transaction():
            fetch(quick)
        naive.roll_up()
        rollups.roll_up()
        assert hours() == []  # the quick one waits for the slow one, and is told all the same
        assert queries.total(buyer_of(quick)) == UsageTotal(100, 100, 0, 1, 0, 1)
        db.session.rollback()
        may_end.set()
        writing.result(PATIENCE_SECONDS)
    naive.roll_up()
    rollups.roll_up()
    assert naive.events == 1
    assert sum(deliveries for *_rest, deliveries in hours()) == 2


def test_none_is_lost_and_none_doubled_while_many_write_and_two_sum_up(own_database):
    rights = prepare(WRITERS, size_bytes=10)
    ended = threading.Event()

    def write(right):
        with own_database.app_context():
            for n in range(EACH):
                with transaction():
                    fetch(right, n % 10, 1)
                db.session.remove()

    def sum_up():
        with own_database.app_context():
            while not ended.is_set():
                rollups.roll_up()
                db.session.remove()

    with ThreadPoolExecutor(WRITERS + 2) as pool:
        summing = [pool.submit(sum_up) for _ in range(2)]
        try:
            list(pool.map(write, rights))
        finally:
            ended.set()
        for one in summing:
            one.result(PATIENCE_SECONDS)
    rollups.roll_up()
    sums = [sum(column) for column in zip(*[row[1:] for row in hours()], strict=True)]
    assert sums == [WRITERS * min(EACH, 10), WRITERS * EACH, WRITERS * EACH]
    assert db.session.scalar(select(func.count()).select_from(UsageEvent)) == WRITERS * EACH


def test_what_is_told_is_the_same_before_and_after_it_is_summed_up(own_database):
    (right,) = prepare(size_bytes=100)
    for at in (datetime(2026, 11, 21, 14, 59, tzinfo=UTC), datetime(2026, 11, 21, 15, tzinfo=UTC)):
        with clock.stopped(at), transaction():
            fetch(right, 0, 60 if at.minute else 100)
    buyer = buyer_of(right)
    before = [queries.statement(buyer).items, queries.total(buyer), queries.used_since(right.grant_id, at)]
    assert [(line.day.day, line.bytes_new) for line in before[0]] == [(22, 40), (21, 60)]
    rollups.roll_up()
    assert [row[1:] for row in hours()] == [(60, 60, 1), (40, 100, 1)]
    assert [queries.statement(buyer).items, queries.total(buyer), queries.used_since(right.grant_id, at)] == before
    db.session.rollback()
    with clock.stopped(at), transaction():
        fetch(right)
    assert queries.total(buyer) == UsageTotal(100, 260, 0, 3, 0, 3)
    db.session.rollback()
    rollups.roll_up()
    rollups.roll_up()
    assert queries.total(buyer) == UsageTotal(100, 260, 0, 3, 0, 3)


@pytest.mark.parametrize(("minute", "bytes_new"), [(0, 30), (1, 20), (59, 20)])
def test_what_was_used_from_the_midst_of_an_hour_is_told_exactly(own_database, minute, bytes_new):
    (right,) = prepare(size_bytes=30)
    for n, at in enumerate((0, 59)):
        with clock.stopped(datetime(2026, 11, 21, 14, at, 30 * n, tzinfo=UTC)), transaction():
            fetch(right, n * 10, 10)
    with clock.stopped(datetime(2026, 11, 21, 15, 1, tzinfo=UTC)), transaction():
        fetch(right, 20, 10)
    rollups.roll_up()
    used = queries.used_since(right.grant_id, datetime(2026, 11, 21, 14, minute, tzinfo=UTC))
    assert (used.bytes_new, used.deliveries) == (bytes_new, bytes_new // 10)


def test_a_database_whose_transactions_are_counted_anew_is_summed_up_once_more(own_database):
    (right,) = prepare(size_bytes=100)
    at = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
    with clock.stopped(at), transaction():
        fetch(right)
    rollups.roll_up()
    told = hours()
    with transaction():
        db.session.execute(text("UPDATE usage_rollup_cursor SET next_xid = next_xid + 1000000000"))
    with clock.stopped(at), transaction():
        fetch(right)
    rollups.roll_up()
    ((hour, bytes_new, bytes_acked, deliveries),) = hours()
    assert (hour, bytes_new, bytes_acked, deliveries) == (told[0][0], 100, 200, 2)
    rollups.roll_up()
    assert len(hours()) == 1
    assert db.session.scalar(select(RollupCursor.next_xid)) < 1_000_000_000
