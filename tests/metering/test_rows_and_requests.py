"""Rows and requests beside bytes: parts of a file add up to its rows, and what was received before counts nothing."""

import hashlib
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, text
from sqlalchemy.exc import IntegrityError

from marketplace.access.models import Grant
from marketplace.catalog.models import File
from marketplace.metering import queries
from marketplace.metering import service as metering
from marketplace.metering.errors import QuotaExhausted, TooManyStreams
from marketplace.metering.models import Quota, UsageEvent
from marketplace.metering.rules import Allowance
from tests.factories.metering import entitlement_of, fetch, provider_of

CONTENT = "日時,地点,人数\n".encode() * 5


def profiled(session, rows, content=CONTENT, **facts):
    """The right to a file whose profile says how many rows it has."""
    entitlement = entitlement_of(content, **facts)
    session.execute(
        text("UPDATE file SET profile_state = 'profiled', profile = jsonb_build_object('rows', CAST(:rows AS int8))"
             " WHERE id = :id"),
        {"rows": rows, "id": entitlement.file_id},
    )  # fmt: skip
    return entitlement


def test_a_whole_file_counts_its_rows_and_one_request(session):
    entitlement = profiled(session, 5)
    usage = fetch(entitlement)
    assert (usage.rows_new, usage.requests, usage.bytes_new) == (5, 1, len(CONTENT))
    again = fetch(entitlement)
    assert (again.rows_new, again.requests, again.bytes_new) == (0, 1, 0)
    total = queries.total(provider_of(entitlement))
    assert (total.rows_new, total.requests) == (5, 2)


def test_a_delivery_told_of_twice_counts_each_of_its_units_once(session):
    entitlement = profiled(session, 5)
    usage = fetch(entitlement)
    assert metering.close_delivery(usage.delivery_id, len(CONTENT), len(CONTENT), "complete") is None
    # One row for all units: what refuses the twin of one refuses no other's.
    columns = [column.name for column in UsageEvent.__table__.columns if column.name != "id"]
    twin = (
        f"INSERT INTO usage_event (id, {', '.join(columns)}) SELECT 'use_twin', {', '.join(columns)} FROM usage_event"
    )
    with pytest.raises(IntegrityError, match="delivery_id"), session.begin_nested():
        session.execute(text(twin))
    total = queries.total(provider_of(entitlement))
    assert (total.bytes_new, total.rows_new, total.requests) == (len(CONTENT), 5, 1)


@pytest.mark.parametrize("step", [1, 7, 40, 109])
def test_parts_of_a_file_add_up_to_its_rows_in_whatever_order(session, step):
    entitlement, size = profiled(session, 999), len(CONTENT)
    starts = list(range(0, size, step))
    counted = [fetch(entitlement, start, min(step, size - start)).rows_new for start in reversed(starts)]
    assert sum(counted) == 999
    assert all(rows >= 0 for rows in counted)


