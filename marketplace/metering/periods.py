"""Months in Japan, by which usage is rated: pure. There is no summer time, so midnight is 15:00 UTC for ever."""

from datetime import date, datetime, time, timedelta

from marketplace.kit.clock import JST


def month_of(at: datetime) -> date:
    """Return the first day of the month in Japan in which an instant lies."""
    return at.astimezone(JST).date().replace(day=1)


def month_start(at: datetime) -> datetime:
    """Return the instant at which the month of another one began in Japan."""
    return datetime.combine(month_of(at), time.min, JST)


def following(month: date) -> date:
    """Return the first day of the next month."""
    return (month.replace(day=1) + timedelta(days=32)).replace(day=1)


def last_day(month: date) -> date:
    """Return the last day of a month."""
    return following(month) - timedelta(days=1)


def day_before(until: datetime) -> date:
    """Return the day in Japan of the moment before an instant: at midnight that of the day that ended."""
    return (until - timedelta(microseconds=1)).astimezone(JST).date()


def months_over(first: datetime, end: datetime | None, until: datetime) -> list[date]:
    """Return the months that are over at ``until``, of those in which a grant lived; an end of None is never."""
    if end is not None and end <= first:
        return []
    stop = month_of(until) if end is None else min(month_of(until), following(day_before(end)))
    months, month = [], month_of(first)
    while month < stop:
        months.append(month)
        month = following(month)
    return months
