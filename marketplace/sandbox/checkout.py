"""What happens to a Checkout Session: created, paid, declined, expired; each inside an open transaction."""

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import select

from marketplace.kit.db import db
from marketplace.sandbox import payments, sessions, store, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.sessions import SessionDraft
from marketplace.sandbox.wire import WireError

KIND = "checkout.session"


class Outcome(Enum):
    """What came of an attempt to pay."""

    PAID = "paid"
    DECLINED = "declined"
    ALREADY_PAID = "already-paid"
    EXPIRED = "expired"


def create(draft: SessionDraft, pay_url: str, now: datetime) -> dict[str, Any]:
    """Open a session whose hosted page is ``pay_url/{id}``."""
    identifier = wire.new_id("cs_test_a1", 56)
    document = sessions.open_session(draft, identifier, f"{pay_url}/{identifier}", now)
    items = [sessions.line_item(line, now) for line in draft.lines]
    details = {"line_items": items, "notes": [line.description for line in draft.lines], "intent": draft.intent}
    return store.keep(document, now, details=details, expires_at=draft.expires_at).document


def current(session_id: str, recorder: Recorder, now: datetime) -> SandboxObject:
    """Return the session as of now: one that nobody closed in time is expired; raises WireError 404."""
    row = store.get(KIND, session_id)
    if _overdue(row, now):
        row = _locked(session_id)
        _expire_if_overdue(row, recorder, now)
    return row


def expire(session_id: str, recorder: Recorder, now: datetime) -> dict[str, Any]:
    """Close an open session unpaid; raises WireError for one that is not open."""
    row = _locked(session_id)
    if row.status != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired.'
            f" This Checkout Session has a status of {row.status}."
        )
        raise WireError(message, param="session")
    return _close(row, recorder, now)


def expire_due(recorder: Recorder, now: datetime) -> int:
    """Expire the open sessions whose time is over; returns how many."""
    overdue = (
        select(SandboxObject)
        .where(SandboxObject.status == "open", SandboxObject.expires_at <= now)
        .order_by(SandboxObject.expires_at)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = db.session.execute(overdue).scalars().all()
    for row in rows:
        _close(row, recorder, now)
    return len(rows)


def pay(session_id: str, fee_basis_points: int, recorder: Recorder, now: datetime) -> tuple[Outcome, SandboxObject]:
    """Take the money of an open session, once: parallel attempts wait on its row; raises WireError 404."""
    row = _locked(session_id)
    closed = _closed(row, recorder, now)
    if closed:
        return closed, row
    intent = _intent(row, recorder, now)
    _capture(intent, fee_basis_points, recorder, now)
    _complete(row, intent.id, recorder)
    return Outcome.PAID, row


def decline(session_id: str, recorder: Recorder, now: datetime) -> tuple[Outcome, SandboxObject]:
    """Play a card that the bank refuses: nothing is taken and the session stays open; raises WireError 404."""
    row = _locked(session_id)
    closed = _closed(row, recorder, now)
    if closed:
        return closed, row
    intent = _intent(row, recorder, now)
    method = wire.new_id("pm_1")
    failed = payments.charge(intent.document, method, now, paid=False)
    store.keep(failed, now, parent_id=intent.id)
    recorder.record("charge.failed", failed)
    error = payments.decline_error(failed, method, now)
    recorder.record(
        "payment_intent.payment_failed", store.change(intent, last_payment_error=error, latest_charge=failed["id"])
    )
    return Outcome.DECLINED, row


def _locked(session_id: str) -> SandboxObject:
    row = store.lock(KIND, session_id)
    if row is None:
        raise wire.missing(KIND, session_id[:100], "session")
    return row


def _overdue(row: SandboxObject, now: datetime) -> bool:
    return row.status == "open" and row.expires_at is not None and row.expires_at <= now


def _expire_if_overdue(row: SandboxObject, recorder: Recorder, now: datetime) -> None:
    if _overdue(row, now):
        _close(row, recorder, now)


def _closed(row: SandboxObject, recorder: Recorder, now: datetime) -> Outcome | None:
    _expire_if_overdue(row, recorder, now)
    return {"complete": Outcome.ALREADY_PAID, "expired": Outcome.EXPIRED}.get(row.status)


def _close(row: SandboxObject, recorder: Recorder, now: datetime) -> dict[str, Any]:
    closed = store.change(row, status="expired", url=None)
    if closed["payment_intent"]:
        intent = store.get("payment_intent", closed["payment_intent"])
        canceled = store.change(
            intent, status="canceled", canceled_at=int(now.timestamp()), cancellation_reason="expired"
        )
        recorder.record("payment_intent.canceled", canceled)
    recorder.record("checkout.session.expired", closed)
    return closed


def _intent(row: SandboxObject, recorder: Recorder, now: datetime) -> SandboxObject:
    known = row.document["payment_intent"]
    if known:
        return store.get("payment_intent", known)
    document = payments.payment_intent(row.document, row.details["intent"], now)
    intent = store.keep(document, now, parent_id=row.id)
    store.change(row, payment_intent=intent.id)
    recorder.record("payment_intent.created", intent.document)
    return intent


def _capture(intent: SandboxObject, fee_basis_points: int, recorder: Recorder, now: datetime) -> None:
    # As Stripe does with asynchronous capture: the charge comes first, its balance transaction with an update.
    method = wire.new_id("pm_1")
    charge = store.keep(payments.charge(intent.document, method, now, paid=True), now, parent_id=intent.id)
    recorder.record("charge.succeeded", charge.document)
    paid = store.change(
        intent,
        status="succeeded",
        amount_received=intent.document["amount"],
        latest_charge=charge.id,
        last_payment_error=None,
        payment_method=method,
    )
    recorder.record("payment_intent.succeeded", paid)
    balance = payments.balance_transaction(charge.document, fee_basis_points, now)
    store.keep(balance, now, parent_id=charge.id)
    updated = store.change(charge, balance_transaction=balance["id"])
    recorder.record("charge.updated", updated, {"balance_transaction": None})


def _complete(row: SandboxObject, intent_id: str, recorder: Recorder) -> None:
    details = payments.customer_details(row.document["customer_email"])
    completed = store.change(
        row,
        status="complete",
        payment_status="paid",
        payment_intent=intent_id,
        customer_details=details,
        url=None,
    )
    recorder.record("checkout.session.completed", completed)
