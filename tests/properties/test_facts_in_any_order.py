"""A hundred thousand words of the gateway, each heard one to five times and in any order, against a plain model.

The lives are those that the gateway can tell of: a page of each rail, its refund, its dispute. The whole exchange
goes through fewer of them in ``test_money_machine``; here are the rules by which it makes up its mind.
"""

from collections.abc import Callable
from datetime import UTC, datetime
from random import Random
from typing import TypeVar

from marketplace.billing import rules
from marketplace.billing.disputes import rules as disputes
from marketplace.billing.disputes.states import DisputeState
from marketplace.billing.refunds import rules as refunds
from marketplace.billing.refunds.states import RefundState
from marketplace.billing.rules import Fact
from marketplace.billing.states import FactKind, PaymentState

Word = TypeVar("Word")
OPERATIONS = 100_000
AT = datetime(2026, 11, 22, 9, tzinfo=UTC)
PRICE = 13_200
K = FactKind
Told = tuple[FactKind, int | None]


def card(die: Random) -> tuple[list[Told], PaymentState]:
    """Some declined cards, then one that pays, or the page runs out."""
    declined: list[Told] = [(K.INTENT_FAILED, None)] * die.randint(0, 3)
    if die.random() < 0.7:
        paid: list[Told] = [(K.INTENT_SUCCEEDED, PRICE), (K.SESSION_COMPLETED_PAID, PRICE), (K.CHARGE_FEE, 475)]
        return [(K.SESSION_OPENED, None), *declined, *paid], PaymentState.PAID
    return [(K.SESSION_OPENED, None), *declined, (K.SESSION_EXPIRED, None)], PaymentState.EXPIRED


def konbini(die: Random) -> tuple[list[Told], PaymentState]:
    """A slip that is paid days later, or not at all."""
    begun: list[Told] = [(K.SESSION_OPENED, None), (K.SESSION_COMPLETED_UNPAID, None)]
    if die.random() < 0.6:
        return [*begun, (K.INTENT_SUCCEEDED, PRICE), (K.CHARGE_FEE, 475)], PaymentState.PAID
    return [*begun, (K.SESSION_ASYNC_FAILED, None)], PaymentState.FAILED


def transfer(die: Random) -> tuple[list[Told], PaymentState]:
    """Money that comes in parts: all of it in the end, or a part that stays one."""
    begun: list[Told] = [
        (K.SESSION_OPENED, None),
        (K.SESSION_COMPLETED_UNPAID, None),
        (K.INTENT_PARTIALLY_FUNDED, None),
    ]
    if die.random() < 0.6:
        return [*begun, (K.INTENT_SUCCEEDED, PRICE)], PaymentState.PAID
    return begun, PaymentState.PROCESSING


def other_money(die: Random) -> tuple[list[Told], PaymentState]:
    """Another amount than was asked for: held, and never taken for the price."""
    return [(K.SESSION_OPENED, None), (K.INTENT_SUCCEEDED, PRICE - die.randint(1, PRICE))], PaymentState.HELD


LIVES: list[Callable[[Random], tuple[list[Told], PaymentState]]] = [card, konbini, transfer, other_money]
REFUNDS = {
    ("pending", "succeeded"): RefundState.SUCCEEDED,
    ("pending", "requires_action", "succeeded", "failed"): RefundState.FAILED,
    ("pending", "canceled"): RefundState.FAILED,
}
DISPUTES = {
    ("warning_needs_response", "warning_closed"): DisputeState.WARNING,
    ("needs_response", "under_review", "won"): DisputeState.WON,
    ("warning_needs_response", "needs_response", "under_review", "lost"): DisputeState.LOST,
}


def heard(die: Random, told: list[Word]) -> list[Word]:
    """What was told, each word one to five times, all in any order."""
    words = [word for word in told for _time in range(die.randint(1, 5))]
    die.shuffle(words)
    return words


def test_a_hundred_thousand_facts_in_any_order_come_to_what_happened() -> None:
    die, done = Random(20261129), 0
    while done < OPERATIONS:
        told, truth = die.choice(LIVES)(die)
        objects = [(f"obj_{n}", *one) for n, one in enumerate(told)]
        known: set[Fact] = set()
        rank = 0
        for name, kind, amount in heard(die, objects):
            known.add(Fact(kind, name, amount, "JPY", AT))
            state = rules.payment_state(PRICE, "JPY", known)
            assert list(PaymentState).index(state) >= rank, "a fact has lowered the state"
            rank = list(PaymentState).index(state)
            assert state is not PaymentState.PAID or truth is PaymentState.PAID
            done += 1
        assert state is truth, told


def test_words_on_refunds_and_disputes_in_any_order_come_to_their_end() -> None:
    die, done = Random(1129), 0
    while done < OPERATIONS // 10:
        statuses, truth = die.choice(list(REFUNDS.items()))
        refund = RefundState.CREATED
        for status in heard(die, list(statuses)):
            refund = refunds.raised(refund, status)
            done += 1
        assert refund is truth, statuses
        statuses, end = die.choice(list(DISPUTES.items()))
        dispute = disputes.seen(statuses[0])
        for status in heard(die, list(statuses)):
            dispute = disputes.raised(dispute, status)
            done += 1
        assert dispute is end, statuses
