"""The SQL of a checked query. Pure, and without a word from outside: columns are c0, c1, …, values are parameters."""

from collections.abc import Sequence

from marketplace.delivery.rows.query import Direction, Predicate

TABLE, AFTER, ROW = "source", "after", "r"
_SYMBOLS = {"eq": "=", "ne": "<>", "lt": "<", "le": "<=", "gt": ">", "ge": ">="}
_SQL_TYPES = {
    "boolean": "BOOLEAN",
    "long": "HUGEINT",
    "double": "DOUBLE",
    "date": "DATE",
    "timestamp_ntz": "TIMESTAMP",
    "timestamp": "TIMESTAMPTZ",
    "time": "TIME",
    "string": "VARCHAR",
}


def select(
    shown: Sequence[int],
    where: Sequence[Predicate],
    order: Sequence[Direction],
    rows: int,
    *,
    follows: bool,
    skip: int = 0,
) -> tuple[str, list[str]]:
    """Return the statement for so many rows, and its parameters.

    Rows come by the order asked for and then by their number, so that no two are ever alike. ``follows``: only
    those after the one row of the table ``after``. Without an order they come as the file has them.
    """
    columns = ", ".join([f"s.{name(place)}" for place in shown] + [f"s.{ROW}"])
    conditions = [_condition(one) for one in where]
    source = f"{TABLE} AS s"
    if order and follows:
        source += f", {AFTER} AS a"
        conditions.append(_beyond(order))
    text = f"SELECT {columns} FROM {source}"  # noqa: S608 - made of numbers and words of our own
    if conditions:
        text += " WHERE " + " AND ".join(conditions)
    if order:
        text += f" ORDER BY {', '.join([_sorted(one) for one in order])}, s.{ROW}"
    passed_over = f" OFFSET {int(skip)}" if skip else ""
    return f"{text} LIMIT {int(rows)}{passed_over}", [value for one in where for value in one.values]


def name(place: int) -> str:
    """Return what the column of that place is called in a statement."""
    return f"c{int(place)}"


def _condition(asked: Predicate) -> str:
    column = f"s.{name(asked.place)}"
    if asked.operator in {"is_null", "not_null"}:
        return f"{column} IS {'NOT ' if asked.operator == 'not_null' else ''}NULL"
    value = f"CAST(? AS {_SQL_TYPES[asked.kind]})"
    if asked.operator == "in":
        return f"{column} IN ({', '.join([value] * len(asked.values))})"
    if asked.operator == "prefix":
        return f"starts_with({column}, {value})"
    return f"{column} {_SYMBOLS[asked.operator]} {value}"


def _sorted(asked: Direction) -> str:
    return f"s.{name(asked.place)} {'DESC' if asked.is_descending else 'ASC'} NULLS LAST"


def _beyond(order: Sequence[Direction]) -> str:
    """Tell rows after the row ``a``: equal in the first columns and beyond it in the next, or later with all equal."""
    cases, equal = [], ""
    for one in order:
        here, there = f"s.{name(one.place)}", f"a.{name(one.place)}"
        symbol = "<" if one.is_descending else ">"
        # What has no value comes last, so nothing is beyond it and it is beyond everything else.
        cases.append(f"{equal}({there} IS NOT NULL AND ({here} IS NULL OR {here} {symbol} {there}))")
        equal += f"{here} IS NOT DISTINCT FROM {there} AND "
    cases.append(f"{equal}s.{ROW} > a.{ROW}")
    return f"({' OR '.join(cases)})"
