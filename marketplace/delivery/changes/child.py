"""The comparing process: confines itself, reads both tables on its standard input, and answers in frames."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from marketplace.catalog.profiling import confinement
from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.catalog.tabular.frames import DATA, END, framed


def main(request: str) -> None:  # pragma: no cover - runs only in the comparing process, which measures nothing
    """Compare the tables that follow each other in the file open as descriptor 0, as the request (in JSON) asks."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    with open(0, "rb", closefd=False) as file:
        answer(file, asked, limits, sys.stdout.buffer.write)
    sys.stdout.buffer.flush()
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answer(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: Callable[[bytes], object]) -> None:
    """Say the changes piece by piece, and at the end what became of it, whatever the files do."""
    say(framed(END, json.dumps(_compared(file, asked, limits, say)).encode()))


def _compared(
    file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: Callable[[bytes], object]
) -> dict[str, Any]:
    from marketplace.delivery.changes import diff

    def write(piece: bytes) -> None:
        say(framed(DATA, piece))

    try:
        return {"rows": diff.write_changes(file, asked["sizes"], asked["keys"], limits.memory_bytes, write)}
    except diff.Incomparable:
        return {"problem": "columns"}
    except MemoryError:
        return {"problem": "memory"}
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return {"problem": type(error).__name__}
