"""One body on its way through one TCP socket: pushing bytes, and asking the kernel what arrived."""

import contextlib
import fcntl
import os
import socket
import struct
import termios
from collections.abc import Callable
from enum import Enum

from marketplace.server.body import FileBody, Outcome

CORK_BYTES_MIN = 8 * 2**20
SMALL_BYTES_MAX = 32 * 1024
LOWAT_FAST_BYTES = 2**20
LOWAT_SLOW_BYTES = 128 * 1024
TCP_CORK = 3  # include/uapi/linux/tcp.h; Python names it on Linux alone
TCP_NOTSENT_LOWAT = 25  # as above; named by Python from 3.12 on
OnEnd = Callable[[Outcome], None]


class Push(Enum):
    """What one turn of pushing came to."""

    MORE = "the budget is used up"
    FULL = "the socket takes no more for now"
    SENT = "the kernel has every byte"
    BROKEN = "the peer is gone, or the file is shorter than promised"


class Transfer:
    """A body bound to a non-blocking TCP socket that nobody else writes to until ``on_end`` is called.

    One thread at a time pushes.
    """

    def __init__(self, body: FileBody, sock: socket.socket) -> None:
        self.body = body
        self.socket_descriptor = sock.fileno()
        self.sent = 0
        self.acked_seen = 0
        self.progressed_at = 0.0
        self.registered = self.queued = self.rechecked = self.ended = False  # the sender's notes
        self.on_end: OnEnd | None = None
        self._sock = sock
        self._corked = self._seen = self._slow = False

    @property
    def key(self) -> str | None:
        """The name the application gave to the body."""
        return self.body.key

    def prepare(self) -> None:
        """Make headers and first bytes share segments, and bound what waits unsent in the kernel."""
        self._corked = True
        self._set(TCP_CORK, 1)
        self._set(TCP_NOTSENT_LOWAT, LOWAT_FAST_BYTES)

    def begin(self, write: Callable[[bytes], int], head: bytes) -> bool:
        """Write a head, with the body where that is small enough to cost less in one piece; False if it cannot be.

        Nothing waits here. The connection is of no more use if not all of the head was taken.
        """
        body, data = self.body, head
        if body.count > SMALL_BYTES_MAX:
            self.prepare()
        else:
            with contextlib.suppress(OSError):  # whoever sends the rest finds it, too
                data += os.pread(body.file_descriptor, body.count, body.offset)
        written = write(data)
        self.sent = max(0, written - len(head))
        return written >= len(head)

    def push_first(self, budget_bytes: int) -> Push:
        """Push for the first time; short bodies are uncorked at once, since a cork only pays for long ones."""
        pushed = self.push(budget_bytes)
        if self.body.count < CORK_BYTES_MIN:
            self.uncork()
        return pushed

    def push(self, budget_bytes: int) -> Push:
        """Move up to ``budget_bytes`` from the file to the socket without copying or blocking on the peer."""
        body = self.body
        try:
            while self.sent < body.count and budget_bytes > 0:
                wanted = min(body.count - self.sent, budget_bytes)
                moved = os.sendfile(self.socket_descriptor, body.file_descriptor, body.offset + self.sent, wanted)
                if moved == 0:
                    return Push.BROKEN
                self.sent += moved
                budget_bytes -= moved
        except BlockingIOError:
            return Push.FULL
        except OSError:
            return Push.BROKEN
        if self.sent < body.count:
            return Push.MORE
        self.uncork()
        return Push.SENT

    def acked(self) -> int:
        """Return the bytes of this body that the peer's TCP has acknowledged; works after a reset, too.

        What is unacknowledged (SIOCOUTQ) is the tail of what was written, and nothing is written after the
        body while the transfer lasts, so the difference is exact. A peer that resets may have read up to two
        segments more, whose acknowledgement was still due. Without an answer nothing counts as arrived.
        """
        try:
            answer = fcntl.ioctl(self.socket_descriptor, termios.TIOCOUTQ, bytes(4))
        except OSError:
            return 0
        unacknowledged: int = struct.unpack("i", answer)[0]
        return max(0, self.sent - unacknowledged)

    def arrived(self) -> bool:
        """Whether the peer has acknowledged the whole body."""
        return self.acked() == self.body.count

    def note_progress(self, now: float, stall_seconds: float) -> bool:
        """Look at the acknowledged bytes; return False once nothing has moved for ``stall_seconds``."""
        acked = self.acked()
        gained = acked - self.acked_seen
        if gained > 0:
            self.acked_seen, self.progressed_at = acked, now
        if self._seen and not self._slow and gained < LOWAT_FAST_BYTES:
            self._slow = True  # thousands of slow readers must not fill the kernel's memory
            self._set(TCP_NOTSENT_LOWAT, LOWAT_SLOW_BYTES)
        self._seen = True
        return now - self.progressed_at < stall_seconds

    def conclude(self, outcome: Outcome) -> None:
        """Close the file, report once, and give the connection back; lasts as long as the application's report.

        Whatever the caller saw, a body that arrived whole is complete. Any other connection is reset before the
        report: what lies in the kernel still would otherwise reach the peer without being counted.
        """
        acked = self.acked()
        if acked == self.body.count:
            outcome = Outcome.COMPLETE
            self.uncork()
        else:
            self._reset()
        try:
            self.body.end(self.sent, acked, outcome)
        finally:
            if self.on_end is not None:
                self.on_end(outcome)

    def uncork(self) -> None:
        """Let the last, partly filled segment go."""
        if self._corked:
            self._corked = False
            self._set(TCP_CORK, 0)

    def _reset(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._sock.close()

    def _set(self, option: int, value: int) -> None:
        with contextlib.suppress(OSError):  # the peer is gone; the next push says so
            self._sock.setsockopt(socket.IPPROTO_TCP, option, value)
