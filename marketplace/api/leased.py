"""What a process holds of leases, and the deliveries that it has begun under them."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from typing import BinaryIO, cast

from marketplace.access.rules import Entitlement
from marketplace.delivery.ranges import Span
from marketplace.metering.batches import Entry
from marketplace.metering.leases import TTL, Lease
from marketplace.metering.rules import judge

LIFE_SECONDS = TTL.total_seconds() / 2
"""How long a lease is spent of without being renewed: less than until others may sweep it."""


class SharedFile:
    """An open file that many bodies read at places of their own; it is closed when the last has ended."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self._users, self._lock = file, 1, threading.Lock()

    def share(self) -> None:
        """Count another user, who closes in turn."""
        with self._lock:
            self._users += 1

    def fileno(self) -> int:
        """Return the descriptor."""
        return self._file.fileno()

    def close(self) -> None:
        """Count one user less."""
        with self._lock:
            self._users -= 1
            last = self._users == 0
        if last:
            self._file.close()


Note = Callable[["Running"], None]


class Held:
    """A lease in this process: how many deliveries may begin still, and how many are not on the record yet."""

    def __init__(self, lease: Lease, file: BinaryIO, begun: Note, over: Note) -> None:
        self.lease, self.begin, self.over = lease, begun, over
        self._file = SharedFile(file)
        self._left, self._unreported = lease.deliveries, 0
        self._lock = threading.Lock()
        self._until = time.monotonic() + LIFE_SECONDS
        self.used_at = time.monotonic()
        self.ended = False

    @property
    def file(self) -> BinaryIO:
        """The content, for one more body, which closes it."""
        self._file.share()
        return cast("BinaryIO", self._file)

    def spend(self) -> bool:
        """Take one delivery; False where none is left or the lease may have been swept."""
        with self._lock:
            if self.ended or self._left == 0 or time.monotonic() >= self._until:
                return False
            self._left -= 1
            self._unreported += 1
            return True

    def is_spent(self) -> bool:
        """Whether more may begin once what has begun is told."""
        return not self.ended and self._left == 0

    def told(self, count: int, added: int | None, asked_at: float) -> None:
        """Note that so many are on the record, and what was added to the lease then; None ends it."""
        with self._lock:
            self._unreported -= count
            self._left += added or 0
            self.used_at = time.monotonic()
            self._until = max(self._until, asked_at + LIFE_SECONDS)
            self.ended = self.ended or added is None

    def renewed(self, asked_at: float) -> None:
        """Note that others leave the lease alone for another while."""
        with self._lock:
            self._until = max(self._until, asked_at + LIFE_SECONDS)

    def end(self) -> None:
        """Begin nothing more of it."""
        self.ended = True

    def is_quiet(self) -> bool:
        """Whether nothing that began under it is still to be told."""
        with self._lock:
            return self._unreported == 0

    def close(self) -> None:
        """Give the file back."""
        self._file.close()


@dataclass(slots=True)
class Running:
    """A delivery that has begun under a lease, until it is on the record."""

    id: str
    entitled: Entitlement
    client_id: str | None
    span: Span
    opened_at: datetime
    held: Held
    began: float = field(default_factory=time.monotonic)
    entered: bool = False
    figures: tuple[int, int, str] = (0, 0, "broken")
    tell: Callable[[], None] | None = None

    def report(self, sent: int, acked: int, outcome: str, told: Callable[[], None]) -> None:
        """Take the server's report, without waiting; ``told`` is called when it is kept, or cannot be for now."""
        self.figures, self.tell = (sent, acked, str(outcome)), told
        self.held.over(self)

    def entry(self, *, ended: bool) -> Entry:
        """Return what is entered of it: as running still, or with its end."""
        ending = judge(self.span.length, *self.figures) if ended else None
        where = (self.span.start, self.span.length)
        return Entry(self.id, self.entitled, self.client_id, *where, self.opened_at, ending)

    def release(self) -> None:
        """Let whoever waits for the report go on, once."""
        tell, self.tell = self.tell, None
        if tell is not None:
            tell()


def by_lease(bodies: list[Running]) -> list[tuple[Held, list[Running]]]:
    """Return deliveries by their lease."""
    found: dict[Held, list[Running]] = {}
    for body in bodies:
        found.setdefault(body.held, []).append(body)
    return list(found.items())
