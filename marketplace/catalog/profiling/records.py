"""A table of JSON records: columns are the keys in the order in which they first come."""

import json
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from marketplace.catalog.profiling import kinds, words
from marketplace.catalog.profiling.columns import Column
from marketplace.catalog.profiling.distinct import DistinctCounter
from marketplace.catalog.profiling.jsonstream import NotFinite
from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.catalog.profiling.tables import Table, check_width

_EXPECTED_COLUMNS = 64
_KIND_OF_TYPE = {bool: "boolean", int: "integer", Decimal: "decimal", dict: "object", list: "array"}


def kind_of(value: Any) -> str:
    """Return the type that JSON itself states for a value; "string" for texts."""
    return _KIND_OF_TYPE.get(type(value), "string")


def text_of(value: Any) -> Any:
    """Return an object or array as its JSON text, and every other value as it is."""
    return json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else value


class Records:
    """Takes records in batches and describes them; keys that a record lacks are nulls."""

    def __init__(self, limits: ProfileLimits) -> None:
        self._limits = limits
        self._columns: dict[str, Column] = {}
        self._present: dict[str, int] = {}
        self._first: list[dict[str, Any]] = []
        self.rows = 0
        self.not_finite = 0
        self.is_complete = True

    def add(self, records: Sequence[dict[str, Any]], special: dict[str, str] | None = None) -> None:
        """Take in records; ``special`` states the kind of keys whose objects have a meaning, such as geometry."""
        self.rows += len(records)
        self._first += records[: max(0, self._limits.preview_rows - len(self._first))]
        names = dict.fromkeys(name for record in records for name in record)
        check_width(len(self._columns.keys() | names.keys()), self._limits)
        for name in names:
            values = [value for record in records if (value := record.get(name)) is not None]
            self._add_to(name, values, (special or {}).get(name))

    def _add_to(self, name: str, values: list[Any], stated: str | None) -> None:
        if name not in self._columns:
            counter = DistinctCounter.shared_by(max(_EXPECTED_COLUMNS, len(self._columns)))
            self._columns[name] = Column(name, counter, kinds.NOT_NUMBERS, empty_is_null=False)
        self._present[name] = self._present.get(name, 0) + len(values)
        by_kind: dict[str, list[Any]] = {}
        for value in values:
            by_kind.setdefault(stated or kind_of(value), []).append(value)
        for kind, alike in by_kind.items():
            self._add_alike(self._columns[name], kind, alike)

    def _add_alike(self, column: Column, kind: str, values: list[Any]) -> None:
        if kind == "string":
            self.not_finite += sum(isinstance(value, NotFinite) for value in values)
            column.add_texts(values)
        elif kind in {"boolean", "integer", "decimal"}:
            column.add_values(kind, values, (min(values), max(values)))
        else:
            column.add_values(kind, [text_of(value) for value in values])

    def table(self) -> Table:
        """Return the finished table."""
        for name, column in self._columns.items():
            column.nulls = self.rows - self._present[name]
        table = Table(list(self._columns.values()), self._limits, self.rows, self.is_complete)
        table.add_preview([[text_of(record.get(name)) for name in self._columns] for record in self._first])
        return table

    def warnings(self) -> list[dict[str, Any]]:
        """Return what a reader of the records should know."""
        return [words.warning("not-finite", count=self.not_finite)] if self.not_finite else []
