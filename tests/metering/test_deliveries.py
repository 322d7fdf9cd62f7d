"""What is asked is held, what was acknowledged is charged, once."""

from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, NoResultFound

from marketplace.access.models import Grant
from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.kit import clock
from marketplace.kit.errors import NotFound
from marketplace.metering import queries
from marketplace.metering import service as metering
from marketplace.metering.errors import QuotaExhausted
from marketplace.metering.models import Coverage, Delivery, UsageEvent
from marketplace.metering.rules import Allowance, Ending, judge
from marketplace.metering.states import DeliveryState
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.metering import buyer_of, entitlement_of, fetch, granted, provider_of


@pytest.fixture
def entitlement(session):
    fetch(entitlement_of(b"noise", limit_bytes=100, limit_downloads=3))
    return entitlement_of(size_bytes=100)


def quota_of(entitlement):
    quota = queries.get_quota(entitlement.grant_id)
    return quota.used_bytes, quota.reserved_bytes, quota.used_downloads


def events_of(session, entitlement):
    query = select(UsageEvent).where(UsageEvent.grant_id == entitlement.grant_id).order_by(UsageEvent.id)
    return [(event.bytes_new, event.bytes_acked) for event in session.scalars(query)]


def grant_of(session, entitlement):
    return session.get_one(Grant, entitlement.grant_id)


def delivery(session, opened):
    return session.get_one(Delivery, opened.id, populate_existing=True)


def test_a_delivery_holds_its_bytes_and_a_unit_and_is_recorded(session, entitlement):
    opened = metering.open_delivery(entitlement, 0, 100, "cli_night")
    assert opened.id.startswith("dlv_")
    assert (opened.start_byte, opened.length, opened.reserved_bytes, opened.unit_taken) == (0, 100, 100, True)
    assert quota_of(entitlement) == (0, 100, 1)
    row = delivery(session, opened)
    assert (row.state, row.client_id, row.file_id, row.sha256) == (
        "open",
        "cli_night",
        entitlement.file_id,
        entitlement.sha256,
    )
    entry = session.scalars(select(Entry).where(Entry.subject == opened.id)).one()
    assert (entry.verb, entry.organization_id, entry.client_id) == (
        Verb.DELIVERY_OPENED,
        entitlement.organization_id,
        "cli_night",
    )
    assert entry.facts["sha256"] == entitlement.sha256


def test_a_complete_delivery_is_charged_recorded_and_holds_nothing_more(session, entitlement):
    opened = metering.open_delivery(entitlement, 0, 100, "cli_night")
    usage = metering.close_delivery(opened.id, 100, 100, "complete")
    assert (usage.bytes_new, usage.bytes_acked, usage.state) == (100, 100, "complete")
    assert quota_of(entitlement) == (100, 0, 1)
    assert delivery(session, opened).state == "complete"
    event = session.get_one(UsageEvent, usage.id)
    assert (event.delivery_id, event.organization_id, event.provider_organization_id, event.dataset_id) == (
        opened.id,
        entitlement.organization_id,
        entitlement.provider_organization_id,
        entitlement.dataset_id,
    )
    entry = session.scalars(select(Entry).where(Entry.verb == Verb.DELIVERY_CLOSED, Entry.subject == opened.id)).one()
    assert entry.counterparty_id == entitlement.provider_organization_id
    assert (entry.facts["bytes_new"], entry.facts["bytes_acked"], entry.facts["usage_event_id"]) == (100, 100, usage.id)


def test_closing_twice_makes_one_event_and_charges_once(session, entitlement):
    opened = metering.open_delivery(entitlement, 0, 100, None)
    assert metering.close_delivery(opened.id, 100, 60, "broken").bytes_new == 60
    assert metering.close_delivery(opened.id, 100, 100, "complete") is None
    assert metering.close_delivery("dlv_none", 1, 1, "complete") is None
    assert events_of(session, entitlement) == [(60, 60)]
    assert quota_of(entitlement) == (60, 0, 1)


