"""Form encoding as Stripe reads it, written apart from the sandbox so that neither hides the other's mistakes."""

import re
from typing import Any
from urllib.parse import parse_qsl

NAME = re.compile(r"([^\[\]]+)((?:\[[^\[\]]*\])*)")


class Malformed(ValueError):
    """This is no form that Stripe could read."""


def decode(text: str) -> dict[str, Any]:
    """Return the nested parameters: hashes and, under their index, list items; raises Malformed."""
    root: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text)):
        match = NAME.fullmatch(name)
        if not match:
            raise Malformed(f"not a parameter name: {name}")
        _place(root, [match[1], *re.findall(r"\[([^\]]*)\]", match[2])], value)
    return root


def _place(root: dict[str, Any], path: list[str], value: str) -> None:
    here = root
    for part in path[:-1]:
        here = here.setdefault(part or str(len(here)), {})
        if not isinstance(here, dict):
            raise Malformed(f"both a text and a hash: {path}")
    last = path[-1] or str(len(here))
    if last in here:
        raise Malformed(f"given twice: {path}")
    here[last] = value


def items(value: Any) -> list[Any] | None:
    """Return the items of a list in the order of their indexes, None for what is no list."""
    if not isinstance(value, dict) or not all(key.isdigit() for key in value):
        return None
    places = sorted(value, key=int)
    return [value[key] for key in places] if places == [str(place) for place in range(len(places))] else None
