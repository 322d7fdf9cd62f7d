"""What the gateway reports beside payments reaches its story."""

import pytest
from flask import Flask

from marketplace.billing import inbox
from marketplace.exchange import payment, reports
from marketplace.kit.transaction import transaction


def event(kind: str, thing: dict, identifier: str = "evt_1") -> dict:
    return {
        "id": identifier,
        "object": "event",
        "type": kind,
        "livemode": False,
        "created": 1_795_000_000,
        "data": {"object": thing},
    }


def keep(told: dict) -> None:
    with transaction():
        inbox.store_event(told)


@pytest.mark.parametrize(
    ("kind", "thing", "story"),
    [
        ("refund.created", {"object": "refund", "id": "re_1"}, "refund"),
        ("refund.failed", {"object": "refund", "id": "re_1"}, "refund"),
        ("charge.refund.updated", {"object": "refund", "id": "re_1"}, "refund"),
        ("charge.dispute.created", {"object": "dispute", "id": "dp_1"}, "dispute"),
        ("charge.dispute.closed", {"object": "dispute", "id": "dp_1"}, "dispute"),
        ("payout.paid", {"object": "payout", "id": "po_1"}, "payout"),
        ("transfer.reversed", {"object": "transfer", "id": "tr_1"}, "transfer"),
    ],
)
def test_a_report_reaches_its_story_and_is_done(app: Flask, monkeypatch, kind: str, thing: dict, story: str) -> None:
    learnt = []
    monkeypatch.setitem(reports._STORIES, story, lambda object_id, event_id: learnt.append((object_id, event_id)))
    keep(event(kind, thing))
    payment.work_inbox()
    assert learnt == [(thing["id"], "evt_1")]
    assert inbox.get_event("evt_1").processed_at is not None


@pytest.mark.parametrize("thing", [{"object": "charge", "id": "ch_1"}, {"object": "balance"}, {"object": "refund"}, {}])
def test_what_is_about_a_payment_or_about_nothing_is_no_report(thing: dict) -> None:
    assert reports.read(event("any", thing)) is None


def test_a_story_that_fails_leaves_its_trace_and_the_event_comes_back(app: Flask, monkeypatch) -> None:
    """dj-stripe: the record of an error was rolled back with the work."""
    monkeypatch.setitem(reports._STORIES, "payout", lambda *_: 1 / 0)
    keep(event("payout.paid", {"object": "payout", "id": "po_1"}))
    payment.work_inbox()
    assert "ZeroDivisionError" in inbox.get_event("evt_1").trouble
    assert inbox.get_event("evt_1").processed_at is None
