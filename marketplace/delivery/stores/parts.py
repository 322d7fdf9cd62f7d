"""Files that come in pieces: each lies in a local folder until it is whole, and has one writer at a time."""

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path

from marketplace.delivery.errors import BytesMissing, UploadTruncated
from marketplace.delivery.stores.local import room, write_all
from marketplace.kit import folders

COPY_BYTES = 2**20


class Part:
    """The bytes so far of one file, held by one writer; ``at`` is how far they are written."""

    def __init__(self, path: Path, descriptor: int, at: int) -> None:
        self._path = path
        self._descriptor = descriptor
        self.at = at
        os.lseek(descriptor, at, os.SEEK_SET)

    @property
    def name(self) -> str:
        """Under which the part is found again."""
        return self._path.name

    def write(self, chunk: bytes, size_bytes: int) -> None:
        """Append to what was written; raises UploadTruncated beyond ``size_bytes``, and StorageFull."""
        if self.at + len(chunk) > size_bytes:
            raise UploadTruncated(f"{size_bytes} bytes were announced, and more arrived.")
        with room():
            write_all(self._descriptor, chunk)
        self.at += len(chunk)

    def sync(self) -> None:
        """Have all that was written survive a power cut, and the name under which it lies."""
        with room():
            os.fsync(self._descriptor)
            folders.sync(self._path.parent)

    def chunks(self) -> Iterator[bytes]:
        """Yield what was written, from the first byte on, also when its name has been taken away meanwhile."""
        start = 0
        while chunk := os.pread(self._descriptor, min(COPY_BYTES, self.at - start), start):
            start += len(chunk)
            yield chunk


class Parts:
    """A folder of files that are not whole yet."""

    def __init__(self, folder: Path) -> None:
        """Use ``folder``, which is created."""
        self._folder = folder
        self._folder.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def hold(self, name: str, at: int) -> Iterator[Part]:
        """Hold a part to go on at ``at``; raises BytesMissing where it is not that long.

        Where another writer still holds it, say for a connection that broke without a sign, one goes on in a copy
        of another name, and nothing that the other still writes gets into it.
        """
        descriptor = self._locked(name, at)
        if descriptor is None:
            name, descriptor = self._copied(name, at)
        try:
            yield Part(self._folder / name, descriptor, at)
        finally:
            os.close(descriptor)  # and with it the lock

    def discard(self, name: str) -> None:
        """Remove a part; who still writes to it writes into nothing."""
        (self._folder / name).unlink(missing_ok=True)

    def untouched_since(self, instant: datetime) -> Iterable[str]:
        """Yield the names of parts that were last written to before that instant."""
        for path in self._folder.iterdir():
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < instant.timestamp():
                    yield path.name

    def _locked(self, name: str, at: int) -> int | None:
        descriptor = self._opened(name, os.O_RDWR | (0 if at else os.O_CREAT))
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return None
        if os.fstat(descriptor).st_size < at:
            os.close(descriptor)
            raise BytesMissing(f"The part {name} is shorter than what was acknowledged.")
        return descriptor

    def _opened(self, name: str, flags: int) -> int:
        try:
            with room():
                return os.open(self._folder / name, flags | os.O_CLOEXEC, 0o640)
        except FileNotFoundError as error:
            raise BytesMissing(f"The part {name} is gone.") from error

    def _copied(self, name: str, at: int) -> tuple[str, int]:
        """Return another part with the first ``at`` bytes, which are acknowledged and which nobody changes."""
        fresh = secrets.token_hex(16)
        descriptor = self._opened(fresh, os.O_RDWR | os.O_CREAT | os.O_EXCL)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            with room():
                self._copy(name, descriptor, at)
        except BaseException:
            os.close(descriptor)
            self.discard(fresh)
            raise
        return fresh, descriptor

    def _copy(self, name: str, target: int, size_bytes: int) -> None:
        source = self._opened(name, os.O_RDONLY)
        try:
            while size_bytes:
                chunk = os.read(source, min(COPY_BYTES, size_bytes))
                if not chunk:
                    raise BytesMissing(f"The part {name} is shorter than what was acknowledged.")
                write_all(target, chunk)
                size_bytes -= len(chunk)
        finally:
            os.close(source)
        os.fsync(target)
