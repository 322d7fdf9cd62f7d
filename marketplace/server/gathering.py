"""Requests of slow senders wait with the event loop, and hold no thread before they can be read in one go.

Otherwise as many senders as there are threads, each with a byte now and then, would hold up everybody.
"""

import errno
import re
import socket
from time import monotonic
from typing import Any

from gunicorn.http.errors import ParseException
from gunicorn.http.unreader import SocketUnreader

HEAD_SECONDS = 20.0
BODY_BYTES_GATHERED = 64 * 1024
PATIENCE_SECONDS = 20.0
BYTES_PER_SECOND_MIN = 1024
RECEIVE_BYTES = 64 * 1024
PIECE_BYTES = 8 * 1024
_END = b"\r\n\r\n"
_ENDS = b"\r\n" + b"\r\n" + _END  # an empty line that is passed over, the end of the request line, and that of the head
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*([0-9]{1,9})[ \t]*\r\n", re.IGNORECASE)
_EXPECTS = re.compile(rb"\r\nexpect:", re.IGNORECASE)


class SenderTooSlow(ConnectionResetError):
    """A body that comes slower than anybody's line is; to the application the sender is gone."""


class BodyUnreadable(ValueError, ParseException):  # type: ignore[misc]  # gunicorn has no types
    """A body that is no HTTP: what Werkzeug takes for a broken request, and the server for one of bad form."""


class PacedUnreader(SocketUnreader):  # type: ignore[misc]  # gunicorn has no types
    """Reads from a socket, but not for ever: waiting longer than what came so far allows ends in SenderTooSlow."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__(sock)
        self.begin()

    def begin(self) -> None:
        """Count from here on: the next request has come."""
        self._received, self._waited = 0, 0.0

    def read(self, size: int | None = None, read_ahead: int | None = None) -> bytes:
        """Return ``size`` bytes, or the next piece: never more of it than the parser looks at between its limits."""
        if size is None and len(self.buf.getbuffer()) > PIECE_BYTES:
            size = PIECE_BYTES
        read: bytes = super().read(size, read_ahead)
        return read

    def chunk(self, size_hint: int | None = None) -> bytes:
        """Return what came next; a sender who says nothing for the socket's own time is too slow, too."""
        before = monotonic()
        try:
            piece: bytes = super().chunk(size_hint)
        except TimeoutError as silence:
            raise SenderTooSlow(errno.ECONNRESET, "the sender is silent") from silence
        self._received += len(piece)
        self._waited += monotonic() - before
        if self._waited > PATIENCE_SECONDS + self._received / BYTES_PER_SECOND_MIN:
            raise SenderTooSlow(errno.ECONNRESET, "the sender is too slow")
        return piece


class Gathering:
    """What has come of the requests whose heads, or short bodies, are not complete yet."""

    def __init__(self, line_bytes_max: int, fields_bytes_max: int, head_seconds: float = HEAD_SECONDS) -> None:
        self._line_bytes_max = line_bytes_max
        self._head_bytes_max = line_bytes_max + fields_bytes_max + len(_ENDS)
        self._head_seconds = head_seconds

    def is_complete(self, conn: Any) -> bool:
        """Take what is there, without waiting, and tell whether a thread can read the request now.

        Also True for what no more bytes would mend: an end, a reset, a head beyond all limits.
        """
        unreader = _paced(conn)
        data, ended = unreader.take_buffered(), False
        if not self._suffices(data):
            try:
                piece = conn.sock.recv(RECEIVE_BYTES, socket.MSG_DONTWAIT)
                data, ended = data + piece, not piece
            except BlockingIOError:
                pass
            except OSError:
                ended = True
        unreader.unread(data)
        if ended or self._suffices(data):
            conn.gather_until = None
            unreader.begin()
            return True
        if getattr(conn, "gather_until", None) is None:
            conn.gather_until = monotonic() + self._head_seconds
        return False

    def _suffices(self, data: bytes) -> bool:
        """Whether the head has come, with the body where that is announced as a short one, or will never be one.

        This decides about waiting alone; what the request is, the parser says.
        """
        head_end = data.find(_END)
        if head_end < 0:
            return self._is_hopeless(data)
        if _EXPECTS.search(data, 0, head_end):
            return True  # the body comes when it is asked for
        announced = _LENGTH.search(data, 0, head_end + 2)
        length = int(announced[1]) if announced else 0
        return length > BODY_BYTES_GATHERED or len(data) >= head_end + len(_END) + length

    def _is_hopeless(self, data: bytes) -> bool:
        """Whether the parser refuses this beginning of a head, whatever follows: it is too long, or has a bare LF."""
        if len(data) > self._head_bytes_max or data.count(b"\n") != data.count(b"\r\n"):
            return True
        return len(data) > self._line_bytes_max + len(_ENDS) and data.find(b"\r\n", 2) < 0


class PlainInput:
    """A request's body whose faults are the sender's: each is a BodyUnreadable, or an OSError."""

    def __init__(self, body: Any) -> None:
        self._body = body

    def read(self, *size: int) -> Any:
        """Read from the body."""
        return self._guarded(self._body.read, *size)

    def readline(self, *size: int) -> Any:
        """Read a line of the body."""
        return self._guarded(self._body.readline, *size)

    def readlines(self, *hint: int) -> Any:
        """Read the lines of the body."""
        return self._guarded(self._body.readlines, *hint)

    def __iter__(self) -> Any:
        """Go through the lines of the body."""
        return iter(self.readline, b"")

    def _guarded(self, read: Any, *size: int) -> Any:
        try:
            return read(*size)
        except ParseException as fault:
            raise BodyUnreadable(type(fault).__name__) from fault


def _paced(conn: Any) -> PacedUnreader:
    if not isinstance(conn.parser.unreader, PacedUnreader):
        conn.parser.unreader = PacedUnreader(conn.sock)
    unreader: PacedUnreader = conn.parser.unreader
    return unreader
