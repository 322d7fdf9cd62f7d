"""Webhooks: really signed, really delivered, retried and given up."""

import threading
from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
import stripe
from sqlalchemy import select, text

from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox import delivery
from marketplace.sandbox.delivery import Attempt, Reception
from marketplace.sandbox.models import SandboxDelivery, SandboxEvent
from tests.sandbox.conftest import SECRET, World

ORDER = [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "charge.updated",
    "checkout.session.completed",
]


def deliver(world: World, now: datetime | None = None) -> int:
    with world.app.app_context():
        return delivery.deliver_due(world.config, now)


def rows(world: World) -> list[SandboxDelivery]:
    with world.app.app_context():
        return list(db.session.execute(select(SandboxDelivery).order_by(SandboxDelivery.id)).scalars())


def test_events_are_signed_with_stripes_algorithm_over_the_raw_body(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    assert deliver(world) == 5
    assert world.endpoint.types() == ORDER
    headers, body = world.endpoint.received[-1]
    assert stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], SECRET, 300)
    assert headers["Content-Type"] == "application/json; charset=utf-8"
    assert "北海道株式会社".encode() in body
    completed = world.endpoint.events()[-1]
    assert completed.data.object["id"] == session.id
    assert (completed.livemode, completed.api_version, completed.pending_webhooks) == (False, "2026-10-28.endive", 1)
    for wrong in (body.replace(b"12690", b"12691"), body + b" "):
        with pytest.raises(stripe.SignatureVerificationError):
            stripe.WebhookSignature.verify_header(wrong, headers["Stripe-Signature"], SECRET, 300)
    with pytest.raises(stripe.SignatureVerificationError):
        stripe.WebhookSignature.verify_header(body, headers["Stripe-Signature"], "whsec_other", 300)


def test_our_signature_equals_the_sdks() -> None:
    now = clock.now()
    payload = '{"名前": "人流"}'
    theirs = stripe.WebhookSignature.generate_signature_header(payload, SECRET, int(now.timestamp()))
    assert delivery.signature(payload.encode(), SECRET, now) == theirs


def test_events_name_the_api_request_that_caused_them(world: World) -> None:
    session = world.session()
    world.stripe.v1.checkout.sessions.expire(session.id, None, {"idempotency_key": "expire-1"})
    deliver(world)
    event = world.endpoint.events()[0]
    assert event.request.id.startswith("req_")
    assert event.request.idempotency_key == "expire-1"


def test_a_job_in_the_same_transaction_delivers(world: World) -> None:
    session = world.session()
    world.pay(session.id)
    with world.app.app_context():
        assert jobs.run_pending("sandbox.deliver") == 1
        assert jobs.run_pending("sandbox.deliver") == 0
    assert world.endpoint.types() == ORDER
    assert len(world.stripe.v1.events.list({"delivery_success": True}).data) == 5


