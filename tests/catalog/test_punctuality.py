"""When the next release is due, and that a late one is shown as late."""

from datetime import UTC, datetime, timedelta

import pytest

from marketplace.catalog import punctuality
from marketplace.catalog.states import Frequency

AT = datetime(2026, 1, 31, 9, 0, tzinfo=UTC)
PROMISE_NOTHING = {
    Frequency.CONT, Frequency.UPDATE_CONT, Frequency.IRREG, Frequency.NEVER, Frequency.UNKNOWN, Frequency.OTHER,
}  # fmt: skip


@pytest.mark.parametrize("frequency", list(Frequency))
def test_every_frequency_promises_a_day_or_nothing(frequency: Frequency) -> None:
    due = punctuality.next_due(frequency, AT)
    assert (due is None) == (frequency in PROMISE_NOTHING)
    assert due is None or due > AT


@pytest.mark.parametrize(
    ("frequency", "longest"),
    [("HOURLY", timedelta(hours=1)), ("DAILY", timedelta(days=1)), ("MONTHLY", timedelta(days=31)), ("ANNUAL", timedelta(days=366))],
)  # fmt: skip
def test_the_calendars_longest_is_allowed(frequency: str, longest: timedelta) -> None:
    assert punctuality.next_due(frequency, AT) == AT + longest


def test_nothing_is_due_before_the_first_release_nor_by_a_frequency_that_is_none() -> None:
    assert punctuality.next_due("DAILY", None) is None
    assert punctuality.next_due("EVERY_BLUE_MOON", AT) is None
