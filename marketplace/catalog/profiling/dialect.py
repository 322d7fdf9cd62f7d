"""How a delimited text is written: its delimiter, the ``#`` lines before the table, and where the header is."""

import contextlib
import csv
import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from marketplace.catalog.profiling import headers

DELIMITERS = (",", "\t", ";", "|")
_ROWS_JUDGED = 200
_PREAMBLE_LINES_KEPT = 100
_PREAMBLE_CHARACTERS = 500
_LICENSE_KEYS = frozenset({"license", "licence", "ライセンス", "利用条件"})
_CREATIVE_COMMONS = re.compile(r"creativecommons\.org/(licenses|publicdomain)/([a-z-]+)/([0-9.]+)")
_SPOKEN_COMMONS = re.compile(r"\bCC[ -](BY(?:[ -](?:NC|ND|SA))*)[ -]?([0-9]\.[0-9])", re.IGNORECASE)


@dataclass
class Preamble:
    """The ``#`` lines before a table, and the header if one of them is it."""

    lines: list[str] = field(default_factory=list)
    header: list[str] | None = None

    def document(self, delimiter: str) -> dict[str, Any]:
        """Return each line as {line, key, value}, and the licence that they name."""
        entries = [_entry(number, text, delimiter) for number, text in enumerate(self.lines, start=1)]
        named = (entry for entry in entries if str(entry["key"]).lower() in _LICENSE_KEYS)
        licence = next((_licence(entry["value"]) for entry in named), None)
        return {"preamble": entries[:_PREAMBLE_LINES_KEPT], "embedded_license": licence}


def _entry(number: int, text: str, delimiter: str) -> dict[str, Any]:
    cells = split(text.lstrip("#").strip(), delimiter)
    while cells and not cells[-1]:
        cells.pop()
    key = cells[0].strip() if len(cells) > 1 or text.startswith("#LINK") else ""
    value = delimiter.join(cells[1:] if key else cells)
    return {"line": number, "key": key[:_PREAMBLE_CHARACTERS], "value": value[:_PREAMBLE_CHARACTERS].strip()}


def _licence(value: str) -> dict[str, str | None]:
    found = _CREATIVE_COMMONS.search(value)
    spoken = _SPOKEN_COMMONS.search(value)
    name = None
    if found:
        kind, terms, version = found.groups()
        name = f"CC0-{version}" if kind == "publicdomain" else f"CC-{terms.upper()}-{version}"
    elif spoken:
        name = f"CC-{spoken.group(1).upper().replace(' ', '-')}-{spoken.group(2)}"
    return {"value": value, "id": name, "source": "preamble"}


def split(line: str, delimiter: str) -> list[str]:
    """Return the cells of one line; the whole line as one cell when it breaks the quoting rules."""
    try:
        return next(csv.reader([line.rstrip("\r\n")], delimiter=delimiter), [])
    except csv.Error:
        return [line]


@dataclass(frozen=True)
class Guess:
    """A delimiter with how wide it makes the table and how many percent of the rows are that wide."""

    delimiter: str
    width: int
    agreement_percent: int
    rows: int


def guess(sample: str, *, is_whole: bool) -> Guess:
    """Return the most plausible delimiter of a sample of text; width 1 when none splits anything."""
    lines = sample.splitlines(keepends=True)
    if not is_whole and len(lines) > 1:
        lines.pop()
    body = [line for line in lines if not line.startswith("#")] or [line.lstrip("#") for line in lines]
    guesses = [_judge(body, delimiter) for delimiter in DELIMITERS]
    return max(guesses, key=lambda found: (found.width > 1, found.agreement_percent // 10, found.width))


def _judge(lines: Iterable[str], delimiter: str) -> Guess:
    widths: Counter[int] = Counter()
    # A cell over the limit ends the judgement here and is reported by the reading itself.
    with contextlib.suppress(csv.Error):
        for row in csv.reader(lines, delimiter=delimiter):
            if row:
                widths[len(row)] += 1
            if widths.total() >= _ROWS_JUDGED:
                break
    split_widths = {width: times for width, times in widths.items() if width > 1}
    if not split_widths:
        return Guess(delimiter, 1, 100, widths.total())
    width = max(split_widths, key=lambda candidate: (split_widths[candidate], candidate))
    return Guess(delimiter, width, 100 * split_widths[width] // widths.total(), widths.total())


def header_in(lines: list[str], first_row: list[str], delimiter: str) -> list[str] | None:
    """Return the header that the ``#`` lines hold: LinkData's ``#property`` line, or a last line such as #date,count.

    The cell ``#property`` itself stands over the column of row names and is kept as its name.
    """
    for line in lines:
        cells = split(line, delimiter)
        if cells[:1] == ["#property"]:
            return cells
    if not lines or not first_row:
        return None
    cells = split(lines[-1].lstrip("#").lstrip(), delimiter)
    is_alike = len(cells) == len(first_row) > 1
    return cells if is_alike and headers.is_header(cells, []) and not headers.is_header(first_row, []) else None
