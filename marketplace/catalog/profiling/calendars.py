"""Dates as people in Japan write them: ISO, slashes, kanji, and years of an era."""

import re
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import NamedTuple


class Era(NamedTuple):
    """An era by its names, its first day, and the day after its last (None while it lasts)."""

    names: tuple[str, ...]
    starts: date
    ends: date | None


# Lunisolar dates before 1873 have no place in the Gregorian calendar and are not read as dates.
ERAS = (
    Era(("令和", "R", "r", "㋿"), date(2019, 5, 1), None),
    Era(("平成", "H", "h", "㍻"), date(1989, 1, 8), date(2019, 5, 1)),
    Era(("昭和", "S", "s", "㍼"), date(1926, 12, 25), date(1989, 1, 8)),
    Era(("大正", "T", "t", "㍽"), date(1912, 7, 30), date(1926, 12, 25)),
    Era(("明治", "M", "m", "㍾"), date(1873, 1, 1), date(1912, 7, 30)),
)
_MEIJI_FIRST_YEAR = 1868
_OF_NAME = {name: era for era in ERAS for name in era.names}
_NUMBERS = re.compile(r"[0-9]+")
_ERA_DATE = re.compile(r"(\D+?)(元|[0-9]{1,2})\D([0-9]{1,2})\D([0-9]{1,2})日?")


def date_in_order(order: str, text: str) -> date:
    """Read a date from the numbers of the text in the order given as three of y, m, d; ValueError if none."""
    numbers = dict(zip(order, map(int, _NUMBERS.findall(text)), strict=True))
    return date(numbers["y"], numbers["m"], numbers["d"])


def era_date(text: str) -> date:
    """Read 令和4年1月1日, 平成元年5月1日, R4.1.1 or S64/1/7; ValueError outside the era named."""
    found = _ERA_DATE.fullmatch(text)
    if found is None:
        raise ValueError("not a date of an era")
    name, year, month, day = found.groups()
    era = _OF_NAME[name]
    first_year = _MEIJI_FIRST_YEAR if name in ERAS[-1].names else era.starts.year
    found_date = date(first_year + (1 if year == "元" else int(year)) - 1, int(month), int(day))
    # Government tables write 平成31年12月31日 for days after the change of era, so only the start is held.
    if found_date < era.starts:
        raise ValueError("before the era named")
    return found_date


def iso_datetime(text: str) -> datetime:
    """Read an ISO 8601 date and time, with or without an offset."""
    return datetime.fromisoformat(text)


def loose_datetime(text: str) -> datetime:
    """Read a date and a time whose numbers come as year, month, day, hour, minute and perhaps second."""
    numbers = [int(number) for number in _NUMBERS.findall(text)]
    if len(numbers) == 5:
        numbers.append(0)
    year, month, day, hour, minute, second = numbers
    if hour == 24 and minute == second == 0:  # 24:00 ends a day in Japanese timetables
        return datetime(year, month, day) + timedelta(days=1)  # noqa: DTZ001 - the text names no zone
    return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 - the text names no zone


def clock_time(text: str) -> time:
    """Read H:MM or H:MM:SS."""
    return time.fromisoformat(text.zfill(8) if text.count(":") > 1 else text.zfill(5))


year_month_day = partial(date_in_order, "ymd")
month_day_year = partial(date_in_order, "mdy")
day_month_year = partial(date_in_order, "dmy")
