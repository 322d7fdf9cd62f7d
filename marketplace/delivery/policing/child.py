"""The process that makes the part of a file that terms name.

Why it failed is told by the kind of the failure alone: what libraries say of it may hold values.
"""

from typing import Any, BinaryIO

from marketplace.catalog.profiling.result import ProfileLimits, Unreadable
from marketplace.catalog.tabular import confined
from marketplace.delivery.policing.recipe import Recipe


def main(request: str) -> None:  # pragma: no cover - runs only in the making process, which measures nothing
    """Make the part as the request (recipe, key and limits) asks."""
    confined.run(request, made)


def made(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: confined.Say) -> dict[str, Any]:
    """Say the part, and return how many rows it has, or why there is none."""
    from marketplace.delivery.policing import making

    try:
        return {"rows": making.make(file, Recipe.read(asked), bytes.fromhex(asked["key"]), limits, say)}
    except Unreadable as problem:
        return {"problem": problem.slug}
    except MemoryError:
        return {"problem": "too-much-memory"}
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return {"problem": type(error).__name__}
