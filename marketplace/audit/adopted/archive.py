"""The archive of a record, read in place: little of it at a time, however long it is.

What it holds was verified before; ``exchange.archiving`` writes it.
"""

import json
import tarfile
from collections import deque
from collections.abc import Iterator
from typing import IO, BinaryIO

ENTRIES, LEAVES, CHECKPOINTS = "entries.ndjson", "leaves.txt", "checkpoints.ndjson"
PENDING = "pending.ndjson"
HASH_BYTES = 32
_LEAF_BYTES = 2 * HASH_BYTES + len("\n")


class Archive:
    """An open archive; raises tarfile.TarError, KeyError or ValueError where it is none."""

    def __init__(self, file: BinaryIO) -> None:
        self._tar = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 - whoever opened the file closes it

    def last_note(self) -> str:
        """Return the newest checkpoint, with all its signatures."""
        [(_start, line)] = deque(self._lines(CHECKPOINTS), maxlen=1)
        return str(json.loads(line)["note"])

    def is_signed_whole(self) -> bool:
        """Whether no entry in it waits for a signature."""
        return not self._file(PENDING).read(1)

    def entries(self) -> Iterator[tuple[int, bytes]]:
        """Yield where the line of each entry starts, and the entry word for word."""
        yield from self._lines(ENTRIES)

    def entry_at(self, start: int) -> bytes:
        """Return the entry whose line starts there."""
        file = self._file(ENTRIES)
        file.seek(start)
        return file.readline().removesuffix(b"\n")

    def leaves(self, first: int, count: int) -> list[bytes]:
        """Return the hashes of leaves that follow each other."""
        file = self._file(LEAVES)
        file.seek(first * _LEAF_BYTES)
        hashes = bytes.fromhex(file.read(count * _LEAF_BYTES).decode())
        return [hashes[at : at + HASH_BYTES] for at in range(0, len(hashes), HASH_BYTES)]

    def _lines(self, name: str) -> Iterator[tuple[int, bytes]]:
        start = 0
        for line in self._file(name):
            yield start, line.removesuffix(b"\n")
            start += len(line)

    def _file(self, name: str) -> IO[bytes]:
        file = self._tar.extractfile(name)
        if file is None:
            raise KeyError(name)
        return file
