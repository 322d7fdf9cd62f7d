"""Which days, and which part of the earth, a dataset speaks of, as whole numbers that an index can compare."""

import re
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from marketplace.catalog import words
from marketplace.kit.errors import Invalid

DEGREE = 100_000
LONGITUDE_MAX, LATITUDE_MAX = 180 * DEGREE, 90 * DEGREE
YEARS_MAX = 300
_YEARS = range(1868, 2201)
_ERAS = {"令和": 2018, "平成": 1988, "昭和": 1925, "大正": 1911, "明治": 1867, "r": 2018, "h": 1988, "s": 1925}
_YEAR = re.compile(
    r"(?<![0-9.])([12][0-9]{3})(?=\s*(?:年|-|/|～|~|_|\)|$|\s))|(令和|平成|昭和|大正|明治|\b[rhs])\s*([0-9]{1,2}|元)(?![0-9])"
)
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_DEGREES = re.compile(r"-?[0-9]{1,3}(\.[0-9]{1,12})?", re.ASCII)


@dataclass(frozen=True, slots=True)
class Days:
    """From the first day to the last, both within, as ordinals of the calendar."""

    first: int
    last: int

    @property
    def years(self) -> list[str]:
        """Return every year of which a day lies within."""
        first, last = date.fromordinal(self.first).year, date.fromordinal(self.last).year
        return [f"{year:04}" for year in range(max(first, last - YEARS_MAX), last + 1)]


@dataclass(frozen=True, slots=True)
class Box:
    """A part of the earth in hundred-thousandths of a degree; one across the date line has its west in the east."""

    west: int
    south: int
    east: int
    north: int


def days_of(document: dict[str, Any]) -> Days | None:
    """Return the time that a document states, else the years that its titles name; None where it tells none."""
    stated = document.get("temporal") or {}
    first, last = _ordinal(stated.get("from")), _ordinal(stated.get("until"))
    if first and last and first <= last:
        return Days(first, last)
    return _named(words.fold(f"{document['title_ja']} / {document['title_en']}"))


def box_of(document: dict[str, Any]) -> Box | None:
    """Return the part of the earth that a document states, or None."""
    try:
        return read_box(",".join(map(str, document.get("bbox") or ())))
    except Invalid:
        return None


def read_day(text: str, field: str) -> int:
    """Return the ordinal of a day such as 2026-11-30; raises Invalid that names the field."""
    found = _ordinal(text)
    if found is None:
        raise Invalid(errors=[{"pointer": f"/{field}", "detail": "must be a day such as 2026-11-30"}])
    return found


def read_box(text: str) -> Box:
    """Return the box that west, south, east and north name in degrees; raises Invalid."""
    edges = [_edge(part.strip()) for part in text.split(",")]
    if len(edges) == 4 and None not in edges:
        west, south, east, north = (edge for edge in edges if edge is not None)
        if max(abs(west), abs(east)) <= LONGITUDE_MAX and -LATITUDE_MAX <= south <= north <= LATITUDE_MAX:
            return Box(west, south, east, north)
    detail = "must be west,south,east,north in degrees, such as 141.2,42.9,141.6,43.2"
    raise Invalid(errors=[{"pointer": "/bbox", "detail": detail}])


def _edge(text: str) -> int | None:
    try:
        return int(Decimal(text) * DEGREE) if _DEGREES.fullmatch(text) else None
    except InvalidOperation:
        return None


def _ordinal(text: Any) -> int | None:
    try:
        return date.fromisoformat(text).toordinal() if isinstance(text, str) and _DAY.fullmatch(text) else None
    except ValueError:
        return None


def _named(text: str) -> Days | None:
    years = sorted(year for found in _YEAR.finditer(text) if (year := _year(found)) in _YEARS)
    if not years:
        return None
    return Days(date(years[0], 1, 1).toordinal(), date(years[-1], 12, 31).toordinal())


def _year(found: re.Match[str]) -> int:
    if found[1]:
        return int(found[1])
    return _ERAS[found[2]] + (1 if found[3] == "元" else int(found[3]))
