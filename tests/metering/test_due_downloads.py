"""Downloads as they fall due: at the first byte or when all has arrived, once for 24 hours, whoever fetches how."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import DownloadDue
from marketplace.metering import corrections, queries, quotas, rollups
from marketplace.metering import service as metering
from marketplace.metering.corrections import Correction
from marketplace.metering.errors import CorrectionTooLarge, QuotaExhausted
from marketplace.metering.models import Delivery, UsageEvent
from tests.factories.metering import buyer_of, entitlement_of, fetch, granted
from tests.metering.test_races import THREADS, together

NOON = datetime(2026, 11, 10, 3, tzinfo=UTC)
FIRST, FULL = DownloadDue.FIRST_BYTE, DownloadDue.FULL_COVERAGE
SIZE = 12
QUICK = settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


@pytest.fixture(autouse=True)
def at_noon(request):
    # Threads of a race have the clock as it is.
    if "own_database" in request.fixturenames:
        yield
        return
    with clock.stopped(NOON):
        yield


def priced(due, size_bytes=100, **limits):
    """A right to a content of a grant whose price counts downloads, beside a stranger's that was fetched."""
    fetch(entitlement_of(grant=granted(download_due=due), size_bytes=size_bytes))
    return entitlement_of(grant=granted(download_due=due, **limits), size_bytes=size_bytes)


def due_of(entitlement):
    """What fell due by the quota, the events and the statement, which agree."""
    of_grant = select(UsageEvent.downloads_new).where(UsageEvent.grant_id == entitlement.grant_id)
    counts = {
        queries.get_quota(entitlement.grant_id).due_downloads,
        sum(db.session.scalars(of_grant)),
        queries.total(buyer_of(entitlement)).downloads_new,
    }
    (count,) = counts
    return count


def later(**span):
    return clock.stopped(NOON + timedelta(**span))


def test_in_full_it_falls_due_with_the_last_byte_however_many_connections_fetch_it(session):
    entitlement = priced(FULL)
    assert fetch(entitlement, 0, 60, acked=50, outcome="broken").downloads_new == 0
    assert fetch(entitlement, 70, 30).downloads_new == 0
    with later(days=40):
        assert fetch(entitlement, 40, 30).downloads_new == 1
    assert due_of(entitlement) == 1


def test_what_never_becomes_whole_costs_nothing(session):
    entitlement = priced(FULL)
    for days in range(3):
        with later(days=days):
            assert fetch(entitlement, 0, 99).downloads_new == 0
    assert due_of(entitlement) == 0


def test_at_the_first_byte_it_falls_due_with_any_byte_that_arrived(session):
    entitlement = priced(FIRST)
    assert fetch(entitlement, acked=0, outcome="broken").downloads_new == 0
    assert fetch(entitlement, 98, 2, acked=1, outcome="broken").downloads_new == 1
    assert fetch(entitlement).downloads_new == 0
    assert due_of(entitlement) == 1


@pytest.mark.parametrize("due", [FIRST, FULL])
def test_for_24_hours_it_is_free_again_and_then_it_is_another(session, due):
    entitlement = priced(due)
    fetch(entitlement)
    with later(hours=24, seconds=-1):
        assert fetch(entitlement).downloads_new == 0
        running = metering.open_delivery(entitlement, 0, 100, None)
    with later(hours=30):
        # It began while that was free, so it stays free to its end.
        assert metering.close_delivery(running.id, 100, 100, "complete").downloads_new == 0
        assert fetch(entitlement).downloads_new == 1
    assert due_of(entitlement) == 2


def test_what_was_free_does_not_count_towards_the_next(session):
    entitlement = priced(FULL)
    fetch(entitlement)
    with later(hours=23):
        fetch(entitlement, 0, 50)
    with later(hours=25):
        assert fetch(entitlement, 50, 50).downloads_new == 0
        assert fetch(entitlement, 0, 50).downloads_new == 1


def test_another_content_is_another_download_and_other_grants_have_their_own(session):
    entitlement = priced(FULL)
    made = replace(entitlement, sha256="a" * 64)
    assert [fetch(one).downloads_new for one in (entitlement, made, priced(FULL))] == [1, 1, 1]
    assert due_of(entitlement) == 2


def test_where_the_price_counts_something_else_none_falls_due(session):
    entitlement = entitlement_of(size_bytes=100)
    assert fetch(entitlement).downloads_new == 0
    assert due_of(entitlement) == 0


def test_a_unit_of_the_quota_buys_what_is_charged(session):
    entitlement = priced(FULL, limit_downloads=2)
    fetch(entitlement)
    with later(hours=23):
        fetch(entitlement)
    assert queries.get_quota(entitlement.grant_id).used_downloads == 1
    with later(hours=25):
        fetch(entitlement)
        fetch(entitlement)
    with later(hours=50), pytest.raises(QuotaExhausted), session.begin_nested():
        fetch(entitlement)
    assert queries.get_quota(entitlement.grant_id).used_downloads == due_of(entitlement) == 2


