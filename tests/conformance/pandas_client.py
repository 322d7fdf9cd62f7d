"""The official client of Delta Sharing, in a virtual environment of its own outside the checkout."""

from pathlib import Path
from typing import Any

from tests.conformance import environments

SOURCES = Path(__file__).parent / "pandas"


def installed() -> Path:
    """Return a Python that has the pinned packages, installed once for each list; skips where that cannot be."""
    return environments.installed(SOURCES)


def ask(python: Path, **asked: Any) -> dict[str, Any]:
    """Have the client do one thing in a process of its own; returns what it did, or what it raised."""
    return environments.ask(python, SOURCES / "read.py", **asked)
