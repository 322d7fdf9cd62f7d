"""Usage events lie by month: made ahead, put aside when they are old, settled and summed up."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from sqlalchemy import func, select, text

from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import corrections, months, queries, rollups
from marketplace.metering import service as metering
from marketplace.metering.corrections import Correction
from marketplace.metering.errors import UsagePutAside
from marketplace.metering.models import Delivery, UsageEvent, UsageKey
from tests.factories.metering import buyer_of, entitlement_of, fetch

OLD = datetime(2031, 1, 31, 14, 59, tzinfo=UTC)  # a minute before February in Japan
LATER = datetime(2033, 2, 1, tzinfo=UTC)


@pytest.fixture
def used(own_database):
    """A grant used in the last minute of January 2031 and in the first of February, before there were such months."""
    with transaction():
        right = entitlement_of(size_bytes=100)
    for at, start in ((OLD, 0), (OLD + timedelta(minutes=1), 60)):
        with clock.stopped(at), transaction():
            fetch(right, start, 40)
    return right


@pytest.fixture
def kept_two_years(own_database):
    """The setting by which months are put aside, as short as it can be."""
    before = settings.current()
    settings.install(replace(before, usage_months_kept=1))
    yield
    settings.install(before)


def lies_in():
    db.session.rollback()
    rows = db.session.execute(text("SELECT CAST(CAST(tableoid AS regclass) AS text) FROM usage_event ORDER BY id"))
    return [row[0] for row in rows]


def settle(right):
    with transaction():
        metering.claim_unbilled(right.grant_id, LATER, "stl_1")
    rollups.roll_up()


def test_months_are_made_ahead_and_what_came_before_them_moves_in(used):
    assert lies_in() == ["usage_event_rest"] * 2
    with clock.stopped(OLD):
        months.look_after()
        months.look_after()
    assert lies_in() == ["usage_event_2031_01", "usage_event_2031_02"]
    assert months.list_months()[-4:] == [date(2031, month, 1) for month in (1, 2, 3, 4)]
    with clock.stopped(OLD), transaction():
        fetch(used)
    assert lies_in()[-1] == "usage_event_2031_01"
    for table in ("usage_event_2031_01", "usage_event_rest"):
        with pytest.raises(Exception, match="append-only"):
            db.session.execute(text(f"TRUNCATE {table}"))
        db.session.rollback()
    with pytest.raises(Exception, match="append-only"):
        db.session.execute(text("DELETE FROM usage_event"))


def test_a_month_is_put_aside_once_it_is_settled_and_summed_up_and_its_sums_are_told_on(used, kept_two_years):
    with clock.stopped(OLD):
        months.look_after()
    with clock.stopped(LATER):
        months.look_after()
        assert len(lies_in()) == 2
        settle(used)
        told = queries.statement(buyer_of(used)).items, queries.total(buyer_of(used))
        months.look_after()
    assert lies_in() == ["usage_event_2031_02"]
    assert (queries.statement(buyer_of(used)).items, queries.total(buyer_of(used))) == told
    assert queries.used_since(used.grant_id, datetime(2031, 1, 31, 14, tzinfo=UTC)).bytes_new == 80
    assert db.session.scalar(text("SELECT count(*) FROM usage_event_2031_01")) == 1
    assert db.session.scalar(select(func.count()).select_from(UsageKey)) == 2
    (of_january,) = db.session.scalars(select(Delivery).where(Delivery.closed_at == OLD))
    with pytest.raises(UsagePutAside):
        corrections.correct(SYSTEM, of_january, Correction("c", "遅い訂正", bytes=-1))
    db.session.rollback()
    with transaction():
        db.session.execute(text("UPDATE usage_rollup_cursor SET next_xid = next_xid + 1000000000"))
    rollups.roll_up()
    assert queries.total(buyer_of(used)) == told[1]


def test_with_the_setting_at_zero_every_month_stays(used):
    with clock.stopped(OLD):
        months.look_after()
    settle(used)
    with clock.stopped(LATER):
        months.look_after()
    assert len(lies_in()) == 2
    assert db.session.scalar(select(func.sum(UsageEvent.bytes_new))) == 80
