"""Profiles of CSV and TSV files, read once in batches at constant memory."""

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any, BinaryIO, Protocol, TextIO

from marketplace.catalog.profiling import decoding, dialect, headers, words
from marketplace.catalog.profiling.decoding import TextSurvey
from marketplace.catalog.profiling.dialect import Preamble
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.profiling.tables import Table, check_width, named

_BATCH_CHARACTERS = 1 << 20
_BATCH_CELLS = 200_000
_ROWS_AT_ONCE = 256
_HEAD_ROWS = 100
_BLOCK_CHARACTERS = 1 << 17


class Sink(Protocol):
    """What takes the rows of a text as they stream past; ``is_complete`` turns false when they are cut short."""

    rows: int
    is_complete: bool

    def add_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Take in rows, each exactly as wide as the text."""
        ...


class _Lines:
    """The lines of a text with their endings, fetched in blocks; ``characters`` says roughly how far it got."""

    def __init__(self, text: TextIO) -> None:
        self._text = text
        self.preamble = Preamble()
        self.characters = 0
        self._rest: list[str] = []

    def take_preamble(self) -> None:
        """Take the lines at the front that begin with #."""
        while block := self._text.readlines(_BLOCK_CHARACTERS):
            for place, line in enumerate(block):
                if not line.startswith("#"):
                    self._rest = block[place:]
                    return
                self.preamble.lines.append(line)

    def __iter__(self) -> Iterator[str]:
        return chain.from_iterable(self._blocks())

    def _blocks(self) -> Iterator[list[str]]:
        yield self._rest
        while block := self._text.readlines(_BLOCK_CHARACTERS):
            self.characters += max(_BLOCK_CHARACTERS, len(block[-1]))
            yield block


class _Shape:
    """Brings rows to one width and counts those that were not."""

    def __init__(self, width: int) -> None:
        self.width = width
        self.blank = self.short = self.long = 0
        self.first: int | None = None
        self.last_is_short = False

    def fit(self, rows: list[list[str]], rows_before: int) -> list[list[str]]:
        """Return the rows at the table's width, without blank lines."""
        lengths = set(map(len, rows))
        if lengths == {self.width}:
            self.last_is_short = False
            return rows
        fitted: list[list[str]] = []
        for row in rows:
            if not row:
                self.blank += 1
                continue
            if len(row) != self.width:
                self._count(len(row), rows_before + len(fitted) + 1)
                row = row[: self.width] + [""] * (self.width - len(row))  # noqa: PLW2901 - the fitted row replaces it
            else:
                self.last_is_short = False
            fitted.append(row)
        return fitted

    def _count(self, length: int, number: int) -> None:
        self.last_is_short = length < self.width
        self.first = self.first or number
        if self.last_is_short:
            self.short += 1
        else:
            self.long += 1

    def warnings(self, *, ends_with_newline: bool) -> list[dict[str, Any]]:
        """Return what is to be said about uneven rows."""
        found = []
        if self.first:
            found.append(words.warning("ragged-rows", short=self.short, long=self.long, first_row=self.first))
        if self.last_is_short and not ends_with_newline:
            found.append(words.warning("cut-off-row"))
        if self.blank:
            found.append(words.warning("blank-lines", lines=self.blank))
        return found


@dataclass
class Text:
    """A delimited text whose columns are known, ``names`` None where it gives none; ``rows`` are yet to be read."""

    delimiter: str
    lines: _Lines
    names: list[str] | None
    width: int
    rows: Iterator[list[str]]

    @classmethod
    def of(cls, reader: Any, lines: _Lines, limits: ProfileLimits) -> "Text":
        """Read as far as it takes to know the columns; raises Unreadable when there are too many."""
        delimiter = reader.dialect.delimiter
        head = list(islice(reader, _HEAD_ROWS))
        check_width(len(head[0]) if head else 0, limits)
        names, body = _header(head, lines.preamble, delimiter)
        width = len(names) if names else _usual_width(head)
        check_width(width, limits)
        return cls(delimiter, lines, names, width, chain(body, reader))

    @property
    def columns(self) -> list[str]:
        """The names of the columns, of which nameless ones are numbered."""
        return named(self.names or [], self.width)

    def stream(self, table: Sink, patience: Patience) -> _Shape:
        """Feed all rows to the table, each as wide as the text; return how many were not."""
        shape = _Shape(self.width)
        _stream(self.rows, table, shape, lambda: self.lines.characters, patience)
        return shape


