"""A table while it streams past: its columns, its number of rows, and a short preview."""

import dataclasses
from collections import Counter
from collections.abc import Sequence
from itertools import islice
from typing import Any

from marketplace.catalog.profiling import kinds, words
from marketplace.catalog.profiling.columns import Column, cut
from marketplace.catalog.profiling.distinct import DistinctCounter
from marketplace.catalog.profiling.result import ProfileLimits, Unreadable

_NAMES_SHOWN = 5
_SKETCHES_MAX = 20


def check_width(columns: int, limits: ProfileLimits) -> None:
    """Refuse a table that is too wide; raises Unreadable."""
    if columns > limits.columns_max:
        raise Unreadable("too-many-columns", columns=columns, limit=limits.columns_max)


def preview_rows(columns: int, limits: ProfileLimits) -> int:
    """Return how many rows a preview of so many columns may have."""
    return min(limits.preview_rows, max(1, limits.preview_cells // max(1, columns)))


def shown(cell: Any, limits: ProfileLimits) -> str | None:
    """Return one cell of a preview: text of bounded length, None for null."""
    return None if cell is None or cell == "" else cut(kinds.shown(cell), limits.cell_characters)


def named(cells: Sequence[str], width: int) -> list[str]:
    """Return the column names of a header row; nameless columns are numbered from 1."""
    names = list(cells[:width]) + [""] * (width - len(cells))
    return [name or f"column_{place}" for place, name in enumerate(names, start=1)]


@dataclasses.dataclass
class Table:
    """Columns under way; ``rows`` are those read so far."""

    columns: list[Column]
    limits: ProfileLimits
    rows: int = 0
    is_complete: bool = True
    preview: list[list[str | None]] = dataclasses.field(default_factory=list)

    @classmethod
    def of(cls, names: Sequence[str], limits: ProfileLimits) -> "Table":
        """Return an empty table of text columns; raises Unreadable when there are too many."""
        check_width(len(names), limits)
        return cls([Column(name, DistinctCounter.shared_by(len(names))) for name in names], limits)

    def add_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Take in rows of texts, each exactly as long as the table is wide."""
        for column, cells in zip(self.columns, zip(*rows, strict=True), strict=True):
            column.add_texts(cells)
        self.add_preview(rows)
        self.rows += len(rows)

    def add_preview(self, rows: Sequence[Sequence[Any]]) -> None:
        """Keep the first rows for the preview."""
        wanted = preview_rows(len(self.columns), self.limits) - len(self.preview)
        for row in rows[: max(0, wanted)]:
            self.preview.append([shown(cell, self.limits) for cell in row])

    def document(self) -> dict[str, Any]:
        """Return the table's part of the profile; ``rows`` is null when the end was not reached."""
        return {
            "rows": self.rows if self.is_complete else None,
            "rows_read": self.rows,
            "complete": self.is_complete,
            "columns": [column.report(self.rows, self.limits.cell_characters) for column in self.columns],
            "preview": self.preview,
            "sketches": self._sketches() if self.is_complete else {},
        }

    def _sketches(self) -> dict[str, list[int]]:
        """Return the sketches of the first columns of codes; they go beside the profile, which the public reads."""
        made = ((column.name, column.sketch()) for column in self.columns)
        return dict(islice(((name, sketch) for name, sketch in made if sketch), _SKETCHES_MAX))

    def warnings(self) -> list[dict[str, Any]]:
        """Return what a reader of the table should know."""
        found = [warning for column in self.columns for warning in column.warnings()]
        names = [column.name for column in self.columns]
        twice = sorted(name for name, times in Counter(names).items() if times > 1)
        if twice:
            cut_names = ", ".join(cut(name, 50) for name in twice[:_NAMES_SHOWN])
            found.append(words.warning("duplicate-columns", names=cut_names))
        if not self.is_complete:
            found.append(words.warning("partial", rows=self.rows))
        return found
