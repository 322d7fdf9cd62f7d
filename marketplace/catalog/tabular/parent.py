"""Has a table copied by a fresh process, keeps it to its limits, and trusts nothing that it says."""

import json
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, TypeVar

from marketplace.catalog.profiling import process
from marketplace.catalog.profiling.result import ProfileLimits, Unreadable
from marketplace.catalog.tabular import typing
from marketplace.catalog.tabular.frames import BrokenOff, Frames

TABULAR = ("csv", "tsv", "xlsx", "parquet")
"""The formats, as profiles name them, of which a table can be made."""

T = TypeVar("T")
_START = process.program("marketplace.catalog.tabular.child")
_ROWS_MAX = 2**53 - 1


@dataclass(frozen=True)
class Converted(Generic[T]):
    """A table in Parquet: what keeping its bytes returned, None where the file is such Parquet itself."""

    kept: T | None
    rows: int
    columns: list[dict[str, str]]


class _AsItIs(Exception):
    """The file needs no copy."""

    def __init__(self, said: dict[str, Any]) -> None:
        super().__init__()
        self.said = said


def is_tabular(profile: dict[str, Any] | None) -> bool:
    """Whether a profile tells of a table that can be copied."""
    return profile is not None and profile.get("format") in TABULAR and bool(profile.get("columns"))


def convert_file(
    path: Path, profile: dict[str, Any], limits: ProfileLimits, keep: Callable[[Iterable[bytes]], T]
) -> Converted[T]:
    """Return the table of a profiled file as Parquet, whose bytes ``keep`` gets as they are made.

    Raises Unreadable, and OSError when the file cannot be opened or no process be started. A file of which the profile
    has read only a part, and whose rest is of other types, becomes a table of texts.
    """
    plans = [typing.planned(column) for column in profile["columns"]]
    try:
        return _converted(path, profile, plans, limits, keep)
    except typing.Misfit:
        return _converted(path, profile, [typing.STRING] * len(plans), limits, keep)


def _converted(
    path: Path,
    profile: dict[str, Any],
    plans: list[dict[str, str | None]],
    limits: ProfileLimits,
    keep: Callable[[Iterable[bytes]], T],
) -> Converted[T]:
    asked = {"format": profile["format"], "delimiter": profile.get("delimiter"), "plans": plans}
    request = json.dumps(asked | {"limits": asdict(limits)})
    with path.open("rb") as file, closing(process.stream(_START, request, file.fileno(), limits.wall_seconds)) as said:
        frames = Frames(said)
        try:
            kept = keep(_judged(frames, limits))
        except _AsItIs as found:
            return Converted(None, *_table(found.said))
        return Converted(kept, *_table(frames.end))


def heard(frames: Frames, limits: ProfileLimits) -> Iterator[bytes]:
    """Yield the data that a process says, and raise Unreadable where it does not come to its end, or says why not."""
    try:
        yield from frames.data()
    except BrokenOff as error:
        raise Unreadable("reader-stopped", reason="unreadable answer") from error
    except TimeoutError as error:
        raise Unreadable("too-much-time", limit_seconds=limits.wall_seconds) from error
    if "problem" in frames.end:
        raise Unreadable(_storable(frames.end["problem"]), **_facts(frames.end.get("facts")))


def _judged(frames: Frames, limits: ProfileLimits) -> Iterator[bytes]:
    """Yield the data, and raise at its end what forbids to keep it."""
    yield from heard(frames, limits)
    said = frames.end
    if said.get("misfit") is True:
        raise typing.Misfit
    _table(said)
    if said.get("as_is") is True:
        raise _AsItIs(said)


def _table(said: dict[str, Any]) -> tuple[int, list[dict[str, str]]]:
    rows, columns = said.get("rows"), said.get("columns")
    if type(rows) is not int or not 0 <= rows <= _ROWS_MAX or not isinstance(columns, list) or not columns:
        raise Unreadable("reader-stopped", reason="unreadable answer")
    return rows, [_column(column) for column in columns]


def _column(column: Any) -> dict[str, str]:
    try:
        name, kind = str(column["name"]), str(column["type"])
    except (TypeError, KeyError) as error:
        raise Unreadable("reader-stopped", reason="unreadable answer") from error
    return {"name": _storable(name), "type": _storable(kind)}


def _facts(facts: Any) -> dict[str, Any]:
    if not isinstance(facts, dict):
        return {}
    plain = {name: fact for name, fact in facts.items() if isinstance(fact, str | int)}
    return {_storable(name): _storable(fact) if isinstance(fact, str) else fact for name, fact in plain.items()}


def _storable(text: Any) -> str:
    """Return a text as PostgreSQL can keep it."""
    return str(text).replace("\0", "\u2400").encode("utf-8", "replace").decode()
