"""Short downloads whose every byte is in the kernel, for the moment until the peer has acknowledged them."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from marketplace.server.connection import Connection, Stage
from marketplace.server.transfer import Transfer

YOUNG_SECONDS = 0.05
LOOK_SECONDS = 0.01


@dataclass(frozen=True, slots=True)
class Download:
    """A transfer, whether its connection stays afterwards, and whether the loop sends it, by a pass."""

    transfer: Transfer
    stays: bool
    by_pass: bool = False
    since: float = field(default_factory=time.monotonic)


class Settling:
    """Whoever takes a download out of here ends it, and nobody else does: taking is one step.

    A client that goes on acknowledges with its next request, which wakes its connection anyway: then one thread reports
    the download and answers the request, and the sender hears of neither. Who is not heard of soon is the sender's.
    """

    def __init__(self, ring: Callable[[], None]) -> None:
        self._ring = ring
        self._young: dict[Connection, Download] = {}
        self._attentive = self.closed = False
        self._next_look = 0.0

    def add(self, connection: Connection, download: Download) -> Download | None:
        """Keep a download; return it instead when the peer was quicker than this, and has it all."""
        connection.stage = Stage.SETTLING
        self._young[connection] = download
        if connection.woken and download.transfer.arrived():
            return self.take(connection)
        if not self._attentive and not download.by_pass:
            self._ring()
        return None

    def take(self, connection: Connection) -> Download | None:
        """Return the download of a connection to one caller, and None to all others."""
        download = self._young.pop(connection, None)
        if download is not None:
            connection.stage = Stage.SERVED
        return download

    def take_arrived(self, connection: Connection) -> Download | None:
        """Return the download of a connection if the peer has acknowledged it."""
        download = self._young.get(connection)
        return self.take(connection) if download is not None and download.transfer.arrived() else None

    def take_old(self, now: float) -> list[tuple[Connection, Download]]:
        """Return those that have settled without a word, or have not for too long; looks a hundred times a second."""
        if now < self._next_look:
            return []
        self._next_look = now + LOOK_SECONDS
        old = []
        for connection, download in tuple(self._young.items()):
            due = now - download.since >= YOUNG_SECONDS or download.transfer.arrived()
            if due and self.take(connection) is not None:
                old.append((connection, download))
        return old

    def patience(self, seconds: float) -> float:
        """Return how long the loop may sleep; what is added after this rings if it may be long."""
        self._attentive = False
        self._attentive = bool(self._young)
        return min(seconds, YOUNG_SECONDS) if self._attentive else seconds
