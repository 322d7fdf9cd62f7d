"""How deep decoded JSON nests."""

from typing import Any


def is_deeper(value: Any, levels_max: int) -> bool:
    """Tell whether decoded JSON has lists and objects within each other beyond so many levels."""
    level = [value]
    for _ in range(levels_max):
        level = [inner for outer in level for inner in _members(outer)]
        if not level:
            return False
    return any(isinstance(one, dict | list) for one in level)


def _members(value: Any) -> Any:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()
