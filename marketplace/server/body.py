"""The response body that the server moves by itself, and that any WSGI server can also iterate."""

import errno
import logging
import os
import threading
from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import BinaryIO

CHUNK_BYTES = 256 * 1024
log = logging.getLogger(__name__)


class Outcome(StrEnum):
    """How a body ended."""

    COMPLETE = "complete"
    BROKEN = "broken"
    STALLED = "stalled"


OnClose = Callable[[int, int, Outcome], None]


class FileBody:
    """The bytes ``offset`` to ``offset + count`` of an open file, reported exactly once when they are over.

    ``on_close(sent, acked, outcome)`` gets the bytes handed to the kernel, the bytes the peer has (see the
    README beside this file), and how it ended. ``key`` names the body in `sender.progress()` and `sender.stop()`.
    The body owns the file and closes it before it reports. Raises what ``file.fileno()`` raises for a file
    that is not one of the operating system.
    """

    def __init__(self, file: BinaryIO, offset: int, count: int, on_close: OnClose, key: str | None = None) -> None:
        self.file = file
        self.file_descriptor = file.fileno()
        self.offset = offset
        self.count = count
        self.key = key
        self._on_close = on_close
        self._ending = threading.Lock()
        self._handed_over = self._stopped = False
        self._yielded = 0
        self._taken = 0

    def __iter__(self) -> Iterator[bytes]:
        return self

    def __next__(self) -> bytes:
        self._taken = self._yielded  # asked for more: the server has written what it got before
        wanted = min(CHUNK_BYTES, self.count - self._yielded)
        if wanted <= 0:
            raise StopIteration
        if self._stopped:
            # The error that servers take quietly, as that of a peer who left: they close the connection.
            raise ConnectionResetError(errno.ECONNRESET, "the download was broken off")
        chunk = os.pread(self.file_descriptor, wanted, self.offset + self._yielded)
        if not chunk:
            # StopIteration would leave the promised Content-Length short on a connection that lives on.
            raise OSError(f"the file ends {self.count - self._yielded} bytes too early")
        self._yielded += len(chunk)
        return chunk

    @property
    def started(self) -> bool:
        """Whether somebody iterates already, so that the sender must not begin anew."""
        return self._yielded > 0

    @property
    def acked(self) -> int:
        """The bytes that the server has taken while the body was iterated: none that the sender moves."""
        return self._taken

    def stop(self) -> None:
        """Give whoever iterates no more bytes, and an error for the next ones; `sender.stop` is for all others."""
        self._stopped = True

    def hand_over(self) -> None:
        """Leave the ending to the sender: from now on `close` does nothing."""
        self._handed_over = True

    def close(self) -> None:
        """End a body that was iterated, or never used; WSGI servers call this after the last byte."""
        if not self._handed_over:
            outcome = Outcome.COMPLETE if self._taken == self.count else Outcome.BROKEN
            self.end(self._yielded, self._taken, outcome)

    def end(self, sent: int, acked: int, outcome: Outcome) -> None:
        """Close the file and report; the first call counts, all others do nothing."""
        if not self._ending.acquire(blocking=False):
            return
        self.file.close()
        try:
            self._on_close(sent, acked, outcome)
        except Exception:
            log.exception("the report of a finished download failed (%s of %s bytes acknowledged)", acked, self.count)
