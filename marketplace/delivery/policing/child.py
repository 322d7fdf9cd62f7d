"""The process that makes a part: confines itself, reads the file on its standard input, and answers in frames."""

import json
import os
import sys
from collections.abc import Callable
from typing import Any, BinaryIO

from marketplace.catalog.profiling import confinement
from marketplace.catalog.profiling.result import ProfileLimits, Unreadable
from marketplace.catalog.tabular.frames import DATA, END, framed
from marketplace.delivery.policing.recipe import Recipe


def main(request: str) -> None:  # pragma: no cover - runs only in the making process, which measures nothing
    """Make the part of the file open as descriptor 0 that the request (recipe, key and limits, in JSON) asks."""
    asked = json.loads(request)
    limits = ProfileLimits(**asked["limits"])
    confinement.confine(limits.memory_bytes, limits.cpu_seconds)
    with open(0, "rb", closefd=False) as file:
        answer(file, asked, limits, sys.stdout.buffer.write)
    sys.stdout.buffer.flush()
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answer(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: Callable[[bytes], object]) -> None:
    """Say the part piece by piece, and at the end what became of it, whatever the file does.

    Why it failed is told by the kind of the failure alone: what libraries say of it may hold values.
    """
    say(framed(END, json.dumps(_made(file, asked, limits, say)).encode()))


def _made(
    file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: Callable[[bytes], object]
) -> dict[str, Any]:
    from marketplace.delivery.policing import making

    def write(piece: bytes) -> None:
        say(framed(DATA, piece))

    try:
        return {"rows": making.make(file, Recipe.read(asked), bytes.fromhex(asked["key"]), limits, write)}
    except Unreadable as problem:
        return {"problem": problem.slug}
    except MemoryError:
        return {"problem": "too-much-memory"}
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return {"problem": type(error).__name__}
