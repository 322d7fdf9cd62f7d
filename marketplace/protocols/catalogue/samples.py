"""The first rows of a table as everybody may see them, written so that other people's programs read them. Pure.

A profile tells a type for the whole column and shows its first cells as they are in the file. Here a column has the
type only if every shown cell is such a value, written in one way; all others are texts.
"""

import csv
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from marketplace.kit.canonical import sha256_hex
from marketplace.protocols.catalogue.entries import Document, Entry

MEDIA_TYPE = "text/csv"
COLUMNS_MAX = 200
"""How many columns of a table a sample has at most: descriptions name each."""

_INTEGER = re.compile(r"[+-]?[0-9]{1,15}", re.ASCII)
_DECIMAL = re.compile(r"[+-]?[0-9]{1,15}(\.[0-9]{1,15})?", re.ASCII)
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)
_MOMENT = re.compile(r"([0-9-]{10})[T ]([01][0-9]|2[0-3]):([0-5][0-9])(:([0-5][0-9]))?", re.ASCII)
_THOUSANDS = re.compile(r"[+-]?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?", re.ASCII)
Cell = str | None


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a sample: its name there, which no other has, the name in the file, and its type."""

    name: str
    title: str
    type: str


@dataclass(frozen=True, slots=True)
class Sample:
    """Some first rows of a file of a release."""

    file: Document
    release_id: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[Cell, ...], ...]

    def csv(self) -> bytes:
        """Return the rows under their header as RFC 4180 writes them, in UTF-8."""
        text = io.StringIO()
        writer = csv.writer(text, lineterminator="\r\n")
        writer.writerow(column.name for column in self.columns)
        writer.writerows(["" if cell is None else cell for cell in row] for row in self.rows)
        return text.getvalue().encode("utf-8", "replace")

    def sha256(self) -> str:
        """Return the hash of what ``csv`` returns."""
        return sha256_hex(self.csv())


def samples(entry: Entry) -> Iterator[Sample]:
    """Yield a sample of each table of the newest release of which the public sees rows."""
    newest = entry.newest
    for file in entry.files():
        if newest and (found := sample(newest["id"], file)):
            yield found


def find(entry: Entry, release_id: str, name: str) -> Sample | None:
    """Return the sample of a file, of whichever release the document shows."""
    for release in entry.document.get("releases") or ():
        for file in release["files"]:
            if release["id"] == release_id and file["name"] == name:
                return sample(release_id, file)
    return None


def sample(release_id: str, file: Document) -> Sample | None:
    """Return what the public sees of a table; None where that is nothing."""
    profile = file.get("profile") or {}
    described, shown = profile.get("columns") or [], profile.get("preview") or []
    rows = [row[:COLUMNS_MAX] for row in shown if len(row) == len(described)]
    described = described[:COLUMNS_MAX]
    if not described or not rows:
        return None
    names = _names([str(column["name"] or "") for column in described])
    columns, cells = [], []
    for place, (name, column) in enumerate(zip(names, described, strict=True)):
        kind, written = _column(str(column.get("type")), [row[place] for row in rows])
        columns.append(Column(name, str(column["name"] or ""), kind))
        cells.append(written)
    return Sample(file, release_id, tuple(columns), tuple(zip(*cells, strict=True)))


def _names(titles: Sequence[str]) -> list[str]:
    """Return a name for each column; those without one have their place, those of one name its turn."""
    found: list[str] = []
    for place, title in enumerate(titles, start=1):
        plain = " ".join(_one_line(title).split()) or f"column {place}"
        name, turn = plain, 2
        while name in found:
            name, turn = f"{plain} ({turn})", turn + 1
        found.append(name)
    return found


def _one_line(text: str) -> str:
    return "".join(" " if unicodedata.category(sign) in {"Cc", "Cs", "Zl", "Zp"} else sign for sign in text)


def _column(kind: str, cells: Sequence[Any]) -> tuple[str, list[Cell]]:
    read = _READERS.get(kind)
    texts = [None if cell is None or cell == "" else str(cell) for cell in cells]
    if read is None:
        return "string", texts
    written = [None if cell is None else read(unicodedata.normalize("NFKC", cell).strip()) for cell in texts]
    is_whole = all((value is None) == (cell is None) for value, cell in zip(written, texts, strict=True))
    return (kind, written) if is_whole and any(texts) else ("string", texts)


def _number(pattern: re.Pattern[str]) -> Callable[[str], Cell]:
    def read(text: str) -> Cell:
        plain = text.replace(",", "") if _THOUSANDS.fullmatch(text) else text
        return plain.removeprefix("+") if pattern.fullmatch(plain) else None

    return read


def _date(text: str) -> Cell:
    try:
        return text if _DATE.fullmatch(text) and date.fromisoformat(text) else None
    except ValueError:  # no such day
        return None


def _moment(text: str) -> Cell:
    found = _MOMENT.fullmatch(text)
    return f"{found[1]}T{found[2]}:{found[3]}:{found[5] or '00'}" if found and _date(found[1]) else None


def _truth(text: str) -> Cell:
    word = text.lower()
    return word if word in {"true", "false"} else None


_READERS: dict[str, Callable[[str], Cell]] = {
    "integer": _number(_INTEGER),
    "decimal": _number(_DECIMAL),
    "date": _date,
    "datetime": _moment,
    "boolean": _truth,
}
