"""Corrections: an event of its own beside the one it corrects, in quota, statement and record; once."""

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.errors import Invalid, NotFound
from marketplace.metering import corrections, queries
from marketplace.metering import service as metering
from marketplace.metering.corrections import Correction
from marketplace.metering.errors import (
    CorrectionContradicted,
    CorrectionTooLarge,
    DeliveryStillOpen,
    QuotaExhausted,
    UsagePutAside,
)
from marketplace.metering.models import Delivery, UsageEvent, UsageKey
from marketplace.metering.queries import UsageTotal
from tests.factories.identity import OrganizationFactory, actor_of
from tests.factories.metering import buyer_of, entitlement_of, fetch, provider_of

LESS = Correction("c-1", "ログの二重取込み", bytes=-40)


@pytest.fixture
def right(session):
    """A grant of 150 bytes of which 100 were fetched, beside a stranger's."""
    entitlement, noise = entitlement_of(size_bytes=100, limit_bytes=150), entitlement_of(size_bytes=50)
    fetch(noise)
    return entitlement


@pytest.fixture
def delivery(session, right):
    return session.get_one(Delivery, fetch(right).delivery_id)


def stands(right):
    session_of = queries.db.session
    quota = queries.get_quota(right.grant_id)
    events = session_of.scalars(select(UsageEvent.bytes_new).where(UsageEvent.grant_id == right.grant_id)).all()
    return quota.used_bytes, quota.used_rows, quota.used_requests, sorted(events)


def test_a_correction_is_a_row_of_its_own_and_the_quota_statement_and_record_follow(session, right, delivery):
    event, is_new = corrections.correct(SYSTEM, delivery, LESS)
    assert is_new
    counted = session.scalars(select(UsageEvent).filter_by(delivery_id=delivery.id, corrects_event_id=None)).one()
    assert (event.corrects_event_id, event.occurred_at) == (counted.id, counted.occurred_at)
    assert (counted.bytes_new, event.bytes_new, event.bytes_acked) == (100, -40, 0)
    assert stands(right) == (60, 0, 1, [-40, 100])
    assert queries.total(buyer_of(right)) == UsageTotal(60, 100, 0, 1, 0, 1)
    assert queries.list_corrections(buyer_of(right), delivery.id) == [event]
    entry = session.scalars(select(Entry).where(Entry.verb == Verb.USAGE_CORRECTED)).one()
    assert (entry.subject, entry.counterparty_id) == (delivery.id, right.organization_id)
    assert entry.facts == {
        "grant_id": right.grant_id,
        "usage_event_id": event.id,
        "corrects_event_id": counted.id,
        "reference": "c-1",
        "reason_sha256": sha256_hex("ログの二重取込み".encode()),
        "bytes": -40,
        "rows": 0,
        "requests": 0,
        "downloads": 0,
    }


def test_the_same_again_changes_nothing_and_another_under_its_reference_is_refused(session, right, delivery):
    first = corrections.correct(SYSTEM, delivery, LESS)
    again = corrections.correct(SYSTEM, delivery, LESS)
    assert (again.event.id, again.is_new) == (first.event.id, False)
    for other in (Correction("c-1", LESS.reason, bytes=-41), Correction("c-1", "別の理由", bytes=-40)):
        with pytest.raises(CorrectionContradicted):
            corrections.correct(SYSTEM, delivery, other)
    assert stands(right) == (60, 0, 1, [-40, 100])
    corrections.correct(SYSTEM, delivery, Correction("c-2", "再計算", bytes=10, requests=-1))
    assert stands(right) == (70, 0, 0, [-40, 10, 100])


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        (Correction("c", "理由", bytes=-101), CorrectionTooLarge),
        (Correction("c", "理由", rows=-1), CorrectionTooLarge),
        (Correction("c", "理由", requests=1), CorrectionTooLarge),
        (Correction("c", "理由", bytes=51), QuotaExhausted),
        (Correction("c", "理由"), Invalid),
        (Correction("c", " ", bytes=-1), Invalid),
    ],
    ids=["below nothing", "rows below nothing", "two requests", "more than is left", "nothing", "no reason"],
)
def test_what_cannot_be_is_refused_and_changes_nothing(session, right, delivery, asked, refusal):
    with pytest.raises(refusal), session.begin_nested():
        corrections.correct(SYSTEM, delivery, asked)
    assert stands(right) == (100, 0, 1, [100])


def test_an_open_delivery_is_not_corrected(session, right):
    opened = metering.open_delivery(right, 0, 10, None)
    with pytest.raises(DeliveryStillOpen):
        corrections.correct(SYSTEM, session.get_one(Delivery, opened.id), LESS)
    assert stands(right) == (0, 0, 0, [])


def test_usage_that_was_put_aside_is_not_corrected(session, right, delivery):
    corrected = Delivery(**{column.key: getattr(delivery, column.key) for column in Delivery.__table__.columns})
    corrected.id = "dlv_put_aside"
    session.add(corrected)
    session.add(UsageKey(event_id="use_gone", delivery_id=corrected.id, reference="", occurred_at=delivery.opened_at))
    session.flush()
    with pytest.raises(UsagePutAside):
        corrections.correct(SYSTEM, corrected, LESS)


def test_strangers_read_no_corrections(right, delivery):
    corrections.correct(SYSTEM, delivery, LESS)
    assert len(queries.list_corrections(provider_of(right), delivery.id)) == 1
    with pytest.raises(NotFound):
        queries.list_corrections(actor_of(OrganizationFactory()), delivery.id)


def test_the_database_itself_keeps_events_keys_and_corrections_as_they_are(session, delivery):
    corrections.correct(SYSTEM, delivery, LESS)
    for sentence in (
        "UPDATE usage_event SET bytes_new = 0 WHERE corrects_event_id IS NOT NULL",
        "DELETE FROM usage_key",
        "TRUNCATE usage_event_rest",
    ):
        with pytest.raises(DBAPIError, match="append-only"), session.begin_nested():
            session.execute(text(sentence))
    columns = ", ".join(column.name for column in UsageEvent.__table__.columns if column.name not in {"id", "xid"})
    copied, base = f"INSERT INTO usage_event (id, {columns})", "FROM usage_event WHERE corrects_event_id IS NULL"
    negative = ", ".join({"bytes_new": "-1", "delivery_id": "'dlv_x'"}.get(name, name) for name in columns.split(", "))
    for sentence in (
        f"{copied} SELECT 'use_twin', {columns} FROM usage_event WHERE corrects_event_id IS NOT NULL",
        f"{copied} SELECT 'use_twin', {columns} {base}",
        f"{copied} SELECT id, {columns} FROM usage_event",
        f"{copied} SELECT 'use_negative', {negative} {base}",
    ):
        with pytest.raises(IntegrityError), session.begin_nested():
            session.execute(text(sentence))
