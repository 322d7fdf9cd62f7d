"""The reading process: confines itself, reads the file on its standard input, and answers once in JSON."""

import gc
import json
import os
import sys
from typing import Any

from marketplace.catalog.profiling import confinement, words
from marketplace.catalog.profiling.result import Patience, ProfileLimits, ProfileState, Unreadable

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


def main(request: str) -> None:
    """Profile the file open as descriptor 0, as the request (name and limits, in JSON) asks."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    # Batches of rows are garbage without cycles: collecting after every few hundred lists would double the time.
    gc.set_threshold(500_000)
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    answer = json.dumps(answered(asked["name"], limits), ensure_ascii=True, allow_nan=False).encode()
    sys.stdout.buffer.write(answer)
    sys.stdout.buffer.flush()
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answered(name: str, limits: ProfileLimits) -> dict[str, Any]:
    """Return the answer to one request: a state and a document, whatever the file does."""
    from marketplace.catalog.profiling import detection

    try:
        with open(0, "rb", closefd=False) as file:
            state, found = detection.profile(file, name, limits, Patience(limits))
        document = found
    except Unreadable as problem:
        state, document = ProfileState.FAILED, {"problem": words.problem(problem.slug, problem.facts)}
    except MemoryError:
        state, document = (
            ProfileState.FAILED,
            {"problem": words.problem("too-much-memory", {"limit_bytes": limits.memory_bytes})},
        )
    except RecursionError:
        state, document = ProfileState.FAILED, {"problem": words.problem("nested-too-deeply", {})}
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        problem_document = words.problem("reader-stopped", {"reason": type(error).__name__})
        state, document = ProfileState.FAILED, {"problem": problem_document}
    return {"state": state, "document": {**_COMMON, **document}}
