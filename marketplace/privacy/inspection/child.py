"""The looking process: confines itself, reads the file on its standard input, and answers once in JSON."""

import gc
import json
import os
import sys
from typing import Any, BinaryIO

from marketplace.catalog.profiling import confinement
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable


def main(request: str) -> None:  # pragma: no cover - runs only in the looking process, which measures nothing
    """Look through the file open as descriptor 0, as the request (deed, format and limits, in JSON) asks."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    gc.set_threshold(500_000)
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    with open(0, "rb", closefd=False) as file:
        answer = answered(file, asked, limits)
    sys.stdout.buffer.write(json.dumps(answer, allow_nan=False).encode())
    sys.stdout.buffer.flush()
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answered(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits) -> dict[str, Any]:
    """Return the answer to one request, whatever the file does."""
    from marketplace.privacy.inspection import alike, looking

    deed = alike.measure if asked["deed"] == "measure" else looking.look
    try:
        return deed(file, asked, limits, Patience(limits))
    except Unreadable as problem:
        return {"problem": problem.slug}
    except MemoryError:
        return {"problem": "too-much-memory"}
    except RecursionError:
        return {"problem": "nested-too-deeply"}
    except Exception:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return {"problem": "reader-stopped"}
