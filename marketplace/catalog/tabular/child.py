"""The copying process: a profiled file becomes a table in Parquet."""

from typing import Any, BinaryIO

from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.catalog.tabular import confined
from marketplace.catalog.tabular.typing import Misfit


def main(request: str) -> None:  # pragma: no cover - runs only in the copying process, which measures nothing
    """Copy the file as the request (format, types and limits) asks."""
    confined.run(request, copied)


def copied(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, say: confined.Say) -> dict[str, Any]:
    """Say the Parquet, and return its rows and columns, or why there is none."""
    from marketplace.catalog.tabular import copying

    def copy() -> dict[str, Any]:
        try:
            return copying.copy(file, asked, limits, say)
        except Misfit:
            return {"misfit": True}

    return confined.explained(copy, limits)
