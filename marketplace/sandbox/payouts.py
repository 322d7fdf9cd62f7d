"""Payouts: from the balance to the operator's bank account, by itself (automatic) or on request (manual)."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select

from marketplace.kit.db import db
from marketplace.sandbox import balance, listing, store, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

KIND = "payout"
ON_ITS_WAY = timedelta(days=2)
AMOUNT_HIGHEST_YEN = 10**12
DESTINATION = "ba_1SandboxOperatorBankOfJapan"
_STATUSES = ("paid", "pending", "in_transit", "canceled", "failed")
_FAILURES = {
    "account_closed": "The bank account has been closed.",
    "account_frozen": "The bank account has been frozen.",
    "could_not_process": "The bank could not process this payout.",
    "incorrect_account_holder_name": "The account holder name on file is incorrect.",
    "invalid_account_number": "The account number is not valid.",
    "no_account": "The bank account could not be found.",
}


def create(form: Reader, story: Recorder) -> dict[str, Any]:
    """Answer ``POST /v1/payouts``: a manual payout of what is available; raises WireError."""
    form.required("currency")
    form.choice("currency", ("jpy",))
    amount = form.integer("amount", 1, AMOUNT_HIGHEST_YEN)
    if amount is None:
        raise form.absent("amount")
    form.choice("method", ("standard",))
    wish = {
        "description": form.text("description"),
        "metadata": form.metadata(),
        "statement_descriptor": form.text("statement_descriptor", 22),
    }
    form.finish()
    return send(amount, story, wish)


def send(amount: int, story: Recorder, wish: dict[str, Any] | None = None) -> dict[str, Any]:
    """Send a sum of what is available (a manual payout); raises WireError when it is more."""
    balance.require_available(amount, story.now)
    wish = wish or {"description": None, "metadata": {}, "statement_descriptor": None}
    return _send(amount, wish, story, automatic=False).document


def run_automatic(story: Recorder) -> dict[str, Any]:
    """Pay out everything available and tie its balance transactions to the payout; raises WireError for nothing."""
    balance.hold()
    carried = balance.ripe(story.now)
    amount = sum(row.document["net"] for row in carried)
    if amount <= 0:
        raise WireError(f"The available balance of ¥{amount:,} cannot be paid out.", code="balance_insufficient")
    wish: dict[str, Any] = {"description": "STRIPE PAYOUT", "metadata": {}, "statement_descriptor": None}
    payout = _send(amount, wish, story, automatic=True)
    for row in [*carried, store.get(balance.KIND, payout.document["balance_transaction"])]:
        row.details = row.details | {"payout": payout.id}
    store.change(payout, reconciliation_status="completed")
    story.record("payout.reconciliation_completed", payout.document)
    return payout.document


def listed(query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/payouts``."""
    status = query.choice("status", _STATUSES)
    wanted = [SandboxObject.status == status] if status else []
    return listing.list_objects(query, KIND, "/v1/payouts", wanted)


def settle(payout_id: str, story: Recorder) -> dict[str, Any]:
    """Let the money arrive at the bank; raises WireError for a payout that has ended."""
    row = store.locked(KIND, payout_id)
    if row.status not in {"pending", "in_transit"}:
        raise WireError(f"Payouts with a status of {row.status} cannot arrive.")
    return _arrive(row, story)


def settle_due(story: Recorder) -> int:
    """Let everything arrive whose day has come; returns how many."""
    due = (
        select(SandboxObject)
        .where(SandboxObject.status == "in_transit", SandboxObject.expires_at <= story.now)
        .order_by(SandboxObject.expires_at)
        .with_for_update(skip_locked=True)
        .execution_options(populate_existing=True)
    )
    rows = db.session.execute(due).scalars().all()
    for row in rows:
        _arrive(row, story)
    return len(rows)


def fail(payout_id: str, code: str, story: Recorder) -> dict[str, Any]:
    """Let the bank send the money back, also after it was paid; raises WireError."""
    if code not in _FAILURES:
        raise WireError(f"Invalid code: must be one of {', '.join(_FAILURES)}", param="code")
    row = store.locked(KIND, payout_id)
    if row.status not in {"pending", "in_transit", "paid"}:
        raise WireError(f"Payouts with a status of {row.status} cannot fail.")
    back = balance.book(
        row.document, row.document["amount"], kind="payout_failure", category="payout_reversal", story=story
    )
    store.change(
        row,
        status="failed",
        failure_code=code,
        failure_message=_FAILURES[code],
        failure_balance_transaction=back["id"],
    )
    story.record("payout.failed", row.document)
    return row.document


def _send(amount: int, wish: dict[str, Any], story: Recorder, *, automatic: bool) -> SandboxObject:
    arrives = story.now + ON_ITS_WAY
    row = store.keep(_document(amount, wish, arrives, story, automatic=automatic), story.now, expires_at=arrives)
    booked = balance.book(row.document, -amount, kind="payout", story=story)
    store.change(row, balance_transaction=booked["id"])
    story.record("payout.created", row.document)
    return row


def _arrive(row: SandboxObject, story: Recorder) -> dict[str, Any]:
    before = {"status": row.status}
    store.change(row, status="paid", trace_id={"status": "supported", "value": wire.new_id("", 12).upper()})
    story.record("payout.paid", row.document)
    story.record("payout.updated", row.document, before)
    return row.document


def _document(
    amount: int, wish: dict[str, Any], arrives: datetime, story: Recorder, *, automatic: bool
) -> dict[str, Any]:
    nulls = ("application_fee", "application_fee_amount", "failure_balance_transaction", "failure_code")
    return dict.fromkeys((*nulls, "failure_message", "original_payout", "payout_method", "reversed_by")) | {
        "id": wire.new_id("po_1"),
        "object": KIND,
        "amount": amount,
        "arrival_date": int(arrives.timestamp()) // 86_400 * 86_400,
        "automatic": automatic,
        "balance_transaction": None,
        "created": int(story.now.timestamp()),
        "currency": "jpy",
        "destination": DESTINATION,
        "livemode": False,
        "method": "standard",
        "reconciliation_status": "in_progress" if automatic else "not_applicable",
        "source_type": "card",
        "status": "in_transit",
        "trace_id": {"status": "pending", "value": None},
        "type": "bank_account",
        **wish,
    }