@contextmanager
def opened(file: BinaryIO, survey: TextSurvey, delimiter: str, limits: ProfileLimits) -> Iterator[Text]:
    """Yield a delimited text; raises Unreadable, also for what is found while its rows are read."""
    if survey.longest_run > limits.line_characters:
        raise Unreadable("line-too-long", limit=limits.line_characters)
    csv.field_size_limit(limits.field_characters)
    lines = _Lines(decoding.open_text(file, survey))
    lines.take_preamble()
    reader = csv.reader(lines, delimiter=delimiter)
    try:
        yield Text.of(reader, lines, limits)
    except csv.Error as error:
        line = len(lines.preamble.lines) + reader.line_num
        if "field larger" in str(error):
            raise Unreadable("cell-too-long", line=line, limit=limits.field_characters) from error
        raise Unreadable("damaged", format="CSV", reason=str(error)) from error


def read(
    file: BinaryIO, survey: TextSurvey, delimiter: str, limits: ProfileLimits, patience: Patience
) -> dict[str, Any]:
    """Return the profile of a delimited text; raises Unreadable."""
    with opened(file, survey, delimiter, limits) as text:
        return _read(text, survey, limits, patience)


def _read(text: Text, survey: TextSurvey, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    table = Table.of(text.columns, limits)
    shape = text.stream(table, patience)
    found = shape.warnings(ends_with_newline=survey.last in {"\r", "\n"})
    if survey.quotes % 2:
        found.append(words.warning("unclosed-quote"))
    if text.names is None:
        found.append(words.warning("no-header"))
    return {
        "delimiter": text.delimiter,
        "header": text.names is not None,
        **text.lines.preamble.document(text.delimiter),
        "ragged": {"short": shape.short, "long": shape.long, "first_row": shape.first},
        "blank_lines": shape.blank,
        **table.document(),
        "warnings": [*found, *table.warnings()],
    }


def _header(head: list[list[str]], preamble: Preamble, delimiter: str) -> tuple[list[str] | None, list[list[str]]]:
    """Return the names of the columns, if the file gives any, and the first rows without them."""
    first = next((place for place, row in enumerate(head) if row), None)
    row = [] if first is None else head[first]
    names = dialect.header_in(preamble.lines, row, delimiter)
    if names is None and first is not None and headers.is_header(row, head[first + 1 :]):
        return row, head[first + 1 :]
    return names, head


def _usual_width(rows: list[list[str]]) -> int:
    widths = Counter(len(row) for row in rows if row)
    return widths.most_common(1)[0][0] if widths else 0


def _stream(
    rows: Iterator[list[str]], table: Sink, shape: _Shape, characters: Callable[[], int], patience: Patience
) -> None:
    """Feed all rows to the table, in batches bounded by cells and by characters."""
    rows_max = max(1, min(10_000, _BATCH_CELLS // max(1, shape.width)))
    while True:
        batch: list[list[str]] = []
        start = characters()
        while len(batch) < rows_max and characters() - start < _BATCH_CHARACTERS:
            some = list(islice(rows, min(_ROWS_AT_ONCE, rows_max)))
            if not some:
                break
            batch += some
        if not batch:
            return
        fitted = shape.fit(batch, table.rows)
        if fitted:
            table.add_rows(fitted)
        if patience.is_over():
            table.is_complete = next(rows, None) is None
            return
