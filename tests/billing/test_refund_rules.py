"""Refunds and disputes by themselves: spreading, learning in any order, and never more than was paid."""

import itertools
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.billing.disputes.rules import raised as dispute_raised
from marketplace.billing.disputes.states import DisputeState
from marketplace.billing.refunds.rules import Source, raised, spread, unused_yen
from marketplace.billing.refunds.states import RefundState, RefundWay

AMOUNTS = st.lists(st.integers(0, 2**53), min_size=1, max_size=5)


@given(AMOUNTS, st.data())
def test_an_amount_is_taken_from_its_sources_in_their_order_to_the_yen(lefts: list[int], data: st.DataObject) -> None:
    sources = [Source(RefundWay.BANK, left) for left in lefts]
    amount = data.draw(st.integers(0, sum(lefts)))
    parts = spread(amount, sources)
    assert sum(part for _source, part in parts) == amount
    assert all(0 < part <= source.left_yen for source, part in parts)
    assert all(source.left_yen == part for source, part in parts[:-1])


@given(AMOUNTS, st.integers(1, 2**53))
def test_more_than_the_sources_hold_is_no_refund(lefts: list[int], over: int) -> None:
    with pytest.raises(ValueError, match="more than the sources hold"):
        spread(sum(lefts) + over, [Source(RefundWay.BANK, left) for left in lefts])


@pytest.mark.parametrize(
    ("ends_on", "yen"),
    [
        (date(2026, 10, 31), 1_000),
        (date(2026, 11, 1), 966),
        (date(2026, 11, 15), 500),
        (date(2026, 11, 29), 33),
        (date(2026, 11, 30), 0),
        (date(2027, 1, 1), 0),
    ],
)
def test_the_day_of_the_cancellation_is_still_paid(ends_on: date, yen: int) -> None:
    assert unused_yen(1_000, date(2026, 11, 1), date(2026, 11, 30), ends_on) == yen


@pytest.mark.parametrize("order", list(itertools.permutations(["pending", "requires_action", "succeeded", "failed"])))
def test_a_refund_ends_the_same_in_whatever_order_it_is_heard_of(order: tuple[str, ...]) -> None:
    state = RefundState.CREATED
    for status in (*order, *order):
        state = raised(state, status)
    assert state is RefundState.FAILED


@pytest.mark.parametrize("end", ["won", "lost"])
@pytest.mark.parametrize("before", list(itertools.permutations(["warning_needs_response", "needs_response"])))
def test_a_dispute_ends_the_same_in_whatever_order_it_is_heard_of(before: tuple[str, ...], end: str) -> None:
    for order in itertools.permutations((*before, "under_review", end)):
        state = DisputeState.WARNING
        for status in (*order, *order):
            state = dispute_raised(state, status)
        assert state.value == end


def test_a_dispute_keeps_its_first_end_and_an_unknown_word_moves_nothing() -> None:
    assert dispute_raised(DisputeState.LOST, "won") is DisputeState.LOST
    assert dispute_raised(DisputeState.WARNING, "prevented") is DisputeState.WARNING
    assert raised(RefundState.SENT, "something new") is RefundState.SENT
