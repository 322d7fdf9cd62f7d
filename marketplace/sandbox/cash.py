"""Cash balances: each customer's own bank account, what came to it, and what of it pays open intents."""

from typing import Any

from sqlalchemy import select

from marketplace.kit.db import db
from marketplace.sandbox import completion, customers, intents, listing, store, tender, wire
from marketplace.sandbox.events import Recorder
from marketplace.sandbox.models import SandboxObject
from marketplace.sandbox.reader import Reader
from marketplace.sandbox.wire import WireError

MOVEMENT = "customer_cash_balance_transaction"
INSTRUCTED = "display_bank_transfer_instructions"
AMOUNT_HIGHEST_YEN = 10**12


def account_of(customer: SandboxObject) -> dict[str, Any]:
    """Return the bank account that belongs to this customer alone."""
    return tender.account(customer.sequence)


def funding_instructions(identifier: str, form: Reader, _story: Recorder) -> dict[str, Any]:
    """Answer ``POST /v1/customers/{id}/funding_instructions``; raises WireError."""
    transfer = form.child("bank_transfer")
    for reader, name, only in (
        (form, "currency", "jpy"),
        (form, "funding_type", "bank_transfer"),
        (transfer, "type", "jp_bank_transfer"),
    ):
        reader.required(name)
        reader.choice(name, (only,))
    transfer.choices("requested_address_types", ("zengin",))
    form.finish()
    addresses = [account_of(store.get(customers.KIND, identifier))]
    return {
        "object": "funding_instructions",
        "bank_transfer": {"country": "JP", "financial_addresses": addresses, "type": "jp_bank_transfer"},
        "currency": "jpy",
        "funding_type": "bank_transfer",
        "livemode": False,
    }


def show(identifier: str, _story: Recorder) -> dict[str, Any]:
    """Answer ``GET /v1/customers/{id}/cash_balance``; raises WireError 404."""
    return _balance(store.get(customers.KIND, identifier))


def listed(identifier: str, query: Reader) -> dict[str, Any]:
    """Answer ``GET /v1/customers/{id}/cash_balance_transactions``."""
    store.get(customers.KIND, identifier)
    address = f"/v1/customers/{identifier}/cash_balance_transactions"
    return listing.list_objects(query, MOVEMENT, address, [SandboxObject.parent_id == identifier])


def fund(customer_id: str, amount_yen: int, story: Recorder) -> dict[str, Any]:
    """Let money arrive, and pay with it what is open; returns the cash balance. Raises WireError."""
    if not 0 < amount_yen <= AMOUNT_HIGHEST_YEN:
        raise WireError("amount_yen must be a positive whole number of yen.", param="amount_yen")
    customer = store.locked(customers.KIND, customer_id, "customer")
    came = {"reference": None, "type": "jp_bank_transfer", "jp_bank_transfer": _sender()}
    _move(customer, amount_yen, "funded", story, {"bank_transfer": came})
    spend(customer, story)
    if customer.details["cash_yen"]:
        story.record("cash_balance.funds_available", _balance(customer))
    return _balance(customer)


def spend(customer: SandboxObject, story: Recorder) -> None:
    """Pay open intents: the one that fits exactly first, then the oldest, in parts; the customer's row is locked."""
    while customer.details["cash_yen"]:
        intent_id = _next(customer)
        if intent_id is None:
            return
        session = store.locked("checkout.session", store.get(intents.KIND, intent_id).parent_id or "")
        _apply(customer, session, store.locked(intents.KIND, intent_id), story)


def give_back(customer: SandboxObject, intent: SandboxObject, story: Recorder) -> None:
    """Return to the cash balance what a canceled intent had got in parts; both rows are locked."""
    applied = intent.details.get("applied_yen", 0)
    if applied:
        intent.details = intent.details | {"applied_yen": 0}
        _move(customer, applied, "unapplied_from_payment", story, {"payment_intent": intent.id})


def _apply(customer: SandboxObject, session: SandboxObject, intent: SandboxObject, story: Recorder) -> None:
    action = intent.document["next_action"]
    remaining = action[INSTRUCTED]["amount_remaining"]
    part = min(remaining, customer.details["cash_yen"])
    intent.details = intent.details | {"applied_yen": intent.details.get("applied_yen", 0) + part}
    _move(customer, -part, "applied_to_payment", story, {"payment_intent": intent.id})
    if part == remaining:
        intents.take(intent, tender.bank_transfer(intent.document["payment_method"]), story)
        completion.paid_later(session, story)
        return
    store.change(intent, next_action=action | {INSTRUCTED: action[INSTRUCTED] | {"amount_remaining": remaining - part}})
    story.record("payment_intent.partially_funded", intent.document)


def _next(customer: SandboxObject) -> str | None:
    remaining = SandboxObject.document["next_action"][INSTRUCTED]["amount_remaining"].as_integer()
    exact = remaining == customer.details["cash_yen"]
    found = (
        select(SandboxObject.id)
        .where(
            SandboxObject.kind == intents.KIND,
            SandboxObject.status == "requires_action",
            SandboxObject.document["customer"].astext == customer.id,
            SandboxObject.document["next_action"]["type"].astext == INSTRUCTED,
        )
        .order_by(exact.desc(), SandboxObject.sequence)
        .limit(1)
    )
    return db.session.execute(found).scalar_one_or_none()


def _move(customer: SandboxObject, amount: int, kind: str, story: Recorder, about: dict[str, Any]) -> None:
    total = customer.details["cash_yen"] + amount
    customer.details = customer.details | {"cash_yen": total}
    document = {
        "id": wire.new_id("ccsbtxn_1"),
        "object": MOVEMENT,
        "created": int(story.now.timestamp()),
        "currency": "jpy",
        "customer": customer.id,
        "customer_account": None,
        "ending_balance": total,
        "livemode": False,
        "net_amount": amount,
        "type": kind,
        kind: about,
    }
    store.keep(document, story.now, parent_id=customer.id)
    story.record("customer_cash_balance_transaction.created", document)


def _sender() -> dict[str, Any]:
    return {"sender_bank": "サンドボックス銀行", "sender_branch": "本店", "sender_name": "カ）カイテ"}


def _balance(customer: SandboxObject) -> dict[str, Any]:
    cash = customer.details["cash_yen"]
    return {
        "object": "cash_balance",
        "available": {"jpy": cash} if cash else None,
        "customer": customer.id,
        "customer_account": None,
        "livemode": False,
        "settings": {"reconciliation_mode": "automatic", "using_merchant_default": True},
    }
