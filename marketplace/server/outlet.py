"""A connection as whoever answers on it sees it: what the kernel has no room for waits here, and holds no thread."""

import errno
import os
import socket
from typing import Any

WAITING_BYTES_MAX = 64 * 1024


class Outlet:
    """Stands in for a socket: a thread that answers writes here and goes; what is left is the event loop's to push.

    The descriptor never blocks. A thread that has more to say than may wait stays until the rest fits, for as long as
    the socket's own time allows: one thread at a time writes, and the loop only when no thread does.
    """

    def __init__(self, wire: socket.socket) -> None:
        self.wire = wire
        self.family = wire.family
        self.waiting = bytearray()
        self.drained = self.ended = False
        self._descriptor = wire.fileno()

    def send(self, data: bytes) -> int:
        """Take the data like `sendall`, all of it."""
        self.sendall(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Write what fits, and keep the rest if it is little; raises OSError when the peer is gone or stands still."""
        if not self.waiting:
            data = data[self._write(data) :]
        self.waiting += data
        if len(self.waiting) > WAITING_BYTES_MAX:
            self.settle()

    def write_now(self, data: bytes) -> int:
        """Write what fits at once, and return how much that was: nothing while something waits, or of a peer gone."""
        try:
            return 0 if self.waiting else self._write(data)
        except OSError:
            return 0

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> int:
        """Send a file that the application gave to gunicorn, on the thread that calls."""
        self.settle()
        return self.wire.sendfile(file, offset, count)

    def settle(self) -> None:
        """Wait until everything is in the kernel; raises TimeoutError when the peer stands still."""
        if self.waiting:
            self.wire.sendall(self.waiting)
            self.waiting.clear()

    def push(self) -> bool:
        """Write what fits and tell whether all of it did; raises OSError for a peer that is gone."""
        del self.waiting[: self._write(self.waiting)]
        return not self.waiting

    def recv(self, size: int, _flags: int = 0) -> bytes:
        """Read without waiting, and note whether that was all for now, or for ever.

        A short piece tells nothing of the peer's end, which may have been announced together with it.
        """
        self.drained = True
        piece = os.read(self._descriptor, size)
        self.drained = self.ended = not piece
        return piece

    def setblocking(self, _flag: bool) -> None:
        """Change nothing: the descriptor never blocks."""

    def gettimeout(self) -> float:
        """Say that writing does not block."""
        return 0.0

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._descriptor

    def shutdown(self, _how: int) -> None:
        """Refuse: the event loop ends connections, when all has been written."""
        raise OSError(errno.ENOTCONN, "the event loop ends this connection")

    def close(self) -> None:
        """Leave the end to the event loop."""

    def _write(self, data: bytes | bytearray) -> int:
        try:
            return os.write(self._descriptor, data)
        except BlockingIOError:
            return 0
