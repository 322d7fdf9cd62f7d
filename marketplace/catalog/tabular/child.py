"""The copying process: confines itself, reads the file on its standard input, and answers in frames."""

import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from marketplace.catalog.profiling import confinement
from marketplace.catalog.profiling.result import ProfileLimits, Unreadable
from marketplace.catalog.tabular.frames import DATA, END, framed
from marketplace.catalog.tabular.typing import Misfit


def main(request: str) -> None:  # pragma: no cover - runs only in the copying process, which measures nothing
    """Copy the file open as descriptor 0, as the request (format, types and limits, in JSON) asks."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    gc.set_threshold(500_000)
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    with open(0, "rb", closefd=False) as file:
        answer(file, asked, limits, sys.stdout.buffer.write)
    sys.stdout.buffer.flush()
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answer(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: Callable[[bytes], object]) -> None:
    """Say the Parquet piece by piece, and at the end what became of it, whatever the file does."""
    say(framed(END, json.dumps(_copied(file, asked, limits, say)).encode()))


def _copied(
    file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: Callable[[bytes], object]
) -> dict[str, Any]:
    from marketplace.catalog.tabular import copying

    def write(piece: bytes) -> None:
        say(framed(DATA, piece))

    try:
        return copying.copy(file, asked, limits, write)
    except Misfit:
        return {"misfit": True}
    except Unreadable as problem:
        return {"problem": problem.slug, "facts": problem.facts}
    except MemoryError:
        return {"problem": "too-much-memory", "facts": {"limit_bytes": limits.memory_bytes}}
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return {"problem": "reader-stopped", "facts": {"reason": type(error).__name__}}
