"""Bytes in a bucket of any S3-compatible service, with a bounded local folder for what is read.

Bytes pass through the local folder on their way in and out: it hashes them, and it is what files are read from.
In the bucket an object lies under its SHA-256, as in a local store, and is there whole or not at all (the multipart
upload is completed, or it is not).
"""

import fcntl
import logging
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, ClassVar

from marketplace.delivery.errors import (
    BytesMissing,
    DigestMismatch,
    StorageFull,
    StoreUnavailable,
    UploadTruncated,
)
from marketplace.delivery.stores import Judge, Stored, multiparts, versions
from marketplace.delivery.stores.local import LocalStore
from marketplace.delivery.stores.place import Place

if TYPE_CHECKING:
    from obstore.store import S3Store as Bucket

log = logging.getLogger(__name__)
PART_BYTES_MIN = 8 * 2**20
PARTS_MAX = 9000  # S3 takes 10,000
_FULL = ("QuotaExceeded", "StorageFull", "InsufficientStorage", "507 ")


class S3Store:
    """A content-addressed bucket: what is kept is in the bucket, what lies in the folder can be fetched again."""

    asks_outside: ClassVar[bool] = True

    def __init__(self, place: Place, folder: Path, cache_bytes_max: int) -> None:
        """Use ``folder`` for what passes; it holds more than ``cache_bytes_max`` only for a single larger file."""
        self._place = place
        self._folder = folder
        self._cache = LocalStore(folder)
        self._cache_bytes_max = cache_bytes_max
        self._turns = folder / "turns"
        self._turns.mkdir(exist_ok=True)
        self._connected: Bucket | None = None

    def receive(
        self,
        chunks: Iterable[bytes],
        limit_bytes: int,
        expected_sha256: str | None = None,
        expected_size: int | None = None,
        judge: Judge | None = None,
    ) -> Stored:
        """Keep the bytes in the bucket at constant memory; what is refused never reaches it.

        Raises what the local store raises, StorageFull where the bucket is full, and StoreUnavailable.
        """
        stored = self._cache.receive(chunks, limit_bytes, expected_sha256, expected_size, judge)
        if not self._keeps(stored):
            self._send(stored)
        self._make_room(spared=stored.sha256)
        return stored

    def open(self, sha256: str) -> BinaryIO:
        """Open the bytes of that name as a local file, fetched and compared with their name where need be.

        Raises BytesMissing for what the bucket does not hold or holds damaged, and StoreUnavailable.
        """
        self.bring_near(sha256)
        file = self._cache.open(sha256)
        os.utime(file.fileno())  # what was read last is removed last
        return file

    def holds(self, sha256: str) -> bool:
        """Whether the bytes of that name are in the bucket; raises StoreUnavailable."""
        return self._size(_key(sha256)) is not None

    def remove(self, sha256: str) -> None:
        """Remove the object with all its older versions, and what of it lies in the folder; raises StoreUnavailable.

        Older versions are found with keys alone: with a role, the bucket must expire them itself.
        """
        import obstore

        with self._turn(sha256):  # who fetches it now is waited for
            with suppress(BytesMissing), _answered("removing", _key(sha256)):
                obstore.delete(self._bucket(), _key(sha256))
            versions.remove(self._place, _key(sha256))
            self._cache.remove(sha256)

    def forget_near(self, is_unwanted: Callable[[Sequence[str]], Collection[str]]) -> None:
        """Remove from the folder what is unwanted there."""
        for sha256 in is_unwanted([path.name for _at, _size, path in self._files()]):
            self._cache.remove(sha256)

    def is_near(self, sha256: str) -> bool:
        """Whether ``open`` will answer without asking the bucket."""
        return self._cache.holds(sha256)

    def bring_near(self, sha256: str) -> None:
        """Have ``open`` answer without asking the bucket; raises BytesMissing and StoreUnavailable."""
        if not self.is_near(sha256):
            self._fetch(sha256)

    def clear_abandoned(self, older_than: datetime) -> int:
        """Remove what uploads that died before that instant have left in the folder and in the bucket; return how many.

        Brings the folder to its size as well.
        """
        self._make_room()
        return self._cache.clear_abandoned(older_than) + multiparts.remove(self._place, older_than)

    def trouble(self) -> str | None:
        """Write, read and remove a small object, and return what went wrong, for whoever looks after the exchange."""
        import obstore

        try:
            with _answered("probing"):
                obstore.put(self._bucket(), "probe", b"musubi")
                if obstore.get(self._bucket(), "probe").bytes() != b"musubi":
                    return "what was written is not what is read"
                obstore.delete(self._bucket(), "probe")
        except (BytesMissing, StorageFull, StoreUnavailable) as error:
            return str(error.__cause__ or error).partition("\n")[0]
        return None

    def _bucket(self) -> "Bucket":
        # Made at the first use: its threads would not survive the fork of a server's worker.
        if self._connected is None:
            self._connected = _connect(self._place)
        return self._connected

    def _size(self, key: str) -> int | None:
        import obstore

        try:
            with _answered("looking for", key):
                return int(obstore.head(self._bucket(), key)["size"])
        except BytesMissing:
            return None

    def _keeps(self, stored: Stored) -> bool:
        return self._size(_key(stored.sha256)) == stored.size_bytes

    def _send(self, stored: Stored) -> None:
        import obstore

        size = max(PART_BYTES_MIN, -(-stored.size_bytes // PARTS_MAX))
        key = _key(stored.sha256)
        with self._cache.open(stored.sha256) as file, _answered("keeping", key):
            obstore.put(self._bucket(), key, file, chunk_size=size, max_concurrency=2)
        if not self._keeps(stored):
            raise StoreUnavailable("The object store has not kept what it was sent.")

    def _fetch(self, sha256: str) -> None:
        with self._turn(sha256):
            if self._cache.holds(sha256):  # by whoever had the turn before
                return
            size = self._size(_key(sha256))
            if size is None:
                raise BytesMissing(f"The bucket does not hold the bytes {sha256}.")
            self._make_room(size)
            try:
                self._cache.receive(self._read(_key(sha256), size), size, sha256, size)
            except UploadTruncated as error:
                raise StoreUnavailable("The object store broke off.") from error
            except DigestMismatch as error:
                log.error("the object %s is damaged in the bucket", _key(sha256))  # noqa: TRY400 - nothing more to tell
                raise BytesMissing(f"The bytes {sha256} are damaged.") from error

    def _read(self, key: str, size_bytes: int) -> Iterator[bytes]:
        """Yield an object piece by piece: each is a call of its own, in time or tried again."""
        import obstore

        for start in range(0, size_bytes, PART_BYTES_MIN):
            length = min(PART_BYTES_MIN, size_bytes - start)
            with _answered("fetching", key):
                piece = bytes(obstore.get_range(self._bucket(), key, start=start, length=length))
            yield piece

    @contextmanager
    def _turn(self, sha256: str) -> Iterator[None]:
        """Let one fetch a file while all others who want it wait, in whatever process."""
        descriptor = os.open(self._turns / sha256[:2], os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield
        finally:
            os.close(descriptor)

    def _make_room(self, wanted: int = 0, spared: str | None = None) -> None:
        """Remove what was read longest ago until the folder has its size; whoever reads it still has it open."""
        files = sorted(self._files())
        total = wanted + sum(size for _at, size, _path in files)
        for _at, size, path in files:
            if total <= self._cache_bytes_max:
                return
            if path.name != spared:
                path.unlink(missing_ok=True)
                total -= size

    def _files(self) -> Iterator[tuple[int, int, Path]]:
        for path in self._folder.glob("[0-9a-f][0-9a-f]/[0-9a-f][0-9a-f]/*"):
            with suppress(FileNotFoundError):  # another one makes room as well
                seen = path.stat()
                yield seen.st_mtime_ns, seen.st_size, path


def _key(sha256: str) -> str:
    return f"{sha256[:2]}/{sha256[2:4]}/{sha256}"


def _connect(place: Place) -> "Bucket":
    from obstore.store import S3Store as Bucket

    waiting = timedelta(seconds=place.timeout_seconds)
    optional = ("endpoint", "access_key_id", "secret_access_key", "session_token")
    given: dict[str, Any] = {name: getattr(place, name) for name in optional if getattr(place, name)}
    plain = place.endpoint is not None and place.endpoint.startswith("http:")
    return Bucket(
        place.bucket,
        prefix=place.prefix or None,
        region=place.region,
        virtual_hosted_style_request=place.endpoint is None,
        client_options={"connect_timeout": waiting, "timeout": waiting, "allow_http": plain},
        retry_config={"max_retries": place.retries_max, "retry_timeout": waiting * (place.retries_max + 1)},
        **given,
    )


@contextmanager
def _answered(deed: str, key: str = "") -> Iterator[None]:
    """Turn what the object store says into our refusals; what it said in full is for the log alone."""
    from obstore.exceptions import BaseError

    try:
        yield
    except FileNotFoundError as error:
        raise BytesMissing("The object store does not hold these bytes.") from error
    except BaseError as error:
        said = str(error)
        log.warning("%s %s failed in the object store: %s", deed, key, said.partition("\n")[0])
        if any(sign in said for sign in _FULL):
            raise StorageFull from error
        raise StoreUnavailable from error
