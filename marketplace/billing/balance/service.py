"""Tying each movement of the gateway's balance to exactly one transaction of the ledger."""

import logging
from datetime import date

from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger, postings
from marketplace.billing import queries as billing
from marketplace.billing.balance import queries, rules
from marketplace.billing.balance.models import Movement
from marketplace.billing.balance.states import MovementState
from marketplace.billing.gateways.reports import BalanceTransaction
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.states import PaymentState
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db

log = logging.getLogger(__name__)
_LOCK = 0x62616C61  # "bala"


def keep(told: BalanceTransaction) -> bool:
    """Keep a movement once, as the gateway told it; False when it was here before, or moves nothing."""
    if not told.amount_minor and not told.net_minor:
        return False
    statement = (
        postgresql.insert(Movement)
        .values(
            id=told.transaction_id,
            type=told.type,
            source_id=told.source_id,
            refs=list(dict.fromkeys([*told.names, *told.labels.values()])),
            amount_minor=told.amount_minor,
            fee_minor=told.fee_minor,
            net_minor=told.net_minor,
            currency=told.currency,
            created_at=told.created_at,
            available_at=told.available_at,
            state=MovementState.WAITING.value,
        )
        .on_conflict_do_nothing(index_elements=["id"])
        .returning(Movement.id)
    )
    return db.session.scalar(statement) is not None


def settle(movement_id: str) -> MovementState:
    """Find or book what a movement is, or put it in suspense; doing it again changes nothing.

    One at a time, so that two movements never take the same posting. What is in suspense is taken out of it
    as soon as its posting appears.
    """
    db.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    movement = queries.get_locked(movement_id)
    if movement.state != MovementState.MATCHED:
        if not _match(movement) and not _book(movement):
            _suspend(movement)
        db.session.flush()
    return MovementState(movement.state)


def _match(movement: Movement) -> bool:
    refs = _refs(movement)
    account = postings.in_currency(postings.CLEARING, movement.currency)
    # A dispute's posting holds its fee already; all others leave the fee to us.
    found = queries.find_posting(refs, account, [movement.amount_minor, movement.net_minor]) if refs else None
    if found is None:
        return False
    txn_id, booked = found
    _clear(movement)
    if booked == movement.amount_minor:
        # A payment's fee is told of under the payment, not under what it paid.
        _book_fee(movement, refs[0] if movement.type in rules.INCOMING else movement.id)
    _tie(movement, txn_id, MovementState.MATCHED)
    return True


def _refs(movement: Movement) -> list[str]:
    """Return under which names the posting may stand, most telling first; none while a payment is under way."""
    names = list(movement.refs)
    if movement.type not in rules.INCOMING:
        return names
    found = [payment for name in names if (payment := billing.find_payment(name, None, name)) is not None]
    if not found or found[0].state != PaymentState.PAID:
        return []
    # Money that came twice stands under its own payment; only what did not pays the order or the invoice.
    payment = found[0]
    return [name for name in (payment.id, payment.order_id, payment.invoice_id) if name]


def _book(movement: Movement) -> bool:
    entries = rules.own_entries(movement.type, movement.amount_minor, movement.currency)
    txn_id = ledger.post(
        f"gateway_{movement.type}",
        movement.source_id or movement.id,
        f"balance:{movement.id}",
        _day(movement),
        entries,
        currency=movement.currency,
    )
    if txn_id is None:
        return False
    _clear(movement)
    _book_fee(movement, movement.source_id or movement.id)
    _tie(movement, txn_id, MovementState.MATCHED)
    return True


def _book_fee(movement: Movement, ref: str) -> None:
    if any(queries.is_fee_booked(name) for name in movement.refs):
        return
    entries = rules.fee_entries(movement.fee_minor, movement.currency)
    ledger.post("processing_fee", ref, f"fee:{movement.id}", _day(movement), entries, currency=movement.currency)


def _suspend(movement: Movement) -> None:
    if movement.state == MovementState.SUSPENSE or rules.may_wait(movement.type, movement.created_at, clock.now()):
        return
    # The gateway takes the money of a refund when it sends it, and says only days later whether it arrived.
    if movement.type in rules.OUTGOING and refunds.is_under_way(movement.refs):
        return
    entries = rules.in_currency(postings.unexplained(postings.CLEARING, movement.net_minor), movement.currency)
    txn_id = ledger.post(
        "gateway_suspense",
        movement.id,
        f"suspense:{movement.id}",
        _day(movement),
        entries,
        currency=movement.currency,
    )
    if txn_id is None:
        return
    log.error("balance transaction %s (%s) is explained by nothing in our books", movement.id, movement.type)
    _tie(movement, txn_id, MovementState.SUSPENSE)
    _record(Verb.BALANCE_SUSPENDED, movement)


def _clear(movement: Movement) -> None:
    """Take a movement that is explained after all out of suspense."""
    if movement.state != MovementState.SUSPENSE:
        return
    entries = rules.in_currency(postings.unexplained(postings.CLEARING, -movement.net_minor), movement.currency)
    ledger.post(
        "gateway_suspense_cleared",
        movement.id,
        f"suspense_cleared:{movement.id}",
        clock.today(),
        entries,
        currency=movement.currency,
        reverses=movement.ledger_txn_id,
    )
    _record(Verb.BALANCE_EXPLAINED, movement)


def _tie(movement: Movement, txn_id: int, state: MovementState) -> None:
    movement.ledger_txn_id, movement.state = txn_id, state.value


def _day(movement: Movement) -> date:
    return movement.created_at.astimezone(clock.JST).date()


def _record(verb: Verb, movement: Movement) -> None:
    facts = {"type": movement.type, "source": movement.source_id or "", "currency": movement.currency}
    audit.record(SYSTEM, verb, subject=movement.id, amount_minor=abs(movement.net_minor), facts=facts)
