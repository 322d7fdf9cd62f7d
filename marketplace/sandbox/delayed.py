"""Payments that complete unpaid: konbini vouchers and bank transfers, until the money comes or does not."""

from typing import Any

from sqlalchemy import select

from marketplace.kit.db import db
from marketplace.sandbox import (
    cash,
    checkout,
    completion,
    customers,
    intents,
    methods,
    payments,
    store,
    tender,
    wire,
)
from marketplace.sandbox.checkout import Outcome, Result
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError


def print_voucher(session_id: str, story: Recorder) -> Result:
    """Let the buyer choose konbini: the session is complete, the money yet to come; raises WireError."""
    row, closed = checkout.open_row(session_id, methods.KONBINI, story)
    if closed:
        return closed, row
    expires_at = tender.voucher_expires_at(row.details["options"]["voucher_days"], story.now)
    intent = intents.of_session(row, story)
    intent.expires_at = expires_at
    _wait(intent, tender.voucher(row.details["page"], expires_at), story)
    completion.unpaid(row, story)
    return Outcome.WAITING, row


def pay_voucher(session_id: str, chain: str, story: Recorder, *, confirmed: bool = True) -> dict[str, Any]:
    """Let the buyer pay at the till; unless ``confirmed``, the chain has not reported it yet. Raises WireError."""
    if chain not in tender.CHAINS:
        raise WireError(f"Invalid store: must be one of {', '.join(tender.CHAINS)}", param="store")
    row, intent = _voucher(session_id, ("requires_action", "processing"))
    if confirmed:
        intents.take(intent, tender.konbini(intent.document["payment_method"], chain), story)
        completion.paid_later(row, story)
    elif intent.status == "requires_action":
        store.change(intent, status="processing", next_action=None)
        story.record("payment_intent.processing", intent.document)
    return row.document


def expire_voucher(session_id: str, story: Recorder) -> dict[str, Any]:
    """Let the voucher expire unpaid; raises WireError when none is open."""
    row, intent = _voucher(session_id, ("requires_action",))
    return _expire(row, intent, story)


def expire_due(story: Recorder) -> int:
    """Expire the vouchers whose day is over; returns how many."""
    due = (
        select(SandboxObject.parent_id)
        .where(
            SandboxObject.kind == intents.KIND,
            SandboxObject.status == "requires_action",
            SandboxObject.expires_at <= story.now,
        )
        .order_by(SandboxObject.expires_at)
    )
    sessions = [name for name in db.session.execute(due).scalars() if name]
    return sum(_expire_if_open(session_id, story) for session_id in sessions)


def instruct(session_id: str, story: Recorder) -> Result:
    """Let the buyer choose a bank transfer: told where to send the money, or paid from the cash balance at once.

    Raises WireError.
    """
    # The customer first: money that arrives takes the same locks in the same order.
    customer_id = store.get(checkout.KIND, session_id).document["customer"]
    customer = store.locked(customers.KIND, customer_id) if customer_id else None
    row, closed = checkout.open_row(session_id, methods.BANK, story)
    if closed or customer is None:
        return closed or Outcome.EXPIRED, row
    intent = intents.of_session(row, story)
    account = cash.account_of(customer)
    _wait(intent, tender.instructions(row.details["page"], account, intent.document["amount"]), story)
    completion.unpaid(row, story)
    cash.spend(customer, story)
    return Outcome.WAITING, row


def cancel(intent_id: str, form: Reader, story: Recorder) -> dict[str, Any]:
    """Answer ``POST /v1/payment_intents/{id}/cancel``: what had come of it returns to the cash balance.

    Raises WireError for an intent that is paid, or whose page is still open.
    """
    reason = intents.read_reason(form)
    found = store.get(intents.KIND, intent_id)
    customer_id = found.document["customer"]
    customer = store.locked(customers.KIND, customer_id) if customer_id else None
    row = checkout.locked(found.parent_id or "")
    intent = store.locked(intents.KIND, intent_id)
    intents.require_cancelable(intent)
    if row.status == "open":
        message = "You cannot cancel a PaymentIntent of an open Checkout Session: expire the session instead."
        raise WireError(message, code="payment_intent_unexpected_state")
    if customer:
        cash.give_back(customer, intent, story)
    return intents.cancel_row(intent, reason, story)


def _wait(intent: SandboxObject, action: dict[str, Any], story: Recorder) -> None:
    waiting = store.change(
        intent,
        status="requires_action",
        last_payment_error=None,
        next_action=action,
        payment_method=wire.new_id("pm_1"),
    )
    story.record("payment_intent.requires_action", waiting)


def _voucher(session_id: str, statuses: tuple[str, ...]) -> tuple[SandboxObject, SandboxObject]:
    row = checkout.locked(session_id)
    intent_id = row.document["payment_intent"]
    intent = store.locked(intents.KIND, intent_id) if intent_id else None
    if intent is None or intent.expires_at is None or intent.status not in statuses:
        raise WireError("No konbini voucher of this payment is open.", param="session_id")
    return row, intent


def _expire_if_open(session_id: str, story: Recorder) -> int:
    try:
        row, intent = _voucher(session_id, ("requires_action",))
    except WireError:
        return 0  # paid since it was found
    _expire(row, intent, story)
    return 1


def _expire(row: SandboxObject, intent: SandboxObject, story: Recorder) -> dict[str, Any]:
    intents.fail(intent, payments.voucher_error(intent.document["payment_method"], story.now), story)
    completion.failed_later(row, story)
    return row.document
