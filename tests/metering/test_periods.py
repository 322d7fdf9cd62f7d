"""Months in Japan, at their edges."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.metering import periods

NOVEMBER_ENDS = datetime(2026, 11, 30, 15, tzinfo=UTC)
INSTANTS = st.datetimes(datetime(2020, 1, 1), datetime(2050, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@pytest.mark.parametrize(
    ("at", "month"),
    [
        (NOVEMBER_ENDS - timedelta(microseconds=1), date(2026, 11, 1)),
        (NOVEMBER_ENDS, date(2026, 12, 1)),
        (datetime(2028, 2, 29, 14, 59, tzinfo=UTC), date(2028, 2, 1)),
        (datetime(2028, 2, 29, 15, tzinfo=UTC), date(2028, 3, 1)),
        (datetime(2026, 12, 31, 15, tzinfo=UTC), date(2027, 1, 1)),
        (datetime(2027, 3, 31, 14, 59, 59, tzinfo=UTC), date(2027, 3, 1)),
    ],
)
def test_a_month_begins_at_midnight_in_japan(at: datetime, month: date) -> None:
    assert periods.month_of(at) == month
    assert periods.month_start(at) <= at


@given(INSTANTS)
def test_months_join_without_gap(at: datetime) -> None:
    month = periods.month_of(at)
    assert periods.last_day(month) + timedelta(days=1) == periods.following(month)
    assert periods.month_of(periods.month_start(at)) == month
    assert month <= periods.day_before(at + timedelta(microseconds=1)) <= periods.last_day(month)


def test_the_months_that_are_over_are_those_in_which_the_grant_lived() -> None:
    begun, until = datetime(2026, 9, 20, tzinfo=UTC), NOVEMBER_ENDS
    whole = [date(2026, 9, 1), date(2026, 10, 1), date(2026, 11, 1)]
    assert periods.months_over(begun, None, until) == whole
    assert periods.months_over(begun, None, until - timedelta(microseconds=1)) == whole[:2]
    assert periods.months_over(begun, datetime(2026, 9, 30, 15, tzinfo=UTC), until) == whole[:1]
    assert periods.months_over(begun, datetime(2026, 9, 30, 16, tzinfo=UTC), until) == whole[:2]
    assert periods.months_over(begun, begun, until) == []
    assert periods.months_over(until, None, until) == []
