"""Sending: each message that is due is taken by one worker, goes out, and comes again until it was taken.

A worker that dies on the way leaves its message to the next one: it arrives once at least, under the same id.
"""

import logging
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import delete, exists, select, text, update

from marketplace.audit import holds
from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, jobs, mail, outbound, settings
from marketplace.kit.db import db
from marketplace.kit.outbound import OutboundRefused
from marketplace.kit.transaction import transaction
from marketplace.webhooks import letters, queries, rules, service
from marketplace.webhooks.models import WebhookEndpoint, WebhookEvent, WebhookMessage
from marketplace.webhooks.states import EndpointState, MessageState

log = logging.getLogger(__name__)
AT_ONCE_MAX = 200
SECONDS_MAX = 15
LEASE = timedelta(seconds=4 * SECONDS_MAX)
"""For so long a message belongs to the worker that took it."""

KEPT = timedelta(days=30)
GONE = 410
_TAKE = text("""
UPDATE webhook_message SET attempts = attempts + 1, due_at = :again
 WHERE id = (SELECT m.id FROM webhook_message m JOIN webhook_endpoint e ON e.id = m.endpoint_id
              WHERE m.state = 'waiting' AND m.due_at <= :now AND e.state = 'active'
              ORDER BY m.due_at, m.id LIMIT 1 FOR UPDATE OF m SKIP LOCKED)
RETURNING id, endpoint_id, event_id, attempts
""")


@dataclass(frozen=True, slots=True)
class Turn:
    """One attempt: where it goes, what it says, and how it is signed."""

    message_id: str
    endpoint_id: str
    attempts: int
    url: str
    body: bytes
    headers: dict[str, str]


@jobs.task(service.DELIVER_JOB, foreign=True)
def deliver() -> None:
    """Send what is due, one message after another; what is left when this has gone on for long is another's."""
    for _ in range(AT_ONCE_MAX):
        turn = _take()
        if turn is None:
            return
        status, trouble = _send(turn)
        with transaction():
            _settle(turn, status, trouble)
    with transaction():
        jobs.enqueue(service.DELIVER_JOB)


@jobs.task("webhooks.deliver_left", cron="* * * * *", foreign=True)
def deliver_left() -> None:
    """Send what is due and was left by a worker that died."""
    deliver()


@jobs.task("webhooks.forget", cron="41 * * * *")
def forget() -> None:
    """Delete what happened a month ago and no endpoint waits for, with its messages, unless a hold stands."""
    with transaction():
        event = WebhookEvent.id == WebhookMessage.event_id
        waits = exists().where(event, WebhookMessage.state == MessageState.WAITING.value)
        held = exists().where(
            event,
            WebhookEndpoint.id == WebhookMessage.endpoint_id,
            holds.covering(WebhookEndpoint.organization_id),
        )
        over = WebhookEvent.created_at <= clock.now() - KEPT
        db.session.execute(delete(WebhookEvent).where(over, ~waits, ~held))


def _take() -> Turn | None:
    with transaction():
        now = clock.now()
        taken = db.session.execute(_TAKE, {"now": now, "again": now + LEASE}).one_or_none()
        if taken is None:
            return None
        endpoint = db.session.scalars(
            select(WebhookEndpoint).where(WebhookEndpoint.id == taken.endpoint_id),
            execution_options={"populate_existing": True},
        ).one()
        body = str(db.session.scalar(select(WebhookEvent.body).where(WebhookEvent.id == taken.event_id))).encode()
        secrets, seed = service.secrets_of(endpoint), queries.seed_of(endpoint.id)
        headers = rules.headers(taken.event_id, now, body, secrets, seed)
        return Turn(taken.id, endpoint.id, taken.attempts, endpoint.url, body, headers)


def _send(turn: Turn) -> tuple[int | None, str | None]:
    """Return what the endpoint answered, or what was wrong on the way."""
    try:
        return outbound.post(turn.url, turn.body, turn.headers, SECONDS_MAX), None
    except OutboundRefused as error:
        return None, str(error)


def _settle(turn: Turn, status: int | None, trouble: str | None) -> None:
    """Note what came of an attempt; the endpoint's row first, which is held until the transaction ends."""
    held = select(WebhookEndpoint).where(WebhookEndpoint.id == turn.endpoint_id).with_for_update()
    endpoint = db.session.scalar(held, execution_options={"populate_existing": True})
    if endpoint is None:
        return
    now, is_taken = clock.now(), status is not None and 200 <= status < 300
    noted: dict[str, object] = {"last_status": status, "last_trouble": trouble}
    if is_taken:
        noted |= {"state": MessageState.DELIVERED.value, "delivered_at": now, "due_at": now}
        endpoint.failures = 0
    else:
        again = rules.due_again(turn.attempts, now)
        noted |= {"due_at": again} if again else {"state": MessageState.FAILED.value, "due_at": now}
        if again:
            jobs.enqueue(service.DELIVER_JOB, scheduled_at=again)
        endpoint.failures += 1
        _disable_if_hopeless(endpoint, status)
    mine = (WebhookMessage.id == turn.message_id, WebhookMessage.state == MessageState.WAITING.value)
    db.session.execute(update(WebhookMessage).where(*mine).values(**noted))


def _disable_if_hopeless(endpoint: WebhookEndpoint, status: int | None) -> None:
    most = settings.current().webhook_failures_max
    if endpoint.state != EndpointState.ACTIVE.value or (status != GONE and endpoint.failures < most):
        return
    endpoint.state = EndpointState.DISABLED.value
    endpoint.disabled_reason = "gone" if status == GONE else "failures"
    endpoint.version += 1
    db.session.flush()
    facts = {"reason": endpoint.disabled_reason, "failures": endpoint.failures, "version": endpoint.version}
    audit.record(SYSTEM, Verb.WEBHOOK_DISABLED, subject=endpoint.id, facts=facts)
    letter = letters.disabled(endpoint.id, endpoint.failures)
    for address in identity.list_addresses(endpoint.organization_id, roles.BUILDING):
        mail.send(address, letter.subject, letter.body)
    log.warning("webhook endpoint %s is disabled (%s)", endpoint.id, endpoint.disabled_reason)
