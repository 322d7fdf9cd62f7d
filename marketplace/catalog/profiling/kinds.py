"""The types that a column of texts can turn out to have, and the spellings by which each is known."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal, InvalidOperation
from typing import Any

from marketplace.catalog.profiling import calendars

SEPARATOR = "\x1f"  # the ASCII unit separator: it stands between values while many are matched at once
_Y, _N, _CLOCK = "[0-9]{4}", "[0-9]{1,2}", "[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?"
_ERA_NAMES = "(?:明治|大正|昭和|平成|令和|[㍾㍽㍼㍻㋿]|[MTSHRmtshr])"
_WHOLE = "[+-]?(?:0|[1-9][0-9]{0,37})"
_SHAPES = "(?:POINT|LINESTRING|POLYGON|MULTIPOINT|MULTILINESTRING|MULTIPOLYGON|GEOMETRYCOLLECTION)"


@dataclass(frozen=True)
class Spelling:
    """One way to write values of a type: a pattern for one value, how to read it, and a stricter spelling within."""

    name: str
    kind: str
    pattern: str
    read: Callable[[str], Any] | None
    contains: str = ""

    @property
    def bulk(self) -> re.Pattern[str]:
        """Pattern for many values, each followed by the separator; possessive, so that it cannot backtrack."""
        return _BULK[self.name]


SPELLINGS = (
    Spelling("boolean", "boolean", "(?:true|false|TRUE|FALSE|True|False)", str.lower),
    Spelling("integer", "integer", _WHOLE, int),
    Spelling(
        "decimal",
        "decimal",
        r"[+-]?(?:(?:0|[1-9][0-9]{0,37})(?:\.[0-9]{0,38})?|\.[0-9]{1,38})(?:[eE][+-]?[0-9]{1,3})?",
        Decimal,
        contains="integer",
    ),
    Spelling("iso", "date", f"{_Y}-[0-9]{{2}}-[0-9]{{2}}", date.fromisoformat),
    Spelling("year-month-day", "date", f"{_Y}-{_N}-{_N}", calendars.year_month_day, "iso"),
    Spelling("year/month/day", "date", f"{_Y}/{_N}/{_N}", calendars.year_month_day),
    Spelling("year.month.day", "date", rf"{_Y}\.{_N}\.{_N}", calendars.year_month_day),
    Spelling("kanji", "date", f"{_Y}年{_N}月{_N}日", calendars.year_month_day),
    Spelling(
        "era",
        "date",
        f"{_ERA_NAMES}(?:元|{_N})(?:年{_N}月{_N}日|[./-]{_N}[./-]{_N})",
        calendars.era_date,
    ),
    Spelling("month/day/year", "date", f"{_N}/{_N}/{_Y}", calendars.month_day_year),
    Spelling("day/month/year", "date", f"{_N}/{_N}/{_Y}", calendars.day_month_year),
    Spelling(
        "iso-time",
        "datetime",
        rf"{_Y}-[0-9]{{2}}-[0-9]{{2}}[T ][0-9]{{2}}:[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]{{1,9}})?)?"
        r"(?:Z|[+-][0-9]{2}:?[0-9]{2})?",
        calendars.iso_datetime,
    ),
    Spelling("year-month-day clock", "datetime", f"{_Y}-{_N}-{_N} {_CLOCK}", calendars.loose_datetime),
    Spelling("year/month/day clock", "datetime", f"{_Y}/{_N}/{_N} {_CLOCK}", calendars.loose_datetime),
    Spelling(
        "kanji clock",
        "datetime",
        f"{_Y}年{_N}月{_N}日 ?(?:{_CLOCK}|{_N}時{_N}分(?:{_N}秒)?)",
        calendars.loose_datetime,
    ),
    Spelling("clock", "time", _CLOCK, calendars.clock_time),
    Spelling("wkt", "geometry", rf"{_SHAPES} ?Z?M? ?\([^{SEPARATOR}]*\)", None),
)
_BULK = {spelling.name: re.compile(f"(?:(?:{spelling.pattern}){SEPARATOR})*+", re.ASCII) for spelling in SPELLINGS}
NOT_NUMBERS = tuple(s for s in SPELLINGS if s.kind in {"date", "datetime", "time", "geometry"})


def joined(values: set[str]) -> str:
    """Return the values for matching in bulk; a lone separator, which no spelling fits, if one holds a separator."""
    text = SEPARATOR.join(values) + SEPARATOR
    return text if text.count(SEPARATOR) == len(values) else SEPARATOR


def span(spelling: Spelling, values: set[str]) -> tuple[Any, Any] | None:
    """Return the least and greatest value, or None when one has the form but not the meaning, such as 2月30日."""
    if spelling.read is None:
        return min(values), max(values)
    try:
        read = list(map(spelling.read, values))
        return min(read), max(read)
    except (ValueError, TypeError, KeyError, ArithmeticError, InvalidOperation):
        return None


def kind_of(text: str) -> str:
    """Return the type of one text taken alone; "string" when no spelling fits."""
    for spelling in SPELLINGS:
        if spelling.bulk.fullmatch(joined({text})) and span(spelling, {text}) is not None:
            return spelling.kind
    return "string"


def shown(value: Any) -> str:
    """Return a value of any kind as text: numbers in full, moments in ISO 8601."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return value.isoformat(" ") if value.tzinfo is None else value.isoformat()
    if isinstance(value, date | time):
        return value.isoformat()
    return str(value)
