"""Refunds: money that goes back to the buyer, at once for cards, by bank transfer for everything else."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from marketplace.kit.db import db
from marketplace.sandbox import balance, listing, store, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

KIND = "refund"
ANSWER_WITHIN = timedelta(days=45)
AMOUNT_HIGHEST_YEN = 99_999_999
_WHILE_WAITING = ("next_action", "pending_reason")
_REASONS = ("duplicate", "fraudulent", "requested_by_customer")
_FAILURES = (
    "charge_for_pending_refund_disputed",
    "declined",
    "expired_or_canceled_card",
    "insufficient_funds",
    "lost_or_stolen_card",
    "merchant_request",
    "unknown",
)


def create(form: Reader, story: Recorder) -> dict[str, Any]:
    """Give back a charge, wholly or in part; parallel refunds wait on the charge. Raises WireError."""
    charge = _charge(form)
    wish: dict[str, Any] = {
        "amount": form.integer("amount", 1, AMOUNT_HIGHEST_YEN),
        "reason": form.choice("reason", _REASONS),
        "email": form.text("instructions_email", 800),
        "metadata": form.metadata(),
    }
    form.finish()
    amount = _amount(charge, wish["amount"])
    document = _document(charge.document, amount, wish, story)
    row = store.keep(document, story.now, parent_id=charge.id)
    if row.status != "requires_action":
        _book(row, story)
    story.record("refund.created", row.document)
    _count(charge, amount, story)
    return row.document


def cancel(refund_id: str, story: Recorder) -> dict[str, Any]:
    """Take back a refund for which the buyer has not named a bank account yet; raises WireError."""
    row, charge = _both(refund_id)
    if row.status != "requires_action":
        message = f"Refunds with a status of {row.status} cannot be canceled."
        raise WireError(message, code="refund_not_cancelable")
    store.change(row, drop=_WHILE_WAITING, status="canceled")
    _uncount(charge, row, story)
    return _updated(row, story)


def listed(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/refunds``."""
    charge = query.text("charge")
    wanted = [SandboxObject.parent_id == charge] if charge else []
    wanted += listing.equal(query, "payment_intent")
    return listing.list_objects(query, KIND, "/v1/refunds", wanted)


def settle(refund_id: str, story: Recorder) -> dict[str, Any]:
    """Let the money arrive; a buyer who was asked for a bank account has named it. Raises WireError."""
    row, _charge_row = _both(refund_id)
    if row.status == "requires_action":
        store.change(row, drop=_WHILE_WAITING, status="pending", pending_reason="processing")
        _book(row, story)
        _updated(row, story)
    if row.status != "pending":
        raise WireError(f"Refunds with a status of {row.status} cannot be settled.")
    store.change(row, drop=_WHILE_WAITING, status="succeeded")
    return _updated(row, story)


def fail(refund_id: str, reason: str, story: Recorder) -> dict[str, Any]:
    """Let the bank send the money back, also after the refund had succeeded; raises WireError."""
    if reason not in _FAILURES:
        raise WireError(f"Invalid reason: must be one of {', '.join(_FAILURES)}", param="reason")
    row, charge = _both(refund_id)
    if row.status not in {"pending", "succeeded", "requires_action"}:
        raise WireError(f"Refunds with a status of {row.status} cannot fail.")
    fields = {"status": "failed", "failure_reason": reason}
    if row.document["balance_transaction"]:
        back = balance.book(row.document, row.document["amount"], kind="refund_failure", story=story)
        fields["failure_balance_transaction"] = back["id"]
    store.change(row, drop=_WHILE_WAITING, **fields)
    _uncount(charge, row, story)
    story.record("refund.failed", row.document)
    return _updated(row, story)


def _charge(form: Reader) -> SandboxObject:
    charge_id, intent_id = form.text("charge"), form.text("payment_intent")
    if (charge_id is None) == (intent_id is None):
        raise WireError("One of the following params should be provided: payment_intent or charge.")
    if charge_id is None:
        charge_id = store.get("payment_intent", intent_id or "").document["latest_charge"]
    charge = store.locked("charge", charge_id, "charge") if charge_id else None
    if charge is None or charge.status != "succeeded":
        message = f"This PaymentIntent ({intent_id}) does not have a successful charge to refund."
        raise WireError(message, param="payment_intent" if intent_id else "charge")
    return charge


