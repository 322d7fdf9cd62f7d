"""Profiles of XLSX workbooks (ECMA-376): the first sheet with cells, read row by row."""

import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from itertools import chain, islice
from typing import Any, BinaryIO

from marketplace.catalog.profiling import archives, headers, kinds, words
from marketplace.catalog.profiling.columns import Column, cut
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.profiling.tables import Table, check_width, named

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
_HEAD_ROWS = 100
_BATCH_CELLS = 50_000
_ROWS_MAX = 1_048_576  # of a sheet in Excel: a number beyond them is a lie
_LOOK_EVERY_ROWS = 100
_SHEETS_SHOWN = 100


def is_workbook(archive: zipfile.ZipFile) -> bool:
    """Return whether an archive is laid out as a workbook."""
    names = set(archive.namelist())
    return "[Content_Types].xml" in names and any(name.startswith("xl/workbook.") for name in names)


def read(file: BinaryIO, archive: zipfile.ZipFile, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    """Return the profile of a workbook that passed the checks on its archive; raises Unreadable."""
    archives.refuse_document_types(archive)
    try:
        return _read(file, archive, limits, patience)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        # openpyxl answers a broken workbook with whatever its parts raise: KeyError, ValueError, ParseError, ...
        raise Unreadable("damaged", format="XLSX", reason=type(error).__name__) from error


def _read(file: BinaryIO, archive: zipfile.ZipFile, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    book = _book(file)
    titles = [sheet.title for sheet in book.worksheets]
    title, found = "", None
    for title, sheet in _sheets(book, limits, patience):  # noqa: B007 - the last title is used below
        found = _described(sheet, limits, patience)
        if found["columns"]:
            break
    if found is None or not found["columns"]:
        raise Unreadable("empty-file")
    names = archive.namelist()
    warnings = list(found.pop("warnings"))
    if len(titles) > 1:
        warnings.append(words.warning("other-sheets", sheet=cut(title, 100), sheets=len(titles)))
    if any("externalLinks/" in name for name in names):
        warnings.append(words.warning("external-links"))
    if any(name.endswith("vbaProject.bin") for name in names):
        warnings.append(words.warning("contains-macros"))
    shown = [cut(name, 100) for name in titles[:_SHEETS_SHOWN]]
    return {"sheet": cut(title, 100), "sheets": shown, **found, "warnings": warnings}


def _texts(row: Sequence[Any]) -> list[str]:
    return ["" if cell is None else kinds.shown(cell) for cell in row]


class _Filled:
    """The rows of a sheet that hold a value; ``is_cut`` once blank rows have used up the patience."""

    def __init__(self, rows: Iterator[tuple[Any, ...]], patience: Patience) -> None:
        self._rows = rows
        self._patience = patience
        self.is_cut = False

    def __iter__(self) -> Iterator[tuple[Any, ...]]:
        """Yield them; raises Unreadable where the rows are more than a sheet can have."""
        blank = 0
        # openpyxl makes up every row up to the number that the next one states, so that one number may be a day's work.
        for number, row in enumerate(self._rows, start=1):
            if number > _ROWS_MAX:
                raise Unreadable("damaged", format="XLSX", reason=f"more than {_ROWS_MAX:,} rows")
            if any(cell is not None for cell in row):
                yield row
                continue
            blank += 1
            if blank % _LOOK_EVERY_ROWS == 0 and self._patience.is_over():
                self.is_cut = True
                return


@dataclass
class Sheet:
    """A sheet whose columns are known; rows without any value are not rows."""

    names: list[str] | None
    width: int
    rows: Iterator[tuple[Any, ...]]
    filled: _Filled

    @classmethod
    def of(cls, rows: Iterator[tuple[Any, ...]], limits: ProfileLimits, patience: Patience) -> "Sheet":
        """Read as far as it takes to know the columns; raises Unreadable when there are too many."""
        filled = _Filled(rows, patience)
        body = iter(filled)
        head = list(islice(body, _HEAD_ROWS))
        if not head and filled.is_cut:
            raise Unreadable("too-much-time", limit_seconds=limits.cpu_seconds)
        width = max((_width(row) for row in head), default=0)
        check_width(width, limits)
        texts = [_texts(row[:width]) for row in head]
        has_header = bool(texts) and headers.is_header(texts[0], texts[1:])
        return cls(texts[0] if has_header else None, width, chain(head[1:] if has_header else head, body), filled)

    @property
    def columns(self) -> list[str]:
        """The names of the columns, of which nameless ones are numbered."""
        return named(self.names or [], self.width)

    def batches(self) -> Iterator[list[tuple[Any, ...]]]:
        """Yield the rows, each as wide as the sheet, some at a time."""
        size = max(1, _BATCH_CELLS // max(1, self.width))
        while self.width and (batch := list(islice(self.rows, size))):
            yield [row[: self.width] + (None,) * (self.width - len(row)) for row in batch]


def first_filled(file: BinaryIO, limits: ProfileLimits, patience: Patience) -> Sheet:
    """Return the first sheet with cells of a workbook that passed the checks on its archive; raises Unreadable."""
    for _title, sheet in _sheets(_book(file), limits, patience):
        if sheet.width:
            return sheet
    raise Unreadable("empty-file")


def filled_sheets(file: BinaryIO, limits: ProfileLimits, patience: Patience) -> Iterator[tuple[str, Sheet]]:
    """Yield title and rows of each sheet with cells of a workbook that passed the checks on its archive, hidden or not.

    Raises Unreadable.
    """
    try:
        yield from ((title, sheet) for title, sheet in _sheets(_book(file), limits, patience) if sheet.width)
    except (Unreadable, MemoryError):
        raise
    except Exception as error:
        raise Unreadable("damaged", format="XLSX", reason=type(error).__name__) from error


def _book(file: BinaryIO) -> Any:
    import openpyxl

    file.seek(0)
    return openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)


def _sheets(book: Any, limits: ProfileLimits, patience: Patience) -> Iterator[tuple[str, Sheet]]:
    for sheet in book.worksheets:
        sheet.reset_dimensions()  # a stated range may lie
        yield sheet.title, Sheet.of(sheet.iter_rows(values_only=True), limits, patience)


def _described(sheet: Sheet, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    table = Table.of(sheet.columns, limits)
    _stream(sheet, table, patience)
    table.is_complete = table.is_complete and not sheet.filled.is_cut
    found = table.warnings()
    if sheet.width and sheet.names is None:
        found.append(words.warning("no-header"))
    return {"header": sheet.names is not None, **table.document(), "warnings": found}


def _width(row: tuple[Any, ...]) -> int:
    return max((place for place, cell in enumerate(row, start=1) if cell is not None), default=0)


def _stream(sheet: Sheet, table: Table, patience: Patience) -> None:
    for batch in sheet.batches():
        for column, cells in zip(table.columns, zip(*batch, strict=True), strict=True):
            _add(column, cells)
        table.add_preview(batch)
        table.rows += len(batch)
        if patience.is_over():
            table.is_complete = next(sheet.rows, None) is None
            return


def _add(column: Column, cells: Sequence[Any]) -> None:
    column.add_nulls(sum(cell is None for cell in cells))
    column.add_texts([cell for cell in cells if isinstance(cell, str)])
    by_kind: dict[str, list[Any]] = {}
    for cell in cells:
        if cell is not None and not isinstance(cell, str):
            kind, value = _stated(cell)
            by_kind.setdefault(kind, []).append(value)
    for kind, values in by_kind.items():
        column.add_values(kind, values, (min(values), max(values)))


_STATED: tuple[tuple[type, str], ...] = (
    (bool, "boolean"),
    (int, "integer"),
    (datetime, "datetime"),
    (date, "date"),
    (time, "time"),
    (timedelta, "duration"),
)


def _stated(cell: Any) -> tuple[str, Any]:
    """Return the type that the workbook states, and the value exactly."""
    if isinstance(cell, float):
        return "decimal", Decimal(repr(cell))
    kind = next((name for python_type, name in _STATED if isinstance(cell, python_type)), "other")
    return (kind, cell) if kind != "other" else (kind, str(cell))


def plain_rows(file: BinaryIO, patience: Patience) -> Iterator[list[str]]:
    """Yield the rows of all sheets of a workbook that passed the checks on its archive, as the texts that are shown."""
    for sheet in _book(file).worksheets:
        sheet.reset_dimensions()  # a stated range may lie
        for row in _Filled(sheet.iter_rows(values_only=True), patience):
            yield _texts(row)
