"""Many threads, real commits: the database decides every race."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import func, select

from marketplace.access import queries as access_queries
from marketplace.access import service as access
from marketplace.catalog import queries as catalog
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import queries
from marketplace.metering import service as metering
from marketplace.metering.errors import QuotaExhausted, TooManyStreams
from marketplace.metering.models import Coverage, UsageEvent
from tests.factories.access import PaidOrderFactory, draft_of, release_with
from tests.factories.metering import entitlement_of

THREADS = 64


def together(app, deeds):
    """Run each deed in a thread and a transaction of its own, all begun at once; return what they gave."""
    start = threading.Barrier(len(deeds))

    def run(deed):
        with app.app_context():
            start.wait()
            try:
                with transaction():
                    return deed()
            finally:
                db.session.remove()

    with ThreadPoolExecutor(len(deeds)) as pool:
        return list(pool.map(run, deeds))


def attempt(entitlement, start, length):
    def deed():
        try:
            return metering.open_delivery(entitlement, start, length, None)
        except (QuotaExhausted, TooManyStreams):
            # The transaction of a refusal is rolled back at the edge; here nothing else happens in it.
            db.session.rollback()
            return None

    return deed


def prepare(**facts):
    with transaction():
        return entitlement_of(**facts)


def sums(grant_id):
    events = select(func.sum(UsageEvent.bytes_new)).where(UsageEvent.grant_id == grant_id)
    covered = select(func.sum(Coverage.bytes_covered)).where(Coverage.grant_id == grant_id)
    return int(db.session.scalar(events) or 0), int(db.session.scalar(covered) or 0)


@pytest.mark.parametrize("same", [True, False], ids=["same range", "distinct ranges"])
def test_of_64_requests_for_a_byte_quota_of_16_exactly_16_succeed(own_database, same):
    entitlement = prepare(limit_bytes=160, size_bytes=640)
    opened = together(own_database, [attempt(entitlement, 0 if same else n * 10, 10) for n in range(THREADS)])
    winners = [each for each in opened if each]
    assert len(winners) == 16
    quota = queries.get_quota(entitlement.grant_id)
    assert (quota.used_bytes, quota.reserved_bytes) == (0, 160)
    db.session.rollback()
    together(own_database, [lambda each=each: metering.close_delivery(each.id, 10, 10, "complete") for each in winners])
    expected = 10 if same else 160
    assert sums(entitlement.grant_id) == (expected, expected)
    quota = queries.get_quota(entitlement.grant_id)
    assert (quota.used_bytes, quota.reserved_bytes) == (expected, 0)


def test_of_64_requests_for_a_download_quota_of_16_exactly_16_succeed(own_database):
    entitlement = prepare(limit_downloads=16, size_bytes=100)
    opened = together(own_database, [attempt(entitlement, 0, 100) for _ in range(THREADS)])
    assert sum(each is not None for each in opened) == 16
    assert queries.get_quota(entitlement.grant_id).used_downloads == 16


@pytest.mark.parametrize("limit", ["rows", "requests", "streams"])
def test_of_64_requests_for_16_rows_requests_or_streams_exactly_16_succeed(own_database, limit):
    entitlement = replace(prepare(size_bytes=640, **{f"limit_{limit}": 16}), rows=64)
    opened = together(own_database, [attempt(entitlement, n * 10, 10) for n in range(THREADS)])
    winners = [each for each in opened if each]
    assert len(winners) == 16
    together(own_database, [lambda each=each: metering.close_delivery(each.id, 10, 10, "complete") for each in winners])
    quota = queries.get_quota(entitlement.grant_id)
    assert (quota.used_rows, quota.reserved_rows, quota.used_requests, quota.open_deliveries) == (16, 0, 16, 0)


def test_64_parallel_ranges_of_one_download_take_one_unit(own_database):
    entitlement = prepare(limit_downloads=1, size_bytes=640)
    opened = together(own_database, [attempt(entitlement, n * 10, 10) for n in range(THREADS)])
    assert all(opened)
    assert queries.get_quota(entitlement.grant_id).used_downloads == 1


def test_a_broken_download_passes_its_unit_to_one_of_64_retries(own_database):
    entitlement = prepare(limit_downloads=1, size_bytes=100)
    with transaction():
        broken = metering.open_delivery(entitlement, 0, 100, None)
        metering.close_delivery(broken.id, 50, 50, "broken")
    opened = together(own_database, [attempt(entitlement, 0, 100) for _ in range(THREADS)])
    assert sum(each is not None for each in opened) == 1


def test_one_delivery_closed_by_64_threads_is_charged_once(own_database):
    entitlement = prepare(size_bytes=100)
    with transaction():
        opened = metering.open_delivery(entitlement, 0, 100, None)
    usages = together(
        own_database, [lambda n=n: metering.close_delivery(opened.id, 100, n, "broken") for n in range(1, THREADS + 1)]
    )
    (usage,) = [each for each in usages if each]
    assert sums(entitlement.grant_id) == (usage.bytes_new, usage.bytes_new)
    assert queries.get_quota(entitlement.grant_id).reserved_bytes == 0


def test_overlapping_deliveries_ending_together_are_charged_their_union(own_database):
    entitlement = prepare(size_bytes=10_000)
    with transaction():
        opened = [metering.open_delivery(entitlement, n * 7, 100, None) for n in range(THREADS)]
    together(
        own_database, [lambda each=each: metering.close_delivery(each.id, 100, 100, "complete") for each in opened]
    )
    union = 63 * 7 + 100
    assert sums(entitlement.grant_id) == (union, union)
    assert queries.get_quota(entitlement.grant_id).used_bytes == union


def test_sweepers_closers_and_heartbeats_at_once_neither_deadlock_nor_charge_twice(own_database):
    entitlements = [prepare(size_bytes=1000, content=f"file {n}".encode()) for n in range(4)]
    with transaction():
        opened = [metering.open_delivery(each, n * 100, 100, None) for n in range(8) for each in entitlements]
    later = clock.now() + timedelta(hours=1)
    deeds = [lambda each=each: metering.close_delivery(each.id, 100, 100, "complete") for each in opened]
    deeds += [lambda: metering.sweep(later)] * 8
    deeds += [lambda: metering.heartbeat({each.id: 100 for each in reversed(opened)})] * 4
    together(own_database, deeds)
    assert db.session.scalar(select(func.count()).select_from(UsageEvent)) == len(opened)
    for each in entitlements:
        charged, covered = sums(each.grant_id)
        quota = queries.get_quota(each.grant_id)
        assert charged == covered == quota.used_bytes <= 800
        assert quota.reserved_bytes == 0


def test_two_settlements_at_once_claim_every_event_once(own_database):
    entitlement = prepare(size_bytes=6400)
    with transaction():
        for n in range(THREADS):
            opened = metering.open_delivery(entitlement, n * 100, 100, None)
            metering.close_delivery(opened.id, 100, 100, "complete")
    until = clock.now() + timedelta(hours=1)
    claims = together(
        own_database, [lambda n=n: metering.claim_unbilled(entitlement.grant_id, until, f"set_{n}") for n in range(8)]
    )
    assert [(claim.bytes_new, claim.events) for claimed in claims for claim in claimed] == [(6400, THREADS)]


def test_an_order_fulfilled_by_many_workers_at_once_gives_one_grant(own_database):
    with transaction():
        draft = draft_of(PaidOrderFactory())
    grants = together(own_database, [lambda: access.issue(SYSTEM, draft).id for _ in range(16)])
    assert len(set(grants)) == 1


def test_a_grant_issued_while_a_release_is_published_misses_nothing(own_database):
    with transaction():
        drafts = [draft_of(PaidOrderFactory(), release_scope="all") for _ in range(8)]

    def publish(dataset_id):
        release_id = release_with(dataset_id, {"人流.csv": b"new"})
        access.extend_to_release(dataset_id, release_id)

    deeds = [lambda each=each: access.issue(SYSTEM, each).id for each in drafts]
    deeds += [lambda each=each: publish(each.dataset_id) for each in drafts]
    together(own_database, deeds)
    for draft in drafts:
        grant = access_queries.find_grant_of_order(draft.order_id)
        assert set(access_queries.list_release_ids(grant.id)) == set(catalog.published_release_ids(draft.dataset_id))
        assert len(access_queries.list_release_ids(grant.id)) == 1
