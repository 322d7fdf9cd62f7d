"""Closing connections without waiting for them on the event loop."""

import selectors
import socket
from collections import deque
from collections.abc import Callable
from time import monotonic
from typing import Any

LINGER_SECONDS = 2.0
DRAIN_BYTES_MAX = 64 * 1024


class Lingering:
    """Connections that are shut for writing and stay until the peer closes, too (RFC 9112 section 9.6).

    gunicorn waits for that on its event loop, up to two seconds each: a client that asks for "Connection: close"
    and then stays would silence the whole server. ``closed`` is called for each connection that is really closed.
    """

    def __init__(self, poller: selectors.BaseSelector, closed: Callable[[], None]) -> None:
        self._poller = poller
        self._closed = closed
        self._waiting: deque[tuple[float, Any]] = deque()

    def add(self, conn: Any) -> None:
        """Send FIN and begin to wait for the peer's."""
        try:
            conn.sock.settimeout(0)
            conn.sock.shutdown(socket.SHUT_WR)
            self._poller.register(conn.sock, selectors.EVENT_READ, lambda _: self._drain(conn))
        except (OSError, ValueError):
            self._close(conn)
            return
        self._waiting.append((monotonic() + LINGER_SECONDS, conn))

    def expire(self) -> None:
        """Close what has lingered long enough."""
        now = monotonic()
        while self._waiting and self._waiting[0][0] <= now:
            _, conn = self._waiting.popleft()
            if conn.sock.fileno() >= 0:
                self._finish(conn)

    def _drain(self, conn: Any) -> None:
        """Read what the peer still sends; at its end, or when it sends too much, close."""
        try:
            received = len(conn.sock.recv(DRAIN_BYTES_MAX))
        except BlockingIOError:
            return
        except OSError:
            received = 0
        if received in {0, DRAIN_BYTES_MAX}:
            self._finish(conn)

    def _finish(self, conn: Any) -> None:
        self._poller.unregister(conn.sock)
        self._close(conn)

    def _close(self, conn: Any) -> None:
        conn.close()
        self._closed()
