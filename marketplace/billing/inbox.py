"""The inbox of gateway events: each is stored once, worked on by one, and keeps the trace of its failures.

A story takes one event per transaction: ``claim`` it, do the work, ``mark_processed``. When the work
raises, its transaction rolls back and ``record_trouble`` notes the failure in a transaction of its own.
An event that fails again and again, though nothing is out of order around it, is parked: kept with its
trace and tried no more until somebody says so.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing.gateways.wire import without_personal_data
from marketplace.billing.models import StripeEvent
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db

RETRY_SECONDS_MAX = 3600
ATTEMPTS_MAX = 12  # the last one about two hours after the first
TROUBLE_LENGTH_MAX = 500


def store_event(event: Mapping[str, Any]) -> bool:
    """Keep a verified event without the payer's personal data; False when it was here before."""
    now = clock.now()
    statement = (
        postgresql.insert(StripeEvent)
        .values(
            id=event["id"],
            type=event["type"],
            livemode=event["livemode"],
            payload=without_personal_data(event),
            received_at=now,
            due_at=now,
            attempts=0,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(StripeEvent.id)
    )
    return db.session.execute(statement).scalar_one_or_none() is not None


def due_event_ids(limit: int = 100) -> Sequence[str]:
    """Return the events that are waiting to be worked on now, in the order of their turn."""
    return db.session.scalars(
        select(StripeEvent.id)
        .where(*_waiting(), StripeEvent.due_at <= clock.now())
        .order_by(StripeEvent.due_at, StripeEvent.id)
        .limit(limit)
    ).all()


def get_event(event_id: str) -> StripeEvent:
    """Return a stored event, unlocked; NoResultFound when it was never stored."""
    return db.session.get_one(StripeEvent, event_id)


def claim(event_id: str) -> StripeEvent | None:
    """Return an unprocessed event, locked for this transaction; None when it is done or being worked on.

    So workers never share one.
    """
    query = select(StripeEvent).where(StripeEvent.id == event_id, *_waiting()).with_for_update(skip_locked=True)
    return db.session.scalar(query, execution_options={"populate_existing": True})


def mark_processed(event_id: str) -> None:
    """Note that the event's work is done; traces of earlier failures stay."""
    db.session.execute(
        update(StripeEvent)
        .where(StripeEvent.id == event_id)
        .values(processed_at=clock.now(), attempts=StripeEvent.attempts + 1)
    )


def record_trouble(event_id: str, error: BaseException, *, may_pass: bool = False) -> None:
    """Note why the work failed and put the event back: after 2, 4, 8 … seconds, at most an hour.

    After ``ATTEMPTS_MAX`` failures it is parked instead, unless the error ``may_pass`` by mere waiting, as
    that of a gateway or a database which does not answer.
    """
    query = select(StripeEvent).where(StripeEvent.id == event_id).with_for_update()
    event = db.session.scalars(query, execution_options={"populate_existing": True}).one()
    if event.processed_at is not None or event.parked_at is not None:
        return
    event.attempts += 1
    event.trouble = f"{type(error).__name__}: {error}"[:TROUBLE_LENGTH_MAX].replace("\0", "")
    wait = min(2 ** min(event.attempts, 30), RETRY_SECONDS_MAX)
    event.due_at = clock.now() + timedelta(seconds=wait)
    if event.attempts >= ATTEMPTS_MAX and not may_pass:
        _park(event, type(error).__name__)
    db.session.flush()


def unpark(event_id: str) -> bool:
    """Put a parked event back into the queue, to be tried now; False when it is not parked."""
    statement = (
        update(StripeEvent)
        .where(StripeEvent.id == event_id, StripeEvent.parked_at.is_not(None))
        .values(parked_at=None, attempts=0, due_at=clock.now())
        .returning(StripeEvent.id)
    )
    return db.session.scalar(statement) is not None


def list_troubled(limit: int = 100) -> Sequence[StripeEvent]:
    """Return events that failed and are still waiting, longest waiting first."""
    return db.session.scalars(
        select(StripeEvent)
        .where(*_waiting(), StripeEvent.trouble.is_not(None))
        .order_by(StripeEvent.received_at)
        .limit(limit)
    ).all()


def list_parked(limit: int = 100) -> Sequence[StripeEvent]:
    """Return events that are tried no more, parked last first."""
    parked = select(StripeEvent).where(StripeEvent.parked_at.is_not(None))
    return db.session.scalars(parked.order_by(StripeEvent.parked_at.desc()).limit(limit)).all()


def _waiting() -> tuple[ColumnElement[bool], ...]:
    return (StripeEvent.processed_at.is_(None), StripeEvent.parked_at.is_(None))


def _park(event: StripeEvent, cause: str) -> None:
    event.parked_at = clock.now()
    facts = {"type": event.type, "attempts": event.attempts, "cause": cause}
    audit.record(SYSTEM, Verb.EVENT_PARKED, subject=event.id, facts=facts)
