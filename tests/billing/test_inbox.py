"""The inbox: each event once, worked on by one, failures leave a trace."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Barrier

import pytest
from flask import Flask
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from marketplace.audit.models import Entry
from marketplace.audit.verbs import Verb
from marketplace.billing import inbox, payments, queries
from marketplace.billing.errors import PaymentUnknown
from marketplace.billing.gateways import wire
from marketplace.billing.models import StripeEvent
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.billing import PaymentFactory

NOON = datetime(2026, 11, 22, 3, tzinfo=UTC)


def event(identifier: str = "evt_1", payment_id: str = "pay_1", **session) -> dict:
    return {
        "id": identifier,
        "object": "event",
        "type": "checkout.session.completed",
        "created": int(NOON.timestamp()),
        "livemode": False,
        "data": {
            "object": {
                "id": "cs_1",
                "object": "checkout.session",
                "status": "complete",
                "payment_status": "paid",
                "amount_total": 5500,
                "currency": "jpy",
                "metadata": {"payment_id": payment_id},
                "customer_details": {"email": "taro@example.jp", "name": "山田 太郎"},
                **session,
            }
        },
    }


def test_an_event_is_kept_once_without_the_payers_name(session: Session) -> None:
    assert inbox.store_event(event()) is True
    assert inbox.store_event(event()) is False
    assert inbox.store_event(event("evt_2")) is True
    kept = inbox.get_event("evt_1")
    assert (kept.type, kept.livemode, kept.attempts, kept.processed_at) == (
        "checkout.session.completed",
        False,
        0,
        None,
    )
    assert "山田" not in json.dumps(kept.payload, ensure_ascii=False)
    assert kept.payload["data"]["object"]["amount_total"] == 5500


def test_a_processed_event_is_not_due_again(session: Session) -> None:
    with clock.stopped(NOON):
        inbox.store_event(event("evt_1"))
    with clock.stopped(NOON + timedelta(seconds=1)):
        inbox.store_event(event("evt_2"))
    assert inbox.due_event_ids() == ["evt_1", "evt_2"]
    assert inbox.claim("evt_1").id == "evt_1"
    inbox.mark_processed("evt_1")
    assert inbox.claim("evt_1") is None
    assert inbox.claim("evt_unknown") is None
    assert inbox.claim("evt_2").id == "evt_2"
    assert inbox.due_event_ids() == ["evt_2"]
    done = session.get(StripeEvent, "evt_1", populate_existing=True)
    assert done.attempts == 1
    assert done.processed_at is not None


def test_a_failure_leaves_its_trace_and_waits_longer_each_time(session: Session) -> None:
    with clock.stopped(NOON):
        inbox.store_event(event())
        waits = []
        for _attempt in range(14):
            error = ValueError("台帳が応答しません" + "x" * 1000 + "\0")
            inbox.record_trouble("evt_1", error, may_pass=True)
            waits.append((session.get(StripeEvent, "evt_1").due_at - NOON).total_seconds())
        assert inbox.due_event_ids() == []
    assert waits[:3] == [2, 4, 8]
    assert waits[-3:] == [3600, 3600, 3600]
    [troubled] = inbox.list_troubled()
    assert troubled.attempts == 14
    assert troubled.trouble.startswith("ValueError: 台帳が応答しません")
    assert len(troubled.trouble) == 500
    with clock.stopped(NOON + timedelta(hours=1)):
        assert inbox.due_event_ids() == ["evt_1"]
        inbox.mark_processed("evt_1")
    assert inbox.list_troubled() == []
    inbox.record_trouble("evt_1", ValueError("late"))
    assert session.get(StripeEvent, "evt_1", populate_existing=True).attempts == 15


def work_on(event_id: str) -> bool:
    claimed = inbox.claim(event_id)
    if claimed is None:
        return False
    reading = wire.read_event(claimed.payload)
    payment = queries.find_payment(reading.payment_id, reading.session_id)
    change = payments.record_facts(payment.id if payment else "pay_not_ours", reading.facts)
    inbox.mark_processed(event_id)
    return change.before != change.after


def process(event_id: str) -> bool:
    """The worker's story as the inbox describes it."""
    try:
        with transaction():
            return work_on(event_id)
    except PaymentUnknown as error:
        with transaction():
            inbox.record_trouble(event_id, error)
        return False


