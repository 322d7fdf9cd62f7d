"""A query for rows, checked against the columns of its table. Pure.

Names are looked up among the columns and never travel on: what runs knows columns by their places.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from marketplace.delivery.rows.columns import OPAQUE, Column
from marketplace.kit.errors import Invalid

COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")
OPERATORS = (*COMPARISONS, "in", "prefix", "is_null", "not_null")
FORMATS = ("json", "ndjson", "csv", "arrow", "parquet")
_HUGE = 10**38
_UNORDERED = frozenset({"boolean"})


@dataclass(frozen=True, slots=True)
class Predicate:
    """What a column must be; ``values`` are texts of the column's kind, none for ``is_null`` and ``not_null``."""

    place: int
    kind: str
    operator: str
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Direction:
    """A column to sort by; rows without a value come last, whichever way."""

    place: int
    is_descending: bool


@dataclass(frozen=True, slots=True)
class Query:
    """What is asked of one table: columns to show, conditions that all must hold, an order, and how many rows.

    ``skip`` of the rows that would come are left out first: protocols that know no cursor count so.
    """

    shown: tuple[Column, ...]
    where: tuple[Predicate, ...]
    order: tuple[Direction, ...]
    limit: int
    format: str
    skip: int = 0

    @property
    def places(self) -> tuple[int, ...]:
        """The places of all columns that the query needs, each once."""
        shown, asked = (column.place for column in self.shown), (one.place for one in self.where)
        return tuple(dict.fromkeys([*shown, *asked, *(one.place for one in self.order)]))


def checked(asked: Mapping[str, Any], columns: Sequence[Column], limit_max: int) -> Query:
    """Return the query that a request body asks, as far as the table allows; raises Invalid, pointing at each fault."""
    known = {column.name: column for column in columns}
    faults: list[dict[str, str]] = []
    shown = _shown(asked.get("columns"), known, columns, faults)
    where = _predicates(asked.get("where", ()), known, faults)
    order = [_direction(one, known, f"/order/{place}", faults) for place, one in enumerate(asked.get("order", ()))]
    limit = asked.get("limit", min(limit_max, 1000))
    if not 1 <= limit <= limit_max:
        faults.append(_fault("/limit", f"1 to {limit_max}"))
    if faults:
        raise Invalid(errors=faults)
    return Query(
        shown,
        where,
        tuple(one for one in order if one),
        limit,
        asked.get("format", "json"),
        asked.get("skip", 0),
    )


def conditions(asked: Sequence[Mapping[str, Any]], columns: Sequence[Column]) -> tuple[Predicate, ...]:
    """Return conditions alone, as ``checked`` reads them under ``where``; raises Invalid."""
    faults: list[dict[str, str]] = []
    found = _predicates(asked, {column.name: column for column in columns}, faults)
    if faults:
        raise Invalid(errors=faults)
    return found


def _predicates(
    asked: Sequence[Mapping[str, Any]], known: Mapping[str, Column], faults: list[dict[str, str]]
) -> tuple[Predicate, ...]:
    found = [_predicate(one, known, f"/where/{place}", faults) for place, one in enumerate(asked)]
    return tuple(one for one in found if one)


def _fault(pointer: str, detail: str) -> dict[str, str]:
    return {"pointer": pointer, "detail": detail}


def _shown(
    names: Sequence[str] | None, known: Mapping[str, Column], columns: Sequence[Column], faults: list[dict[str, str]]
) -> tuple[Column, ...]:
    if names is None:
        return tuple(columns)
    if len(set(names)) != len(names):
        faults.append(_fault("/columns", "each column once"))
    found = [_named(name, known, f"/columns/{place}", faults) for place, name in enumerate(names)]
    return tuple(column for column in found if column)


def _named(name: str, known: Mapping[str, Column], pointer: str, faults: list[dict[str, str]]) -> Column | None:
    if name not in known:
        faults.append(_fault(pointer, "the table has no column of this name"))
    return known.get(name)


