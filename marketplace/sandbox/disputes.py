"""Disputes: the buyer's bank takes the money, and keeps it or gives it back; an inquiry only asks."""

from datetime import timedelta
from typing import Any

from marketplace.sandbox import balance, listing, store, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

KIND = "dispute"
ANSWER_WITHIN = timedelta(days=9)
REASONS = (
    "credit_not_processed",
    "duplicate",
    "fraudulent",
    "general",
    "product_not_received",
    "product_unacceptable",
    "subscription_canceled",
    "unrecognized",
)
_NETWORK_REASON = "83"


def listed(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/disputes``."""
    charge = query.text("charge")
    wanted = [SandboxObject.parent_id == charge] if charge else []
    wanted += listing.equal(query, "payment_intent")
    return listing.list_objects(query, KIND, "/v1/disputes", wanted)


def begin(charge_id: str, amount_yen: int | None, reason: str, story: Recorder, *, inquiry: bool) -> dict[str, Any]:
    """Dispute a card payment, by default what is not refunded of it; raises WireError for one that cannot be."""
    charge = store.locked("charge", charge_id, "charge")
    amount = _amount(charge.document, amount_yen)
    if reason not in REASONS:
        raise WireError(f"Invalid reason: must be one of {', '.join(REASONS)}", param="reason")
    row = store.keep(_document(charge.document, amount, reason, story, inquiry=inquiry), story.now, parent_id=charge.id)
    story.record("charge.dispute.created", row.document)
    before = {"disputed": charge.document["disputed"]}
    store.change(charge, disputed=True)
    story.record("charge.updated", charge.document, before)
    if not inquiry:
        _withdraw(row, story)
    return row.document


def submit(dispute_id: str, story: Recorder) -> dict[str, Any]:
    """Hand in the evidence: the bank decides from now on; raises WireError."""
    row = _locked(dispute_id)
    if not row.status.endswith("needs_response"):
        raise WireError(f"This dispute has a status of {row.status}: it takes no evidence.")
    before = {"status": row.status}
    details = row.document["evidence_details"] | {"has_evidence": True, "submission_count": 1}
    status = row.status.replace("needs_response", "under_review")
    store.change(row, status=status, evidence_details=details)
    story.record("charge.dispute.updated", row.document, before)
    return row.document


def close(dispute_id: str, outcome: str, story: Recorder) -> dict[str, Any]:
    """End a dispute as ``won`` or ``lost``, an inquiry as ``warning_closed``; raises WireError."""
    row = _locked(dispute_id)
    outcomes = _outcomes(row.status)
    if outcome not in outcomes:
        message = f"This dispute has a status of {row.status}: it ends as {' or '.join(outcomes) or 'it has ended'}."
        raise WireError(message, param="outcome")
    if outcome == "won":
        _reinstate(row, story)
    store.change(row, status=outcome)
    story.record("charge.dispute.closed", row.document)
    return row.document


def _outcomes(status: str) -> tuple[str, ...]:
    if status in {"needs_response", "under_review"}:
        return ("won", "lost")
    return ("warning_closed",) if status in {"warning_needs_response", "warning_under_review"} else ()


def _locked(dispute_id: str) -> SandboxObject:
    store.locked("charge", store.get(KIND, dispute_id).document["charge"])
    return store.locked(KIND, dispute_id)


def _amount(charge: dict[str, Any], wished: int | None) -> int:
    left: int = charge["amount"] - charge["amount_refunded"]
    if charge["status"] != "succeeded" or charge["payment_method_details"]["type"] != "card":
        raise WireError("Only a card payment that succeeded can be disputed.", param="charge")
    if charge["disputed"]:
        raise WireError("This charge is disputed already.", param="charge")
    if not 0 < (left if wished is None else wished) <= left:
        raise WireError(f"Only ¥{left:,} of this charge can be disputed.", param="amount")
    return left if wished is None else wished


def _withdraw(row: SandboxObject, story: Recorder) -> None:
    _move(row, -row.document["amount"], "dispute", story, story.config.dispute_fee_yen)
    story.record("charge.dispute.funds_withdrawn", row.document)


def _reinstate(row: SandboxObject, story: Recorder) -> None:
    _move(row, row.document["amount"], "dispute_reversal", story, 0)
    story.record("charge.dispute.funds_reinstated", row.document)


def _move(row: SandboxObject, amount: int, category: str, story: Recorder, fee: int) -> None:
    source = row.document | {"description": f"Chargeback {'withdrawal' if amount < 0 else 'reversal'} for {row.id}"}
    moved = balance.book(
        source, amount, kind="adjustment", category=category, story=story, fee=fee, fee_kind="dispute_fee"
    )
    store.change(row, balance_transactions=[*row.document["balance_transactions"], moved])


def _document(charge: dict[str, Any], amount: int, reason: str, story: Recorder, *, inquiry: bool) -> dict[str, Any]:
    card = {"brand": "visa", "case_type": "inquiry" if inquiry else "chargeback"}
    return {
        "id": wire.new_id("du_1"),
        "object": KIND,
        "amount": amount,
        "balance_transactions": [],
        "charge": charge["id"],
        "created": int(story.now.timestamp()),
        "currency": "jpy",
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(_EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": int((story.now + ANSWER_WITHIN).timestamp()),
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": False,
        "metadata": {},
        "payment_intent": charge["payment_intent"],
        "payment_method_details": {"card": card | {"network_reason_code": _NETWORK_REASON}, "type": "card"},
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }


_EVIDENCE = [
    "access_activity_log",
    "billing_address",
    "cancellation_policy",
    "cancellation_policy_disclosure",
    "cancellation_rebuttal",
    "customer_communication",
    "customer_email_address",
    "customer_name",
    "customer_purchase_ip",
    "customer_signature",
    "duplicate_charge_documentation",
    "duplicate_charge_explanation",
    "duplicate_charge_id",
    "product_description",
    "receipt",
    "refund_policy",
    "refund_policy_disclosure",
    "refund_refusal_explanation",
    "service_date",
    "service_documentation",
    "shipping_address",
    "shipping_carrier",
    "shipping_date",
    "shipping_documentation",
    "shipping_tracking_number",
    "uncategorized_file",
    "uncategorized_text",
]
