"""What happens to an open Checkout Session: created, paid by card, declined, challenged, expired; in a transaction."""

from datetime import datetime
from enum import Enum
from typing import Any

from sqlalchemy import select

from marketplace.kit.db import db
from marketplace.sandbox import completion, customers, intents, methods, payments, sessions, store, tender, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.sessions import SessionDraft
from marketplace.sandbox.wire import WireError

KIND = "checkout.session"


class Outcome(Enum):
    """What came of an attempt to pay."""

    PAID = "paid"
    DECLINED = "declined"
    CHALLENGED = "challenged"
    WAITING = "waiting"
    ALREADY_PAID = "already-paid"
    EXPIRED = "expired"


Result = tuple[Outcome, SandboxObject]


def create(draft: SessionDraft, pay_url: str, now: datetime) -> dict[str, Any]:
    """Open a session whose hosted page is ``pay_url/{id}``; raises WireError for an unknown customer."""
    identifier = wire.new_id("cs_test_a1", 56)
    document = sessions.open_session(draft, identifier, f"{pay_url}/{identifier}", now)
    details = {
        "line_items": [sessions.line_item(line, now) for line in draft.lines],
        "notes": [line.description for line in draft.lines],
        "intent": draft.intent,
        "options": draft.options,
        "email": _email(draft),
        "page": f"{pay_url}/{identifier}",
    }
    return store.keep(document, now, details=details, expires_at=draft.expires_at).document


def current(session_id: str, recorder: Recorder, now: datetime) -> SandboxObject:
    """Return the session as of now: one that nobody closed in time is expired; raises WireError 404."""
    row = store.get(KIND, session_id)
    if _overdue(row, now):
        row = locked(session_id)
        _expire_if_overdue(row, recorder, now)
    return row


def expire(session_id: str, recorder: Recorder, now: datetime) -> dict[str, Any]:
    """Close an open session unpaid; raises WireError for one that is not open."""
    del now  # the recorder knows it
    row = locked(session_id)
    if row.status != "open":
        message = (
            'Only Checkout Sessions with a status in ["open"] can be expired.'
            f" This Checkout Session has a status of {row.status}."
        )
        raise WireError(message, param="session")
    return _close(row, recorder)


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
        _close(row, recorder)
    return len(rows)


def pay(session_id: str, recorder: Recorder) -> Result:
    """Take the money of an open session, once: parallel attempts wait on its row; raises WireError 404."""
    row, closed = open_row(session_id, methods.CARD, recorder)
    if closed:
        return closed, row
    intent = intents.of_session(row, recorder)
    intents.take(intent, tender.card(paid=True, amount=intent.document["amount"]), recorder)
    completion.paid_now(row, recorder)
    return Outcome.PAID, row


def decline(session_id: str, recorder: Recorder) -> Result:
    """Play a card that the bank refuses: nothing is taken and the session stays open; raises WireError 404."""
    row, closed = open_row(session_id, methods.CARD, recorder)
    if closed:
        return closed, row
    intents.refuse(intents.of_session(row, recorder), recorder)
    return Outcome.DECLINED, row


def challenge(session_id: str, recorder: Recorder) -> Result:
    """Let the card's bank ask the buyer to confirm (3-D Secure); raises WireError 404."""
    row, closed = open_row(session_id, methods.CARD, recorder)
    if closed:
        return closed, row
    intent = intents.of_session(row, recorder)
    asked = store.change(
        intent,
        status="requires_action",
        next_action=tender.challenge(row.details["page"]),
        payment_method=wire.new_id("pm_1"),
    )
    recorder.record("payment_intent.requires_action", asked)
    return Outcome.CHALLENGED, row


def answer_challenge(session_id: str, recorder: Recorder, *, passed: bool) -> Result:
    """Let the buyer pass the challenge, and be charged, or fail it; raises WireError when none was asked."""
    row, closed = open_row(session_id, methods.CARD, recorder)
    if closed:
        return closed, row
    intent = _challenged(row)
    method = intent.document["payment_method"]
    if not passed:
        intents.fail(intent, payments.challenge_error(method, recorder.now), recorder)
        return Outcome.DECLINED, row
    used = tender.card(paid=True, amount=intent.document["amount"], challenged=True)
    intents.take(intent, used, recorder)
    completion.paid_now(row, recorder)
    return Outcome.PAID, row


def open_row(session_id: str, method: str, recorder: Recorder) -> tuple[SandboxObject, Outcome | None]:
    """Return the locked session, and why it takes no payment any more, if so; raises WireError 404, or 400.

    400 is for a way to pay that its page does not offer.
    """
    row = locked(session_id)
    _expire_if_overdue(row, recorder, recorder.now)
    closed = {"complete": Outcome.ALREADY_PAID, "expired": Outcome.EXPIRED}.get(row.status)
    if closed is None and method not in row.document["payment_method_types"]:
        raise WireError(f"This page does not offer to pay by {method}.", param="method")
    return row, closed


def locked(session_id: str) -> SandboxObject:
    """Return the session's row, locked until the transaction ends; raises WireError 404."""
    return store.locked(KIND, session_id, "session")


def _email(draft: SessionDraft) -> str | None:
    if draft.customer is None:
        return draft.customer_email
    found = store.find(customers.KIND, draft.customer)
    if found is None:
        raise WireError(f"No such customer: '{draft.customer[:100]}'", code="resource_missing", param="customer")
    email: str | None = found.document["email"]
    return email


def _challenged(row: SandboxObject) -> SandboxObject:
    intent_id = row.document["payment_intent"]
    intent = store.locked(intents.KIND, intent_id) if intent_id else None
    if intent is None or intent.status != "requires_action":
        raise WireError("No 3-D Secure challenge was asked of this payment.")
    return intent


def _overdue(row: SandboxObject, now: datetime) -> bool:
    return row.status == "open" and row.expires_at is not None and row.expires_at <= now


def _expire_if_overdue(row: SandboxObject, recorder: Recorder, now: datetime) -> None:
    if _overdue(row, now):
        _close(row, recorder)


def _close(row: SandboxObject, recorder: Recorder) -> dict[str, Any]:
    closed = store.change(row, status="expired", url=None)
    if closed["payment_intent"]:
        intents.cancel_row(store.locked(intents.KIND, closed["payment_intent"]), "expired", recorder)
    recorder.record("checkout.session.expired", closed)
    return closed
