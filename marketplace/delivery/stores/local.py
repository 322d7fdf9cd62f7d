"""Bytes in a local folder, each file under its SHA-256 as ``ab/cd/<sha256>``."""

import errno
import hashlib
import os
import re
import secrets
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, ClassVar

from marketplace.delivery.errors import BytesMissing, DigestMismatch, StorageFull, UploadTruncated
from marketplace.delivery.stores import Judge, Stored
from marketplace.kit import folders
from marketplace.kit.errors import TooLarge

_NAME = re.compile(r"[0-9a-f]{64}", re.ASCII)
_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})


class LocalStore:
    """A content-addressed folder: identical content is kept once, and is never changed in place."""

    asks_outside: ClassVar[bool] = False

    def __init__(self, root: Path | str) -> None:
        """Use ``root``, which is created; uploads on their way lie in ``root/incoming``, on its file system."""
        self._root = Path(root)
        self._incoming = self._root / "incoming"
        self._incoming.mkdir(parents=True, exist_ok=True)

    def receive(
        self,
        chunks: Iterable[bytes],
        limit_bytes: int,
        expected_sha256: str | None = None,
        expected_size: int | None = None,
        judge: Judge | None = None,
    ) -> Stored:
        """Keep the bytes durably at constant memory and return their name and size.

        Raises TooLarge beyond ``limit_bytes``, StorageFull, UploadTruncated or DigestMismatch against what
        was announced, or whatever ``chunks`` and ``judge`` raise; nothing is kept then, not even in part.
        """
        with self.draft(chunks, limit_bytes) as (_path, stored):
            _compare(stored, expected_sha256, expected_size)
            if judge is not None:
                judge(stored)
        return stored

    @contextmanager
    def draft(self, chunks: Iterable[bytes], limit_bytes: int) -> Iterator[tuple[Path, Stored]]:
        """Write the bytes where the block can judge them; they are kept, durably, once it ends without raising.

        Raises TooLarge, StorageFull, or whatever ``chunks`` raises; nothing is kept then.
        """
        with self._temporary() as (path, descriptor):
            stored = _write(descriptor, chunks, limit_bytes)
            yield path, stored
            with room():
                os.fsync(descriptor)
                self._keep(path, stored)

    def open(self, sha256: str) -> BinaryIO:
        """Open the bytes of that name for reading; raises BytesMissing."""
        try:
            return self._path(sha256).open("rb")
        except OSError as error:
            raise BytesMissing(f"The bytes {sha256} cannot be read.") from error

    def bring_near(self, sha256: str) -> None:
        """Do nothing: what is here is near."""

    def holds(self, sha256: str) -> bool:
        """Whether the bytes of that name are there."""
        return self._path(sha256).is_file()

    def remove(self, sha256: str) -> None:
        """Remove the bytes of that name, durably; who reads them still has them open."""
        path = self._path(sha256)
        with suppress(FileNotFoundError):
            path.unlink()
            folders.sync(path.parent)

    def forget_near(self, is_unwanted: Callable[[Sequence[str]], Collection[str]]) -> None:
        """Do nothing: there are no copies beside the store."""

    def clear_abandoned(self, older_than: datetime) -> int:
        """Remove uploads that were last written to before that instant; return how many."""
        removed = 0
        for path in self._incoming.iterdir():
            # Another sweeper, or the upload itself, may be quicker.
            with suppress(FileNotFoundError):
                if path.stat().st_mtime < older_than.timestamp():
                    path.unlink()
                    removed += 1
        return removed

    def trouble(self) -> str | None:
        """Return None: no service is asked."""
        return None

    def _path(self, sha256: str) -> Path:
        if not _NAME.fullmatch(sha256):
            raise BytesMissing("No bytes have such a name.")
        return self._root / sha256[:2] / sha256[2:4] / sha256

    @contextmanager
    def _temporary(self) -> Iterator[tuple[Path, int]]:
        path = self._incoming / secrets.token_hex(16)
        with room():
            descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_CLOEXEC, 0o640)
        try:
            yield path, descriptor
        finally:
            os.close(descriptor)
            path.unlink(missing_ok=True)

    def _keep(self, path: Path, stored: Stored) -> None:
        target = self._path(stored.sha256)
        # A file of that name but another size was damaged from outside: the good bytes replace it.
        if not (target.is_file() and target.stat().st_size == stored.size_bytes):
            target.parent.mkdir(parents=True, exist_ok=True)
            path.rename(target)
        # Also when a twin was quicker: it may not have got so far yet, and we are about to acknowledge.
        for folder in (target.parent, target.parent.parent, self._root):
            folders.sync(folder)


def _write(descriptor: int, chunks: Iterable[bytes], limit_bytes: int) -> Stored:
    digest, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit_bytes:
            raise TooLarge(f"A file may have at most {limit_bytes} bytes.", limit_bytes=limit_bytes)
        digest.update(chunk)
        with room():
            write_all(descriptor, chunk)
    return Stored(digest.hexdigest(), size)


def write_all(descriptor: int, chunk: bytes) -> None:
    """Write a chunk, however many times the kernel takes a part of it."""
    rest = memoryview(chunk)
    while rest:
        rest = rest[os.write(descriptor, rest) :]


def _compare(stored: Stored, expected_sha256: str | None, expected_size: int | None) -> None:
    if expected_size is not None and stored.size_bytes != expected_size:
        raise UploadTruncated(f"{expected_size} bytes were announced and {stored.size_bytes} arrived.")
    if expected_sha256 is not None and stored.sha256 != expected_sha256.lower():
        raise DigestMismatch(f"The bytes that arrived have the SHA-256 {stored.sha256}.")


@contextmanager
def room() -> Iterator[None]:
    """Turn a disk or an allowance that is full into StorageFull."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise StorageFull from error
        raise
