"""Refunds: giving back, reading what became of it, noting bank transfers."""

from typing import Any

from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import givingback as schemas
from marketplace.billing.refunds import queries
from marketplace.exchange import refund
from marketplace.identity.permissions import Permission

blp = blueprint("refunds", "/v1/refunds", "Refunds (返金).")


@blp.route("")
@guarded(Permission.REFUNDS_READ)
@blp.arguments(schemas.RefundQuery, location="query")
@blp.response(200, schemas.RefundPage)
def list_refunds(query: dict[str, Any]) -> Any:
    """List the refunds one is a party to, newest first; overseers see all."""
    return queries.list_refunds(actor(), **query)


@blp.route("/<refund_id>")
@guarded(Permission.REFUNDS_READ)
@blp.response(200, schemas.RefundView)
def read(refund_id: str) -> Any:
    """Read a refund: its state says whether the money has arrived."""
    return queries.get_refund(actor(), refund_id)


@blp.route("/<refund_id>/bank", methods=["POST"])
@guarded(Permission.REFUNDS_NOTE)
@blp.arguments(schemas.BankRefundNote)
@blp.response(200, schemas.RefundView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def note_bank(note: dict[str, Any], refund_id: str) -> Any:
    """Note that a refund by bank transfer was sent, or came back; the books and the papers follow."""
    caller = actor()

    def deed() -> dict[str, Any]:
        return {"state": refund.note_bank_refund(caller, refund_id, **note).state}

    _answer, replayed = once(note, deed)
    return queries.get_refund(caller, refund_id), 200, replay_mark(replayed)
