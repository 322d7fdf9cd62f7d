"""Where the bytes of files lie."""

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, ClassVar, Protocol


@dataclass(frozen=True, slots=True)
class Stored:
    """Bytes that are safely kept, named by their SHA-256 in hex."""

    sha256: str
    size_bytes: int


Judge = Callable[[Stored], object]
"""Asked when the bytes are hashed, before any is kept under its name; what it raises keeps them out."""


class Store(Protocol):
    """What every store of bytes can do."""

    asks_outside: ClassVar[bool]
    """Whether ``open`` may ask a service for bytes; then ``bring_near`` is called before, outside transactions."""

    def receive(
        self,
        chunks: Iterable[bytes],
        limit_bytes: int,
        expected_sha256: str | None = None,
        expected_size: int | None = None,
        judge: Judge | None = None,
    ) -> Stored:
        """Keep the bytes under their SHA-256, durably, or keep nothing and raise."""
        ...

    def remove(self, sha256: str) -> None:
        """Remove the bytes of that name for good, wherever this store has them; none are there is no error."""
        ...

    def forget_near(self, is_unwanted: Callable[[Sequence[str]], Collection[str]]) -> None:
        """Remove the copies that lie on this machine beside the store and are unwanted."""
        ...

    def open(self, sha256: str) -> BinaryIO:
        """Open the bytes of that name for reading; raises BytesMissing."""
        ...

    def bring_near(self, sha256: str) -> None:
        """Have ``open`` answer without asking anybody; raises BytesMissing and StoreUnavailable."""
        ...

    def holds(self, sha256: str) -> bool:
        """Whether the bytes of that name are there."""
        ...

    def clear_abandoned(self, older_than: datetime) -> int:
        """Remove what uploads that died before that instant have left; return how many."""
        ...

    def trouble(self) -> str | None:
        """Return what keeps a service from storing bytes, if there is one and it does not."""
        ...
