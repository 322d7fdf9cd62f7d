"""What a client asks for: parameters of GET, forms and JSON, which say the same in three ways. Pure."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from marketplace.kit.errors import Invalid

WHOLE_MAX = 2**31 - 1
_TRUE = frozenset({"true", "yes", "t", "y", "1", "on"})
_FALSE = frozenset({"false", "no", "f", "n", "0", "off", ""})


def whole(asked: Mapping[str, Any], name: str, default: int, most: int = WHOLE_MAX) -> int:
    """Return a natural number, cut to the most that is given at once; raises Invalid."""
    value = asked.get(name)
    if value is None or value == "":
        return default
    if isinstance(value, str) and value.strip().isascii() and value.strip().isdigit() and len(value) <= 12:
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int):
        raise fault(name, "Invalid integer")
    if value < 0:
        raise fault(name, "Must be a natural number")
    return min(value, most)


def text(asked: Mapping[str, Any], name: str) -> str:
    """Return a text, empty where there is none; raises Invalid."""
    value = asked.get(name)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise fault(name, "Must be a Unicode string value")
    return value.strip()


def identifier(asked: Mapping[str, Any], *names: str) -> str:
    """Return the first of these that is given; raises Invalid where none is."""
    found = next((value for name in names if (value := text(asked, name))), "")
    if not found:
        raise fault(names[0], "Missing value")
    return found


def yes(asked: Mapping[str, Any], name: str, *, default: bool = False) -> bool:
    """Return whether something is wanted, however it is said; raises Invalid."""
    value = asked.get(name)
    if value is None:
        return default
    if isinstance(value, bool):
        return value
    said = str(value).strip().lower()
    if said not in _TRUE | _FALSE:
        raise fault(name, "Must be true or false")
    return said in _TRUE


def words(asked: Mapping[str, Any], name: str, *, by_comma: bool = False) -> list[str]:
    """Return a list: as one, as JSON in a text, or as a single word; raises Invalid."""
    value = decoded(asked, name)
    if value is None or value == "":
        return []
    if isinstance(value, str):
        value = [part.strip() for part in value.split(",")] if by_comma else [value]
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise fault(name, "Must be a list of strings")
    return value


def decoded(asked: Mapping[str, Any], name: str) -> Any:
    """Return a value that GET can only send as JSON in a text; a text that is none stays one."""
    value = asked.get(name)
    if isinstance(value, str) and value.lstrip()[:1] in {"[", "{"}:
        try:
            return json.loads(value)
        except (ValueError, RecursionError):
            return value
    return value


def mapping(asked: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return an object; raises Invalid."""
    value = decoded(asked, name)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise fault(name, "Must be a JSON object")
    return value


def fault(name: str, detail: str) -> Invalid:
    """Return the refusal of one parameter, in CKAN's words."""
    return Invalid(errors=[{"pointer": f"/{name}", "detail": detail}])


def flat(pairs: Sequence[tuple[str, str]]) -> dict[str, Any]:
    """Return the fields of a query or a form; what is there several times is a list."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name not in found:
            found[name] = value
        elif isinstance(found[name], list):
            found[name].append(value)
        else:
            found[name] = [found[name], value]
    return found