def test_a_broken_download_costs_what_was_acknowledged_and_its_resume_the_rest(session, entitlement):
    assert fetch(entitlement, acked=40, outcome="broken").state is DeliveryState.BROKEN
    assert fetch(entitlement, start=40).bytes_new == 60
    assert fetch(entitlement, start=40, acked=10, outcome="stalled").state is DeliveryState.STALLED
    assert events_of(session, entitlement) == [(40, 40), (60, 60), (0, 10)]
    assert quota_of(entitlement) == (100, 0, 1)


def test_overlaps_and_repeats_cost_once(session, entitlement):
    for start, length in ((0, 30), (20, 30), (70, 30), (0, 100), (0, 100)):
        fetch(entitlement, start, length)
    assert events_of(session, entitlement) == [(30, 30), (20, 30), (30, 30), (20, 100), (0, 100)]
    covered = session.get_one(Coverage, (entitlement.grant_id, entitlement.sha256))
    assert (covered.bytes_covered, covered.bytes_added) == (100, 0)
    assert [(r.lower, r.upper) for r in covered.ranges] == [(0, 100)]


def test_a_client_that_vanished_at_once_costs_nothing_and_leaves_an_event(session, entitlement):
    assert fetch(entitlement, acked=0, outcome="broken").bytes_new == 0
    assert events_of(session, entitlement) == [(0, 0)]
    assert session.get(Coverage, (entitlement.grant_id, entitlement.sha256)) is None


def test_an_empty_file_takes_a_unit_and_no_bytes(session):
    entitlement = entitlement_of(b"", limit_bytes=0, limit_downloads=1)
    usage = fetch(entitlement, 0, 0)
    assert (usage.state, usage.bytes_new) == (DeliveryState.COMPLETE, 0)
    assert quota_of(entitlement) == (0, 0, 1)
    with pytest.raises(QuotaExhausted):
        fetch(entitlement, 0, 0)


def test_two_files_and_two_grants_are_counted_apart(session):
    grant = granted()
    first, second = (entitlement_of(content, grant=grant) for content in (b"one", b"another"))
    elsewhere = entitlement_of(b"one")
    assert [fetch(each).bytes_new for each in (first, second, elsewhere, first)] == [3, 7, 3, 0]
    assert quota_of(first)[0] == 10
    assert quota_of(elsewhere)[0] == 3


def test_the_same_content_in_two_releases_costs_once(session):
    grant = granted()
    first, again = (entitlement_of(b"unchanged", grant=grant) for _ in range(2))
    assert [fetch(each).bytes_new for each in (first, again)] == [9, 0]


@pytest.mark.parametrize(
    ("length", "sent", "acked", "outcome", "ending"),
    [
        (10, 10, 10, "complete", Ending(DeliveryState.COMPLETE, 10, 10)),
        (10, 10, 10, "broken", Ending(DeliveryState.COMPLETE, 10, 10)),
        (10, 10, 9, "complete", Ending(DeliveryState.BROKEN, 10, 9)),
        (10, 5, 9, "stalled", Ending(DeliveryState.STALLED, 5, 5)),
        (10, 99, 99, "complete", Ending(DeliveryState.COMPLETE, 10, 10)),
        (10, -1, -1, "swept", Ending(DeliveryState.SWEPT, 0, 0)),
        (10, 3, 2, "who knows", Ending(DeliveryState.BROKEN, 3, 2)),
        (0, 0, 0, "broken", Ending(DeliveryState.COMPLETE, 0, 0)),
    ],
)
def test_a_reported_end_is_judged_in_doubt_for_the_buyer(length, sent, acked, outcome, ending):
    assert judge(length, sent, acked, outcome) == ending


def test_a_byte_quota_counts_only_new_bytes_and_says_what_is_left(session):
    entitlement = entitlement_of(limit_bytes=150, size_bytes=100)
    fetch(entitlement, 0, 100)
    other = entitlement_of(b"x" * 60, grant=grant_of(session, entitlement))
    with pytest.raises(QuotaExhausted) as refusal, session.begin_nested():
        metering.open_delivery(other, 0, 60, None)
    assert refusal.value.status == 403
    assert refusal.value.members == {
        "bytes_left": 50, "bytes_reserved": 0, "downloads_left": None, "rows_left": None, "requests_left": None,
    }  # fmt: skip
    assert "50 bytes are left" in refusal.value.detail
    assert quota_of(entitlement) == (100, 0, 1)
    assert fetch(entitlement, 0, 100).bytes_new == 0
    assert fetch(other, 0, 50).bytes_new == 50
    with pytest.raises(QuotaExhausted), session.begin_nested():
        metering.open_delivery(other, 50, 1, None)


