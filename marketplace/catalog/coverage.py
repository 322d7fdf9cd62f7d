"""Which time and which part of the earth a dataset covers, as its newest files themselves say. Pure functions."""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from datetime import date
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal, InvalidOperation
from typing import Any

Document = dict[str, Any]
_YEARS = range(1868, 2201)
_YEAR_HEADER = re.compile(r"年|年度|西暦|year|fiscal_?year|fy|暦年")
_LATITUDE = re.compile(r"緯度.*|.*(_|^)lat(itude)?|y座標")
_LONGITUDE = re.compile(r"経度.*|.*(_|^)(lon|lng|long)(itude)?|x座標")
_NOT_WHEN = re.compile(r"更新|登録|作成|誕生|生年|birth|updated|modified|created")
LATITUDE_MAX, LONGITUDE_MAX = 90, 180
COARSE = Decimal("0.01")
NOT_OF_PEOPLE = "nonPersonalInformation"
"""The one class of item 13070 under which places are shown: `privacy`, above, names them all."""


def temporal(document: Document) -> Document | None:
    """Return the first and the last day that the newest release speaks of, and by which column; None if it tells none.

    When a row was written or changed is no time that it speaks of.
    """
    spans = [span for column in _columns(document) if (span := _span(column))]
    if not spans:
        return None
    return max(spans, key=lambda span: (_days(span), span["column"]))


def bounding_box(document: Document) -> list[str] | None:
    """Return west, south, east and north of the newest release in degrees as texts, or None where it tells none.

    Where people lie the box is widened to whole hundredths, since its edges are the places of some of them.
    """
    profiles = [profile for profile in _profiles(document) if _box(profile)]
    if not profiles:
        return None
    west, south, east, north = zip(*filter(None, map(_box, profiles)), strict=True)
    edges = (min(west), min(south), max(east), max(north))
    if is_of_people(document) or any(map(_has_masked, profiles)):
        roundings = (ROUND_FLOOR, ROUND_FLOOR, ROUND_CEILING, ROUND_CEILING)
        edges = tuple(edge.quantize(COARSE, how) for edge, how in zip(edges, roundings, strict=True))
    return [f"{edge:f}" for edge in edges]


def points(document: Document, size: int) -> list[tuple[Decimal, Decimal]]:
    """Return longitude and latitude of rows that the previews of the newest release show; none where people lie."""
    found: list[tuple[Decimal, Decimal]] = []
    for profile in () if is_of_people(document) else _profiles(document):
        places = coordinate_columns(profile)
        if places is None or _has_masked(profile):
            continue
        for row in profile.get("preview") or ():
            point = _point(row, *places)
            if point:
                found.append(point)
    return found[:size]


def grid(document: Document) -> Document | None:
    """Return where the geometries of the newest release lie, on a coarse grid; None where people lie, or none do.

    Grids of several files are told as one, as coarse as the coarsest.
    """
    if is_of_people(document):
        return None
    grids = [found for one in _profiles(document) if not _has_masked(one) and (found := one.get("grid"))]
    if not grids:
        return None
    coarsest = max(Decimal(one["degrees"]) for one in grids)
    cells: dict[tuple[int, int], list[int | None]] = {}
    for one in grids:
        factor = int(coarsest / Decimal(one["degrees"]))
        for x, y, count in one["cells"]:
            cells.setdefault((x // factor, y // factor), []).append(count)
    told = [[x, y, sum(filter(None, counts)) or None] for (x, y), counts in sorted(cells.items())]
    return {"degrees": str(coarsest), "cells": told}


def is_of_people(document: Document) -> bool:
    """Tell whether a dataset is offered as one of people, in whatever class: then no place of any of them is shown."""
    classes = {document.get("privacy_class"), *(offer.get("privacy_class") for offer in document.get("offers") or ())}
    return bool(classes - {None, "", NOT_OF_PEOPLE})


def _has_masked(profile: Document) -> bool:
    return any(column.get("masked") for column in profile.get("columns") or ())


def coordinate_columns(profile: Document) -> tuple[int, int] | None:
    """Return where longitude and latitude stand in a table, or None."""
    names = [_plain(column.get("name")) for column in profile.get("columns") or ()]
    longitude = next((place for place, name in enumerate(names) if _LONGITUDE.fullmatch(name)), None)
    latitude = next((place for place, name in enumerate(names) if _LATITUDE.fullmatch(name)), None)
    return None if longitude is None or latitude is None else (longitude, latitude)


def _profiles(document: Document) -> Iterator[Document]:
    for file in document["releases"][0]["files"] if document.get("releases") else ():
        if file.get("profile"):
            yield file["profile"]


def _columns(document: Document) -> Iterable[Document]:
    return (column for profile in _profiles(document) for column in profile.get("columns") or ())


def _span(column: Document) -> Document | None:
    low, high, name = column.get("min"), column.get("max"), _plain(column.get("name"))
    if not isinstance(low, str) or not isinstance(high, str) or _NOT_WHEN.search(name):
        return None
    if column.get("type") in {"date", "datetime"}:
        days = low[:10], high[:10]
    elif column.get("type") == "integer" and _YEAR_HEADER.fullmatch(name) and _is_year(low) and _is_year(high):
        days = f"{low}-01-01", f"{high}-12-31"
    else:
        return None
    return {"from": days[0], "until": days[1], "column": column["name"]} if all(map(_is_day, days)) else None


def _is_year(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) == 4 and int(text) in _YEARS


def _is_day(text: str) -> bool:
    try:
        return date.fromisoformat(text).year in _YEARS
    except ValueError:
        return False


def _days(span: Document) -> int:
    return (date.fromisoformat(span["until"]) - date.fromisoformat(span["from"])).days


def _box(profile: Document) -> tuple[Decimal, Decimal, Decimal, Decimal] | None:
    stated = profile.get("bbox")
    if stated is None:
        places = coordinate_columns(profile)
        columns = profile.get("columns") or []
        if places is None:
            return None
        longitude, latitude = (columns[place] for place in places)
        stated = [longitude.get("min"), latitude.get("min"), longitude.get("max"), latitude.get("max")]
    west, south, east, north = (_degrees(edge) for edge in stated)
    if west is None or south is None or east is None or north is None:
        return None
    on_earth = -LONGITUDE_MAX <= west <= east <= LONGITUDE_MAX and -LATITUDE_MAX <= south <= north <= LATITUDE_MAX
    return (west, south, east, north) if on_earth else None


def _point(row: list[Any], longitude: int, latitude: int) -> tuple[Decimal, Decimal] | None:
    if max(longitude, latitude) >= len(row):
        return None
    x, y = _degrees(row[longitude]), _degrees(row[latitude])
    return (x, y) if x is not None and y is not None and abs(x) <= LONGITUDE_MAX and abs(y) <= LATITUDE_MAX else None


def _degrees(text: Any) -> Decimal | None:
    try:
        number = Decimal(text) if isinstance(text, str) and len(text) <= 40 else None
    except InvalidOperation:
        return None
    return number if number is not None and number.is_finite() and abs(number) <= LONGITUDE_MAX else None


def _plain(name: Any) -> str:
    return unicodedata.normalize("NFKC", str(name)).strip().casefold()
