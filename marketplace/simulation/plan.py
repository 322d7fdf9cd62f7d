"""What is played: how many take part, which three months, and from which seed."""

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from marketplace.kit import clock

MONTHS = 3
WIND_UP_DAYS = 12
"""After the quarter nothing more is sold; its last month is billed, and what is under way arrives."""


@dataclass(frozen=True, slots=True)
class Plan:
    """A quarter; ``purchases`` are plain ones of each buyer beside the stories that are always told."""

    seed: int = 1
    first: date = date(2028, 2, 1)
    buyers: int = 20
    purchases: int = 6

    @property
    def last(self) -> date:
        """The last day of the quarter."""
        months = self.first.year * 12 + self.first.month - 1 + MONTHS
        return date(months // 12, months % 12 + 1, 1) - timedelta(days=1)

    @property
    def end(self) -> date:
        """The last day of the wind-up."""
        return self.last + timedelta(days=WIND_UP_DAYS)


def at(day: date, hour: int = 0, minute: int = 0) -> datetime:
    """Return an instant of a day in Japan."""
    return datetime.combine(day, time(hour, minute), clock.JST)


def days(count: int) -> timedelta:
    """Return so many days."""
    return timedelta(days=count)


def hours(count: int) -> timedelta:
    """Return so many hours."""
    return timedelta(hours=count)
