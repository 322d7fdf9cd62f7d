"""How columns are typed in Parquet: the profile's kinds, under the names that Delta tables give to types."""

import math
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from marketplace.catalog.profiling import kinds

STRING: dict[str, str | None] = {"type": "string", "spelling": None}
_LONG_MIN, _LONG_MAX = -(2**63), 2**63 - 1
_SPELLINGS = {spelling.name: spelling for spelling in kinds.SPELLINGS}
Cell = Callable[[Any], Any]


class Misfit(Exception):
    """A value is not of the type that the profile found, which has read only a part of the file."""


def planned(column: dict[str, Any]) -> dict[str, str | None]:
    """Return type and spelling of a profiled column; what has no type of its own in a table is kept as text.

    A whole number beyond 64 bits and a decimal beyond a double stay texts, since a reader would change them. A moment
    without an offset is ``timestamp_ntz``: nobody knows its zone.
    """
    return {"type": _type_of(column), "spelling": column.get("format")}


def _type_of(column: dict[str, Any]) -> str:
    kind, low, high = column.get("type"), column.get("min"), column.get("max")
    if kind in {"boolean", "date"}:
        return str(kind)
    if low is None or high is None:
        return "string"
    if kind == "integer":
        return "long" if int(low) >= _LONG_MIN and int(high) <= _LONG_MAX else "string"
    if kind == "decimal":
        return "double" if math.isfinite(_double(low)) and math.isfinite(_double(high)) else "string"
    if kind == "datetime":
        return "timestamp_ntz" if datetime.fromisoformat(low).tzinfo is None else "timestamp"
    return "string"


def _double(text: str) -> float:
    return float(Decimal(text))


def arrow_type(name: str) -> Any:
    """Return the Arrow type in which a type is written."""
    import pyarrow as pa

    return {
        "boolean": pa.bool_(),
        "long": pa.int64(),
        "double": pa.float64(),
        "date": pa.date32(),
        "timestamp": pa.timestamp("us", "UTC"),
        "timestamp_ntz": pa.timestamp("us"),
        "string": pa.string(),
    }[name]


def array_of(plan: dict[str, str | None], cells: Sequence[Any]) -> Any:
    """Return the cells of a column as Arrow holds them, empty ones as null; raises Misfit."""
    import pyarrow as pa

    read = _reader(plan)
    try:
        values = [None if cell is None or cell == "" else read(cell) for cell in cells]
        return pa.array(values, arrow_type(str(plan["type"])))
    except (ValueError, TypeError, OverflowError, ArithmeticError, KeyError, pa.ArrowException) as error:
        raise Misfit from error


def _reader(plan: dict[str, str | None]) -> Cell:
    spelled = _SPELLINGS.get(str(plan["spelling"]))
    read = spelled.read if spelled is not None and spelled.read is not None else None
    readers: dict[str, Cell] = {
        "boolean": lambda cell: cell if isinstance(cell, bool) else _boolean(cell),
        "long": int,
        "double": float,
        "date": lambda cell: read(cell) if read is not None and isinstance(cell, str) else cell,
        "timestamp": lambda cell: _moment(cell, read).astimezone(UTC),
        "timestamp_ntz": lambda cell: _moment(cell, read),
        "string": kinds.shown,
    }
    return readers[str(plan["type"])]


def _boolean(text: str) -> bool:
    return {"true": True, "false": False}[text.lower()]


def _moment(cell: Any, read: Cell | None) -> datetime:
    found = read(cell) if read is not None and isinstance(cell, str) else cell
    if not isinstance(found, datetime):
        raise TypeError("not a moment")
    return found


def unique(names: Sequence[str]) -> list[str]:
    """Return the names, numbered from the second on where they are alike: tables do not tell case apart."""
    taken: set[str] = set()
    found = []
    for name in names:
        candidate, number = name, 1
        while candidate.casefold() in taken:
            number += 1
            candidate = f"{name}_{number}"
        taken.add(candidate.casefold())
        found.append(candidate)
    return found
