"""Tying each movement of the gateway's balance to exactly one transaction of the ledger."""

import logging
from collections.abc import Sequence
from datetime import date

from sqlalchemy import text
from sqlalchemy.dialects import postgresql

from marketplace.audit import queries as record
from marketplace.audit import service as audit
from marketplace.audit.queries import Search
from marketplace.audit.verbs import Verb
from marketplace.billing import ledger, ledger_queries, postings
from marketplace.billing import queries as billing
from marketplace.billing.balance import queries, rules
from marketplace.billing.balance.errors import AccountNotCorrectable, MovementNotInSuspense, MovementsNoExchange
from marketplace.billing.balance.models import Movement
from marketplace.billing.balance.states import MovementState
from marketplace.billing.gateways.reports import BalanceTransaction, UnreadableMovement
from marketplace.billing.refunds import queries as refunds
from marketplace.billing.states import PaymentState
from marketplace.identity.actors import SYSTEM, Actor
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


def note_unreadable(told: UnreadableMovement) -> None:
    """Put a movement that cannot be booked on the record, once, however often it is read."""
    log.error("balance transaction %s (%s) cannot be read: %s", told.transaction_id, told.type, told.trouble)
    search = Search(verb=Verb.BALANCE_UNREADABLE.value, subject=told.transaction_id)
    if not record.search_entries(search, size=1).items:
        facts = {"type": told.type, "currency": told.currency}
        audit.record(SYSTEM, Verb.BALANCE_UNREADABLE, subject=told.transaction_id, facts=facts)


def settle(movement_id: str) -> MovementState:
    """Find or book what a movement is, or put it in suspense; doing it again changes nothing.

    What is in suspense is taken out of it as soon as its posting appears. Raises MovementNotFound.
    """
    _take_turn()
    movement = queries.get_locked(movement_id)
    if movement.state != MovementState.MATCHED:
        if not _match(movement) and not _book(movement):
            _suspend(movement)
            _join(movement)
        db.session.flush()
    return MovementState(movement.state)


def explain(actor: Actor, movement_id: str, account: str, *, is_new: bool = False) -> Movement:
    """Book a movement in suspense to the account where it belongs, which somebody found out at the gateway.

    ``account`` is named without its currency, which is the movement's. One on which nothing was ever booked is
    refused unless it ``is_new`` on purpose: no account ever disappears. Raises MovementNotFound,
    MovementNotInSuspense, AccountNotCorrectable.
    """
    movement = _in_suspense(movement_id)
    base = account.removesuffix(f":{movement.currency}")
    code = postings.in_currency(base, movement.currency)
    _require_correctable(code, movement.currency, is_new=is_new)
    entries = rules.explained(base, movement.net_minor, movement.currency)
    key = f"explained:{movement.id}"
    ledger.post("gateway_explained", movement.id, key, clock.today(), entries, currency=movement.currency, actor=actor)
    _make_good(actor, movement, account=code)
    return movement


def exchange(actor: Actor, sold_id: str, bought_id: str) -> tuple[Movement, Movement]:
    """Book two movements in suspense as one exchange: what the first took was sold for what the second brought.

    Raises MovementNotFound, MovementNotInSuspense, MovementsNoExchange.
    """
    sold, bought = _in_suspense(sold_id), _in_suspense(bought_id)
    if not rules.is_exchange((sold.net_minor, sold.currency), (bought.net_minor, bought.currency)):
        raise MovementsNoExchange
    entries = postings.exchanged(-sold.net_minor, sold.currency, bought.net_minor, postings.SUSPENSE)
    ledger.post("gateway_exchange", sold.id, f"exchanged:{sold.id}", clock.today(), entries, actor=actor)
    _make_good(actor, sold, exchanged_for=bought.id)
    _make_good(actor, bought, exchanged_for=sold.id)
    return sold, bought


def _take_turn() -> None:
    """Go one at a time, so that two movements never take the same posting."""
    db.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})


def _in_suspense(movement_id: str) -> Movement:
    _take_turn()
    movement = queries.get_locked(movement_id)
    if movement.state != MovementState.SUSPENSE:
        raise MovementNotInSuspense(f"{movement.id} is {movement.state}.", state=movement.state)
    return movement


def _require_correctable(code: str, currency: str, *, is_new: bool) -> None:
    if not ledger.is_code(code):
        raise AccountNotCorrectable(f"{code!r} is no account's code.")
    if rules.is_kept_by_deeds(code):
        raise AccountNotCorrectable(
            f"{code} is moved by our own deeds alone; a correction there would break the books."
        )
    known = ledger_queries.find_currency(code)
    if known is None and not is_new:
        raise AccountNotCorrectable(f"Nothing was ever booked on {code}; say that it is new if that is meant.")
    if known not in (None, currency):
        raise AccountNotCorrectable(f"{code} is of {known}, and the movement of {currency}.")


def _make_good(actor: Actor, movement: Movement, **facts: str) -> None:
    # It stays with the posting that put it in suspense: that is what moved the gateway's account.
    movement.state = MovementState.MATCHED.value
    db.session.flush()
    _record(Verb.BALANCE_CORRECTED, movement, actor, **facts)


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


def _join(movement: Movement) -> None:
    """Take out of suspense what is one posting only together: a transfer that was taken back in several parts."""
    for ref in movement.refs if movement.type in rules.IN_PARTS else []:
        parts = queries.list_suspended(ref, movement.currency)
        total = sum(part.net_minor for part in parts)
        account = postings.in_currency(postings.CLEARING, movement.currency)
        found = queries.find_posting([ref], account, [total]) if len(parts) > 1 else None
        if found is not None:
            _make_good_together(parts, ref, total, found[0])


def _make_good_together(parts: Sequence[Movement], ref: str, total: int, txn_id: int) -> None:
    # The parts moved the gateway's account already, each by its own posting: what moved it once more is undone.
    currency = parts[0].currency
    entries = rules.in_currency(postings.unexplained(postings.CLEARING, -total), currency)
    idem = f"suspense_joined:{txn_id}"
    ledger.post("gateway_parts_joined", ref, idem, clock.today(), entries, currency=currency, reverses=txn_id)
    for part in parts:
        part.state = MovementState.MATCHED.value
        _record(Verb.BALANCE_EXPLAINED, part)


def _tie(movement: Movement, txn_id: int, state: MovementState) -> None:
    movement.ledger_txn_id, movement.state = txn_id, state.value


def _day(movement: Movement) -> date:
    return movement.created_at.astimezone(clock.JST).date()


def _record(verb: Verb, movement: Movement, actor: Actor = SYSTEM, **more: str) -> None:
    facts = {"type": movement.type, "source": movement.source_id or "", "currency": movement.currency, **more}
    audit.record(actor, verb, subject=movement.id, amount_minor=abs(movement.net_minor), facts=facts)
