"""Leases hold what deliveries may cost before anybody tells of them, and batches write what single ones would have."""

from dataclasses import replace
from datetime import timedelta
from functools import partial

import pytest
from sqlalchemy import select, text

from marketplace.audit import rules, sequencer, verification
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id
from marketplace.kit.transaction import transaction
from marketplace.metering import batches, leases, queries
from marketplace.metering import service as metering
from marketplace.metering.errors import QuotaExhausted
from marketplace.metering.lease_models import QuotaLease
from marketplace.metering.models import Delivery, UsageEvent
from marketplace.metering.rules import judge
from tests.factories.metering import entitlement_of, fetch

CLIENT = "cli_hot"


@pytest.fixture
def noise(session):
    fetch(entitlement_of(b"noise", limit_downloads=100, limit_requests=100))


def received(**limits):
    """A content that its grant has received wholly."""
    entitlement = entitlement_of(size_bytes=100, **limits)
    fetch(entitlement)
    return entitlement


def quota_of(entitlement):
    return queries.get_quota(entitlement.grant_id)


def held(lease):
    row = db.session.get_one(QuotaLease, lease.id, populate_existing=True)
    return row.deliveries_held, row.closed_at


def entry(entitlement, start=0, acked=100, outcome="complete", *, running=False):
    length = 100 - start
    ending = None if running else judge(length, acked, acked, outcome)
    return batches.Entry(new_id("dlv"), entitlement, CLIENT, start, length, clock.now(), ending)


def test_a_lease_holds_requests_and_units_and_is_recorded(noise, session):
    entitlement = received(limit_downloads=801, limit_requests=1601)
    lease = leases.take(entitlement)
    assert lease.deliveries == 100  # an eighth of 800
    assert quota_of(entitlement).leased_deliveries == 100
    assert held(lease) == (100, None)
    told = session.scalars(select(Entry).where(Entry.subject == lease.id)).one()
    assert (told.verb, told.facts["deliveries"], told.facts["sha256"]) == (
        Verb.LEASE_TAKEN,
        100,
        entitlement.sha256,
    )


def test_without_limits_a_lease_holds_no_more_than_may_be_lost(noise, session):
    assert leases.take(received()).deliveries == leases.DELIVERIES_MAX


def test_what_was_not_received_wholly_is_not_leased(noise, session):
    entitlement = entitlement_of(size_bytes=100)
    fetch(entitlement, start=1)
    assert leases.take(entitlement) is None
    assert quota_of(entitlement).leased_deliveries == 0
    fetch(entitlement, length=1)
    assert leases.take(entitlement) is not None


@pytest.mark.parametrize("limits", [{"limit_streams": 5}, {"limit_downloads": 128}, {"limit_requests": 128}])
def test_near_the_end_of_a_quota_and_with_limited_streams_nothing_is_leased(noise, session, limits):
    entitlement = received(**limits)
    assert leases.take(entitlement) is None
    assert quota_of(entitlement).leased_deliveries == 0
    assert session.scalars(select(QuotaLease)).all() == []


def test_what_is_leased_is_nobody_elses(noise, session):
    entitlement = received(limit_downloads=201)
    lease = leases.take(entitlement)
    for _ in range(200 - lease.deliveries):
        fetch(entitlement)
    with pytest.raises(QuotaExhausted) as refusal:
        metering.open_delivery(entitlement, 0, 100, CLIENT)
    assert "0 downloads are left, and 25 are held" in refusal.value.detail
    assert leases.give_back(lease.id)
    fetch(entitlement)


def test_what_is_given_back_is_free_again_once(noise, session):
    entitlement = received(limit_requests=1601)
    lease = leases.take(entitlement)
    assert leases.give_back(lease.id)
    assert not leases.give_back(lease.id)
    assert quota_of(entitlement).leased_deliveries == 0
    assert held(lease)[0] == 0
    assert held(lease)[1] is not None
    told = session.scalars(select(Entry).where(Entry.verb == Verb.LEASE_ENDED)).one()
    assert told.facts == {"grant_id": entitlement.grant_id, "given_back": 200, "swept": False}


