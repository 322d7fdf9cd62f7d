"""Looking for people in every table of a file."""

from collections.abc import Sequence
from typing import Any, BinaryIO

from marketplace.catalog.profiling.result import Patience, ProfileLimits
from marketplace.privacy.detectors import Finding, Level, TableWatch
from marketplace.privacy.detectors.tables import ColumnWatch
from marketplace.privacy.inspection import reading, records

FINDINGS_MAX = 500
_WEIGHT = {level: place for place, level in enumerate(Level)}


class Watch(TableWatch):
    """A table of which records come too, whose columns are known only when they are over."""

    def add_records(self, found: Sequence[records.Record]) -> None:
        """Take in records; each path is a column."""
        cells: dict[str, tuple[list[str], list[int]]] = {}
        for number, record in enumerate(found, start=self.rows + 1):
            for path, value in record:
                values, rows = cells.setdefault(path, ([], []))
                values.append(value)
                rows.append(number)
        known = {column.name: column for column in self.columns}
        for path, (values, rows) in cells.items():
            column = known.get(path)
            if column is None:
                column = ColumnWatch(path, len(self.columns) + 1)
                self.columns.append(column)
            column.add(values, 0, rows)
        self.rows += len(found)


def look(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    """Return what was found in all tables of a file, heaviest first, and whether all of it was read."""
    watches: list[Watch] = []

    def opened(names: Sequence[str], table: str) -> Watch:
        watches.append(Watch(names, table))
        return watches[-1]

    reading.stream(file, asked, limits, patience, opened)
    found: list[Finding] = [finding for watch in watches for finding in watch.findings()]
    found.sort(key=lambda one: (_WEIGHT[one.level], -one.hits))
    return {
        "complete": all(watch.is_complete for watch in watches),
        "rows": sum(watch.rows for watch in watches),
        "total": len(found),
        "findings": [one.document() for one in found[:FINDINGS_MAX]],
    }
