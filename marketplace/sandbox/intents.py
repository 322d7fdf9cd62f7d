"""Payment intents: begun by a session's first attempt to pay, taken once, failed, canceled."""

from typing import Any

from marketplace.sandbox import balance, listing, payments, store, tender
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.tender import Tender
from marketplace.sandbox.wire import WireError

KIND = "payment_intent"
_CANCELABLE = ("requires_payment_method", "requires_confirmation", "requires_action", "processing")
_REASONS = ("duplicate", "fraudulent", "requested_by_customer", "abandoned")


def listed(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/payment_intents``."""
    return listing.list_objects(query, KIND, "/v1/payment_intents", listing.equal(query, "customer"))


def charges(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/charges``."""
    wanted = listing.equal(query, "customer", "payment_intent", "transfer_group")
    return listing.list_objects(query, "charge", "/v1/charges", wanted)


def of_session(session: SandboxObject, story: Recorder) -> SandboxObject:
    """Return the session's intent, which its first attempt to pay creates."""
    known = session.document["payment_intent"]
    if known:
        return store.locked(KIND, known)
    document = payments.payment_intent(session.document, session.details, story.now)
    details = {"email": session.details["email"], "applied_yen": 0}
    intent = store.keep(document, story.now, parent_id=session.id, details=details)
    store.change(session, payment_intent=intent.id)
    story.record("payment_intent.created", intent.document)
    return intent


def take(intent: SandboxObject, used: Tender, story: Recorder) -> None:
    """Take the money, once; a second time breaks a unique index."""
    # As Stripe does with asynchronous capture: the charge comes first, its balance transaction with an update.
    document = payments.charge(intent.document, used, story.now, paid=True, email=intent.details.get("email"))
    charge = store.keep(document, story.now, parent_id=intent.id)
    story.record("charge.succeeded", charge.document)
    paid = store.change(
        intent,
        status="succeeded",
        amount_received=intent.document["amount"],
        latest_charge=charge.id,
        last_payment_error=None,
        next_action=None,
        payment_method=used.method,
    )
    story.record("payment_intent.succeeded", paid)
    amount = charge.document["amount"]
    booked = balance.book(
        charge.document,
        amount,
        kind="charge" if used.kind == "card" else "payment",
        category="charge",
        fee=balance.fee_of(used.kind, amount, story.config),
        story=story,
        settling=balance.SETTLING,
    )
    updated = store.change(charge, balance_transaction=booked["id"])
    story.record("charge.updated", updated, {"balance_transaction": None})


def refuse(intent: SandboxObject, story: Recorder) -> None:
    """Play a card that its bank refuses: nothing is taken."""
    used = tender.card(paid=False, amount=intent.document["amount"])
    failed = payments.charge(intent.document, used, story.now, paid=False)
    store.keep(failed, story.now, parent_id=intent.id)
    story.record("charge.failed", failed)
    error = payments.decline_error(failed, used.method, story.now)
    fail(intent, error, story, latest_charge=failed["id"])


def fail(intent: SandboxObject, error: dict[str, Any], story: Recorder, **fields: Any) -> None:
    """Let an attempt to pay end without money: another one may follow."""
    wanting: dict[str, Any] = {"status": "requires_payment_method", "next_action": None, "payment_method": None}
    failed = store.change(intent, **wanting, last_payment_error=error, **fields)
    story.record("payment_intent.payment_failed", failed)


def cancel_row(intent: SandboxObject, reason: str | None, story: Recorder) -> dict[str, Any]:
    """End an intent for ever; its row is locked."""
    canceled = store.change(
        intent,
        status="canceled",
        canceled_at=int(story.now.timestamp()),
        cancellation_reason=reason,
        next_action=None,
    )
    story.record("payment_intent.canceled", canceled)
    return canceled


def require_cancelable(intent: SandboxObject) -> None:
    """Refuse an intent that is paid or has ended; raises WireError."""
    if intent.status not in _CANCELABLE:
        message = (
            f"You cannot cancel this PaymentIntent because it has a status of {intent.status}."
            f" Only a PaymentIntent with one of the following statuses may be canceled: {', '.join(_CANCELABLE)}."
        )
        raise WireError(message, code="payment_intent_unexpected_state")


def read_reason(form: Reader) -> str | None:
    """Read why an intent is canceled; raises WireError."""
    reason = form.choice("cancellation_reason", _REASONS)
    form.finish()
    return reason
