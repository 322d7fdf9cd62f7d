"""The keys by which tables of different origin are joined: how each is known by its header and by its values. Pure.

Check digits decide where there are any: local-government codes (全国地方公共団体コード), corporate numbers (法人番号).
Grid squares (JIS X 0410) have none; their digits have ranges. What many numbers could be as well needs its header.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from marketplace.catalog.profiling import calendars
from marketplace.identity.rules import is_corporate_number, is_government_code


class KeyKind(StrEnum):
    """What rows of two tables can have in common."""

    DATE = "date"
    MESH = "mesh"
    GOVERNMENT_CODE = "government_code"
    POSTAL_CODE = "postal_code"
    CORPORATE_NUMBER = "corporate_number"
    COORDINATES = "coordinates"


MESH_GRAINS = {4: "80km", 6: "10km", 7: "5km", 8: "1km", 9: "500m", 10: "250m", 11: "125m"}
DATE_GRAINS = ("year", "month", "day", "time")
"""Coarse first: what is finer can be summed up to what is coarser."""
GRAINS = (*MESH_GRAINS.values(), "prefecture", "municipality", "town", "corporation", "point")
"""Of codes, coarse before fine within each kind."""
AREAS_MAX = 6
NATION = "*"
"""The area of what lies all over Japan, or nobody knows where."""
SURE_VALUES_MIN = 5
"""So many different values, all of them right, stand for a header that says nothing."""

_PREFECTURES = frozenset(f"{number:02}" for number in range(1, 48))
_DIGITS = re.compile(r"[0-9]+", re.ASCII)
_POSTAL = re.compile(r"〒?([0-9]{3})[-‐−－]?([0-9]{4})", re.ASCII)
_PAIR = re.compile(r"\(?\s*(-?[0-9]{1,3}\.[0-9]+)\s*[,， ]\s*(-?[0-9]{1,3}\.[0-9]+)\s*\)?", re.ASCII)
_HEADERS = {
    KeyKind.MESH: r"メッシュ|mesh|grid.?(?:code|square)",
    KeyKind.GOVERNMENT_CODE: r"(?:団体|市区町村|市町村|自治体|行政区域|都道府県)(?:コード|ｺｰﾄﾞ)|(?:lg|jis).?code|"
    r"(?:local.?government|municipality|city|pref(?:ecture)?).?(?:code|id)",
    KeyKind.POSTAL_CODE: r"郵便番号|〒|postal|post.?code|zip",
    KeyKind.CORPORATE_NUMBER: r"法人番号|corporate.?number|hojin",
    KeyKind.DATE: r"年月日|日付|日時|年月|年度|^年$|日$|date|^day$|time.?stamp|^year|month|aggregate.?(?:from|to)",
}
_KNOWN_BY = {kind: re.compile(pattern, re.IGNORECASE) for kind, pattern in _HEADERS.items()}
_LATITUDE = re.compile(r"緯度|^lat(?:itude)?$|[_ ]lat$|^y座標", re.IGNORECASE)
_LONGITUDE = re.compile(r"経度|^(?:lng|lon|long|longitude)$|[_ ](?:lng|lon)$|^x座標", re.IGNORECASE)
# Days on which a row was written join nothing, and those of births nobody is to join by.
_NO_KEY = re.compile(r"生年|誕生|birth|更新|登録|作成|公開|updated|modified|created|published", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table: its kind, how fine it is, in which columns, where, and from when until when."""

    kind: KeyKind
    grain: str
    columns: tuple[str, ...]
    areas: frozenset[str] = frozenset({NATION})
    time_from: date | None = None
    time_to: date | None = None


