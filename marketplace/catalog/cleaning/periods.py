"""Which time a title speaks of: 令和3年度, 平成29年10月, R4, 2021年, 平成10年～平成19年."""

import re
import unicodedata
from calendar import monthrange
from datetime import date
from typing import NamedTuple

_ERAS = {"令和": 2018, "R": 2018, "平成": 1988, "H": 1988, "昭和": 1925, "S": 1925, "大正": 1911, "T": 1911}
_LENGTHS = {"令和": 99, "R": 99, "平成": 31, "H": 31, "昭和": 64, "S": 64, "大正": 15, "T": 15}
_YEAR_MIN, _YEAR_MAX = 1868, 2100
_STATED = re.compile(
    r"(?:(令和|平成|昭和|大正|(?<![A-Za-z])[RHST](?=[0-9]))(元|[0-9]{1,2})|(?<![0-9])((?:18|19|20)[0-9]{2}))"
    r"(?:年(度)?(?:[_ ]*([0-9]{1,2})月(?:分)?(?:([0-9]{1,2})日)?)?|(?![0-9月日.,:%]))",
)
_APRIL, _MARCH, _MONTHS = 4, 3, 12


class Period(NamedTuple):
    """The first and the last day that are spoken of, and how sure the reading is (0 to 100)."""

    first: date
    last: date
    confidence: int


def period_of(text: str) -> Period | None:
    """Return the time from the first to the last that a text states; None where it states none."""
    folded = unicodedata.normalize("NFKC", text)
    found = [one for one in map(_read, _STATED.finditer(folded)) if one]
    if not found:
        return None
    confidence = min(one.confidence for one in found)
    return Period(min(one.first for one in found), max(one.last for one in found), confidence)


def _read(found: re.Match[str]) -> Period | None:
    era, count, western, fiscal, month, day = found.groups()
    number = 1 if count == "元" else int(count or 0)
    year = int(western) if western else _ERAS[era] + number
    # Government tables write 平成32年 for years after the change of era, but none write 令和0年.
    if (era and not 1 <= number <= _LENGTHS[era] + 10) or not _YEAR_MIN <= year <= _YEAR_MAX:
        return None
    confidence = 85 if "年" in found[0] else 60
    try:
        return _spanned(year, fiscal, month, day, confidence)
    except ValueError:
        return None


def _spanned(year: int, fiscal: str | None, month: str | None, day: str | None, confidence: int) -> Period:
    if month:
        number = int(month)
        # The months from January on belong to the second half of a fiscal year.
        at = year + 1 if fiscal and number <= _MARCH else year
        if day:
            return Period(date(at, number, int(day)), date(at, number, int(day)), confidence)
        return Period(date(at, number, 1), date(at, number, monthrange(at, number)[1]), confidence)
    if fiscal:
        return Period(date(year, _APRIL, 1), date(year + 1, _MARCH, 31), confidence)
    return Period(date(year, 1, 1), date(year, _MONTHS, 31), confidence)
