"""The rows of a profiled file in texts, by the readers that made its profile: every sheet, every key, every feature."""

from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO, Protocol

from marketplace.catalog.profiling import archives, decoding, delimited, kinds, parquet, spreadsheets
from marketplace.catalog.profiling.jsonstream import Scanner
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.privacy.inspection import records

_LINES = 2_000
_RECORDS = 500


class Sink(Protocol):
    """What takes the rows of one table; ``is_complete`` turns false when they are cut short."""

    rows: int
    is_complete: bool

    def add_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Take in rows, each exactly as wide as the table."""
        ...

    def add_records(self, found: Sequence[records.Record]) -> None:
        """Take in records of no fixed width."""
        ...


Open = Callable[[Sequence[str], str], Sink]
"""Makes the sink of one table out of its column names and its own name."""


def stream(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, patience: Patience, make: Open) -> None:
    """Feed every table of an open file to sinks; raises Unreadable."""
    reader = _READERS.get(asked["format"])
    if reader is None:
        raise Unreadable("damaged", format=asked["format"], reason="no reader")
    reader(file, asked, limits, patience, make)


def _delimited(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, patience: Patience, make: Open) -> None:
    survey = _survey(file)
    with delimited.opened(file, survey, asked["delimiter"], limits) as text:
        text.stream(make(text.columns, ""), patience)
        said = [line.strip("# \r\n") for line in text.lines.preamble.lines]
        if said:
            make(["#"], "#").add_rows([[line] for line in said])


def _workbook(file: BinaryIO, _asked: dict[str, Any], limits: ProfileLimits, patience: Patience, make: Open) -> None:
    with archives.opened(file, file.seek(0, 2), limits) as archive:
        archives.refuse_document_types(archive)
        for title, sheet in spreadsheets.filled_sheets(file, limits, patience):
            sink = make(sheet.columns, title)
            for batch in sheet.batches():
                sink.add_rows([["" if cell is None else kinds.shown(cell) for cell in row] for row in batch])
                if patience.is_over():
                    sink.is_complete = False
                    return
            sink.is_complete = not sheet.filled.is_cut


def _parquet(file: BinaryIO, _asked: dict[str, Any], limits: ProfileLimits, patience: Patience, make: Open) -> None:
    names, batches = parquet.texts(file, file.seek(0, 2), limits)
    sink = make(names, "")
    for batch in batches:
        sink.add_rows(batch)
        if patience.is_over():
            sink.is_complete = next(batches, None) is None
            return


def _json(file: BinaryIO, asked: dict[str, Any], _limits: ProfileLimits, patience: Patience, make: Open) -> None:
    scanner = Scanner(decoding.open_text(file, _survey(file)).read)
    sink = make([], "")
    found = (records.flattened(item) for item in _items(scanner, is_lines=asked["format"] == "json-lines"))
    while batch := list(islice(found, _RECORDS)):
        sink.add_records(batch)
        if patience.is_over():
            sink.is_complete = next(found, None) is None
            return


def _items(scanner: Scanner, *, is_lines: bool) -> Iterator[Any]:
    if is_lines:
        while scanner.peek():
            yield scanner.value()
    elif scanner.peek() == "[":
        yield from scanner.items()
    elif scanner.peek() == "{":
        for name in scanner.names():
            # Features and the like come one by one; what else an object holds is one record for each key.
            if scanner.peek() == "[":
                yield from (item if isinstance(item, dict) else {name: item} for item in scanner.items())
            else:
                yield {name: scanner.value()}
    else:
        yield scanner.value()


def _text(file: BinaryIO, _asked: dict[str, Any], _limits: ProfileLimits, patience: Patience, make: Open) -> None:
    lines = decoding.open_text(file, _survey(file))
    sink = make(["text"], "")
    while batch := list(islice(lines, _LINES)):
        sink.add_rows([[line.strip()] for line in batch])
        if patience.is_over():
            sink.is_complete = next(lines, None) is None
            return


def _survey(file: BinaryIO) -> decoding.TextSurvey:
    survey = decoding.survey(file)
    if survey is None:
        raise Unreadable("empty-file")
    return survey


_READERS: dict[str, Callable[[BinaryIO, dict[str, Any], ProfileLimits, Patience, Open], None]] = {
    "csv": _delimited,
    "tsv": _delimited,
    "xlsx": _workbook,
    "parquet": _parquet,
    "json": _json,
    "json-lines": _json,
    "geojson": _json,
    "text": _text,
    "html": _text,
    "xml": _text,
    "svg": _text,
}
READABLE = frozenset(_READERS)
"""The formats, as profiles name them, that can be looked through."""


def looked_through(profile: dict[str, Any] | None) -> bool:
    """Whether a profile tells of a file that can be looked through."""
    return profile is not None and profile.get("format") in READABLE and "problem" not in profile
