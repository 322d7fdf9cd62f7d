"""Records without fixed columns: values by the path of keys that leads to them."""

from collections.abc import Iterator
from typing import Any

from marketplace.catalog.profiling import kinds

Record = list[tuple[str, str]]
"""Paths and values; the members of an array share one path."""

_VALUES_MAX = 10_000
_DEPTH_MAX = 40


def flattened(value: Any) -> Record:
    """Return the values in a JSON value by their paths; a feature's geometry is the text of its first position."""
    found: Record = []
    for path, one in _walk(value, "", 0):
        found.append((path or "value", kinds.shown(one)))
        if len(found) >= _VALUES_MAX:
            break
    return found


def _walk(value: Any, path: str, depth: int) -> Iterator[tuple[str, Any]]:
    if value is None or value == "" or depth > _DEPTH_MAX:
        return
    if isinstance(value, dict):
        yield from _walk_object(value, path, depth)
    elif isinstance(value, list):
        for item in value:
            yield from _walk(item, path, depth + 1)
    else:
        yield path, value


def _walk_object(value: dict[str, Any], path: str, depth: int) -> Iterator[tuple[str, Any]]:
    is_feature = value.get("type") == "Feature"
    for name, item in value.items():
        if is_feature and name == "geometry":
            yield from _position(item)
        elif is_feature and name == "properties":
            yield from _walk(item, "", depth + 1)
        else:
            yield from _walk(item, f"{path}.{name}" if path else name, depth + 1)


def _position(geometry: Any) -> Iterator[tuple[str, str]]:
    place = geometry.get("coordinates") if isinstance(geometry, dict) else None
    while isinstance(place, list) and place and isinstance(place[0], list):
        place = place[0]
    if isinstance(place, list) and len(place) > 1:
        yield "geometry", f"{kinds.shown(place[1])}, {kinds.shown(place[0])}"
