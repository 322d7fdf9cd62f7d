"""Strict readers of decoded JSON: each returns a typed value or raises Invalid with JSON pointers. Pure."""

import re
import unicodedata
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any, TypeVar
from urllib.parse import urlsplit

from marketplace.kit.errors import Invalid
from marketplace.kit.labels import Labelled
from marketplace.licensing.terms import Choice

T = TypeVar("T")
C = TypeVar("C", bound=Labelled)
TEXT_MAX = 4_000
URL_MAX = 2_000
ITEMS_MAX = 250
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
# その他（…）is how CADDE's own catalogue tool writes the free text of a code list.
_OTHER = re.compile(r"\s*(?:その他|other)\s*[（(](.+)[）)]\s*", re.DOTALL | re.IGNORECASE)
_DECEPTIVE = re.compile("[\u202a-\u202e\u2066-\u2069]")


def refuse(pointer: str, detail: str) -> Invalid:
    """Return the refusal of one field."""
    return Invalid(errors=[{"pointer": pointer, "detail": detail}])


class Collector:
    """Gathers the refusals of many fields, so that a caller learns of all of them at once."""

    def __init__(self) -> None:
        self.errors: list[dict[str, str]] = []

    def take(self, read: Callable[[Any, str], T], value: Any, pointer: str, fallback: T) -> T:
        """Read one value, or keep the refusal and return the fallback."""
        try:
            return read(value, pointer)
        except Invalid as refusal:
            self.errors.extend(refusal.errors)
            return fallback

    def add(self, pointer: str, detail: str) -> None:
        """Keep one refusal."""
        self.errors.append({"pointer": pointer, "detail": detail})

    def settle(self) -> None:
        """Raise Invalid if anything was refused."""
        if self.errors:
            raise Invalid(errors=self.errors)


def table(value: Any, pointer: str, allowed: Iterable[str]) -> Mapping[str, Any]:
    """Read an object that has no other members than those allowed."""
    if not isinstance(value, Mapping):
        raise refuse(pointer, "an object is needed")
    known = sorted(allowed)
    unknown = [name for name in value if name not in known]
    if unknown:
        detail = f"unknown field; known are: {', '.join(known)}"
        raise Invalid(errors=[{"pointer": f"{pointer}/{escape(name)}", "detail": detail} for name in unknown])
    return value


def escape(name: Any) -> str:
    """Write a member name as a JSON pointer token (RFC 6901 section 3), shortened if it is absurdly long."""
    return str(name)[:80].replace("~", "~0").replace("/", "~1")


def text(value: Any, pointer: str) -> str:
    """Read 1 to 4,000 characters, in Unicode normal form C and without outer blanks.

    Control characters other than line breaks and tabs, lone surrogates and the marks that reverse the
    direction of reading are refused: terms must mean what they look like.
    """
    if not isinstance(value, str):
        raise refuse(pointer, "a text is needed")
    words = unicodedata.normalize("NFC", value.replace("\r\n", "\n")).strip()
    if not 1 <= len(words) <= TEXT_MAX:
        raise refuse(pointer, f"1 to {TEXT_MAX:,} characters are needed")
    hidden = (sign for sign in words if unicodedata.category(sign) in {"Cc", "Cs"} and sign not in "\n\t")
    if next(hidden, None) or _DECEPTIVE.search(words):
        raise refuse(pointer, "control characters, lone surrogates and direction overrides are not allowed")
    return words


def url(value: Any, pointer: str) -> str:
    """Read an absolute http or https address without credentials."""
    address = text(value, pointer)
    try:
        parts = urlsplit(address)
        _ = parts.port
    except ValueError:
        raise refuse(pointer, "this is not an address") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        raise refuse(pointer, "an absolute http or https address without credentials is needed")
    if len(address) > URL_MAX or re.search(r"[\s\"<>\\^`{|}]", address):
        raise refuse(pointer, f"at most {URL_MAX:,} characters and no blanks or quotes are allowed")
    return address


def day(value: Any, pointer: str) -> date:
    """Read a calendar day as YYYY-MM-DD."""
    try:
        if isinstance(value, str) and _DAY.fullmatch(value):
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise refuse(pointer, "a day of the calendar is needed, as YYYY-MM-DD")


def whole(low: int, high: int) -> Callable[[Any, str], int]:
    """Return a reader of integers from ``low`` to ``high``; 5000.0 is one, 2.5, "5" and true are not."""

    def read(value: Any, pointer: str) -> int:
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise refuse(pointer, f"a whole number from {low:,} to {high:,} is needed")
        return value

    return read


def code(codes: type[C]) -> Callable[[Any, str], C]:
    """Return a reader of one code of the list, given in English or Japanese."""

    def read(value: Any, pointer: str) -> C:
        found = codes.named(value) if isinstance(value, str) else None
        if found is None:
            raise refuse(pointer, "one of these is needed: " + ", ".join(f"{c.value} ({c.ja})" for c in codes))
        return found

    return read


def choice(codes: type[C]) -> Callable[[Any, str], Choice[C]]:
    """Return a reader of a code that takes its words along when it is ``other``.

    Words are given as ``{"code": "other", "text": …}`` or, as CADDE writes them, ``その他（…）``.
    """
    of_list = code(codes)

    def read(value: Any, pointer: str) -> Choice[C]:
        if isinstance(value, str) and (match := _OTHER.fullmatch(value)):
            return Choice(of_list("other", pointer), text(match[1], pointer))
        if isinstance(value, str):
            return _worded(of_list(value, pointer), None, pointer)
        fields = table(value, pointer, ("code", "text"))
        words = fields.get("text")
        words = None if words is None else text(words, f"{pointer}/text")
        return _worded(of_list(fields.get("code"), f"{pointer}/code"), words, pointer)

    return read


def _worded(found: C, words: str | None, pointer: str) -> Choice[C]:
    if (found == "other") != (words is not None):
        raise refuse(pointer, "other (その他) needs a text, and no other code takes one")
    return Choice(found, words)


def several(read_one: Callable[[Any, str], T], order: Callable[[T], Any]) -> Callable[[Any, str], tuple[T, ...]]:
    """Return a reader of a list of different values, which come back in the given order."""

    def read(value: Any, pointer: str) -> tuple[T, ...]:
        if not isinstance(value, list) or not 1 <= len(value) <= ITEMS_MAX:
            raise refuse(pointer, f"a list of 1 to {ITEMS_MAX} values is needed")
        collector = Collector()
        values: list[T] = []
        for index, part in enumerate(value):
            collector.take(lambda one, at: values.append(read_one(one, at)), part, f"{pointer}/{index}", None)
        collector.settle()
        for index, one in enumerate(values):
            if one in values[:index]:
                raise refuse(f"{pointer}/{index}", "this value stands in the list already")
        return tuple(sorted(values, key=order))

    return read


def optional(read: Callable[[Any, str], T]) -> Callable[[Any, str], T | None]:
    """Return the reader widened to null."""
    return lambda value, pointer: None if value is None else read(value, pointer)
