"""Reading a whole catalogue out of one document, record by record."""

import gzip
import json
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Any, BinaryIO, cast

from marketplace.catalog.ckan import PACKAGE_BYTES_MAX
from marketplace.catalog.harvesting import ckan_pages
from marketplace.catalog.harvesting.errors import SourceUnreadable
from marketplace.catalog.harvesting.rules import Record
from marketplace.catalog.harvesting.states import HarvestProblem, SourceKind
from marketplace.catalog.profiling import process
from marketplace.catalog.profiling.result import MIB, ProfileLimits

LIMITS = ProfileLimits(memory_bytes=2048 * MIB, cpu_seconds=300, wall_seconds=600)
_START = process.program("marketplace.catalog.harvesting.child")
JSON_BYTES_MAX = 256 * 2**20
_GZIP = b"\x1f\x8b"


def read(kind: SourceKind, path: Path) -> Iterator[Record]:
    """Yield the records of a document, in its order; raises SourceUnreadable where it is none of this kind."""
    if kind is SourceKind.PACKAGES:
        yield from _packages(path)
        return
    yield from Confined(kind).read(path)


class Confined:
    """A document that only a confined process looks into; ``next_page`` is known at its end."""

    def __init__(self, kind: SourceKind) -> None:
        self._kind = kind
        self.next_page = ""

    def read(self, path: Path) -> Iterator[Record]:
        """Yield the records of the document; raises SourceUnreadable."""
        request = json.dumps({"kind": self._kind.value, "limits": asdict(LIMITS)})
        with path.open("rb") as file, closing(_said(request, file.fileno())) as lines:
            for line in lines:
                found = _line(line)
                if isinstance(found, dict) and isinstance(found.get("end"), dict):
                    self._end(found["end"])
                    return
                yield from _of_line(line)
        raise SourceUnreadable(HarvestProblem.UNREADABLE, "its reader stopped")

    def _end(self, said: dict[str, Any]) -> None:
        if "problem" in said:
            raise SourceUnreadable(HarvestProblem.UNREADABLE, str(said["problem"]))
        self.next_page = str(said.get("next") or "")


def _said(request: str, descriptor: int) -> Generator[bytes, None, None]:
    """Yield what the reading process says, line by line; a line that does not end ends it."""
    kept = b""
    try:
        with closing(process.stream(_START, request, descriptor, LIMITS.wall_seconds)) as pieces:
            for piece in pieces:
                *lines, kept = (kept + piece).split(b"\n")
                yield from lines
                if len(kept) > 2 * PACKAGE_BYTES_MAX:
                    raise SourceUnreadable(HarvestProblem.TOO_LARGE, "a record is too large")
    except TimeoutError as error:
        raise SourceUnreadable(HarvestProblem.TOO_SLOW, "reading it takes too long") from error


def _packages(path: Path) -> Iterator[Record]:
    """Yield the packages of JSON Lines, or of one JSON document: a list, or the answer of an action."""
    try:
        with _opened(path) as lines:
            first = lines.readline(2 * PACKAGE_BYTES_MAX)
            found = _line(first)
            if isinstance(found, dict) and "id" in found:
                yield ckan_pages.record_of(found, len(first))
                while line := lines.readline(2 * PACKAGE_BYTES_MAX):
                    yield from _of_line(line)
                return
        with _opened(path) as whole:
            yield from map(ckan_pages.record_of, _listed(whole.read(JSON_BYTES_MAX + 1)))
    except (OSError, EOFError) as error:
        raise SourceUnreadable(HarvestProblem.UNREADABLE, f"it is packed badly: {error}") from error


def _opened(path: Path) -> BinaryIO:
    with path.open("rb") as file:
        is_packed = file.read(2) == _GZIP
    return cast("BinaryIO", gzip.open(path, "rb")) if is_packed else path.open("rb")


def _of_line(line: bytes) -> Iterator[Record]:
    if line.strip():
        package = _line(line)
        known = package if isinstance(package, dict) else {"title": line[:100].decode("latin-1")}
        yield ckan_pages.record_of(known, len(line))


def _line(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _listed(body: bytes) -> list[dict[str, Any]]:
    if len(body) > JSON_BYTES_MAX:
        raise SourceUnreadable(HarvestProblem.TOO_LARGE, "use JSON Lines, one package a line")
    found = _line(body)
    if isinstance(found, dict):
        found = found.get("result", found)
    if isinstance(found, dict):
        found = found.get("results", [found] if "id" in found else None)
    if not isinstance(found, list):
        raise SourceUnreadable(HarvestProblem.UNREADABLE, "it holds no packages")
    return [one for one in found if isinstance(one, dict)]
