"""What the text of an environment variable says, by the type of the setting it sets."""

from pathlib import Path
from typing import Any


def read(text: str, kind: Any) -> Any:
    """Return the value of a text; raises ValueError, and ``expected`` says what would have been one."""
    return _READERS[str(kind)](text)


def expected(kind: Any) -> str:
    """Return what a variable of that type holds, in words."""
    return _EXPECTED[str(kind)]


def _read_bool(text: str) -> bool:
    if text.lower() in {"1", "true", "yes", "on"}:
        return True
    if text.lower() in {"0", "false", "no", "off"}:
        return False
    raise ValueError("neither true nor false")


_READERS: dict[str, Any] = {
    str(str): str,
    str(int): int,
    str(bool): _read_bool,
    str(Path): Path,
    str(str | None): str,
    str(Path | None): Path,
    str(tuple[str, ...]): lambda text: tuple(part.strip() for part in text.split(",") if part.strip()),
}
_EXPECTED = {
    str(str): "a text",
    str(int): "a whole number",
    str(bool): "true or false",
    str(Path): "a path",
    str(str | None): "a text",
    str(Path | None): "a path",
    str(tuple[str, ...]): "a comma-separated list",
}