def test_only_leases_that_nobody_renewed_are_swept(noise, session):
    kept, left = leases.take(received()), leases.take(received())
    later = clock.now() + leases.TTL + timedelta(seconds=1)
    with clock.stopped(later - timedelta(seconds=30)):
        assert leases.renew([kept.id]) == {kept.id}
    with clock.stopped(later):
        assert leases.list_expired() == [left.id]


SCRIPTS = {
    "one after the other": [(0, 100, "complete")] * 3,
    "parts": [(40, 60, "complete"), (0, 100, "complete"), (99, 1, "complete")],
    "broken ones leave their unit to the next": [
        (0, 30, "broken"),
        (0, 0, "broken"),
        (0, 100, "complete"),
        (0, 50, "stalled"),
        (50, 50, "complete"),
        (0, 100, "complete"),
        (0, 100, "complete"),
    ],
    "nothing arrived": [(0, 0, "broken"), (10, 0, "stalled")],
}


def singly(entitlement, script):
    for start, acked, outcome in script:
        opened = metering.open_delivery(entitlement, start, 100 - start, CLIENT)
        metering.close_delivery(opened.id, acked, acked, outcome)


def as_a_batch(entitlement, script, sizes):
    lease = leases.take(entitlement)
    ids = sorted(new_id("dlv") for _ in script)  # those of one millisecond come in any order
    entries = [replace(entry(entitlement, *one), id=its) for one, its in zip(script, ids, strict=True)]
    while entries:
        size = next(sizes)
        batches.keep(lease.id, entries[:size])
        del entries[:size]
    leases.give_back(lease.id)


def written(entitlement):
    """Everything that was written of a grant, with ids by their order and without instants."""
    db.session.expire_all()
    grant = {"grant_id": entitlement.grant_id}
    rows = {}
    for table, order in (
        ("delivery", "id"),
        ("usage_event", "delivery_id"),
        ("coverage", "sha256"),
        ("quota", "grant_id"),
    ):
        found = db.session.execute(text(f"SELECT * FROM {table} WHERE grant_id = :grant_id ORDER BY {order}"), grant)
        rows[table] = [dict(row._mapping) for row in found]
    named = {row["id"]: f"delivery {place}" for place, row in enumerate(rows["delivery"])}
    named |= {row["id"]: f"event of {named[row['delivery_id']]}" for row in rows["usage_event"]}
    query = text(
        "SELECT * FROM audit_entry WHERE subject IN (SELECT id FROM delivery WHERE grant_id = :grant_id)"
        " ORDER BY subject, verb DESC"
    )
    rows["audit_entry"] = [dict(row._mapping) for row in db.session.execute(query, grant)]
    for row in rows["audit_entry"]:
        assert row.pop("canonical") == rules.canonical_entry(row)
    for row in rows["usage_event"]:
        del row["xid"]
    mine = {entitlement.grant_id, entitlement.organization_id, entitlement.provider_organization_id}
    mine |= {entitlement.dataset_id, entitlement.release_id, entitlement.file_id}
    plain = partial(_plain, named=named | dict.fromkeys(mine, "of the grant"))
    return [f"{table}.{name}: {plain(row[name])}" for table in rows for row in rows[table] for name in sorted(row)]


def _plain(value, named):
    if isinstance(value, dict):
        return {name: _plain(inner, named) for name, inner in sorted(value.items())}
    if isinstance(value, str):
        kinds = {"aud_": "an entry", "cli_": "a client"}
        return kinds.get(value[:4]) or named.get(value, value)
    return "then" if hasattr(value, "isoformat") else value


@pytest.mark.parametrize("sizes", [[1], [100]], ids=["each alone", "all at once"])
@pytest.mark.parametrize("script", SCRIPTS.values(), ids=SCRIPTS.keys())
def test_a_batch_writes_what_single_deliveries_write(noise, session, script, sizes):
    usual, hot = received(limit_downloads=900, limit_requests=900), received(limit_downloads=900, limit_requests=900)
    singly(usual, script)
    as_a_batch(hot, script, iter(sizes * 100))
    assert written(hot) == written(usual)


