"""The reading process: confines itself, reads the file on its standard input, and answers once in JSON."""

import gc
import json
import os
import sys
from typing import Any, BinaryIO

from marketplace.catalog.profiling import confinement, words
from marketplace.catalog.profiling.distinct import MADE_BY
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.states import ProfileState

_COMMON: dict[str, Any] = {
    "format": None,
    "media_type": None,
    "encoding": None,
    "bom": False,
    "line_ending": None,
    "delimiter": None,
    "preamble": [],
    "embedded_license": None,
    "mislabelled": False,
    "rows": None,
    "columns": [],
    "preview": [],
    "warnings": [],
}


def main(request: str) -> None:  # pragma: no cover - runs only in the reading process, which measures nothing
    """Profile the file open as descriptor 0, as the request (name and limits, in JSON) asks."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    # Batches of rows are garbage without cycles: collecting after every few hundred lists would double the time.
    gc.set_threshold(500_000)
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    with open(0, "rb", closefd=False) as file:
        answer = answered(file, asked["name"], limits)
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answered(file: BinaryIO, name: str, limits: ProfileLimits) -> bytes:
    """Return the answer to one request in JSON: a state and a document, whatever the file does."""
    from marketplace.catalog.profiling import detection

    try:
        state, document = detection.profile(file, name, limits, Patience(limits))
        return _said(state, document)
    except Unreadable as problem:
        return _failed(problem.slug, problem.facts)
    except MemoryError:
        return _failed("too-much-memory", {"limit_bytes": limits.memory_bytes})
    except RecursionError:
        return _failed("nested-too-deeply", {})
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return _failed("reader-stopped", {"reason": type(error).__name__})


def _failed(slug: str, facts: dict[str, Any]) -> bytes:
    return _said(ProfileState.FAILED, {"problem": words.problem(slug, facts)})


def _said(state: ProfileState, document: dict[str, Any]) -> bytes:
    sketches = document.pop("sketches", {})
    answer = {"state": state, "document": {**_COMMON, **document}, "sketches": sketches, "made_by": MADE_BY}
    return json.dumps(answer, allow_nan=False).encode()
