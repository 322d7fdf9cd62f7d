"""Keeping and finding objects, and expanding the ids inside them."""

from datetime import datetime
from typing import Any

from sqlalchemy import select

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.sandbox import wire
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.wire import WireError

EXPAND_DEPTH_MAX = 4
EXPANDABLE = {
    "checkout.session": ("payment_intent", "line_items", "customer"),
    "payment_intent": ("latest_charge", "customer"),
    "charge": ("balance_transaction", "payment_intent", "customer"),
    "balance_transaction": ("source",),
    "customer_cash_balance_transaction": ("customer",),
    "dispute": ("charge", "payment_intent"),
    "payout": ("balance_transaction", "failure_balance_transaction"),
    "refund": ("balance_transaction", "charge", "failure_balance_transaction", "payment_intent"),
    "transfer": ("balance_transaction", "source_transaction"),
    "transfer_reversal": ("balance_transaction", "transfer"),
}


def keep(document: dict[str, Any], at: datetime, **columns: Any) -> SandboxObject:
    """Add an object and return its row; a second payment of one intent breaks a unique index.

    ``columns``: details, parent_id and expires_at of the row.
    """
    row = SandboxObject(
        id=document["id"],
        kind=document["object"],
        status=document.get("status") or "",
        document=document,
        details=columns.pop("details", {}),
        created_at=at,
        **columns,
    )
    db.session.add(row)
    db.session.flush()
    return row


def change(row: SandboxObject, *, drop: tuple[str, ...] = (), **fields: Any) -> dict[str, Any]:
    """Set fields of an object, take away those in ``drop``, and return it as it now is."""
    kept = {name: value for name, value in row.document.items() if name not in drop}
    row.document = kept | fields
    row.status = row.document.get("status") or ""
    db.session.flush()
    return row.document


def find(kind: str, identifier: str) -> SandboxObject | None:
    """Return the object's row, or None."""
    return db.session.execute(_by_id(kind, identifier)).scalar_one_or_none()


def lock(kind: str, identifier: str) -> SandboxObject | None:
    """Return the object's row, locked until the transaction ends and as the last holder left it."""
    return db.session.execute(
        _by_id(kind, identifier).with_for_update().execution_options(populate_existing=True)
    ).scalar_one_or_none()


def locked(kind: str, identifier: str, param: str = "id") -> SandboxObject:
    """Return the object's row, locked until the transaction ends; raises WireError 404."""
    row = lock(kind, identifier)
    if row is None:
        raise wire.missing(kind, identifier[:100], param)
    return row


def get(kind: str, identifier: str) -> SandboxObject:
    """Return the object's row; raises WireError 404."""
    row = find(kind, identifier)
    if row is None:
        raise wire.missing(kind, identifier[:100])
    return row


def shown(document: dict[str, Any], now: datetime) -> dict[str, Any]:
    """Return the object as it stands now: money becomes available when its day has come, without any deed."""
    if document["object"] == "balance_transaction" and document["available_on"] <= now.timestamp():
        return {**document, "status": "available"}
    return dict(document)


def expanded(document: dict[str, Any], paths: list[str]) -> dict[str, Any]:
    """Return the object with the ids at these dotted paths replaced by their objects; raises WireError."""
    answer = shown(document, clock.now())
    for path in paths:
        steps = path.split(".")
        if len(steps) > EXPAND_DEPTH_MAX:
            raise WireError("You cannot expand more than 4 levels of a property.", param="expand")
        _expand(answer, steps, path)
    return answer


def _expand(document: dict[str, Any], steps: list[str], path: str) -> None:
    if steps[0] not in EXPANDABLE.get(document.get("object", ""), ()):
        message = f"This property cannot be expanded ({path[:200]})."
        raise WireError(message, param="expand")
    below = document.get(steps[0])
    if isinstance(below, str):
        below = _load(below)
    elif steps[0] == "line_items":
        below = _line_items(document["id"])
    document[steps[0]] = below
    if len(steps) > 1 and below is not None:
        _expand(below, steps[1:], path)


def _load(identifier: str) -> dict[str, Any]:
    return shown(db.session.get_one(SandboxObject, identifier).document, clock.now())


def _line_items(session_id: str) -> dict[str, Any]:
    row = db.session.get_one(SandboxObject, session_id)
    url = f"/v1/checkout/sessions/{session_id}/line_items"
    return {"object": "list", "data": row.details["line_items"], "has_more": False, "url": url}


def _by_id(kind: str, identifier: str) -> Any:
    return select(SandboxObject).where(SandboxObject.id == identifier, SandboxObject.kind == kind)
