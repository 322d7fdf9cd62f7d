"""The recoding process: a text in whatever encoding becomes UTF-8, and its days of Japanese eras days of ISO 8601."""

import csv
import re
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any, BinaryIO, TextIO

from marketplace.catalog.profiling import calendars, decoding, delimited, kinds
from marketplace.catalog.profiling.decoding import TextSurvey
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.tabular import confined

PIECE_CHARACTERS, ROWS_AT_ONCE = 1 << 18, 1_000
ERA = next(spelling for spelling in kinds.SPELLINGS if spelling.name == "era")
_ERA = re.compile(ERA.pattern)


class _Time:
    """What is left of the time that a copy may take."""

    def __init__(self, limits: ProfileLimits) -> None:
        self._limits, self._patience = limits, Patience(limits)

    def heed(self) -> None:
        """Go on, or raise Unreadable."""
        if self._patience.is_over():
            raise Unreadable("too-much-time", limit_seconds=self._limits.cpu_seconds)


def main(request: str) -> None:  # pragma: no cover - runs only in the recoding process, which measures nothing
    """Recode the file as the request (delimiter, columns of days and limits) asks."""
    confined.run(request, recoded)


def recoded(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: confined.Say) -> dict[str, Any]:
    """Say the text in UTF-8, and return how many days of eras it had; or why there is none."""
    return confined.explained(partial(_recoded, file, asked, limits, say), limits)


def _recoded(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: confined.Say) -> dict[str, Any]:
    found = decoding.survey(file)
    if found is None:
        raise Unreadable("empty-file")
    if found.invalid:
        # What cannot be read would be lost for good: then the original is better.
        raise Unreadable("damaged", format="CSV", reason="invalid bytes")
    left, names, delimiter = _Time(limits), set(asked["dates"]), asked["delimiter"]
    places: list[int] = []
    if names:
        with delimited.opened(file, found, delimiter, limits) as text:
            places = [place for place, name in enumerate(text.columns) if name in names]
    plain = decoding.open_text(file, found)
    if not places:
        _copy(plain, say, left)
        return {"dates": 0}
    return {"dates": _rewrite(plain, found, delimiter, places, say, left)}


def _copy(text: TextIO, say: confined.Say, left: _Time) -> None:
    while piece := text.read(PIECE_CHARACTERS):
        say(piece.encode())
        left.heed()


def _rewrite(
    text: TextIO, found: TextSurvey, delimiter: str, places: Sequence[int], say: confined.Say, left: _Time
) -> int:
    """Say the table row by row: whatever stands in front of it as it is, its cells as they are but for days of eras."""
    told = 0
    first = text.readline()
    while first.startswith("#"):
        say(first.encode())
        first = text.readline()
    held: list[str] = []
    writer = csv.writer(_Sayer(held), delimiter=delimiter, lineterminator=_ending(found))
    for row in csv.reader(_after(first, text), delimiter=delimiter):
        for place in places:
            if place < len(row) and (day := _day_of(row[place])):
                row[place], told = day, told + 1
        writer.writerow(row)
        if len(held) >= ROWS_AT_ONCE:
            say("".join(held).encode())
            held.clear()
            left.heed()
    say("".join(held).encode())
    return told


def _ending(found: TextSurvey) -> str:
    """Return how most lines end: those within a cell, and those of a preface, may end otherwise."""
    return max((found.crlf, "\r\n"), (found.lf, "\n"), (found.cr, "\r"))[1]


def _after(first: str, text: TextIO) -> Iterator[str]:
    yield first
    yield from text


def _day_of(cell: str) -> str:
    if not _ERA.fullmatch(cell.strip()):
        return ""
    try:
        return calendars.era_date(cell.strip()).isoformat()
    except ValueError:
        return ""


class _Sayer:
    """What csv takes for a file: it keeps the lines."""

    def __init__(self, held: list[str]) -> None:
        self.write = held.append