def test_running_downloads_hold_one_of_each_content_that_they_can_make_whole(session):
    entitlement = priced(FULL)
    first = metering.open_delivery(entitlement, 0, 50, None)
    assert quotas.count_held_downloads(entitlement.grant_id) == 0
    second, third = (metering.open_delivery(entitlement, 50, 50, None) for _ in range(2))
    metering.open_delivery(replace(entitlement, sha256="a" * 64), 0, 100, None)
    assert quotas.count_held_downloads(entitlement.grant_id) == 2
    for one in (first, second):
        metering.close_delivery(one.id, 50, 50, "complete")
    # The third was running when its download fell due.
    assert quotas.count_held_downloads(entitlement.grant_id) == 1
    metering.close_delivery(third.id, 50, 50, "complete")
    assert due_of(entitlement) == 1


def test_each_running_content_holds_one_where_the_first_byte_is_due(session):
    entitlement = priced(FIRST)
    for _ in range(3):
        metering.open_delivery(entitlement, 10, 1, None)
    assert quotas.count_held_downloads(entitlement.grant_id) == 1


def test_a_download_is_taken_off_by_a_correction_and_never_twice(session):
    entitlement = priced(FULL)
    delivery = session.get_one(Delivery, fetch(entitlement).delivery_id)
    corrections.correct(SYSTEM, delivery, Correction("c-1", "欠損", downloads=-1))
    assert due_of(entitlement) == 0
    with pytest.raises(CorrectionTooLarge), session.begin_nested():
        corrections.correct(SYSTEM, delivery, Correction("c-2", "欠損", downloads=-1))
    corrections.correct(SYSTEM, delivery, Correction("c-3", "取消の取消", downloads=1))
    with pytest.raises(CorrectionTooLarge), session.begin_nested():
        corrections.correct(SYSTEM, delivery, Correction("c-4", "二重", downloads=1))
    assert due_of(entitlement) == 1
    # What was received stays free.
    assert fetch(entitlement).downloads_new == 0


def test_the_record_and_the_claim_say_what_fell_due(session):
    entitlement = priced(FULL)
    usage = fetch(entitlement)
    entries = session.scalars(select(Entry).where(Entry.verb == Verb.DELIVERY_CLOSED.value))
    assert [entry.facts["downloads_new"] for entry in entries if entry.subject == usage.delivery_id] == [1]
    (claim,) = metering.claim_unbilled(entitlement.grant_id, NOON + timedelta(days=1), "stl_1")
    assert claim.downloads_new == 1


def test_the_database_itself_refuses_two_downloads_of_one_delivery(session):
    fetch(priced(FULL))
    columns = ", ".join(
        column.name for column in UsageEvent.__table__.columns if column.name not in {"id", "xid", "downloads_new"}
    )
    sentence = (
        f"INSERT INTO usage_event (id, downloads_new, {columns})"
        f" SELECT 'use_two', 2, {columns.replace('delivery_id', chr(39) + 'dlv_x' + chr(39))} FROM usage_event LIMIT 1"
    )
    with pytest.raises(DBAPIError, match="downloads"), session.begin_nested():
        session.execute(text(sentence))


plans = st.lists(
    st.tuples(
        st.tuples(st.integers(0, SIZE), st.integers(0, SIZE)).map(sorted), st.integers(0, SIZE), st.integers(0, 30)
    ),
    max_size=10,
)


@QUICK
@given(plan=plans, due=st.sampled_from([FIRST, FULL]))
def test_any_downloads_fall_due_as_sets_of_bytes_say(session, plan, due):
    savepoint = session.begin_nested()
    entitlement, now = entitlement_of(grant=granted(download_due=due), size_bytes=SIZE), NOON
    pending, free_until, count = set(), NOON, 0
    for (first, end), most, hours in plan:
        now += timedelta(hours=hours)
        acked = min(most, end - first)
        with clock.stopped(now):
            new = fetch(entitlement, first, end - first, acked, "broken").downloads_new
        if acked and now >= free_until:
            pending |= set(range(first, first + acked))
            if due is FIRST or len(pending) == SIZE:
                pending, free_until, count = set(), now + timedelta(hours=24), count + 1
                new -= 1
        assert new == 0
    assert due_of(entitlement) == count
    savepoint.rollback()


@pytest.mark.parametrize("due", [FIRST, FULL])
def test_64_deliveries_that_end_together_make_one_download_due(own_database, due):
    with transaction():
        entitlement = priced(due, size_bytes=640)
        half = [metering.open_delivery(entitlement, n % 32 * 20, 20, None) for n in range(THREADS)]
    together(own_database, [lambda one=one: metering.close_delivery(one.id, 20, 20, "complete") for one in half])
    assert due_of(entitlement) == 1
    db.session.rollback()
    rollups.roll_up()
    assert due_of(entitlement) == 1
