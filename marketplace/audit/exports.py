"""The record as CSV and NDJSON: complete, and safe to open in a spreadsheet."""

import csv
import io
from collections.abc import Iterable, Iterator

import orjson

from marketplace.audit.queries import PlacedEntry
from marketplace.audit.rules import FIELDS
from marketplace.kit import clock
from marketplace.kit.canonical import canonical_json

COLUMNS = ("position", *FIELDS)
# ASVS 5.0 V1.2.10, with the full-width forms that spreadsheets in Japan read as well.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")


def safe_cell(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(FORMULA_STARTS):
        return "'" + value
    return value


def as_csv(entries: Iterable[PlacedEntry]) -> Iterator[bytes]:
    """Yield RFC 4180 rows in UTF-8 with BOM, so that Excel reads the Japanese in them."""
    yield b"\xef\xbb\xbf" + _row(COLUMNS)
    for placed in entries:
        record = _record(placed)
        record["facts"] = canonical_json(record["facts"]).decode()
        yield _row([safe_cell(record[name]) for name in COLUMNS])


def as_ndjson(entries: Iterable[PlacedEntry]) -> Iterator[bytes]:
    """Yield one JSON object per line."""
    for placed in entries:
        yield orjson.dumps(_record(placed), option=orjson.OPT_APPEND_NEWLINE)


def _record(placed: PlacedEntry) -> dict[str, object]:
    record = {name: getattr(placed.entry, name) for name in FIELDS}
    return {"position": placed.position, **record, "occurred_at": clock.text(placed.entry.occurred_at)}


def _row(cells: Iterable[object]) -> bytes:
    line = io.StringIO()
    csv.writer(line, lineterminator="\r\n").writerow(["" if cell is None else cell for cell in cells])
    return line.getvalue().encode()
