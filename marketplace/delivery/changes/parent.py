"""Has two tables compared by a fresh process, keeps it to its limits, and trusts nothing that it says."""

import json
import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from typing import BinaryIO, TypeVar

from marketplace.catalog.profiling import process
from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.catalog.tabular.frames import BrokenOff, Frames

T = TypeVar("T")
CHANGE_TYPE = "_change_type"
_START = process.program("marketplace.delivery.changes.child")
_ROWS_MAX = 2**53 - 1


class NotComparable(Exception):
    """The tables cannot be compared; the message says why."""


def compare(
    tables: Sequence[BinaryIO], keys: Sequence[str], limits: ProfileLimits, keep: Callable[[Iterable[bytes]], T]
) -> tuple[T, int]:
    """Return what keeping the changes between two Parquet files returned, and how many rows they are.

    Raises NotComparable, and OSError when no process can be started.
    """
    with tempfile.TemporaryFile() as both:
        sizes = [_appended(table, both) for table in tables]
        both.seek(0)
        request = json.dumps({"sizes": sizes, "keys": list(keys), "limits": asdict(limits)})
        with closing(process.stream(_START, request, both.fileno(), limits.wall_seconds)) as said:
            frames = Frames(said)
            return keep(_judged(frames)), frames.end["rows"]


def _appended(table: BinaryIO, both: BinaryIO) -> int:
    before = both.tell()
    shutil.copyfileobj(table, both, 1 << 20)
    return both.tell() - before


def _judged(frames: Frames) -> Iterator[bytes]:
    """Yield the data, and raise at its end what forbids to keep it."""
    try:
        yield from frames.data()
    except (BrokenOff, TimeoutError) as error:
        raise NotComparable("The comparison was stopped.") from error
    rows = frames.end.get("rows")
    if type(rows) is not int or not 0 <= rows <= _ROWS_MAX:
        raise NotComparable(_REASONS.get(str(frames.end.get("problem")), "The tables could not be read."))


_REASONS = {
    "columns": "The columns changed between the two versions.",
    "memory": "The two versions are too large to be compared.",
}