def test_bytes_held_by_a_running_delivery_are_not_given_twice_and_come_back_when_it_breaks(session):
    entitlement = entitlement_of(limit_bytes=100, size_bytes=100)
    running = metering.open_delivery(entitlement, 0, 100, None)
    with pytest.raises(QuotaExhausted) as refusal, session.begin_nested():
        metering.open_delivery(entitlement, 50, 50, None)
    assert refusal.value.members["bytes_reserved"] == 100
    metering.close_delivery(running.id, 50, 50, "broken")
    assert fetch(entitlement, 50, 50).bytes_new == 50


def test_without_an_account_nothing_is_opened(session, entitlement):
    with pytest.raises(NoResultFound):
        metering.open_delivery(replace(entitlement, grant_id="grt_none"), 0, 1, None)
    with pytest.raises(NotFound):
        queries.get_quota("grt_none")


def test_opening_the_account_again_changes_nothing(session, entitlement):
    fetch(entitlement)
    metering.open_quota(entitlement.grant_id, Allowance(bytes=1, downloads=1))
    assert quota_of(entitlement) == (100, 0, 1)
    assert queries.get_quota(entitlement.grant_id).limit_bytes is None


def test_a_download_quota_counts_passes_over_a_file_and_refuses_the_next(session):
    entitlement = entitlement_of(limit_downloads=2, size_bytes=100)
    fetch(entitlement)
    fetch(entitlement, 0, 10)
    fetch(entitlement, 10, 90)
    fetch(entitlement, 50, 50)
    assert quota_of(entitlement) == (100, 0, 2)
    with pytest.raises(QuotaExhausted) as refusal, session.begin_nested():
        metering.open_delivery(entitlement, 0, 100, None)
    assert refusal.value.members["downloads_left"] == 0
    assert quota_of(entitlement) == (100, 0, 2)


@pytest.mark.parametrize("how", ["broken", "stalled", "swept"])
def test_a_broken_download_passes_its_unit_on_to_the_next_attempt_once(session, how):
    entitlement = entitlement_of(limit_downloads=1, size_bytes=100)
    first = metering.open_delivery(entitlement, 0, 100, None)
    if how == "swept":
        metering.sweep(clock.now() + timedelta(seconds=1))
    else:
        metering.close_delivery(first.id, 10, 10, how)
    second = metering.open_delivery(entitlement, 0, 100, None)
    assert second.unit_taken
    assert delivery(session, first).unit_passed_on
    assert quota_of(entitlement)[2] == 1
    with pytest.raises(QuotaExhausted), session.begin_nested():
        metering.open_delivery(entitlement, 0, 100, None)
    metering.close_delivery(second.id, 100, 100, "complete")
    with pytest.raises(QuotaExhausted), session.begin_nested():
        metering.open_delivery(entitlement, 0, 100, None)


def test_reading_from_the_end_first_is_one_pass_and_the_first_byte_cannot_be_dodged(session):
    entitlement = entitlement_of(limit_downloads=1, size_bytes=100)
    assert metering.open_delivery(entitlement, 92, 8, None).unit_taken
    assert not metering.open_delivery(entitlement, 1, 99, None).unit_taken
    assert metering.open_delivery(entitlement, 0, 100, None).unit_taken
    assert quota_of(entitlement)[2] == 1
    with pytest.raises(QuotaExhausted), session.begin_nested():
        metering.open_delivery(entitlement, 0, 1, None)
    other = entitlement_of(b"another", grant=grant_of(session, entitlement))
    with pytest.raises(QuotaExhausted), session.begin_nested():
        metering.open_delivery(other, 1, 6, None)


