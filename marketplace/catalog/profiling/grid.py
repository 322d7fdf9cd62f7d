"""Where geometries lie, on a grid that is coarse on purpose: about a kilometre at the finest, and never many cells.

A cell counts the features that touch it; of fewer than ten it is told that there are some, and not how many. Lines and
the edges of areas are followed from corner to corner, so that a shape is an outline of cells.
"""

from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import Any

Point = tuple[int, int]
FINEST = 10_000
"""Of a degree, in millionths: 0.01 degrees are 1.1 km from north to south."""
CELLS_MAX = 600
RARE = 10
STEPS_MAX = 400
LONGITUDE_MAX, LATITUDE_MAX = 180_000_000, 90_000_000
DEPTH_MAX = 8


class Grid:
    """Counts the features of each cell, and doubles the cells' size as often as there are too many of them."""

    def __init__(self) -> None:
        self._size = FINEST
        self._cells: dict[Point, int] = {}

    def add(self, geometry: Any) -> None:
        """Take in the geometry of one feature."""
        touched: set[Point] = set()
        for line in _lines(geometry):
            touched.update(self._along(line))
        for cell in touched:
            self._cells[cell] = self._cells.get(cell, 0) + 1
        while len(self._cells) > CELLS_MAX:
            self._coarsen()

    def document(self) -> dict[str, Any] | None:
        """Return the size of the cells in degrees and, of each, column, row and count; None where nothing lies."""
        if not self._cells:
            return None
        told = [[x, y, count if count >= RARE else None] for (x, y), count in sorted(self._cells.items())]
        return {"degrees": str(Decimal(self._size) / 1_000_000), "cells": told}

    def _along(self, line: Sequence[Point]) -> Iterator[Point]:
        for place, (x, y) in enumerate(line):
            before_x, before_y = line[place - 1] if place else (x, y)
            steps = min(STEPS_MAX, max(abs(x - before_x), abs(y - before_y)) // self._size + 1)
            for step in range(1, steps + 1):
                along_x = before_x + (x - before_x) * step // steps
                along_y = before_y + (y - before_y) * step // steps
                yield along_x // self._size, along_y // self._size

    def _coarsen(self) -> None:
        self._size *= 2
        cells: dict[Point, int] = {}
        for (x, y), count in self._cells.items():
            cells[x // 2, y // 2] = cells.get((x // 2, y // 2), 0) + count
        self._cells = cells


def _lines(geometry: Any, depth: int = 0) -> Iterator[list[Point]]:
    """Yield the positions of a geometry, those that are joined by a line together."""
    if not isinstance(geometry, dict) or depth > DEPTH_MAX:
        return
    for part in geometry.get("geometries") or () if isinstance(geometry.get("geometries"), list) else ():
        yield from _lines(part, depth + 1)
    is_joined = geometry.get("type") not in {"Point", "MultiPoint"}
    for line in _nested(geometry.get("coordinates"), 0):
        yield from [line] if is_joined else ([one] for one in line)


def _nested(item: Any, depth: int) -> Iterator[list[Point]]:
    if not isinstance(item, list) or depth > DEPTH_MAX:
        return
    if _is_position(item):
        yield _points([item])
    elif item and all(map(_is_position, item)):
        yield _points(item)
    else:
        for one in item:
            yield from _nested(one, depth + 1)


def _is_position(item: Any) -> bool:
    return isinstance(item, list) and len(item) > 1 and all(type(number) in {int, Decimal} for number in item[:2])


def _points(positions: Iterable[list[Any]]) -> list[Point]:
    """Return positions in millionths of a degree, without those that are none on earth: plans have metres."""
    found = [(int(x * 1_000_000), int(y * 1_000_000)) for x, y, *_height in positions if abs(x) <= 180 and abs(y) <= 90]
    return [(min(x, LONGITUDE_MAX - 1), min(y, LATITUDE_MAX - 1)) for x, y in found]
