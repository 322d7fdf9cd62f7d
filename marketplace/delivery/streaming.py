"""A body that counts itself, for servers that cannot tell what the peer acknowledged."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from typing import BinaryIO, Self

from marketplace.delivery.errors import BytesMissing

CHUNK_BYTES = 256 * 1024
OnClose = Callable[[int, int, str], None]


class CountedBody:
    """A WSGI iterable of ``count`` bytes of ``file`` from ``offset`` on; owns and closes the file.

    ``close()`` calls ``on_close(sent, acked, outcome)`` exactly once, from whichever thread comes first.
    ``sent`` counts the bytes handed to the server; ``acked`` leaves out the last chunk unless the server
    came back for more, since only then do we know that the server took it. That is as much as WSGI can
    tell: bytes in the buffers of the kernel or of a proxy count as acknowledged. Only a server with
    ``marketplace.send_file`` in its environment knows better.
    """

    def __init__(self, file: BinaryIO, offset: int, count: int, on_close: OnClose) -> None:
        self._file, self._offset, self._count, self._on_close = file, offset, count, on_close
        self._sent = self._acked = 0
        self._open = True
        self._stopped = False
        self._lock = threading.Lock()

    @property
    def acked(self) -> int:
        """The bytes that the server has taken so far: what a heartbeat may note while the body runs."""
        return self._acked

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Return the next chunk of at most 256 KiB.

        Raises BytesMissing when the file ends too early, and ConnectionResetError after ``stop``.
        """
        self._acked = self._sent
        wanted = min(CHUNK_BYTES, self._count - self._sent)
        if not wanted or not self._open:
            raise StopIteration
        if self._stopped:
            # The error that servers take quietly, as that of a peer who left: they close the connection.
            raise ConnectionResetError(errno.ECONNRESET, "the download was broken off")
        # pread leaves the position alone: two bodies may share one file, and no range reads from byte 0.
        chunk = os.pread(self._file.fileno(), wanted, self._offset + self._sent)
        if not chunk:
            # Ending quietly would let the client take the next response for the rest of this one.
            raise BytesMissing
        self._sent += len(chunk)
        return chunk

    def stop(self) -> None:
        """Give the server no more bytes, and an error for the next ones."""
        self._stopped = True

    def close(self) -> None:
        """Close the file and report, the first time; do nothing after that."""
        with self._lock:
            if not self._open:
                return
            self._open = False
        try:
            self._file.close()
        finally:
            self._on_close(self._sent, self._acked, "complete" if self._acked == self._count else "broken")


class Enveloped:
    """A body within others' words: what stands before and after it is sent and not counted."""

    def __init__(self, before: bytes, body: CountedBody, after: bytes) -> None:
        self._before, self._body, self._after = before, body, after
        self._parts = self._all()

    @property
    def acked(self) -> int:
        """The bytes of the body itself that the server has taken so far."""
        return self._body.acked

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> bytes:
        """Return the next piece; raises as the body does."""
        return next(self._parts)

    def _all(self) -> Iterator[bytes]:
        yield self._before
        yield from self._body
        yield self._after

    def stop(self) -> None:
        """Give the server no more bytes, and an error for the next ones."""
        self._body.stop()

    def close(self) -> None:
        """Close the body and report, the first time."""
        self._body.close()