def test_heartbeats_note_progress_that_never_goes_back_nor_beyond_the_end(session, entitlement):
    before = clock.now() - timedelta(hours=1)
    with clock.stopped(before):
        one, two, closed = (metering.open_delivery(entitlement, n, 100 - n, None) for n in (0, 1, 2))
        metering.close_delivery(closed.id, 5, 5, "broken")
    assert metering.heartbeat({}) == 0
    assert metering.heartbeat({one.id: 30, two.id: 10**9, closed.id: 90, "dlv_none": 1}) == 2
    assert metering.heartbeat({one.id: 20}) == 1
    assert [delivery(session, each).progress for each in (one, two, closed)] == [30, 99, 5]
    assert delivery(session, one).seen_at > before
    assert delivery(session, closed).seen_at == before


def test_a_sweep_closes_what_nobody_has_seen_with_its_last_progress(session, entitlement):
    now = clock.now()
    with clock.stopped(now - timedelta(hours=1)):
        stale, alive = (metering.open_delivery(entitlement, 0, 100, None) for _ in range(2))
        metering.heartbeat({stale.id: 30, alive.id: 50})
    metering.heartbeat({alive.id: 60})
    (usage,) = metering.sweep(now - timedelta(minutes=10))
    assert (usage.delivery_id, usage.state, usage.bytes_new, usage.bytes_acked) == (stale.id, "swept", 30, 30)
    assert delivery(session, alive).state == "open"
    assert quota_of(entitlement) == (30, 100, 2)
    assert metering.sweep(now - timedelta(minutes=10)) == []
    assert metering.close_delivery(stale.id, 100, 100, "complete") is None
    assert metering.close_delivery(alive.id, 100, 100, "complete").bytes_new == 70


def test_a_sweep_takes_no_more_than_asked(session, entitlement):
    for _ in range(3):
        metering.open_delivery(entitlement, 0, 10, None)
    later = clock.now() + timedelta(seconds=1)
    assert [len(metering.sweep(later, size=2)) for _ in range(3)] == [2, 1, 0]


def test_deliveries_and_quotas_are_shown_to_the_parties(session, entitlement):
    opened = metering.open_delivery(entitlement, 0, 100, None)
    auditor, stranger = actor_of(OrganizationFactory(auditor=True)), actor_of(OrganizationFactory())
    for actor in (buyer_of(entitlement), provider_of(entitlement), auditor):
        assert queries.get_delivery(actor, opened.id).id == opened.id
    for actor, delivery_id in ((stranger, opened.id), (auditor, "dlv_none")):
        with pytest.raises(NotFound):
            queries.get_delivery(actor, delivery_id)


def test_events_and_claims_can_neither_be_changed_nor_removed(session, entitlement):
    fetch(entitlement)
    metering.claim_unbilled(entitlement.grant_id, clock.now() + timedelta(days=1), "set_1")
    for sentence in (
        "UPDATE usage_event SET bytes_new = 0",
        "DELETE FROM usage_event",
        "TRUNCATE usage_event CASCADE",
        "UPDATE usage_claim SET claimed_by = 'x'",
        "DELETE FROM usage_claim",
    ):
        with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
            session.execute(text(sentence))


def test_the_database_itself_refuses_a_second_event_and_a_quota_overrun(session, entitlement):
    usage = fetch(entitlement)
    for sentence in (
        (
            "INSERT INTO usage_event SELECT 'use_twin', delivery_id, grant_id, organization_id,"
            " provider_organization_id, dataset_id, sha256, occurred_at, 0, 0"
            f" FROM usage_event WHERE id = '{usage.id}'"
        ),
        "UPDATE quota SET limit_bytes = 10, used_bytes = 8, reserved_bytes = 3",
        "UPDATE quota SET limit_downloads = 1, used_downloads = 2",
        "UPDATE quota SET reserved_bytes = -1",
        "UPDATE delivery SET state = 'open'",
        "UPDATE delivery SET bytes_acked = bytes_sent + 1",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(sentence))


def test_ten_gibibytes_are_counted_to_the_byte(session):
    entitlement = entitlement_of(size_bytes=10 * 2**30)
    assert fetch(entitlement).bytes_new == 10 * 2**30
    assert fetch(entitlement, 5 * 2**30, 7).bytes_new == 0