def code_key(name: str, values: Sequence[str]) -> Key | None:
    """Return the key that a column of codes is, by its header and some of its values; None for none.

    The areas are those of the values that are given.
    """
    for kind, read in _READERS.items():
        found = [read(value) for value in values]
        is_right = bool(values) and all(found)
        is_named = _KNOWN_BY[kind].search(name) is not None
        is_sure = len(set(values)) >= SURE_VALUES_MIN and all(map(_SURE.get(kind, _never), values))
        if is_right and (is_named or is_sure):
            grain = min((one[0] for one in found if one), key=GRAINS.index)
            return Key(kind, grain, (name,), frozenset(one[1] for one in found if one))
        if is_named and not values and kind is not KeyKind.MESH:
            return Key(kind, _UNSEEN[kind], (name,))
    return None


def date_key(name: str, kind: str, values: Sequence[str]) -> Key | None:
    """Return the key that a column of days, moments, months or years is; days of births and of rows are none.

    ``kind`` is the type that the profile found. A header alone does where no value is shown.
    """
    if _NO_KEY.search(name):
        return None
    is_named = _KNOWN_BY[KeyKind.DATE].search(name) is not None
    if not values:
        grain = {"date": "day", "datetime": "time"}.get(kind) or ("day" if is_named and kind in _UNTOLD else None)
        return Key(KeyKind.DATE, grain, (name,)) if grain else None
    if not (is_named or kind in {"date", "datetime"}):
        return None
    read = [moment(value) for value in values]
    if not all(read):
        return None
    days = [one[1] for one in read if one]
    grain = max((one[0] for one in read if one), key=DATE_GRAINS.index)
    return Key(KeyKind.DATE, grain, (name,), time_from=min(days), time_to=max(days))


def moment(text: str) -> tuple[str, date] | None:
    """Read how fine a text tells time, and its day (the first of a month or year); None where it is no such text."""
    for grain, pattern in _MOMENTS:
        if (found := pattern.fullmatch(text.strip())) is not None:
            try:
                parts = {"m": 1, "d": 1} | {name: int(part) for name, part in found.groupdict().items() if name != "t"}
                read = date(parts["y"], parts["m"], parts["d"])
            except ValueError:
                return None
            is_midnight = grain == "time" and set(found["t"]) <= set("0: TZ+")
            return ("day" if is_midnight else grain), read
    return _era(text)


def coordinate_key(columns: Sequence[tuple[str, Sequence[str]]]) -> Key | None:
    """Return the key that a latitude and a longitude are together, or a column of pairs; None for none."""
    latitude = _first(columns, _LATITUDE, _is_latitude)
    longitude = _first(columns, _LONGITUDE, _is_longitude)
    if latitude and longitude:
        return _coordinates((latitude[0], longitude[0]), latitude[1], longitude[1])
    for name, values in columns:
        pairs = [_PAIR.fullmatch(value.strip()) for value in values]
        if values and all(pairs):
            south = [found[1] for found in pairs if found]
            west = [found[2] for found in pairs if found]
            if all(map(_is_latitude, south)) and all(map(_is_longitude, west)):
                return _coordinates((name,), south, west)
    return None


def box_key(box: Sequence[str], column: str = "geometry") -> Key | None:
    """Return the key of geometries within a box (west, south, east, north); None outside Japan."""
    west, south, east, north = box
    if not all(map(_is_latitude, (south, north))) or not all(map(_is_longitude, (west, east))):
        return None
    return _coordinates((column,), (south, north), (west, east))


def _coordinates(columns: tuple[str, ...], latitudes: Sequence[str], longitudes: Sequence[str]) -> Key:
    """Areas are the primary squares (JIS X 0410) that the box of the values covers; too many are the whole country."""
    south, north = (int(pick(map(float, latitudes)) * 3 / 2) for pick in (min, max))
    west, east = (int(pick(map(float, longitudes))) - 100 for pick in (min, max))
    squares = frozenset(f"M{y}{x}" for y in range(south, north + 1) for x in range(west, east + 1))
    return Key(KeyKind.COORDINATES, "point", columns, squares if len(squares) <= AREAS_MAX else frozenset({NATION}))


def _first(
    columns: Sequence[tuple[str, Sequence[str]]], header: re.Pattern[str], is_right: Callable[[str], bool]
) -> tuple[str, Sequence[str]] | None:
    named = ((name, values) for name, values in columns if header.search(name))
    return next((one for one in named if one[1] and all(map(is_right, one[1]))), None)


