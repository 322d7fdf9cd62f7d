"""Days as Japanese banks write them: 2026/11/22, 20261122, R8.11.22, 令和8年11月22日. Pure."""

import re
import unicodedata
from datetime import date

# The first and last day of each era (元号法); R1.4.30 was never a day.
ERAS = {
    "R": (date(2019, 5, 1), date.max),
    "H": (date(1989, 1, 8), date(2019, 4, 30)),
    "S": (date(1926, 12, 25), date(1989, 1, 7)),
}
_NAMES = {"令和": "R", "平成": "H", "昭和": "S"}
_COMMON = re.compile(r"(\d{4})[/.\-年](\d{1,2})[/.\-月](\d{1,2})日?")
_COMPACT = re.compile(r"(\d{4})(\d{2})(\d{2})")
_ERA = re.compile(r"([RHS])(\d{1,2}|元)[/.\-年](\d{1,2})[/.\-月](\d{1,2})日?")


def read_day(text: str) -> date:
    """Return the day that a bank wrote; ValueError for what could be read in more than one way, or is none."""
    given = re.sub(r"\s", "", unicodedata.normalize("NFKC", text)).upper()
    for name, letter in _NAMES.items():
        given = given.replace(name, letter)
    common = _COMMON.fullmatch(given) or _COMPACT.fullmatch(given)
    if common:
        year, month, day = map(int, common.groups())
        return date(year, month, day)
    of_era = _ERA.fullmatch(given)
    if of_era is None:
        raise ValueError("not a day such as 2026/11/22, 20261122 or R8.11.22")
    return _day_of_era(*of_era.groups())


def _day_of_era(letter: str, year: str, month: str, day: str) -> date:
    first, last = ERAS[letter]
    found = date(first.year - 1 + (1 if year == "元" else int(year)), int(month), int(day))
    if not first <= found <= last:
        raise ValueError("no day of that era")
    return found