@given(st.lists(st.integers(0, 100), max_size=6), st.integers(0, 2**40))
def test_the_share_of_rows_telescopes(cuts, rows):
    points = [0, *sorted(cuts), 100]
    parts = [rows * after // 100 - rows * before // 100 for before, after in pairwise(points)]
    assert sum(parts) == rows


def of_quota(session, entitlement, *names):
    """What a quota says under those names."""
    quota = session.scalars(select(Quota).where(Quota.grant_id == entitlement.grant_id)).one()
    session.refresh(quota)
    return tuple(getattr(quota, name) for name in names)


def test_rows_are_held_while_they_come_and_what_did_not_come_is_given_back(session):
    entitlement = profiled(session, 5, limit_rows=9)
    running = metering.open_delivery(entitlement, 0, len(CONTENT), None)
    rows = ("used_rows", "reserved_rows")
    assert of_quota(session, entitlement, *rows) == (0, 5)
    metering.close_delivery(running.id, len(CONTENT) // 2, len(CONTENT) // 2, "broken")
    assert of_quota(session, entitlement, *rows) == (2, 0)
    assert fetch(entitlement).rows_new == 3
    assert fetch(entitlement).rows_new == 0
    other = profiled(session, 5, b"x" * 10, grant=session.get_one(Grant, entitlement.grant_id))
    with pytest.raises(QuotaExhausted) as refusal, session.begin_nested():
        metering.open_delivery(other, 0, 10, None)
    assert (refusal.value.members["rows_left"], refusal.value.status) == (4, 403)
    assert "4 rows are left, and 0 are held" in refusal.value.detail
    assert fetch(other, 0, 8).rows_new == 4
    assert of_quota(session, entitlement, *rows) == (9, 0)


@given(st.lists(st.tuples(st.integers(0, 70), st.integers(1, 70)), max_size=8), st.integers(0, 200))
def test_what_is_held_of_rows_covers_what_is_counted_of_the_same_bytes(spans, rows):
    # Rounded up once at holding, rounded down twice at closing: whatever was covered before.
    size, covered = 140, 0
    for _start, length in spans:
        new = min(length, size - covered)
        held = -(-rows * new // size)
        assert rows * (covered + new) // size - rows * covered // size <= held
        covered += new


def test_requests_are_counted_as_they_begin_and_given_back_when_nothing_came(session):
    entitlement = entitlement_of(limit_requests=2)
    requests = ("used_requests", "open_deliveries")
    assert fetch(entitlement, acked=0, outcome="broken").requests == 0
    assert of_quota(session, entitlement, *requests) == (0, 0)
    assert fetch(entitlement).requests == 1
    running = metering.open_delivery(entitlement, 0, 1, None)
    assert of_quota(session, entitlement, *requests) == (1, 1)
    with pytest.raises(QuotaExhausted) as refusal, session.begin_nested():
        metering.open_delivery(entitlement, 0, 1, None)
    assert refusal.value.members["requests_left"] == 0
    metering.close_delivery(running.id, 1, 1, "complete")
    assert of_quota(session, entitlement, *requests) == (2, 0)


def test_only_so_many_downloads_run_at_once(session):
    entitlement = entitlement_of(limit_streams=2)
    one, _two = (metering.open_delivery(entitlement, n, 1, None) for n in range(2))
    with pytest.raises(TooManyStreams) as refusal, session.begin_nested():
        metering.open_delivery(entitlement, 2, 1, None)
    assert (refusal.value.status, refusal.value.members) == (403, {"streams_limit": 2})
    assert of_quota(session, entitlement, "open_deliveries") == (2,)
    metering.close_delivery(one.id, 0, 0, "broken")
    assert metering.open_delivery(entitlement, 2, 1, None)


def test_a_term_begins_with_its_rows_and_requests_anew_and_as_many_streams_as_before(session):
    entitlement = profiled(session, 5, limit_rows=5, limit_requests=1, limit_streams=1)
    fetch(entitlement)
    metering.renew_quota(entitlement.grant_id, Allowance(rows=5, requests=1, streams=9))
    assert of_quota(session, entitlement, "limit_rows", "limit_requests", "limit_streams") == (10, 2, 1)
    assert fetch(entitlement).requests == 1


def made_of(entitlement, content, rows):
    """The right to what was made of a file."""
    made = {"sha256": hashlib.sha256(content).hexdigest(), "size_bytes": len(content), "rows": rows}
    return replace(entitlement, **made)


def test_what_is_made_of_a_file_counts_its_own_rows_and_bytes_beside_the_files(session):
    entitlement = profiled(session, 5)
    made = made_of(entitlement, b"PAR1" * 3, 4)
    half, rest = fetch(made, 0, 6), fetch(made, 6, 6)
    assert [(part.rows_new, part.bytes_new) for part in (half, rest)] == [(2, 6), (2, 6)]
    assert fetch(made).bytes_new == 0
    assert (fetch(entitlement).rows_new, fetch(made_of(entitlement, b"none", 0)).rows_new) == (5, 0)


@pytest.mark.parametrize("facts", [{"size_bytes": 11}, {"size_bytes": 12, "rows": -1}])
def test_the_database_refuses_a_part_beyond_its_content_and_fewer_rows_than_none(session, facts):
    made = replace(profiled(session, 5), **facts)
    with pytest.raises(IntegrityError, match="ck_delivery_content"), session.begin_nested():
        metering.open_delivery(made, 0, 12, None)


def test_a_file_whose_rows_nobody_knows_counts_none(session):
    assert fetch(entitlement_of()).rows_new == 0
    assert fetch(profiled(session, None)).rows_new == 0


def test_a_request_counts_with_its_first_byte_or_when_there_was_none_to_send(session):
    entitlement = profiled(session, 5)
    assert fetch(entitlement, acked=0, outcome="broken").requests == 0
    assert fetch(entitlement, acked=1, outcome="broken").requests == 1
    assert fetch(entitlement_of(b"")).requests == 1
    assert fetch(entitlement_of(b""), outcome="broken").requests == 1


def test_the_rows_of_a_file_without_bytes_are_none(session):
    assert fetch(profiled(session, 0, b"")).rows_new == 0


def test_a_quota_is_opened_anew_for_another_term(session):
    entitlement = entitlement_of(limit_bytes=15, limit_downloads=1)
    fetch(entitlement)
    metering.renew_quota(entitlement.grant_id, Allowance(bytes=15, downloads=1))
    quota = session.scalars(select(Quota).where(Quota.grant_id == entitlement.grant_id)).one()
    session.refresh(quota)
    assert (quota.limit_bytes, quota.limit_downloads) == (25, 2)
    assert fetch(entitlement).bytes_new == 0
    metering.renew_quota(entitlement.grant_id, Allowance())
    session.refresh(quota)
    assert (quota.limit_bytes, quota.limit_downloads) == (None, None)
    assert session.scalar(select(File.size_bytes).where(File.id == entitlement.file_id)) == 10
