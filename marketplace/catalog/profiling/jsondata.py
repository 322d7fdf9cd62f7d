"""Profiles of JSON, JSON Lines and GeoJSON (RFC 7946), read value by value."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from decimal import Decimal
from typing import Any, BinaryIO

from marketplace.catalog.profiling import decoding, words
from marketplace.catalog.profiling.columns import cut
from marketplace.catalog.profiling.decoding import TextSurvey
from marketplace.catalog.profiling.grid import Grid
from marketplace.catalog.profiling.jsonstream import Scanner
from marketplace.catalog.profiling.records import Records
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable

_BATCH = 500
_BEGINNING = re.compile(r'\s*(?:\{\s*(?:"|\}|$)|\[\s*(?:[\[{"\]\d-]|true|false|null|NaN|$))')
_GEOMETRIES = frozenset(
    {"Point", "MultiPoint", "LineString", "MultiLineString", "Polygon", "MultiPolygon", "GeometryCollection"}
)
_MEDIA_TYPES = {
    "json": "application/json",
    "json-lines": "application/x-ndjson",
    "geojson": "application/geo+json",
}


def looks_like_json(sample: str) -> bool:
    """Return whether a text begins as a JSON object or array does."""
    return _BEGINNING.match(sample) is not None


class _Features:
    """GeoJSON features: their properties as records, the types and the extent of their geometries."""

    def __init__(self, limits: ProfileLimits) -> None:
        self.records = Records(limits)
        self.types: Counter[str] = Counter()
        self.strangers = 0
        self._box: list[Any] | None = None
        self._grid = Grid()

    def add(self, items: list[Any]) -> None:
        rows = []
        for item in items:
            if not isinstance(item, dict) or item.get("type") != "Feature":
                self.strangers += 1
                continue
            geometry, properties = item.get("geometry"), item.get("properties")
            self._measure(geometry)
            row = dict(properties) if isinstance(properties, dict) else {}
            row.setdefault("geometry", geometry if isinstance(geometry, dict) else None)
            rows.append(row)
        self.records.add(rows, {"geometry": "geometry"})

    def _measure(self, geometry: Any) -> None:
        if not isinstance(geometry, dict):
            return
        self.types[cut(str(geometry.get("type")), 40)] += 1
        for x, y in _positions(geometry):
            box = self._box or [x, y, x, y]
            self._box = [min(box[0], x), min(box[1], y), max(box[2], x), max(box[3], y)]
        self._grid.add(geometry)

    def document(self) -> dict[str, Any]:
        table = self.records.table()
        found = table.warnings() + self.records.warnings()
        if self.strangers:
            found.append(words.warning("not-features", count=self.strangers))
        return {
            **table.document(),
            "features": self.records.rows,
            "geometry_types": dict(sorted(self.types.most_common(20))),
            "bbox": None if self._box is None else [str(number) for number in self._box],
            "grid": self._grid.document(),
            "warnings": found,
        }


def _positions(geometry: dict[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Yield the x and y of every position, however deeply the coordinates are nested."""
    waiting: list[Any] = [geometry.get("coordinates"), geometry.get("geometries")]
    while waiting:
        item = waiting.pop()
        if isinstance(item, dict):
            waiting += [item.get("coordinates"), item.get("geometries")]
        elif isinstance(item, list):
            if len(item) > 1 and all(type(number) in {int, Decimal} for number in item[:2]):
                yield item[0], item[1]
            else:
                waiting += item


def read(file: BinaryIO, survey: TextSurvey, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    """Return the profile of a JSON text; raises Unreadable."""
    scanner = Scanner(decoding.open_text(file, survey).read)
    if scanner.peek() == "[":
        found = _array(scanner.items(), limits, patience)
    elif _is_lines(survey.sample):
        found = _array(_values(scanner), limits, patience) | {"format": "json-lines"}
    else:
        found = _object(scanner, limits, patience)
    if found["complete"] and scanner.peek():
        raise Unreadable("invalid-json", offset=survey.characters, reason="something follows the end of the value")
    return {"media_type": _MEDIA_TYPES[found["format"]], **found}


def _is_lines(sample: str) -> bool:
    """Return whether the first line is a whole value and the next begins another."""
    first, _, rest = sample.partition("\n")
    if not rest.strip().startswith("{"):
        return False
    try:
        scanner = Scanner(_once(first))
        scanner.value()
    except Unreadable:
        return False
    return scanner.peek() == ""


def _once(text: str) -> Any:
    pieces = iter([text])
    return lambda _count: next(pieces, "")


def _values(scanner: Scanner) -> Iterator[Any]:
    while scanner.peek():
        yield scanner.value()


def _batches(items: Iterable[Any]) -> Iterator[list[Any]]:
    batch: list[Any] = []
    for item in items:
        batch.append(item)
        if len(batch) >= _BATCH:
            yield batch
            batch = []
    yield batch


def _array(items: Iterable[Any], limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    records = Records(limits)
    for batch in _batches(items):
        records.add([item if isinstance(item, dict) else {"value": item} for item in batch])
        if patience.is_over():
            records.is_complete = False
            break
    table = records.table()
    return {
        "format": "json",
        "structure": "array",
        **table.document(),
        "warnings": table.warnings() + records.warnings(),
    }


def _object(scanner: Scanner, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    """Read an object key by key, so that the features of a collection need not be held together."""
    top: dict[str, Any] = {}
    features: _Features | None = None
    for name in scanner.names():
        if name != "features" or scanner.peek() != "[":
            top[name] = scanner.value()
            continue
        features = _Features(limits)
        for batch in _batches(scanner.items()):
            features.add(batch)
            if patience.is_over():
                features.records.is_complete = False
                return _collection(top, features)
        top[name] = []
    if features is not None and top.get("type") == "FeatureCollection":
        return _collection(top, features)
    if top.get("type") == "Feature" or top.get("type") in _GEOMETRIES:
        features = _Features(limits)
        features.add([top if top["type"] == "Feature" else {"type": "Feature", "geometry": top}])
        return _collection(top, features)
    records = Records(limits)
    records.add([top])
    table = records.table()
    warnings = table.warnings() + records.warnings()
    return {"format": "json", "structure": "object", **table.document(), "warnings": warnings}


def _collection(top: dict[str, Any], features: _Features) -> dict[str, Any]:
    title = top.get("name")
    return {
        "format": "geojson",
        "structure": cut(str(top.get("type", "FeatureCollection")), 40),
        "title": cut(title, 200) if isinstance(title, str) else None,
        **features.document(),
    }