def test_the_trace_of_a_failure_outlives_its_rolled_back_work(own_database: Flask) -> None:
    with transaction():
        inbox.store_event(event(payment_id="pay_unknown"))
    assert process("evt_1") is False
    kept = db.session.get(StripeEvent, "evt_1")
    assert kept.trouble.startswith("PaymentUnknown")
    assert kept.processed_at is None


def test_an_event_before_our_own_commit_is_tried_again_and_works_once(own_database: Flask) -> None:
    with transaction():
        inbox.store_event(event(payment_id="pay_00"))
    assert process("evt_1") is False
    with transaction():
        PaymentFactory(id="pay_00")
    assert process("evt_1") is True
    assert process("evt_1") is False
    assert queries.get_payment("pay_00").state == "paid"


def test_two_threads_with_one_event_keep_one_row(own_database: Flask) -> None:
    together = Barrier(8)

    def work(_n: int) -> bool:
        with own_database.app_context():
            together.wait()
            with transaction():
                return inbox.store_event(event())

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(work, range(8))) == [False] * 7 + [True]
    assert db.session.scalar(select(func.count()).select_from(StripeEvent)) == 1


def test_workers_never_share_an_event(own_database: Flask) -> None:
    names = [f"evt_{number}" for number in range(8)]
    with transaction():
        for name in names:
            inbox.store_event(event(name))
    together = Barrier(8)

    def work(number: int) -> list[str]:
        with own_database.app_context(), transaction():
            claimed = [one for one in names[number:] + names[:number] if inbox.claim(one) is not None]
            together.wait()
            for one in claimed:
                inbox.mark_processed(one)
            return claimed

    with ThreadPoolExecutor(8) as pool:
        assert sorted(name for claimed in pool.map(work, range(8)) for name in claimed) == names
    assert inbox.due_event_ids() == []


def test_eight_workers_on_one_event_pay_once(own_database: Flask) -> None:
    with transaction():
        payment_id = PaymentFactory().id
        inbox.store_event(event(payment_id=payment_id))

    def work(_n: int) -> bool:
        with own_database.app_context():
            return process("evt_1")

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(work, range(8))) == 1
    assert queries.get_payment(payment_id).state == "paid"


@pytest.mark.parametrize("key", ["billing_details", "receipt_email", "shipping"])
def test_personal_fields_are_left_out_at_any_depth(key: str) -> None:
    value = {"a": [{key: {"name": "山田"}, "b": 1}], key: "x"}
    assert wire.without_personal_data(value) == {"a": [{"b": 1}]}


def test_an_event_that_nothing_can_help_is_parked_with_its_trace_and_tried_no_more(session: Session) -> None:
    inbox.store_event(event())
    inbox.store_event(event("evt_other"))
    for _attempt in range(inbox.ATTEMPTS_MAX):
        inbox.record_trouble("evt_1", PaymentUnknown())
    inbox.record_trouble("evt_1", PaymentUnknown())
    with clock.stopped(clock.now() + timedelta(days=1)):
        assert inbox.due_event_ids() == ["evt_other"]
    assert inbox.claim("evt_1") is None
    [parked] = inbox.list_parked()
    assert (parked.id, parked.attempts, inbox.list_troubled()) == ("evt_1", inbox.ATTEMPTS_MAX, [])
    assert parked.trouble.startswith("PaymentUnknown")
    [entry] = session.scalars(select(Entry).where(Entry.verb == Verb.EVENT_PARKED.value))
    assert (entry.subject, entry.facts["cause"]) == ("evt_1", "PaymentUnknown")


def test_a_parked_event_is_tried_again_when_somebody_says_so(session: Session) -> None:
    inbox.store_event(event())
    assert inbox.unpark("evt_1") is False
    for _attempt in range(inbox.ATTEMPTS_MAX):
        inbox.record_trouble("evt_1", PaymentUnknown())
    assert inbox.unpark("evt_1") is True
    assert inbox.due_event_ids() == ["evt_1"]
    assert inbox.claim("evt_1").trouble.startswith("PaymentUnknown")
