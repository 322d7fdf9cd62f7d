"""The comparing process: two tables that follow each other in one file become the changes between them."""

from typing import Any, BinaryIO

from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.catalog.tabular import confined


def main(request: str) -> None:  # pragma: no cover - runs only in the comparing process, which measures nothing
    """Compare the tables as the request (sizes, keys and limits) asks."""
    confined.run(request, compared)


def compared(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: confined.Say) -> dict[str, Any]:
    """Say the changes, and return how many rows they are, or why there are none."""
    from marketplace.delivery.changes import diff

    try:
        return {"rows": diff.write_changes(file, asked["sizes"], asked["keys"], limits.memory_bytes, say)}
    except diff.Incomparable:
        return {"problem": "columns"}
    except MemoryError:
        return {"problem": "memory"}
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        return {"problem": type(error).__name__}
