"""Bank transfers: where a buyer transfers to, and what the operator does with money nobody was named for."""

from typing import Any

from flask import request

from marketplace.api.endpoint import actor, blueprint, guarded, once
from marketplace.api.openapi import IDEMPOTENCY_KEY
from marketplace.api.orders import replay_mark
from marketplace.api.schemas import banking as schemas
from marketplace.api.schemas import givingback
from marketplace.billing.bank import queries, service
from marketplace.billing.bank.states import BankLineState
from marketplace.billing.refunds import queries as refunds
from marketplace.exchange import banking, unapplied
from marketplace.identity.permissions import Permission
from marketplace.kit.canonical import sha256_hex
from marketplace.kit.errors import Invalid, NotFound

blp = blueprint("bank", "/v1/bank", "Bank transfers (銀行振込).")


@blp.route("/account")
@guarded(Permission.BANK_ACCOUNT_READ)
@blp.response(200, schemas.VirtualAccountView)
def read_account() -> Any:
    """Read the virtual account that one's organization transfers to; 404 before it has asked for one."""
    found = queries.find_account(actor().organization_id)
    if found is None:
        raise NotFound
    return found


@blp.route("/account", methods=["POST"])
@guarded(Permission.BANK_ACCOUNT_ASK)
@blp.response(201, schemas.VirtualAccountView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def ask_account() -> Any:
    """Ask for the virtual account of one's organization: the same one whenever asked."""
    caller = actor()
    _answer, replayed = once({}, lambda: {"number": banking.own_account(caller).number})
    return queries.find_account(caller.organization_id), 201, replay_mark(replayed)


@blp.route("/lines")
@guarded(Permission.BANK_READ)
@blp.arguments(schemas.BankLineQuery, location="query")
@blp.response(200, schemas.BankLinePage)
def list_lines(query: dict[str, Any]) -> Any:
    """List the incoming transfers, newest first."""
    state = query.pop("state", None)
    return queries.list_lines(**query, state=BankLineState(state) if state else None)


@blp.route("/lines/<line_id>/assign", methods=["POST"])
@guarded(Permission.BANK_OPERATE)
@blp.arguments(schemas.BankLineAssignment)
@blp.response(200, schemas.BankLineView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def assign(given: dict[str, Any], line_id: str) -> Any:
    """Say whose transfer a line in suspense was; it pays the invoice named, else what the buyer owes."""
    caller = actor()
    if not given:
        raise Invalid(errors=[{"pointer": "/organization_id", "detail": "name the buyer or the invoice"}])
    _answer, replayed = once(given, lambda: {"line_id": banking.assign_line(caller, line_id, **given).id})
    return queries.get_line(line_id), 200, replay_mark(replayed)


@blp.route("/lines/<line_id>/return", methods=["POST"])
@guarded(Permission.BANK_OPERATE)
@blp.arguments(schemas.BankLineReturn)
@blp.response(200, schemas.BankLineView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def send_back(given: dict[str, Any], line_id: str) -> Any:
    """Note that the bank was told to send back what of a transfer pays nothing."""
    caller = actor()
    _answer, replayed = once(given, lambda: {"line_id": service.send_back(caller, line_id, given["reason"]).id})
    return queries.get_line(line_id), 200, replay_mark(replayed)


@blp.route("/applications", methods=["POST"])
@guarded(Permission.BANK_OPERATE)
@blp.arguments(schemas.UnappliedUse)
@blp.response(201, schemas.UnappliedUseView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def apply_unapplied(draft: dict[str, Any]) -> Any:
    """Pay an open invoice with money that its buyer sent before."""
    caller = actor()

    def deed() -> dict[str, Any]:
        applied = banking.apply_unapplied(caller, draft["invoice_id"], draft["amount_yen"])
        return {"invoice_id": draft["invoice_id"], "applied_yen": applied}

    answer, replayed = once(draft, deed)
    return answer, 201, replay_mark(replayed)


@blp.route("/returns", methods=["POST"])
@guarded(Permission.BANK_OPERATE)
@blp.arguments(schemas.UnappliedReturn)
@blp.response(201, givingback.RefundView)
@blp.doc(parameters=[IDEMPOTENCY_KEY])
def give_back(draft: dict[str, Any]) -> Any:
    """Send money back to its payer that came through the gateway and paid nothing, such as a second payment.

    A card gets it through the gateway, soon after the answer; the rest goes by bank and is noted with
    `POST /v1/refunds/{id}/bank`.
    """
    caller, key = actor(), request.headers.get("Idempotency-Key", "")
    # The key outlives the store of answers, so that even a very late retry sends nothing twice.
    named = f"returned:{caller.organization_id}:{sha256_hex(key.encode())}"

    def deed() -> dict[str, Any]:
        back = unapplied.give_back(caller, draft["payment_id"], draft.get("amount_yen"), named, draft["note"])
        return {"refund_id": back}

    answer, replayed = once(draft, deed)
    return refunds.get_refund(caller, answer["refund_id"]), 201, replay_mark(replayed)
