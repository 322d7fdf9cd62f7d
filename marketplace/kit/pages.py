"""Keyset pages: stable while rows are added, without counting."""

import base64
import binascii
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from marketplace.kit.errors import Invalid

T = TypeVar("T")
SIZE_DEFAULT = 20
SIZE_MAX = 100


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items in order, and the cursor of what follows; no cursor on the last page."""

    items: Sequence[T]
    next_cursor: str | None


def encode_cursor(key: Sequence[Any]) -> str:
    """Write the sort key of the last row seen as an opaque URL-safe word."""
    # Escapes would make of the longest Japanese name more than an address should bear.
    return base64.urlsafe_b64encode(json.dumps(list(key), ensure_ascii=False).encode()).decode().rstrip("=")


def decode_cursor(cursor: str | None, length: int) -> list[Any] | None:
    """Read a cursor of ``length`` parts; None for the first page; Invalid for anything we did not write."""
    if not cursor:
        return None
    try:
        key = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise broken_cursor() from error
    if (
        not isinstance(key, list)
        or len(key) != length
        or not all(isinstance(part, str | int) for part in key)
        # A text that no column can hold cannot be compared with one either.
        or any(sign == "\0" or "\ud800" <= sign <= "\udfff" for part in key for sign in str(part))
    ):
        raise broken_cursor()
    return key


def cut(rows: Sequence[T], size: int, key: Callable[[T], Sequence[Any]]) -> Page[T]:
    """Make a page of ``size`` from rows fetched with one to spare."""
    items = rows[:size]
    return Page(items, encode_cursor(key(items[-1])) if len(rows) > size else None)


def broken_cursor() -> Invalid:
    """Return the refusal of a cursor that the list did not hand out."""
    return Invalid(
        "The cursor is not one that this list handed out.",
        errors=[{"pointer": "/cursor", "detail": "use next_cursor of the page before, unchanged"}],
    )
