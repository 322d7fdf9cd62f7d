"""Usage as the parties read it, and as settlement claims it."""

import base64
from datetime import UTC, date, datetime, timedelta

import pytest

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.kit import clock, pages
from marketplace.kit.errors import Invalid
from marketplace.metering import queries
from marketplace.metering import service as metering
from marketplace.metering.queries import UsageFilter, UsageLine, UsageTotal
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.metering import buyer_of, entitlement_of, fetch, provider_of

# 15:00 UTC is midnight in Japan: these lie in two Japanese days and one of Greenwich.
EVENING, NIGHT = datetime(2026, 11, 21, 14, 59, tzinfo=UTC), datetime(2026, 11, 21, 15, 0, tzinfo=UTC)


@pytest.fixture
def used(session):
    """A grant used on two Japanese days, beside one of strangers used on the second."""
    entitlement, noise = entitlement_of(size_bytes=100), entitlement_of(size_bytes=50)
    with clock.stopped(EVENING):
        fetch(entitlement, 0, 60)
        fetch(entitlement, 30, 40, acked=20, outcome="broken")
    with clock.stopped(NIGHT):
        fetch(entitlement)
        fetch(noise)
    return entitlement, noise


def line(entitlement, day, bytes_new, bytes_acked, deliveries):
    return UsageLine(
        date(2026, 11, day),
        entitlement.grant_id,
        entitlement.dataset_id,
        entitlement.organization_id,
        entitlement.provider_organization_id,
        bytes_new,
        bytes_acked,
        0,  # no profile says how many rows the file has
        deliveries,
        0,  # no price counts downloads
        deliveries,
    )


def test_both_parties_read_the_same_lines_by_japanese_day_and_nobody_elses(used):
    entitlement, _noise = used
    expected = [line(entitlement, 22, 40, 100, 1), line(entitlement, 21, 60, 80, 2)]
    for actor in (buyer_of(entitlement), provider_of(entitlement)):
        page = queries.statement(actor)
        assert list(page.items) == expected
        assert page.next_cursor is None
        assert queries.total(actor) == UsageTotal(100, 180, 0, 3, 0, 3)
        assert len(queries.list_events(actor).items) == 3
    stranger = actor_of(OrganizationFactory())
    assert list(queries.statement(stranger).items) == []
    assert queries.total(stranger) == UsageTotal(0, 0, 0, 0, 0, 0)


def test_overseers_read_everything_and_can_narrow_it(used):
    entitlement, noise = used
    auditor = actor_of(OrganizationFactory(auditor=True))
    assert queries.total(auditor) == UsageTotal(150, 230, 0, 4, 0, 4)
    for wanted in (
        UsageFilter(grant_id=noise.grant_id),
        UsageFilter(dataset_id=noise.dataset_id),
        UsageFilter(organization_id=noise.organization_id),
        UsageFilter(provider_organization_id=noise.provider_organization_id),
    ):
        assert list(queries.statement(auditor, wanted).items) == [line(noise, 22, 50, 50, 1)]
        assert queries.total(auditor, wanted).bytes_new == 50
    first_day = UsageFilter(to_on=date(2026, 11, 21))
    assert list(queries.statement(auditor, first_day).items) == [line(entitlement, 21, 60, 80, 2)]
    assert queries.total(auditor, UsageFilter(from_on=date(2026, 11, 22))).bytes_new == 90
    assert queries.total(auditor, UsageFilter(from_on=date(2026, 11, 23))).deliveries == 0


def test_pages_of_a_statement_join_without_gap_while_usage_goes_on(used):
    auditor = actor_of(OrganizationFactory(auditor=True))
    whole = list(queries.statement(auditor).items)
    seen, cursor = [], None
    for _ in range(3):
        page = queries.statement(auditor, cursor=cursor, size=1)
        seen += page.items
        cursor = page.next_cursor
        fetch(used[1])
    assert seen == whole
    assert cursor is None
    nul = pages.encode_cursor(["2026-11-22", "grt_\0"])
    deep = base64.urlsafe_b64encode(b"[" * 5000).decode()
    for forged in ("x", "WzFd", "あ", nul, deep):
        with pytest.raises(Invalid):
            queries.statement(auditor, cursor=forged)


def test_pages_of_events_join_newest_first(used):
    auditor = actor_of(OrganizationFactory(auditor=True))
    first = queries.list_events(auditor, size=3)
    rest = queries.list_events(auditor, size=3, cursor=first.next_cursor)
    ids = [event.id for event in (*first.items, *rest.items)]
    assert ids == sorted(ids, reverse=True)
    assert len(ids) == 4


def test_settlement_claims_each_event_once_and_in_time(used, session):
    entitlement, noise = used
    assert queries.list_unclaimed_grant_ids(NIGHT) == [entitlement.grant_id]
    (claim,) = metering.claim_unbilled(entitlement.grant_id, NIGHT, "set_1")
    assert (claim.bytes_new, claim.events) == (60, 2)
    assert metering.claim_unbilled(entitlement.grant_id, NIGHT, "set_2") == []
    assert queries.claimed_bytes(entitlement.grant_id) == 60
    later = NIGHT + timedelta(days=1)
    assert set(queries.list_unclaimed_grant_ids(later)) == {entitlement.grant_id, noise.grant_id}
    (claim,) = metering.claim_unbilled(entitlement.grant_id, later, "set_2")
    assert (claim.bytes_new, claim.events) == (40, 1)
    assert queries.claimed_bytes(entitlement.grant_id) == 100
    assert queries.claimed_bytes(noise.grant_id) == 0
    assert queries.list_unclaimed_grant_ids(later) == [noise.grant_id]
    entries = session.query(Entry).filter_by(verb=Verb.USAGE_SETTLED.value).order_by(Entry.id).all()
    assert [(entry.subject, entry.facts["bytes_new"], entry.facts["claimed_by"]) for entry in entries] == [
        (entitlement.grant_id, 60, "set_1"),
        (entitlement.grant_id, 40, "set_2"),
    ]
