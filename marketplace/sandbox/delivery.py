"""Webhooks: events signed with Stripe's algorithm and posted until they are taken or given up."""

import hashlib
import hmac
import http.client
import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import Select, select

from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.sandbox import config, events, timing
from marketplace.sandbox.config import SandboxConfig
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxDelivery, SandboxEvent

LEASE_MARGIN = timedelta(seconds=30)
Post = Callable[[bytes, str], int]
_ANSWER_BYTES_MAX = 64 * 1024


@dataclass(frozen=True, slots=True)
class Attempt:
    """One delivery in hand: leased to this sender until the lease runs out."""

    delivery_id: str
    number: int
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reception:
    """What the endpoint made of it: its HTTP status, or why there is none."""

    status: int | None
    error: str | None = None

    @property
    def taken(self) -> bool:
        """Tell whether the endpoint accepted the event: any 2xx, and nothing else."""
        return self.status is not None and 200 <= self.status < 300


def signature(payload: bytes, secret: str, at: datetime) -> str:
    """Return the ``Stripe-Signature`` header of a body (https://docs.stripe.com/webhooks#verify-manually)."""
    seconds = int(at.timestamp())
    digest = hmac.new(secret.encode(), b"%d." % seconds + payload, hashlib.sha256).hexdigest()
    return f"t={seconds},v1={digest}"


def deliver_due(sandbox: SandboxConfig, now: datetime | None = None, post: Post | None = None) -> int:
    """Send every event that is due at ``now`` (by default at the time of each sending); returns how many were tried.

    Must be called outside any transaction: none is held while the endpoint is waited for. With ``post``, the
    events go to this function as (body, signature), which answers an HTTP status, instead of to the endpoint.
    """
    tried = 0
    while _deliver_next(sandbox, now or clock.now(), post):
        tried += 1
    return tried


def _deliver_next(sandbox: SandboxConfig, now: datetime, post: Post | None) -> bool:
    attempt = _claim(sandbox, now)
    if attempt is None:
        return False
    payload = json.dumps(events.rendered(attempt.event, 1), ensure_ascii=False, indent=2).encode()
    received = _send(sandbox, payload, now, post)
    for _ in range(sandbox.knobs.duplicate):
        _send(sandbox, payload, now, post)
    _settle(sandbox, attempt, received, now)
    return True


@jobs.task("sandbox.deliver", cron="* * * * *")
def deliver() -> None:
    """Send what is due; nothing on an application without the sandbox."""
    sandbox = config.find()
    if sandbox:
        deliver_due(sandbox)


@jobs.task("sandbox.expire", cron="* * * * *")
def expire() -> None:
    """Do what the passing of time does; nothing on an application without the sandbox."""
    sandbox = config.find()
    if sandbox:
        with transaction():
            timing.run_due(Recorder(sandbox, clock.now()))


def _claim(sandbox: SandboxConfig, now: datetime) -> Attempt | None:
    with transaction():
        found = db.session.execute(_due(sandbox, now)).first()
        while found and found[1].type in sandbox.knobs.drop:
            found[0].state, found[0].last_error = "failed", "dropped on request"
            db.session.flush()
            found = db.session.execute(_due(sandbox, now)).first()
        if not found:
            return None
        delivery, event = found
        delivery.attempts += 1
        delivery.due_at = now + timedelta(seconds=sandbox.timeout_seconds) + LEASE_MARGIN
        return Attempt(delivery.id, delivery.attempts, event.document)


def _due(sandbox: SandboxConfig, now: datetime) -> Select[SandboxDelivery, SandboxEvent]:
    order = SandboxEvent.sequence.desc() if sandbox.knobs.reorder else SandboxEvent.sequence.asc()
    return (
        select(SandboxDelivery, SandboxEvent)
        .join(SandboxEvent, SandboxEvent.id == SandboxDelivery.event_id)
        .where(
            SandboxDelivery.state == "pending",
            SandboxDelivery.due_at <= now,
            SandboxDelivery.created_at <= now - timedelta(seconds=sandbox.knobs.delay_seconds),
        )
        .order_by(order)
        .limit(1)
        .with_for_update(of=SandboxDelivery, skip_locked=True)
        .execution_options(populate_existing=True)
    )


def _send(sandbox: SandboxConfig, payload: bytes, now: datetime, post: Post | None) -> Reception:
    if post is None:
        return _post(sandbox, payload, now)
    return Reception(post(payload, signature(payload, sandbox.webhook_secret, now)))


def _post(sandbox: SandboxConfig, payload: bytes, now: datetime) -> Reception:
    address = urlsplit(sandbox.webhook_url or "")
    kind = http.client.HTTPSConnection if address.scheme == "https" else http.client.HTTPConnection
    connection = kind(address.hostname or "", address.port, timeout=sandbox.timeout_seconds)
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Stripe-Signature": signature(payload, sandbox.webhook_secret, now),
    }
    target = (address.path or "/") + (f"?{address.query}" if address.query else "")
    try:
        connection.request("POST", target, payload, headers)
        response = connection.getresponse()
        response.read(_ANSWER_BYTES_MAX)
        return Reception(response.status)
    except (OSError, http.client.HTTPException) as error:
        return Reception(None, f"{type(error).__name__}: {error}"[:500])
    finally:
        connection.close()


def _settle(sandbox: SandboxConfig, attempt: Attempt, received: Reception, now: datetime) -> None:
    with transaction():
        row = db.session.get_one(SandboxDelivery, attempt.delivery_id, with_for_update=True, populate_existing=True)
        row.last_status, row.last_error = received.status, received.error
        if received.taken:
            row.state = "delivered"
        elif row.state == "pending" and row.attempts == attempt.number:
            _put_off(row, sandbox.retry_seconds, now)


def _put_off(row: SandboxDelivery, retry_seconds: tuple[int, ...], now: datetime) -> None:
    if row.attempts > len(retry_seconds):
        row.state = "failed"
        return
    row.due_at = now + timedelta(seconds=retry_seconds[row.attempts - 1])
    jobs.enqueue(events.DELIVER, scheduled_at=row.due_at)
