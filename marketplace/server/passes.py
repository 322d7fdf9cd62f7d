"""Passes: requests that the application lets the event loop answer for a moment, as it has just answered them.

A request is known again by its bytes. What the parser has read once, it would read the same again, so nothing is parsed
a second time, and no second reader can differ from the first. Only the value of a Range field may vary.
"""

import os
import re
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from functools import lru_cache
from hashlib import blake2b
from typing import Any, BinaryIO, NamedTuple, Protocol

from gunicorn import util

from marketplace.server.body import Outcome

PASS = "marketplace.pass"  # noqa: S105 - a key of the environ
SEEN_MAX = 4096
SEEN_SECONDS = 30.0
KEPT_MAX = 1024
_END = b"\r\n\r\n"
_RANGE = re.compile(rb"\r\nrange:[ \t]*([^\r\n]*)\r\n", re.IGNORECASE)
_BEGINS, _PLAIN = b"GET /", re.compile(rb"GET /[!-~]* HTTP/1\.1(?:\r\n[!-9;-~]+:[\t -~]*)+")
# What says nothing that could change the answer, beside what the answer was made for. Any other field, and any of these
# twice, goes to the application each time: conditions, proofs, cookies, bodies, whatever comes to be.
FIELDS = frozenset({
    b"host", b"user-agent", b"accept", b"accept-encoding", b"accept-language", b"connection", b"authorization",
    b"range", b"musubi-purpose", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-host",
    b"x-real-ip", b"via",
})  # fmt: skip


Report = Callable[[int, int, Outcome, Callable[[], None]], None]


class Begun(NamedTuple):
    """A body that a pass has begun: ``fields`` differ from those of the answer the pass was given with.

    ``report(sent, acked, outcome, told)`` does not wait; it calls ``told()`` from any thread when the report is kept,
    or cannot be for now.
    """

    file: BinaryIO
    start: int
    length: int
    fields: Mapping[str, str]
    key: str
    report: Report


class Pass(Protocol):
    """The application's leave to answer a request again; all is asked on the event loop, and nothing there waits."""

    def begin(self, range_field: str | None) -> Begun | None:
        """Begin a body for the same request, with this Range; None where the application must be asked."""
        ...

    def waits(self) -> bool:
        """Whether it begins nothing only until more of what it began is kept."""
        ...

    def end(self) -> None:
        """Begin nothing any more."""
        ...


class Asked(NamedTuple):
    """A request by its bytes: a keyed hash of its head without the value of Range, and how long the head is."""

    name: bytes
    length: int
    range_field: bytes | None


class Kept:
    """A pass, and the head of the answer that it was given with."""

    def __init__(self, leave: Pass, response: Any) -> None:
        self.leave = leave
        self._first, self._server, _date, self._connection = response.default_headers()
        self._fields = tuple(response.headers)
        self._second, self._whole = 0, b""

    def head(self, fields: Mapping[str, str]) -> bytes:
        """Return the head of an answer that is given now."""
        second = int(time.time())
        if fields:
            return self._written(second, fields)
        if second != self._second:
            self._second, self._whole = second, self._written(second, fields)
        return self._whole

    def _written(self, second: int, fields: Mapping[str, str]) -> bytes:
        own = "".join(f"{name}: {fields.get(name, value)}\r\n" for name, value in self._fields)
        return f"{self._first}{self._server}{_date(second)}{self._connection}{own}\r\n".encode("latin-1")


@lru_cache(2)
def _date(second: int) -> str:
    return f"Date: {util.http_date(second)}\r\n"


class Slot:
    """Where the application leaves a pass while it answers a request that came before; ``asked_at`` is monotonic."""

    def __init__(self, name: bytes) -> None:
        self.name = name
        self.asked_at = time.monotonic()
        self.leave: Pass | None = None

    def keep(self, leave: Pass) -> None:
        """Leave a pass for requests with the same bytes."""
        self.leave = leave


class Passes:
    """The passes of a worker. The application is offered a place for one when a request comes for the second time."""

    def __init__(self) -> None:
        self._secret = os.urandom(32)
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._seen: OrderedDict[bytes, float] = OrderedDict()

    def read(self, data: bytes, peer: str) -> Asked | None:
        """Return a request that begins these bytes; None for what no pass is for."""
        end = data.find(_END)
        if end < 0 or not data.startswith(_BEGINS):
            return None
        head, range_field = data[: end + 2], None
        if found := _RANGE.search(head):
            range_field = found[1]
            head = head[: found.start(1)] + head[found.end(1) :]
        name = blake2b(head + peer.encode(), key=self._secret, digest_size=16).digest()
        return Asked(name, end + len(_END), range_field)

    def find(self, asked: Asked) -> Kept | None:
        """Return the pass for a request."""
        return self._kept.get(asked.name)

    def slot(self, asked: Asked, data: bytes) -> Slot | None:
        """Return a place for a pass, for a plain request that has come a while ago, too."""
        if not is_plain(data[: asked.length]):
            return None
        now = time.monotonic()
        before = self._seen.pop(asked.name, None)
        self._seen[asked.name] = now
        if len(self._seen) > SEEN_MAX:
            self._seen.popitem(last=False)
        return Slot(asked.name) if before is not None and now - before <= SEEN_SECONDS else None

    def keep(self, slot: Slot, response: Any) -> None:
        """Keep the pass that was left, in the place of the one before it; the oldest ends where there are too many."""
        if slot.leave is None:
            return
        if response.should_close():
            slot.leave.end()
            return
        before = self._kept.pop(slot.name, None)
        self._kept[slot.name] = Kept(slot.leave, response)
        if before is None and len(self._kept) > KEPT_MAX:
            _, before = self._kept.popitem(last=False)
        if before is not None:
            before.leave.end()


def is_plain(head: bytes) -> bool:
    """Whether a head, with the empty line that ends it, has known fields alone, each once."""
    fields = head[: -len(_END)]
    if not _PLAIN.fullmatch(fields):
        return False
    names = [line.partition(b":")[0].lower() for line in fields.split(b"\r\n")[1:]]
    return len(set(names)) == len(names) and FIELDS.issuperset(names)
