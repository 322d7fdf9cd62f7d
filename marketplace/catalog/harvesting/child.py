"""The reading process of foreign catalogues: it confines itself, reads, and says a record a line in JSON."""

import csv
import json
import os
import sys
from collections.abc import Generator, Iterator
from typing import Any, BinaryIO

from marketplace.catalog.harvesting import graphs, tables
from marketplace.catalog.profiling import archives, confinement, decoding, dialect, spreadsheets
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable

FIELD_CHARACTERS = 1 << 20
DOCUMENT_BYTES_MAX = 128 * 2**20


def main(request: str) -> None:  # pragma: no cover - runs only in the reading process, which measures nothing
    """Read the document open as descriptor 0, as the request (form and limits, in JSON) asks."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    with open(0, "rb", closefd=False) as file:
        for line in answered(file, asked["kind"], limits):
            sys.stdout.buffer.write(line)
    sys.stdout.buffer.flush()
    # Nothing that a foreign document left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answered(file: BinaryIO, kind: str, limits: ProfileLimits) -> Iterator[bytes]:
    """Yield a line for each record, and a last one that says how it ended, whatever the document does."""
    try:
        end = yield from _read(file, kind, limits)
    except Unreadable as problem:
        end = {"problem": problem.slug}
    except MemoryError:
        end = {"problem": "too-much-memory"}
    except Exception as error:  # noqa: BLE001 - a foreign document may break any library; the parent must hear of it
        end = {"problem": f"{type(error).__name__}: {error}"[:200]}
    yield _line({"end": end})


def _read(file: BinaryIO, kind: str, limits: ProfileLimits) -> Generator[bytes, None, dict[str, Any]]:
    if kind == "dcat":
        graph = graphs.parsed(file.read(DOCUMENT_BYTES_MAX))
        if not graph:
            raise ValueError("it says nothing")
        yield from map(_line, graphs.packages(graph))
        return {"next": graphs.next_page(graph)}
    rows = _sheet(file, limits) if file.read(2) == b"PK" else _delimited(file)
    yield from map(_line, tables.packages(rows))
    return {}


def _sheet(file: BinaryIO, limits: ProfileLimits) -> Iterator[list[str]]:
    size_bytes = file.seek(0, 2)
    with archives.opened(file, size_bytes, limits) as archive:
        if not spreadsheets.is_workbook(archive):
            raise Unreadable("damaged", format="XLSX", reason="no workbook")
        archives.refuse_document_types(archive)
        yield from spreadsheets.plain_rows(file, Patience(limits))


def _delimited(file: BinaryIO) -> Iterator[list[str]]:
    survey = decoding.survey(file)
    if survey is None:
        raise Unreadable("damaged", format="CSV", reason="no text")
    csv.field_size_limit(FIELD_CHARACTERS)
    guess = dialect.guess(survey.sample, is_whole=survey.characters <= len(survey.sample))
    lines = (line for line in decoding.open_text(file, survey) if not line.startswith("#"))
    yield from csv.reader(lines, delimiter=guess.delimiter)


def _line(said: Any) -> bytes:
    return json.dumps(said, ensure_ascii=True, default=str).encode() + b"\n"