def test_a_batch_takes_over_the_unit_of_an_earlier_delivery_that_broke(noise, session):
    usual, hot = received(limit_downloads=900), received(limit_downloads=900)
    for entitlement in (usual, hot):
        fetch(entitlement, acked=10, outcome="broken")
    singly(usual, [(0, 100, "complete")])
    as_a_batch(hot, [(0, 100, "complete")], iter([1]))
    assert written(hot) == written(usual)
    assert quota_of(hot).used_downloads == 2


def test_a_batch_that_is_told_twice_is_entered_once(noise, session):
    entitlement = received(limit_requests=1601)
    lease = leases.take(entitlement)
    entries = [entry(entitlement), entry(entitlement)]
    batches.keep(lease.id, entries[:1])
    before = quota_of(entitlement).used_requests
    batches.keep(lease.id, entries)
    batches.keep(lease.id, entries)
    assert quota_of(entitlement).used_requests == before + 1
    events = select(UsageEvent).where(UsageEvent.delivery_id.in_([one.id for one in entries]))
    assert len(session.scalars(events).all()) == 2


def test_a_lease_is_refilled_by_what_was_told_and_never_beyond_its_part(noise, session):
    entitlement = received(limit_downloads=801)
    lease = leases.take(entitlement)
    added = batches.keep(lease.id, [entry(entitlement) for _ in range(10)])
    # 790 are left: an eighth is 98, and 90 are held still
    assert added == 8
    assert held(lease) == (98, None)
    quota = quota_of(entitlement)
    assert (quota.leased_deliveries, quota.used_downloads) == (98, 11)


def test_near_the_end_of_the_quota_a_lease_is_not_refilled(noise, session):
    entitlement = received(limit_downloads=201)
    lease = leases.take(entitlement)
    for _ in range(60):
        fetch(entitlement)
    assert batches.keep(lease.id, [entry(entitlement)]) == 0
    for _ in range(20):
        fetch(entitlement)
    assert batches.keep(lease.id, [entry(entitlement)]) is None
    assert held(lease)[0] == 23


def test_a_running_delivery_is_entered_as_open_and_closed_like_any_other(noise, session):
    entitlement = received(limit_requests=1601)
    lease = leases.take(entitlement)
    running = entry(entitlement, running=True)
    batches.keep(lease.id, [running])
    quota = quota_of(entitlement)
    assert (quota.open_deliveries, quota.used_requests) == (1, 1)
    assert session.get_one(Delivery, running.id).state == "open"
    usage = metering.close_delivery(running.id, 100, 100, "complete")
    assert (usage.bytes_new, usage.requests) == (0, 1)
    quota = quota_of(entitlement)
    assert (quota.open_deliveries, quota.used_requests) == (0, 2)


def test_what_comes_late_for_a_swept_lease_counts_while_there_is_room(noise, session):
    entitlement = received(limit_downloads=150)
    lease = leases.take(entitlement)
    leases.give_back(lease.id, swept=True)
    assert batches.keep(lease.id, [entry(entitlement)]) is None
    assert quota_of(entitlement).used_downloads == 2
    for _ in range(148):
        fetch(entitlement)
    late = entry(replace(entitlement))
    batches.keep(lease.id, [late])
    quota = quota_of(entitlement)
    assert (quota.used_downloads, quota.leased_deliveries) == (150, 0)
    assert session.get(Delivery, late.id) is None


@pytest.mark.parametrize("minutes", [3, 10])
def test_what_is_told_after_the_database_was_away_leaves_the_record_sound(own_database, minutes):
    with transaction():
        entitlement = received()
        lease = leases.take(entitlement)
    begun = entry(entitlement)
    with clock.stopped(begun.opened_at + timedelta(minutes=minutes)):
        with transaction():
            fetch(entitlement)
        sequencer.sequence_all()
        with transaction():
            batches.keep(lease.id, [begun])
        sequencer.sequence_all()
    assert verification.verify().findings == []
    told = db.session.scalars(select(Entry).where(Entry.subject == begun.id).order_by(Entry.occurred_at)).all()
    assert [one.verb for one in told] == [Verb.DELIVERY_OPENED, Verb.DELIVERY_CLOSED]
    dated = told[0].facts.get("opened_at", clock.text(told[0].occurred_at))
    assert dated == clock.text(begun.opened_at)
    assert ("opened_at" in told[0].facts) == (minutes > 5)
