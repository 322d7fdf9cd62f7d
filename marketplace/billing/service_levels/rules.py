"""What of a price falls on a month, and what of it comes back. Pure, in Japanese days."""

import calendar
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

from marketplace.kit import clock

WHOLE_BASIS_POINTS = 10_000


@dataclass(frozen=True, slots=True)
class Month:
    """A calendar month, both days included."""

    first: date
    last: date

    @property
    def text(self) -> str:
        """The month as it is written, such as 2026-11."""
        return f"{self.first.year:04d}-{self.first.month:02d}"

    @property
    def begins_at(self) -> datetime:
        """The first instant of the month, in Japan."""
        return datetime.combine(self.first, time(), clock.JST)

    @property
    def ends_at(self) -> datetime:
        """The first instant after the month, in Japan."""
        return datetime.combine(self.last + timedelta(days=1), time(), clock.JST)


def month_of(text: str) -> Month:
    """Return the month that a text such as 2026-11 names; raises ValueError for any other text."""
    first = date.fromisoformat(f"{text}-01")
    return Month(first, first.replace(day=calendar.monthrange(first.year, first.month)[1]))


def recent(today: date, count: int) -> list[str]:
    """Return the months before the present one, the latest first."""
    whole = today.year * 12 + today.month - 1
    return [f"{number // 12:04d}-{number % 12 + 1:02d}" for number in range(whole - 1, whole - 1 - count, -1)]


def is_over(month: Month) -> bool:
    """Tell whether a month has ended in Japan."""
    return month.last < clock.today()


def share_yen(gross_yen: int, first: date, last: date, month: Month) -> int:
    """Return what of a period's price falls on the days of a month, floored."""
    days = (min(last, month.last) - max(first, month.first)).days + 1
    return gross_yen * max(days, 0) // ((last - first).days + 1)


def credit_yen(price_yen: int, credit_basis_points: int) -> int:
    """Return what of a month's price comes back, floored."""
    return price_yen * credit_basis_points // WHOLE_BASIS_POINTS
