"""When an invoice is due, and whether a buyer has credit. Pure, in Japanese days."""

import calendar
from datetime import date, timedelta

from marketplace.kit.settings import INVOICE_DUE


def due_on(issued_on: date, rule: str) -> date:
    """Return the last day on which an invoice is paid in time.

    ``month-end+1`` is the end of the month after the day of issue (翌月末払い), ``day-20+2`` the 20th of
    the month after next, ``days+30`` thirty days later. Months are calendar months, so a due day never
    slips over a month's end. Raises ValueError for any other rule.
    """
    read = INVOICE_DUE.fullmatch(rule)
    if read is None:
        raise ValueError("not month-end+N, day-D+N or days+N")
    if read["days"] is not None:
        return issued_on + timedelta(days=int(read["days"]))
    years, month0 = divmod(issued_on.month - 1 + int(read["months"]), 12)
    year, month = issued_on.year + years, month0 + 1
    day = int(read["day"]) if read["day"] else calendar.monthrange(year, month)[1]
    return max(date(year, month, day), issued_on)


def credit_left(limit_yen: int, owed_yen: int) -> int:
    """Return how much more a buyer may owe; never negative."""
    return max(limit_yen - owed_yen, 0)
