"""Has a part of a table made by a fresh process, keeps it to its limits, and trusts nothing that it says."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Generic, TypeVar

from marketplace.catalog.profiling import process
from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.catalog.tabular.frames import BrokenOff, Frames
from marketplace.delivery.policing.recipe import NotEnforceable, Recipe

T = TypeVar("T")
_START = process.program("marketplace.delivery.policing.child")
_ROWS_MAX = 2**53 - 1


@dataclass(frozen=True, slots=True)
class Made(Generic[T]):
    """A part: what keeping its bytes returned, and its rows."""

    kept: T
    rows: int


def make(
    path: Path, recipe: Recipe, key: bytes, limits: ProfileLimits, keep: Callable[[Iterable[bytes]], T]
) -> Made[T]:
    """Return the part of a file that a recipe gives, whose bytes ``keep`` gets as they are made.

    Raises NotEnforceable, and OSError when the file cannot be opened or no process be started.
    """
    request = recipe.written(key, asdict(limits))
    with path.open("rb") as file, closing(process.stream(_START, request, file.fileno(), limits.wall_seconds)) as said:
        frames = Frames(said)
        kept = keep(_judged(frames))
        return Made(kept, frames.end["rows"])


def _judged(frames: Frames) -> Iterator[bytes]:
    """Yield the data, and raise at its end what forbids to keep it."""
    try:
        yield from frames.data()
    except (BrokenOff, TimeoutError) as error:
        raise NotEnforceable("The process that makes it was stopped.") from error
    rows = frames.end.get("rows")
    if type(rows) is not int or not 0 <= rows <= _ROWS_MAX:
        raise NotEnforceable(f"The file could not be read to its end ({str(frames.end.get('problem'))[:50]}).")
