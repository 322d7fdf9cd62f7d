"""Delimited texts as rows of cells, whatever they are encoded in, and as the bytes they are made of."""

import csv
import io
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass

BYTES_MAX = 64 * 1024 * 1024
"""Larger files are delivered as they are: a copy is made in memory."""

ENCODINGS = ("utf-8-sig", "cp932", "euc_jp")
_WIDE = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_DELIMITERS = (",", "\t", ";", "|")
Row = tuple[str, ...]


class NoTable(Exception):
    """Not a delimited text of several rows that can be read."""


@dataclass(frozen=True, slots=True)
class Table:
    """The first row, which mostly names the columns, and the others; cells without outer blanks."""

    names: Row
    rows: list[Row]


@dataclass(frozen=True, slots=True)
class Records:
    """A table with the bytes of each row; ``head`` and ``tail`` are what stands before and after the rows."""

    head: bytes
    records: list[bytes]
    tail: bytes
    table: Table
    encoding: str
    delimiter: str
    ending: bytes


def read(content: bytes) -> Table:
    """Read the cells of a text in any of the encodings that Japanese tables have; raises NoTable."""
    text = _decoded(content)[0]
    return _table(_cells(_lines(text), _delimiter(text)))


def split(content: bytes) -> Records:
    """Read a text whose rows can be moved as bytes; raises NoTable for all others, and beyond ``BYTES_MAX``.

    In the encodings taken here no sign holds the byte of a quotation mark or a line's end but those themselves.
    """
    if len(content) > BYTES_MAX:
        raise NoTable("it is too large")
    text, encoding = _decoded(content)
    if encoding not in ENCODINGS:
        raise NoTable("its rows cannot be moved as bytes")
    delimiter = _delimiter(text)
    records = list(_records(content))
    first = next((place for place, record in enumerate(records) if not _is_preamble(record)), len(records))
    last = len(records)
    while last > first + 1 and not records[last - 1].strip():
        last -= 1
    head, body = b"".join(records[: first + 1]), records[first + 1 : last]
    lines = [record.decode(encoding) for record in records[first:last]]
    table = _table([_row(line, delimiter) for line in lines])
    if len(table.rows) != len(body):
        raise NoTable("some of its rows are empty")
    ending = b"\r\n" if records[first].endswith(b"\r\n") else b"\n"
    return Records(
        head, [_ended(one, ending) for one in body], b"".join(records[last:]), table, encoding, delimiter, ending
    )


def _decoded(content: bytes) -> tuple[str, str]:
    wide = [encoding for mark, encoding in _WIDE if content.startswith(mark)]
    for encoding in wide or ENCODINGS:
        try:
            return content.decode(encoding), encoding
        except UnicodeDecodeError:
            continue
    raise NoTable("it is no text")


def _lines(text: str) -> list[str]:
    # Not by splitlines, which takes signs for line ends that may stand in a cell.
    return list(io.StringIO(text, newline=""))


def _delimiter(text: str) -> str:
    lines = [line for line in text[:65_536].splitlines() if not line.startswith("#")][:5]
    return max(_DELIMITERS, key=lambda one: sum(line.count(one) for line in lines))


def _cells(lines: list[str], delimiter: str) -> list[Row]:
    first = next((place for place, line in enumerate(lines) if not line.startswith("#")), len(lines))
    try:
        return [_tidy(row) for row in csv.reader(lines[first:], delimiter=delimiter)]
    except csv.Error as error:
        raise NoTable("it cannot be read as a table") from error


def _row(line: str, delimiter: str) -> Row:
    try:
        return _tidy(next(csv.reader(_lines(line), delimiter=delimiter), []))
    except csv.Error as error:
        raise NoTable("it cannot be read as a table") from error


def _table(rows: list[Row]) -> Table:
    filled = [row for row in rows if any(row)]
    if len(filled) < 2:
        raise NoTable("it has no rows")
    return Table(filled[0], filled[1:])


def _tidy(cells: list[str]) -> Row:
    return tuple(unicodedata.normalize("NFC", cell).strip() for cell in cells)


def _records(content: bytes) -> Iterator[bytes]:
    """Return the records: lines, put together where a quotation is still open at their end."""
    waiting = b""
    for line in content.splitlines(keepends=True):
        waiting += line
        if waiting.count(b'"') % 2 == 0:
            yield waiting
            waiting = b""
    if waiting:
        raise NoTable("a quotation has no end")


def _is_preamble(record: bytes) -> bool:
    return record.removeprefix(b"\xef\xbb\xbf").startswith(b"#")


def _ended(record: bytes, ending: bytes) -> bytes:
    return record if record.endswith((b"\n", b"\r")) else record + ending
