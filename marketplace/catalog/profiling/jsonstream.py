"""JSON values taken one after another from a text of any length."""

import json
from collections.abc import Callable, Iterator
from decimal import Decimal, DecimalException
from typing import Any

from marketplace.catalog.profiling.result import Unreadable

_FIRST_CHARACTERS = 1 << 18
_LONGEST_TOKEN = 16  # a literal or an escape cut by the end of the buffer is reported at most so far before it
_DIGITS_MAX = 4000
_SPACE = " \t\r\n"


class NotFinite(str):
    """NaN, Infinity or -Infinity, which Python's reader lets through and JSON does not know."""

    __slots__ = ()


def _integer(text: str) -> int | Decimal:
    return int(text) if len(text) < _DIGITS_MAX else Decimal(text)


_DECODER = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=NotFinite)


class Scanner:
    """Reads values at the front of a text, holding only what the present value needs."""

    def __init__(self, read: Callable[[int], str]) -> None:
        self._read = read
        self._buffer = ""
        self._place = 0
        self._passed = 0
        self._is_ended = False

    def _grow(self) -> bool:
        """Read on, at least doubling what is held; return whether anything came."""
        if self._is_ended:
            return False
        self._passed += self._place
        rest = self._buffer[self._place :]
        more = self._read(max(_FIRST_CHARACTERS, len(rest)))
        self._buffer, self._place = rest + more, 0
        self._is_ended = not more
        return bool(more)

    def peek(self) -> str:
        """Return the next character that is not white space, without taking it; "" at the end."""
        while True:
            while self._place < len(self._buffer):
                if self._buffer[self._place] not in _SPACE:
                    return self._buffer[self._place]
                self._place += 1
            if not self._grow():
                return ""

    def take(self, expected: str) -> str:
        """Take the next character, one of those expected; raises Unreadable."""
        found = self.peek()
        if not found:
            raise Unreadable("truncated", format="JSON")
        if found not in expected:
            raise self._broken(f"expected one of {' '.join(expected)}, found {found!r}", self._place)
        self._place += 1
        return found

    def value(self) -> Any:
        """Take one whole value; raises Unreadable."""
        self.peek()
        while True:
            try:
                found, end = _DECODER.raw_decode(self._buffer, self._place)
            except json.JSONDecodeError as error:
                self._judge(error)
                continue
            except RecursionError as error:
                raise Unreadable("nested-too-deeply") from error
            except DecimalException as error:
                raise self._broken("a number out of range", self._place) from error
            if end < len(self._buffer) or not self._grow():
                self._place = end
                return found

    def _judge(self, error: json.JSONDecodeError) -> None:
        """Read on when the value may only be cut by the end of the buffer; raises Unreadable otherwise."""
        may_go_on = error.pos >= len(self._buffer) - _LONGEST_TOKEN or error.msg.startswith("Unterminated string")
        if may_go_on and self._grow():
            return
        if may_go_on and (error.pos >= len(self._buffer.rstrip()) or error.msg.startswith("Unterminated string")):
            raise Unreadable("truncated", format="JSON") from error
        raise self._broken(error.msg, error.pos) from error

    def _broken(self, reason: str, place: int) -> Unreadable:
        return Unreadable("invalid-json", offset=self._passed + place, reason=reason)

    def items(self) -> Iterator[Any]:
        """Take an array value by value."""
        self.take("[")
        if self.peek() == "]":
            self.take("]")
            return
        yield self.value()
        while self.take(",]") == ",":
            yield self.value()

    def names(self) -> Iterator[str]:
        """Take an object key by key; the caller takes the value after each."""
        self.take("{")
        if self.peek() == "}":
            self.take("}")
            return
        yield self._key()
        while self.take(",}") == ",":
            yield self._key()

    def _key(self) -> str:
        if self.peek() != '"':
            self.take('"')
        name = str(self.value())
        self.take(":")
        return name
