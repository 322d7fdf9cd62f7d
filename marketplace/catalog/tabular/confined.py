"""How a process that makes a table of a foreign file runs: it confines itself, reads, and answers in frames."""

import gc
import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from marketplace.catalog.profiling import confinement
from marketplace.catalog.profiling.result import ProfileLimits, Unreadable
from marketplace.catalog.tabular.frames import DATA, END, framed

Say = Callable[[bytes], None]
Make = Callable[[BinaryIO, dict[str, Any], ProfileLimits, Say], dict[str, Any]]
"""Says the table piece by piece, and returns what became of it, whatever the file does; it raises nothing."""


def run(request: str, make: Make) -> None:  # pragma: no cover - runs only in the making process, which measures nothing
    """Answer over the file open as descriptor 0 what the request, in JSON with the ``limits``, asks; and end."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    gc.set_threshold(500_000)
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    with open(0, "rb", closefd=False) as file:
        answer(file, asked, limits, sys.stdout.buffer.write, make)
    sys.stdout.buffer.flush()
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answer(
    file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: Callable[[bytes], object], make: Make
) -> None:
    """Say each piece of the table in a frame, and in the last one what became of it."""

    def say_framed(piece: bytes) -> None:
        say(framed(DATA, piece))

    say(framed(END, json.dumps(make(file, asked, limits, say_framed)).encode()))


def explained(make: Callable[[], dict[str, Any]], limits: ProfileLimits) -> dict[str, Any]:
    """Return what became of a table, or by ``problem`` and ``facts`` why there is none, whatever its file did."""
    try:
        return make()
    except Unreadable as problem:
        return {"problem": problem.slug, "facts": problem.facts}
    except MemoryError:
        return {"problem": "too-much-memory", "facts": {"limit_bytes": limits.memory_bytes}}
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return {"problem": "reader-stopped", "facts": {"reason": type(error).__name__}}
