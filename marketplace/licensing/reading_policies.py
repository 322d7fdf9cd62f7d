"""Reading and writing policies on the columns and rows of tables, strictly. Pure."""

import math
from collections.abc import Mapping
from typing import Any

from marketplace.kit.canonical import canonical_json, digest_of
from marketplace.licensing import reading
from marketplace.licensing.data_policy import ColumnRule, DataPolicy, RowRule
from marketplace.licensing.states import Comparison, Treatment

COLUMNS_MAX, CONDITIONS_MAX, VALUES_MAX, LENGTH_MAX = 500, 50, 1000, 1000
NAME_MAX = 1000
_INTEGER_MAX = 2**53 - 1
_VALUELESS = {Comparison.IS_NULL, Comparison.NOT_NULL}


def read_data_policy(value: Any, pointer: str) -> DataPolicy:
    """Read ``{"columns": [{"column", "treatment", "length"}], "rows": [{"column", "operator", "value"}]}``."""
    fields = reading.table(value, pointer, ("columns", "rows"))
    collector = reading.Collector()
    columns = _list(collector, fields.get("columns"), f"{pointer}/columns", _read_column, COLUMNS_MAX)
    rows = _list(collector, fields.get("rows"), f"{pointer}/rows", _read_row, CONDITIONS_MAX)
    named = [one.column for one in columns]
    if len(set(named)) != len(named):
        collector.add(f"{pointer}/columns", "each column once")
    if not collector.errors and not columns and not rows:
        collector.add(pointer, "a rule for a column or a condition on rows is needed")
    collector.settle()
    # In an order of their own, so that the same policy has the same name whoever writes it.
    return DataPolicy(
        tuple(sorted(columns, key=lambda one: one.column)),
        tuple(sorted(dict.fromkeys(rows), key=lambda one: canonical_json(_written_row(one)))),
    )


def write_data_policy(policy: DataPolicy) -> dict[str, Any]:
    """Return the policy as ``read_data_policy`` reads it."""
    return {
        "columns": [_written_column(one) for one in policy.columns],
        "rows": [_written_row(one) for one in policy.rows],
    }


def policy_sha256(policy: DataPolicy) -> str:
    """Return the SHA-256 of the canonical policy (RFC 8785): its name."""
    return digest_of(write_data_policy(policy))


def _list(collector: reading.Collector, value: Any, pointer: str, read: Any, most: int) -> list[Any]:
    if value is None:
        return []
    if not isinstance(value, list) or len(value) > most:
        collector.add(pointer, f"a list of at most {most} is needed")
        return []
    found = [collector.take(read, one, f"{pointer}/{place}", None) for place, one in enumerate(value)]
    return [one for one in found if one is not None]


def _read_column(value: Any, pointer: str) -> ColumnRule:
    fields = reading.table(value, pointer, ("column", "treatment", "length"))
    treatment = reading.code(Treatment)(fields.get("treatment"), f"{pointer}/treatment")
    length = None
    if treatment is Treatment.TRUNCATE:
        length = reading.whole(1, LENGTH_MAX)(fields.get("length"), f"{pointer}/length")
    elif fields.get("length") is not None:
        raise reading.refuse(f"{pointer}/length", "only truncate takes a length")
    return ColumnRule(_name(fields.get("column"), f"{pointer}/column"), treatment, length)


def _read_row(value: Any, pointer: str) -> RowRule:
    fields = reading.table(value, pointer, ("column", "operator", "value"))
    operator = reading.code(Comparison)(fields.get("operator"), f"{pointer}/operator")
    given, at = fields.get("value"), f"{pointer}/value"
    if operator in _VALUELESS:
        if "value" in fields:
            raise reading.refuse(at, f"{operator.value} takes none")
        return RowRule(_name(fields.get("column"), f"{pointer}/column"), operator)
    if operator is Comparison.IN:
        if not isinstance(given, list) or not 1 <= len(given) <= VALUES_MAX:
            raise reading.refuse(at, f"a list of 1 to {VALUES_MAX} values is needed")
        read: Any = tuple(_scalar(one, f"{at}/{place}") for place, one in enumerate(given))
    else:
        read = _scalar(given, at)
    return RowRule(_name(fields.get("column"), f"{pointer}/column"), operator, read)


def _name(value: Any, pointer: str) -> str:
    # Blanks around a name are part of it: it is compared with the name in the file.
    if not isinstance(value, str) or not 1 <= len(value) <= NAME_MAX or not value.isprintable():
        raise reading.refuse(pointer, "the name of a column is needed")
    return value


def _scalar(value: Any, pointer: str) -> str | int | float | bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, str):
        return reading.text(value, pointer)
    if isinstance(value, int) and abs(value) <= _INTEGER_MAX:
        return value
    if isinstance(value, float) and math.isfinite(value):
        # One number has one name, however it is written.
        return int(value) if value.is_integer() and abs(value) <= _INTEGER_MAX else value
    raise reading.refuse(pointer, "a text, a number, true or false is needed")


def _written_column(rule: ColumnRule) -> Mapping[str, Any]:
    length = {} if rule.length is None else {"length": rule.length}
    return {"column": rule.column, "treatment": rule.treatment.value} | length


def _written_row(rule: RowRule) -> Mapping[str, Any]:
    said: dict[str, Any] = {"column": rule.column, "operator": rule.operator.value}
    if rule.operator in _VALUELESS:
        return said
    return said | {"value": list(rule.value) if isinstance(rule.value, tuple) else rule.value}
