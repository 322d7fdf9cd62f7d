"""What the copying process says: pieces of data, each with its length, and one last piece of JSON."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

DATA, END = b"D", b"E"
_HEAD = 5
_PIECE_BYTES_MAX = 1 << 30
_END_BYTES_MAX = 16 << 20


class BrokenOff(Exception):
    """The frames ended before the last one, or are none."""


def framed(kind: bytes, piece: bytes) -> bytes:
    """Return a piece with its kind and length before it."""
    return kind + len(piece).to_bytes(_HEAD - 1, "big") + piece


class Frames:
    """The frames in a stream of bytes: ``data`` yields those of data, after which ``end`` is there."""

    def __init__(self, pieces: Iterable[bytes]) -> None:
        self._pieces = iter(pieces)
        self._held = bytearray()
        self.end: dict[str, Any] = {}

    def data(self) -> Iterator[bytes]:
        """Yield the data as it comes; raises BrokenOff where it does not end as agreed."""
        while True:
            kind, length = self._head()
            if kind == END and length <= _END_BYTES_MAX:
                self.end = _object(b"".join(self._taken(length)))
                return
            if kind != DATA or length > _PIECE_BYTES_MAX:
                raise BrokenOff
            yield from self._taken(length)

    def _head(self) -> tuple[bytes, int]:
        head = b"".join(self._taken(_HEAD))
        return head[:1], int.from_bytes(head[1:], "big")

    def _taken(self, length: int) -> Iterator[bytes]:
        while length:
            if not self._held:
                self._held += next(self._pieces, b"")
                if not self._held:
                    raise BrokenOff
            piece = bytes(self._held[:length])
            del self._held[: len(piece)]
            length -= len(piece)
            yield piece


def _object(text: bytes) -> dict[str, Any]:
    try:
        found = json.loads(text, parse_constant=_refuse, parse_float=_refuse)
    except (ValueError, RecursionError) as error:
        raise BrokenOff from error
    if not isinstance(found, dict):
        raise BrokenOff
    return found


def _refuse(text: str) -> float:
    raise ValueError(f"an answer holds no floats: {text[:20]}")