def _amount(charge: SandboxObject, wished: int | None) -> int:
    document = charge.document
    left = document["amount"] - document["amount_refunded"]
    if document["disputed"] and not _refundable(charge.id):
        message = f"Charge {charge.id} has been charged back; cannot issue a refund."
        raise WireError(message, code="charge_disputed")
    if left == 0:
        raise WireError(f"Charge {charge.id} has already been refunded.", code="charge_already_refunded")
    if wished and wished > left:
        message = f"Refund amount (¥{wished:,}) is greater than unrefunded amount on charge (¥{left:,})"
        raise WireError(message, param="amount")
    return wished or left


def _refundable(charge_id: str) -> bool:
    disputes = select(SandboxObject.document["is_charge_refundable"].as_boolean()).where(
        SandboxObject.kind == "dispute", SandboxObject.parent_id == charge_id
    )
    return all(db.session.execute(disputes).scalars())


def _document(charge: dict[str, Any], amount: int, wish: dict[str, Any], story: Recorder) -> dict[str, Any]:
    method = charge["payment_method_details"]["type"]
    answer = {
        "id": wire.new_id("re_3" if method == "card" else "pyr_1"),
        "object": KIND,
        "amount": amount,
        "balance_transaction": None,
        "charge": charge["id"],
        "created": int(story.now.timestamp()),
        "currency": "jpy",
        "metadata": wish["metadata"],
        "payment_intent": charge["payment_intent"],
        "reason": wish["reason"],
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if story.config.knobs.hold_refunds else "succeeded",
        "transfer_reversal": None,
    }
    if method != "card":
        return answer | _by_transfer(charge, wish["email"], story.now)
    card = {"reference_status": "pending", "reference_type": "acquirer_reference_number", "type": "refund"}
    waiting = {"pending_reason": "processing"} if story.config.knobs.hold_refunds else {}
    return answer | waiting | {"destination_details": {"card": card, "type": "card"}}


def _by_transfer(charge: dict[str, Any], email: str | None, now: datetime) -> dict[str, Any]:
    email = email or charge["billing_details"]["email"]
    if not email:
        message = "Refunds of this payment method need `instructions_email`: Stripe asks the buyer for a bank account."
        raise WireError(message, code="parameter_missing", param="instructions_email")
    sent = {"email_sent_at": int(now.timestamp()), "email_sent_to": email}
    asked = {"email_sent": sent, "expires_at": int((now + ANSWER_WITHIN).timestamp())}
    return {
        "status": "requires_action",
        "instructions_email": email,
        "next_action": {"type": "display_details", "display_details": asked},
        "destination_details": {"jp_bank_transfer": dict.fromkeys(("reference", "reference_status"))}
        | {"type": "jp_bank_transfer"},
    }


def _book(row: SandboxObject, story: Recorder) -> None:
    kind = "refund" if row.id.startswith("re_") else "payment_refund"
    booked = balance.book(row.document, -row.document["amount"], kind=kind, category="refund", story=story)
    store.change(row, balance_transaction=booked["id"])


def _count(charge: SandboxObject, amount: int, story: Recorder) -> None:
    before = {"amount_refunded": charge.document["amount_refunded"], "refunded": charge.document["refunded"]}
    total = charge.document["amount_refunded"] + amount
    store.change(charge, amount_refunded=total, refunded=total == charge.document["amount"])
    story.record("charge.refunded", charge.document, before)


def _uncount(charge: SandboxObject, row: SandboxObject, story: Recorder) -> None:
    before = {"amount_refunded": charge.document["amount_refunded"], "refunded": charge.document["refunded"]}
    store.change(charge, amount_refunded=before["amount_refunded"] - row.document["amount"], refunded=False)
    story.record("charge.updated", charge.document, before)


def _both(refund_id: str) -> tuple[SandboxObject, SandboxObject]:
    # The charge first, as in create: whoever holds it decides about all of its refunds.
    charge = store.locked("charge", store.get(KIND, refund_id).document["charge"])
    return store.locked(KIND, refund_id), charge


def _updated(row: SandboxObject, story: Recorder) -> dict[str, Any]:
    story.record("refund.updated", row.document)
    story.record("charge.refund.updated", row.document)
    return row.document