def _is_latitude(text: str) -> bool:
    return _lies_within(text, 20, 46)


def _is_longitude(text: str) -> bool:
    return _lies_within(text, 122, 154)


def _never(_text: str) -> bool:
    return False


def _lies_within(text: str, least: int, most: int) -> bool:
    try:
        return least <= float(text) <= most
    except ValueError:
        return False


def _mesh(text: str) -> tuple[str, str] | None:
    digits = text.strip().replace("-", "")
    if not _DIGITS.fullmatch(digits) or len(digits) not in MESH_GRAINS:
        return None
    is_primary = 30 <= int(digits[:2]) <= 68 and 22 <= int(digits[2:4]) <= 53
    is_secondary = all(sign in "01234567" for sign in digits[4:6])
    quarters = digits[6:] if len(digits) == 7 else digits[8:]
    is_right = is_primary and is_secondary and all(sign in "1234" for sign in quarters)
    return (MESH_GRAINS[len(digits)], f"M{digits[:4]}") if is_right else None


def _government_code(text: str) -> tuple[str, str] | None:
    digits = text.strip()
    if not _DIGITS.fullmatch(digits) or digits[:2] not in _PREFECTURES:
        return None
    if len(digits) == 6 and is_government_code(digits):
        return ("prefecture" if digits[2:5] == "000" else "municipality"), f"P{digits[:2]}"
    # Statistics leave the check digit out, and a prefecture is its first two digits there.
    grain = {5: "municipality", 2: "prefecture"}.get(len(digits))
    return (grain, f"P{digits[:2]}") if grain else None


def _postal_code(text: str) -> tuple[str, str] | None:
    found = _POSTAL.fullmatch(text.strip())
    return ("town", f"Z{found[1][:2]}") if found else None


def _corporate_number(text: str) -> tuple[str, str] | None:
    return ("corporation", NATION) if is_corporate_number(text.strip()) else None


_READERS: dict[KeyKind, Callable[[str], tuple[str, str] | None]] = {
    KeyKind.CORPORATE_NUMBER: _corporate_number,
    KeyKind.MESH: _mesh,
    KeyKind.GOVERNMENT_CODE: _government_code,
    KeyKind.POSTAL_CODE: _postal_code,
}
# Only with a check digit: seven digits are often something else than a postal code.
_SURE: dict[KeyKind, Callable[[str], bool]] = {
    KeyKind.CORPORATE_NUMBER: lambda text: is_corporate_number(text.strip()),
    KeyKind.GOVERNMENT_CODE: lambda text: is_government_code(text.strip()),
}
_UNTOLD = frozenset({"", "integer"})
_UNSEEN = {
    KeyKind.CORPORATE_NUMBER: "corporation",
    KeyKind.GOVERNMENT_CODE: "municipality",
    KeyKind.POSTAL_CODE: "town",
}
_Y, _N = r"(?P<y>(?:18|19|20|21)[0-9]{2})", r"[0-9]{1,2}"
_DAY = rf"{_Y}(?:[-/.年])(?P<m>{_N})(?:[-/.月])(?P<d>{_N})日?"
_MOMENTS = [
    (grain, re.compile(pattern, re.ASCII))
    for grain, pattern in (
        ("day", _DAY),
        ("day", rf"{_Y}(?P<m>[0-9]{{2}})(?P<d>[0-9]{{2}})"),
        ("time", rf"{_DAY}[T ]?(?P<t>[0-9]{{1,2}}[:時].*)"),
        ("month", rf"{_Y}(?:[-/.年]?)(?P<m>[0-9]{{2}}|{_N}(?=月))月?"),
        ("year", rf"{_Y}(?:年度?)?"),
    )
]


def _era(text: str) -> tuple[str, date] | None:
    try:
        return "day", calendars.era_date(text.strip())
    except (ValueError, TypeError, KeyError, AttributeError):
        return None
