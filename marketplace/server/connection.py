"""One connection of the event worker: reads heads, gives requests away, pushes what is left of answers, parts."""

import contextlib
import math
import os
import socket
from collections.abc import Callable
from enum import Enum
from time import monotonic
from typing import Any

from gunicorn import http

from marketplace.server.gathering import Gathering, PacedUnreader
from marketplace.server.linger import DRAIN_BYTES_MAX, LINGER_SECONDS
from marketplace.server.outlet import Outlet

NEVER = math.inf
Attendant = Callable[["Connection"], None]


class Stage(Enum):
    """Who has a connection, and what for."""

    WAITING = "for the next request, or the rest of it"
    SERVED = "by a thread or the sender; the loop keeps away"
    SETTLING = "for the peer to acknowledge a download that is in the kernel"
    PUSHING = "what the kernel had no room for"
    PARTING = "shut for writing, until the peer closes, too"
    GONE = "closed"


class Connection:
    """What gunicorn's code sees as its connection, and the event loop as a machine of stages.

    ``serve`` is called with the connection when a request can be read in one go, ``settle`` when the kernel tells
    something while it is settling, ``gone`` once when it is closed. All methods run on the loop, but `has_request` and
    those of gunicorn. ``deadline`` is when `expire` acts, in monotonic seconds; ``woken`` is for others to clear.
    ``unreported`` counts downloads by passes that are not on the record yet; ``parked`` is who waits until they are.
    """

    initialized, is_http2, data_ready = True, False, True

    def __init__(self, cfg: Any, wire: socket.socket, addresses: tuple[Any, Any], stall_seconds: float) -> None:
        wire.settimeout(stall_seconds)  # to threads that read or write; for the kernel, it never blocks
        self.wire, self.sock = wire, Outlet(wire)
        self.client, self.server = addresses
        self.peer = self.client[0] if isinstance(self.client, tuple) else ""  # those of Unix sockets have no name
        self.parser = http.get_parser(cfg, wire, self.client)
        self.parser.unreader = PacedUnreader(wire)
        self.stage = Stage.WAITING
        self.gather_until: float | None = None
        self._keepalive, self._stall_seconds = cfg.keepalive, stall_seconds
        self.deadline = monotonic() + self._keepalive
        self._stays = True
        self.woken = self._noted = False
        self.unreported, self.parked = 0, False

    def attend(self, gathering: Gathering, serve: Attendant, settle: Attendant, gone: Callable[[], None]) -> None:
        """Say how requests are gathered, who serves and settles, and who wants to know of the end."""
        self._gathering, self._serve, self._settle, self._gone = gathering, serve, settle, gone

    def init(self) -> None:
        """Do nothing: gunicorn asks for it, and it is done."""

    def wake(self) -> None:
        """Take up what the kernel told; while others have the connection, only note it."""
        self._noted = self.woken = True
        if self.stage is Stage.WAITING:
            self._read()
        elif self.stage is Stage.SETTLING:
            self._settle(self)
        elif self.stage is Stage.PUSHING:
            self._push()
        elif self.stage is Stage.PARTING:
            self._drain()

    def return_to_loop(self, *, stays: bool) -> None:
        """Take the connection back after an answer; without ``stays`` it ends when the answer is out."""
        self._stays = stays
        self.stage = Stage.PUSHING
        self.deadline = monotonic() + self._stall_seconds
        self._push()

    def expire(self, now: float) -> None:
        """Close what has waited long enough."""
        if now >= self.deadline:
            self.drop()

    def hurry(self, until: float) -> None:
        """Wait no longer than ``until`` for the next request or the peer's end; answers keep their time."""
        if self.stage in {Stage.WAITING, Stage.PARTING}:
            self.deadline = min(self.deadline, until)

    def drop(self) -> None:
        """Close at once."""
        if self.stage is not Stage.GONE:
            self.stage = Stage.GONE
            self._gone()
            del self._gone  # it knows this connection: the two would wait for the garbage collector
            self.wire.close()

    def close(self) -> None:
        """Close when there is no loop any more."""
        self.wire.close()

    def has_request(self) -> bool:
        """Whether a request can be read now; for whoever has the connection, on any thread."""
        if self.parser.unreader.buf.getbuffer():
            self._noted = True  # it came with the one before, and nothing more may come
        return self._gathered() and not self._is_over()

    def received(self) -> bytes:
        """Return what has come of the next requests."""
        data: bytes = self.parser.unreader.buf.getvalue()
        return data

    def pass_over(self, length: int) -> None:
        """Take a request away that is answered without the parser."""
        unreader = self.parser.unreader
        unreader.unread(unreader.take_buffered()[length:])

    def _read(self) -> None:
        if self._gathered():
            self._give_away()
        elif self.gather_until is not None:
            # Each byte begins the time for silence anew; that for the head goes on.
            self.deadline = min(monotonic() + self._keepalive, self.gather_until)

    def _gathered(self) -> bool:
        while self._noted:
            self._noted = False  # before looking: what is told after that is looked at again
            if self._gathering.is_complete(self):
                self._noted = True  # there may be more than was read
                return True
            if not self.sock.drained:
                self._noted = True
        return False

    def _is_over(self) -> bool:
        return self.sock.ended and not self.parser.unreader.buf.getbuffer()

    def _give_away(self) -> None:
        if self._is_over():
            self._part()  # it ends between two requests
            return
        self.stage, self.deadline = Stage.SERVED, NEVER
        self._serve(self)

    def _push(self) -> None:
        before = len(self.sock.waiting)
        try:
            done = self.sock.push() if before else True
        except OSError:
            self.drop()
            return
        if len(self.sock.waiting) < before:
            self.deadline = monotonic() + self._stall_seconds
        if done and self._stays:
            self._await_request()
        elif done:
            self._part()

    def _await_request(self) -> None:
        self.stage, self.deadline = Stage.WAITING, monotonic() + self._keepalive
        if self.parser.unreader.buf.getbuffer():
            self._noted = True  # the next request came with this one
        self._read()

    def _part(self) -> None:
        """Send FIN and wait for the peer's, so that no reset overtakes the answer (RFC 9112 section 9.6)."""
        self.stage, self.deadline = Stage.PARTING, monotonic() + LINGER_SECONDS
        self._thrown_away = 0
        with contextlib.suppress(OSError):
            self.wire.shutdown(socket.SHUT_WR)
        self._drain()

    def _drain(self) -> None:
        try:
            while piece := os.read(self.sock.fileno(), DRAIN_BYTES_MAX):
                self._thrown_away += len(piece)
                if self._thrown_away >= DRAIN_BYTES_MAX:
                    break
        except BlockingIOError:
            return
        except OSError:
            pass
        self.drop()