def _comparable(name: str, known: Mapping[str, Column], pointer: str, faults: list[dict[str, str]]) -> Column | None:
    column = _named(name, known, f"{pointer}/column", faults)
    if column and column.kind == OPAQUE:
        faults.append(_fault(f"{pointer}/column", "the values of this column cannot be compared"))
        return None
    return column


def _direction(
    asked: Mapping[str, Any], known: Mapping[str, Column], pointer: str, faults: list[dict[str, str]]
) -> Direction | None:
    column = _comparable(asked["column"], known, pointer, faults)
    return Direction(column.place, asked.get("direction") == "desc") if column else None


def _predicate(
    asked: Mapping[str, Any], known: Mapping[str, Column], pointer: str, faults: list[dict[str, str]]
) -> Predicate | None:
    operator = asked["operator"]
    if operator in {"is_null", "not_null"}:
        column = _named(asked["column"], known, f"{pointer}/column", faults)
        if "value" in asked:
            faults.append(_fault(f"{pointer}/value", f"{operator} takes none"))
        return Predicate(column.place, column.kind, operator) if column else None
    column = _comparable(asked["column"], known, pointer, faults)
    if column is None:
        return None
    if misfit := _misfit(operator, column.kind):
        faults.append(_fault(f"{pointer}/operator", misfit))
        return None
    return Predicate(column.place, column.kind, operator, _values(asked, column.kind, pointer, faults))


def _misfit(operator: str, kind: str) -> str | None:
    if operator == "prefix" and kind != "string":
        return "only texts have a prefix"
    if operator in {"lt", "le", "gt", "ge"} and kind in _UNORDERED:
        return "true and false have no order"
    return None


def _values(asked: Mapping[str, Any], kind: str, pointer: str, faults: list[dict[str, str]]) -> tuple[str, ...]:
    given = asked.get("value")
    is_list = asked["operator"] == "in"
    if isinstance(given, list) != is_list or given == []:
        faults.append(_fault(f"{pointer}/value", "a list of values" if is_list else "one value"))
        return ()
    found = []
    for place, value in enumerate(given if isinstance(given, list) else [given]):
        try:
            found.append(_READ[kind](value))
        except (TypeError, ValueError):
            where = f"{pointer}/value/{place}" if is_list else f"{pointer}/value"
            faults.append(_fault(where, _EXPECTED[kind]))
    return tuple(found)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _boolean(value: Any) -> str:
    if not isinstance(value, bool):
        raise TypeError
    return "true" if value else "false"


def _integer(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or value != value // 1 or abs(value) >= _HUGE:
        raise TypeError
    return str(int(value))


def _number(value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) >= _HUGE:
        raise TypeError
    return str(Decimal(repr(value)))


def _moment(value: Any, *, has_offset: bool) -> str:
    read = datetime.fromisoformat(_text(value))
    if (read.tzinfo is not None) != has_offset:
        raise ValueError
    return read.isoformat(" ")


_READ: dict[str, Callable[[Any], str]] = {
    "boolean": _boolean,
    "long": _integer,
    "double": _number,
    "date": lambda value: date.fromisoformat(_text(value)).isoformat(),
    "timestamp_ntz": lambda value: _moment(value, has_offset=False),
    "timestamp": lambda value: _moment(value, has_offset=True),
    "time": lambda value: time.fromisoformat(_text(value)).replace(tzinfo=None).isoformat(),
    "string": _text,
}
_EXPECTED = {
    "boolean": "true or false",
    "long": "a whole number",
    "double": "a number",
    "date": "a date, such as 2026-11-22",
    "timestamp_ntz": "a date and time without an offset, such as 2026-11-22T09:00:00",
    "timestamp": "a date and time with an offset, such as 2026-11-22T09:00:00+09:00",
    "time": "a time, such as 09:00:00",
    "string": "a text",
}
