"""Asking foreign catalogues, politely: paced, bounded, and again after a while where they falter."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from marketplace.catalog.harvesting.errors import SourceUnreadable
from marketplace.catalog.harvesting.rules import FILE
from marketplace.catalog.harvesting.states import HarvestProblem
from marketplace.kit import outbound
from marketplace.kit.outbound import OutboundRefused, OutboundTooLarge, OutboundTooSlow, OutboundUnreachable

PAGE_BYTES_MAX = 32 * 2**20
DOCUMENT_BYTES_MAX = 512 * 2**20
SECONDS_MAX = 600
PAUSE_SECONDS = 0.2
TRIES = 3
OK = 200
REDIRECTS = frozenset({301, 302, 303, 307, 308})
BUSY = frozenset({429, 500, 502, 503, 504})
HEADERS = {"User-Agent": "musubi-harvester", "Accept": "application/json, text/turtle, application/rdf+xml, */*;q=0.1"}
PROBLEMS: dict[type[Exception], HarvestProblem] = {
    OutboundUnreachable: HarvestProblem.UNREACHABLE,
    OutboundTooLarge: HarvestProblem.TOO_LARGE,
    OutboundTooSlow: HarvestProblem.TOO_SLOW,
}


class StatusOther(SourceUnreadable):
    """An answer that is not 200."""

    def __init__(self, status: int) -> None:
        super().__init__(HarvestProblem.REDIRECT if status in REDIRECTS else HarvestProblem.STATUS, str(status))
        self.status = status


@dataclass(slots=True)
class Reach:
    """How far this process goes for a catalogue: the open internet, or what its operator has put into its hands.

    ``within`` asks a server on the loopback interface; ``file`` is what a person at this machine hands over.
    """

    within: bool = False
    file: Path | None = None
    pause_seconds: float = PAUSE_SECONDS
    _last: float = field(default=0.0)

    def page(self, address: str) -> bytes:
        """Return what an address answers, tried again where the server falters; raises SourceUnreadable."""
        for attempt in range(1, TRIES + 1):
            try:
                return self._asked(address)
            except SourceUnreadable as failure:
                if attempt == TRIES or not _is_passing(failure):
                    raise
                time.sleep(self.pause_seconds * 5**attempt)
        raise AssertionError  # pragma: no cover - the last try returns or raises

    @contextmanager
    def document(self, address: str) -> Iterator[Path]:
        """Yield what lies at an address as a file; raises SourceUnreadable."""
        if address.startswith(FILE):
            if self.file is None:
                raise SourceUnreadable(HarvestProblem.REFUSED, "the file was handed over by a person, and is not here")
            yield self.file
            return
        with TemporaryDirectory() as folder:
            kept = Path(folder) / "document"
            with kept.open("wb") as out, self._answer(address, DOCUMENT_BYTES_MAX) as pieces:
                out.writelines(pieces)
            yield kept

    def _asked(self, address: str) -> bytes:
        with self._answer(address, PAGE_BYTES_MAX) as pieces:
            return b"".join(pieces)

    @contextmanager
    def _answer(self, address: str, size_max: int) -> Iterator[Iterator[bytes]]:
        self._wait()
        try:
            with outbound.stream(address, HEADERS, size_max, SECONDS_MAX, within=self.within) as answer:
                if answer.status != OK:
                    raise StatusOther(answer.status)
                yield answer.chunks
        except OutboundRefused as refused:
            raise SourceUnreadable(PROBLEMS.get(type(refused), HarvestProblem.REFUSED), str(refused)) from refused

    def _wait(self) -> None:
        since = time.monotonic() - self._last
        if since < self.pause_seconds:
            time.sleep(self.pause_seconds - since)
        self._last = time.monotonic()


def _is_passing(failure: SourceUnreadable) -> bool:
    if isinstance(failure, StatusOther):
        return failure.status in BUSY
    return failure.problem is HarvestProblem.UNREACHABLE
