"""Has a text recoded by a fresh process, keeps it to its limits, and trusts nothing that it says."""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from marketplace.catalog.profiling import process
from marketplace.catalog.profiling.result import ProfileLimits, Unreadable
from marketplace.catalog.tabular import parent
from marketplace.catalog.tabular.frames import Frames

T = TypeVar("T")
_START = process.program("marketplace.catalog.tabular.recoding")


def recode_file(
    path: Path, delimiter: str, dates: Sequence[str], limits: ProfileLimits, keep: Callable[[Iterable[bytes]], T]
) -> tuple[T, int]:
    """Return a text in UTF-8, whose bytes ``keep`` gets as they are made, and how many days of eras became ISO's.

    ``dates`` names the columns that hold days of eras. The same text becomes the same bytes each time. Raises
    Unreadable, also where a single byte of the text cannot be read, and OSError when no process can be started.
    """
    request = json.dumps({"delimiter": delimiter, "dates": list(dates), "limits": asdict(limits)})
    with path.open("rb") as file, closing(process.stream(_START, request, file.fileno(), limits.wall_seconds)) as said:
        frames = Frames(said)
        kept = keep(_judged(frames, limits))
        return kept, _count(frames)


def _judged(frames: Frames, limits: ProfileLimits) -> Iterator[bytes]:
    yield from parent.heard(frames, limits)
    _count(frames)


def _count(frames: Frames) -> int:
    count = frames.end.get("dates")
    if type(count) is not int or count < 0:
        raise Unreadable("reader-stopped", reason="unreadable answer")
    return count
