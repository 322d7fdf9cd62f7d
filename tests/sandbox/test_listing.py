"""Lists of events and sessions, through the SDK and its own pager."""

from datetime import timedelta

import pytest
import stripe
from sqlalchemy import update

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox.models import SandboxEvent, SandboxObject
from tests.sandbox.conftest import World


def test_events_come_newest_first_and_pages_fit_together(world: World) -> None:
    for _ in range(3):
        world.pay(world.session().id)
    first = world.stripe.v1.events.list({"limit": 4})
    assert (len(first.data), first.has_more) == (4, True)
    assert first.data[0].type == "checkout.session.completed"
    every = [event.id for event in first.auto_paging_iter()]
    assert len(every) == len(set(every)) == 15
    back = world.stripe.v1.events.list({"limit": 4, "ending_before": every[8]})
    assert [event.id for event in back.data] == every[4:8]
    assert back.has_more
    top = world.stripe.v1.events.list({"limit": 100, "ending_before": every[2]})
    assert ([event.id for event in top.data], top.has_more) == (every[:2], False)
    assert len(world.stripe.v1.events.list().data) == 10


def test_events_are_filtered_by_type(world: World) -> None:
    paid = world.session()
    world.pay(paid.id)
    world.pay(world.session().id, "decline")
    v1 = world.stripe.v1
    assert [event.type for event in v1.events.list({"type": "checkout.session.completed"}).data] == [
        "checkout.session.completed"
    ]
    assert len(v1.events.list({"type": "payment_intent.*"}).data) == 4
    assert len(v1.events.list({"type": "*"}).data) == 8
    assert v1.events.list({"type": "payment%"}).data == []
    chosen = v1.events.list({"types": ["charge.failed", "charge.updated"]})
    assert {event.type for event in chosen.data} == {"charge.failed", "charge.updated"}


def test_events_are_filtered_by_whole_seconds(world: World) -> None:
    world.pay(world.session().id)
    created = world.stripe.v1.events.list().data[0].created
    count = lambda created: len(world.stripe.v1.events.list({"created": created}).data)  # noqa: E731 - a word
    with world.app.app_context(), transaction():
        db.session.execute(update(SandboxEvent).values(created_at=clock.parse("2026-01-01T00:00:00.9+00:00")))
        second = int(clock.parse("2026-01-01T00:00:00+00:00").timestamp())
    with clock.stopped(clock.parse("2026-01-01T00:00:00.9+00:00")), world.app.test_client() as client:
        for query, found in [
            (f"created={second}", 5),
            (f"created[gte]={second}", 5),
            (f"created[lte]={second}", 5),
            (f"created[gt]={second}", 0),
            (f"created[lt]={second}", 0),
            (f"created[gt]={second - 1}&created[lt]={second + 1}", 5),
        ]:
            answer = client.get(f"/sandbox/v1/events?{query}", headers={"Authorization": "Bearer sk_test_x"})
            assert len(answer.get_json()["data"]) == found, query
    assert count({"gte": created}) == 0


def test_events_older_than_thirty_days_are_not_listed_but_still_found(world: World) -> None:
    world.pay(world.session().id)
    with world.app.app_context(), transaction():
        db.session.execute(update(SandboxEvent).values(created_at=clock.now() - timedelta(days=31)))
        event_id = db.session.query(SandboxEvent).first().id
    assert world.stripe.v1.events.list().data == []
    assert world.stripe.v1.events.retrieve(event_id).id == event_id


def test_sessions_are_listed_and_filtered(world: World) -> None:
    opened, paid = world.session(), world.session()
    world.pay(paid.id)
    v1 = world.stripe.v1
    intent = v1.checkout.sessions.retrieve(paid.id).payment_intent
    assert [found.id for found in v1.checkout.sessions.list().data] == [paid.id, opened.id]
    assert [found.id for found in v1.checkout.sessions.list({"status": "open"}).data] == [opened.id]
    assert [found.id for found in v1.checkout.sessions.list({"payment_intent": intent}).data] == [paid.id]
    assert [found.id for found in v1.checkout.sessions.list({"starting_after": paid.id}).data] == [opened.id]
    assert v1.checkout.sessions.list({"created": {"gt": 2**32}}).data == []
    expanded = v1.checkout.sessions.list({"expand": ["data.payment_intent"], "status": "complete"})
    assert expanded.data[0].payment_intent.id == intent


@pytest.mark.parametrize(
    "query",
    [
        "limit=0",
        "limit=101",
        "limit=1.5",
        "starting_after=evt_none",
        "ending_before=evt_none",
        "starting_after=a&ending_before=b",
        "type=a&types[]=b",
        "&".join(f"types[]=t{number}" for number in range(21)),
        "created[between]=1",
        "created=yesterday",
        "delivery_success=maybe",
        "account=acct_1",
        "types[x]=charge.failed",
    ],
)
def test_bad_event_queries_are_refused(world: World, query: str) -> None:
    answer = world.send("GET", f"/v1/events?{query}")
    assert answer.status_code == 400
    assert answer.json()["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "query", ["status=paid", "expand[]=payment_intent", "expand[]=data", "status=open&subscription=sub_1"]
)
def test_bad_session_queries_are_refused(world: World, query: str) -> None:
    world.session()
    assert world.send("GET", f"/v1/checkout/sessions?{query}").status_code == 400


def test_a_session_is_no_cursor_for_events(world: World) -> None:
    session = world.session()
    with pytest.raises(stripe.InvalidRequestError, match="No such event"):
        world.stripe.v1.events.list({"starting_after": session.id})
    assert world.count(SandboxObject) == 1