def test_a_payment_that_is_rolled_back_tells_nobody(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    session = world.session()
    monkeypatch.setattr("marketplace.sandbox.completion._complete", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with world.app.test_client() as browser, pytest.raises(KeyboardInterrupt):
        browser.post(f"/sandbox/pay/{session.id}/pay")
    monkeypatch.undo()
    with world.app.app_context():
        assert jobs.run_pending("sandbox.deliver") == 0
    assert world.count(SandboxEvent) == world.count(SandboxDelivery) == 0
    assert world.pay(session.id).status_code == 303


def test_delivered_events_are_not_sent_again(world: World) -> None:
    world.pay(world.session().id)
    assert deliver(world) == 5
    assert deliver(world, clock.now() + timedelta(days=1)) == 0
    assert {row.state for row in rows(world)} == {"delivered"}


@pytest.mark.parametrize("status", [500, 503, 404, 301, 400])
def test_a_refused_event_is_tried_again_after_a_pause(world: World, status: int) -> None:
    session = world.session()
    world.stripe.v1.checkout.sessions.expire(session.id)
    world.endpoint.statuses.extend([status, 200])
    start = clock.now()
    assert deliver(world, start) == 1
    row = rows(world)[0]
    assert (row.state, row.attempts, row.last_status) == ("pending", 1, status)
    assert row.due_at == start + timedelta(seconds=2)
    waiting = world.stripe.v1.events.list({"delivery_success": False}).data
    assert [event.pending_webhooks for event in waiting] == [1]
    assert world.stripe.v1.events.retrieve(waiting[0].id).pending_webhooks == 1
    assert deliver(world, start + timedelta(seconds=1)) == 0
    assert deliver(world, start + timedelta(seconds=2)) == 1
    first, second = world.endpoint.received
    assert first[1] == second[1]
    assert first[0]["Stripe-Signature"] != second[0]["Stripe-Signature"]
    assert world.stripe.v1.events.list({"delivery_success": False}).data == []
    assert world.stripe.v1.events.retrieve(waiting[0].id).pending_webhooks == 0


def test_the_retry_is_a_job_of_its_own(world: World) -> None:
    world.stripe.v1.checkout.sessions.expire(world.session().id)
    world.endpoint.statuses.append(500)
    with world.app.app_context():
        jobs.run_pending("sandbox.deliver")
        waiting = db.session.execute(text("SELECT scheduled_at FROM procrastinate_jobs")).scalars().all()
    assert waiting == [rows(world)[0].due_at]


def test_an_endpoint_that_never_answers_well_is_given_up(make_world: Callable[..., World]) -> None:
    world = make_world(retry_seconds=(1, 2))
    world.stripe.v1.checkout.sessions.expire(world.session().id)
    world.endpoint.statuses.extend([500] * 10)
    now = clock.now()
    assert [deliver(world, now + timedelta(hours=hours)) for hours in range(5)] == [1, 1, 1, 0, 0]
    row = rows(world)[0]
    assert (row.state, row.attempts, row.last_status) == ("failed", 3, 500)
    lost = world.stripe.v1.events.list({"delivery_success": False}).data
    assert [(event.type, event.pending_webhooks) for event in lost] == [("checkout.session.expired", 0)]


@pytest.mark.parametrize(
    "webhook_url", ["http://127.0.0.1:9/closed", "https://127.0.0.1:9/closed", "http://127.0.0.1:9"]
)
def test_an_endpoint_that_cannot_be_reached_is_tried_again(make_world: Callable[..., World], webhook_url: str) -> None:
    world = make_world(webhook_url=webhook_url)
    world.stripe.v1.checkout.sessions.expire(world.session().id)
    assert deliver(world) == 1
    row = rows(world)[0]
    assert (row.state, row.last_status) == ("pending", None)
    assert row.last_error.startswith("ConnectionRefusedError")


def test_an_attempt_in_hand_is_leased_and_taken_over_when_its_sender_died(world: World) -> None:
    world.stripe.v1.checkout.sessions.expire(world.session().id)
    now = clock.now()
    with world.app.app_context():
        dead = delivery._claim(world.config, now)
    assert dead is not None
    assert deliver(world, now + timedelta(seconds=20)) == 0
    assert deliver(world, now + timedelta(seconds=40)) == 1
    with world.app.app_context():
        delivery._settle(world.config, dead, Reception(500), now)
    assert rows(world)[0].state == "delivered"


def test_a_late_failure_does_not_disturb_the_sender_that_took_over(world: World) -> None:
    world.stripe.v1.checkout.sessions.expire(world.session().id)
    now = clock.now()
    with world.app.app_context():
        late = delivery._claim(world.config, now)
        second = delivery._claim(world.config, now + timedelta(minutes=1))
        assert isinstance(late, Attempt)
        assert isinstance(second, Attempt)
        assert (late.number, second.number) == (1, 2)
        delivery._settle(world.config, late, Reception(None, "timeout"), now)
        assert rows(world)[0].due_at > now + timedelta(minutes=1)
        delivery._settle(world.config, late, Reception(200), now)
    assert rows(world)[0].state == "delivered"


def test_many_senders_share_the_outbox_without_doubles(world: World) -> None:
    for _ in range(4):
        world.pay(world.session().id)
    barrier = threading.Barrier(4)
    sent: list[int] = []

    def work() -> None:
        barrier.wait()
        sent.append(deliver(world))

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(sent) == len(world.endpoint.received) == 20
    assert len({event.id for event in world.endpoint.events()}) == 20


def test_knob_duplicate_sends_copies(world: World) -> None:
    world.config.knobs.duplicate = 2
    world.stripe.v1.checkout.sessions.expire(world.session().id)
    assert deliver(world) == 1
    assert len(world.endpoint.received) == 3
    assert len({event.id for event in world.endpoint.events()}) == 1


def test_knob_reorder_sends_the_newest_first(world: World) -> None:
    world.config.knobs.reorder = True
    world.pay(world.session().id)
    deliver(world)
    assert world.endpoint.types() == ORDER[::-1]


def test_knob_delay_holds_events_back(world: World) -> None:
    world.config.knobs.delay_seconds = 60
    world.pay(world.session().id)
    assert deliver(world) == 0
    assert deliver(world, clock.now() + timedelta(seconds=61)) == 5


def test_knob_drop_loses_events_that_polling_still_finds(world: World) -> None:
    world.config.knobs.drop = frozenset({"checkout.session.completed", "payment_intent.created"})
    world.pay(world.session().id)
    assert deliver(world) == 3
    assert world.endpoint.types() == ORDER[1:4]
    lost = world.stripe.v1.events.list({"delivery_success": False}).data
    assert {event.type for event in lost} == {"checkout.session.completed", "payment_intent.created"}


def test_jobs_rest_where_no_sandbox_is_mounted(own_database: object) -> None:
    del own_database
    from marketplace.sandbox import config

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(config, "EXTENSION", "nothing")
        delivery.deliver()
        delivery.expire()


def test_a_claim_needs_no_open_transaction_and_leaves_none(world: World) -> None:
    with world.app.app_context():
        assert delivery._claim(world.config, clock.now()) is None
        with transaction():
            assert db.session.execute(text("SELECT 1")).scalar_one() == 1
