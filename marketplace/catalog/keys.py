"""The keys of a dataset, read from its document as its audience sees it: values that are not shown make none.

Of what a profile shows of a column (examples, extremes, the preview) every value must be right. The files of the newest
release are read, so many of them and so many columns at most.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from marketplace.catalog import key_kinds
from marketplace.catalog.key_kinds import AREAS_MAX, DATE_GRAINS, NATION, Key, KeyKind

FILES_MAX = 20
COLUMNS_MAX = 200
KEYS_MAX = 8


def keys_of(document: Mapping[str, Any]) -> list[Key]:
    """Return the keys by which the newest release of a dataset is joined, each kind and fineness once.

    All say from when until when its days reach; those that do not tell where they lie are of the dataset's region.
    """
    found: dict[tuple[KeyKind, str], Key] = {}
    for key in _of_files(document):
        known = found.get((key.kind, key.grain))
        found[key.kind, key.grain] = _together(known, key) if known else key
    span = _span(found.values())
    area = _area(str(document.get("region", "")))
    placed = [_placed(key, area, span) for key in found.values()]
    return sorted(placed, key=lambda key: (key.kind, key.grain))[:KEYS_MAX]


def _of_files(document: Mapping[str, Any]) -> Iterator[Key]:
    for release in document.get("releases", ())[:1]:
        for file in release.get("files", ())[:FILES_MAX]:
            if file.get("profile"):
                yield from _of_profile(file["profile"])


def _of_profile(profile: Mapping[str, Any]) -> Iterator[Key]:
    columns = [one for one in profile.get("columns") or () if isinstance(one, dict)][:COLUMNS_MAX]
    shown = [(str(one.get("name", "")), _values(one, place, profile)) for place, one in enumerate(columns)]
    for (name, values), one in zip(shown, columns, strict=True):
        key = key_kinds.code_key(name, values) or key_kinds.date_key(name, str(one.get("type", "")), values)
        if key is not None:
            yield replace(key, areas=_areas(key, one, values))
    placed = key_kinds.coordinate_key(shown) or (key_kinds.box_key(profile["bbox"]) if _has_box(profile) else None)
    if placed is not None:
        yield placed


def _areas(key: Key, column: Mapping[str, Any], values: Sequence[str]) -> frozenset[str]:
    """Return where a key lies: between extremes of one area lies no other, between those of several may lie any."""
    is_seen_whole = (column.get("distinct_estimate") or 0) <= len(set(values))
    return key.areas if len(key.areas) == 1 or is_seen_whole else frozenset({NATION})


def _has_box(profile: Mapping[str, Any]) -> bool:
    box = profile.get("bbox")
    return isinstance(box, list) and len(box) == 4


def _values(column: Mapping[str, Any], place: int, profile: Mapping[str, Any]) -> list[str]:
    """Return what is shown of a column: its examples, its extremes, and its cells of the preview."""
    rows = profile.get("preview") or ()
    cells = [row[place] for row in rows if isinstance(row, list) and len(row) > place]
    shown = [*(column.get("examples") or ()), column.get("min"), column.get("max"), *cells]
    return [value for value in shown if isinstance(value, str) and value]


def _together(one: Key, other: Key) -> Key:
    areas = one.areas | other.areas
    days = [day for key in (one, other) for day in (key.time_from, key.time_to) if day]
    return replace(
        one,
        areas=areas if len(areas) <= AREAS_MAX else frozenset({NATION}),
        time_from=min(days, default=None),
        time_to=max(days, default=None),
    )


def _span(found: Iterable[Key]) -> tuple[date | None, date | None]:
    """Return the first and the last day of the finest dates: a column of years would begin in January."""
    dated = [key for key in found if key.kind is KeyKind.DATE and key.time_from]
    finest = max(dated, key=lambda key: DATE_GRAINS.index(key.grain), default=None)
    return (finest.time_from, finest.time_to) if finest else (None, None)


def _placed(key: Key, area: str, span: tuple[date | None, date | None]) -> Key:
    areas = key.areas if len(key.areas) <= AREAS_MAX else frozenset({NATION})
    is_anywhere = key.kind is KeyKind.DATE or areas == frozenset({NATION})
    tells_place = key.kind in {KeyKind.DATE, KeyKind.CORPORATE_NUMBER}
    areas = frozenset({area}) if is_anywhere and tells_place else areas
    return replace(key, areas=areas, time_from=span[0], time_to=span[1])


def _area(region: str) -> str:
    return f"P{region[:2]}" if len(region) == 6 and region.isdecimal() else NATION
