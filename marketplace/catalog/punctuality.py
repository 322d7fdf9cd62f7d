"""When the next release is due by the frequency that a provider promises. Pure functions."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from marketplace.catalog.states import Frequency

# The longest that the calendar makes of each: a month of 31 days, a year of 366.
_LONGEST = {
    Frequency.HOURLY: timedelta(hours=1),
    Frequency.BIHOURLY: timedelta(hours=2),
    Frequency.TRIHOURLY: timedelta(hours=3),
    Frequency.DAILY_2: timedelta(hours=24),
    Frequency.DAILY: timedelta(days=1),
    Frequency.WEEKLY_3: timedelta(days=7),
    Frequency.WEEKLY_2: timedelta(days=7),
    Frequency.WEEKLY: timedelta(days=7),
    Frequency.MONTHLY_3: timedelta(days=11),
    Frequency.MONTHLY_2: timedelta(days=16),
    Frequency.BIWEEKLY: timedelta(days=14),
    Frequency.MONTHLY: timedelta(days=31),
    Frequency.BIMONTHLY: timedelta(days=62),
    Frequency.QUARTERLY: timedelta(days=92),
    Frequency.ANNUAL_3: timedelta(days=123),
    Frequency.ANNUAL_2: timedelta(days=184),
    Frequency.ANNUAL: timedelta(days=366),
    Frequency.BIENNIAL: timedelta(days=2 * 366),
    Frequency.TRIENNIAL: timedelta(days=3 * 366),
    Frequency.QUADRENNIAL: timedelta(days=4 * 366),
    Frequency.QUINQUENNIAL: timedelta(days=5 * 366),
    Frequency.DECENNIAL: timedelta(days=10 * 366),
    Frequency.BIDECENNIAL: timedelta(days=20 * 366),
    Frequency.TRIDECENNIAL: timedelta(days=30 * 366),
}


def next_due(frequency: str, published_at: datetime | None) -> datetime | None:
    """Return until when the release after that one is promised; None where none is, or nothing was released yet.

    How often in a week or a day says nothing of when within it: what is promised three times a week is due a week
    after the last time.
    """
    longest = _LONGEST.get(Frequency(frequency)) if frequency in set(Frequency) else None
    return published_at + longest if published_at is not None and longest is not None else None


class Turn(NamedTuple):
    """A release, when it was promised, and whether it kept the promise; None where nothing was promised."""

    published_at: datetime
    due_at: datetime | None
    on_time: bool | None


GRACE = 10
"""A tenth of its period late is on time: who publishes every day does so at nine one day and at ten the next."""


def turns(frequency: str, published: Sequence[datetime]) -> list[Turn]:
    """Return releases, newest first, each with when it was due after the one before it. The first was not promised."""
    moments = sorted(published, reverse=True)
    before = [*moments[1:], None]
    return [_turn(frequency, at, previous) for at, previous in zip(moments, before, strict=False)]


def _turn(frequency: str, at: datetime, before: datetime | None) -> Turn:
    due = next_due(frequency, before)
    if due is None or before is None:
        return Turn(at, None, None)
    return Turn(at, due, at <= due + (due - before) / GRACE)


def kept(known: Sequence[Turn]) -> tuple[int, int]:
    """Return how many releases were on time, of how many that were promised."""
    promised = [turn.on_time for turn in known if turn.on_time is not None]
    return sum(promised), len(promised)
