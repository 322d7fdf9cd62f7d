"""Handing a file to whatever server runs us, and metering what it reports back."""

import logging
import threading
from collections.abc import Iterable
from functools import partial
from typing import Any, Protocol

from flask import Flask, Response, request

from marketplace.delivery.streaming import CountedBody, Enveloped
from marketplace.exchange import download

log = logging.getLogger(__name__)
SEND_FILE = "marketplace.send_file"
EXTENSION = "marketplace.reports"
INTERVAL_SECONDS = 10.0


class RawBody(Response):
    """A response whose body goes to the server untouched, so that a file can be sent by the kernel."""

    def __call__(self, environ: Any, start_response: Any) -> Iterable[bytes]:
        """Start the response and return the body as it is; HEAD never has one here."""
        status, headers = self.status, self.get_wsgi_headers(environ).to_wsgi_list()
        start_response(status, headers)
        return self.response  # type: ignore[return-value] # bytes by construction


def respond(app: Flask, answer: download.Answer) -> Response:
    """Make the response of a download; a body is sent by the server itself where it knows how."""
    if answer.file is None or answer.delivery_id is None:
        return Response(status=answer.status, headers=dict(answer.headers))
    reports: Reports = app.extensions[EXTENSION]
    close = partial(reports.settle, answer.delivery_id)
    send_file = request.environ.get(SEND_FILE)
    body: Any
    if send_file is not None:
        body = send_file(answer.file, answer.start, answer.length, close, key=answer.delivery_id)
    else:
        body = CountedBody(answer.file, answer.start, answer.length, close)
    reports.follow(answer.delivery_id, body)
    return RawBody(body, answer.status, dict(answer.headers), direct_passthrough=True)


def respond_within(app: Flask, answer: download.Answer, before: bytes, after: bytes) -> Response:
    """Make the response of a delivery that stands within a protocol's own words, which are not metered."""
    if answer.file is None or answer.delivery_id is None:
        return Response(before + after, answer.status)
    reports: Reports = app.extensions[EXTENSION]
    close = partial(reports.settle, answer.delivery_id)
    body = Enveloped(before, CountedBody(answer.file, answer.start, answer.length, close), after)
    reports.follow(answer.delivery_id, body)
    length = len(before) + answer.length + len(after)
    return RawBody(body, answer.status, {"Content-Length": str(length)}, direct_passthrough=True)


class Followed(Protocol):
    """A body that knows how many of its bytes have been taken while somebody iterates it, and that can be stopped."""

    @property
    def acked(self) -> int:
        """The bytes that certainly went out."""
        ...

    def stop(self) -> None:
        """Give whoever iterates no more bytes, and an error for the next ones."""
        ...


class Beside(Protocol):
    """Work that is done as long as deliveries are reported."""

    def start(self) -> None:
        """Begin, unless it has begun."""
        ...

    def stop(self) -> None:
        """End."""
        ...


class Reports:
    """Keeps what servers report of deliveries until the database has it, and notes progress meanwhile.

    A report that cannot be stored (the database is away) is tried again; if this process dies first,
    the sweeper closes the delivery with the progress noted last.
    """

    def __init__(self, app: Flask, progress: Any) -> None:
        self._app, self._progress = app, progress
        self._waiting: dict[str, tuple[int, int, str]] = {}
        self._followed: dict[str, Followed] = {}
        self._beside: list[Beside] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def accompany(self, work: Beside) -> None:
        """Have other work begin and end with this."""
        self._beside.append(work)

    def start(self) -> None:
        """Look after deliveries in the background of this process; nothing happens where that is done already."""
        for work in self._beside:
            work.start()
        with self._lock:
            # A thread does not survive a fork, and its twin in the child is not alive.
            if self._stopped.is_set() or (self._thread is not None and self._thread.is_alive()):
                return
            self._thread = threading.Thread(target=self._run, name="delivery-reports", daemon=True)
            self._thread.start()

    def follow(self, delivery_id: str, body: Followed) -> None:
        """Note the progress of a body that the server iterates, until it is settled.

        Starts the background work, since a foreign server knows nothing of it: a long download that
        nobody notes would be taken for dead.
        """
        with self._lock:
            self._followed[delivery_id] = body
        self.start()

    def running(self) -> set[str]:
        """Return the ids of the deliveries of this process that have not ended, whoever moves their bytes."""
        with self._lock:
            return set(self._followed)

    def break_off(self, delivery_ids: set[str]) -> None:
        """Let no more of these deliveries be read by whoever iterates them; the server's sender is told by itself."""
        with self._lock:
            bodies = [body for delivery_id, body in self._followed.items() if delivery_id in delivery_ids]
        for body in bodies:
            body.stop()

    def settle(self, delivery_id: str, sent: int, acked: int, outcome: str) -> None:
        """Meter a finished delivery now, or as soon as the database answers."""
        with self._lock:
            self._waiting[delivery_id] = (sent, acked, outcome)
            self._followed.pop(delivery_id, None)
        self._store(delivery_id)

    def stop(self) -> None:
        """Store what waits, once more, and end."""
        for work in self._beside:
            work.stop()
        self._stopped.set()
        if self._thread is not None:
            self._thread.join(INTERVAL_SECONDS)
        self.beat()

    def beat(self) -> None:
        """Try every waiting report again, and note how far running deliveries are."""
        with self._lock:
            waiting = list(self._waiting)
            followed = {delivery_id: body.acked for delivery_id, body in self._followed.items()}
        for delivery_id in waiting:
            self._store(delivery_id)
        acked = followed | dict(self._progress())
        if acked:
            self._guarded(partial(download.note_progress, acked))

    def _run(self) -> None:
        while not self._stopped.wait(INTERVAL_SECONDS):
            self.beat()

    def _store(self, delivery_id: str) -> None:
        with self._lock:
            report = self._waiting.get(delivery_id)
        if report and self._guarded(partial(download.close_delivery, delivery_id, *report)):
            with self._lock:
                self._waiting.pop(delivery_id, None)

    def _guarded(self, deed: Any) -> bool:
        try:
            # Always a context of its own: the server reports from threads of its own, or when a request ends.
            with self._app.app_context():
                deed()
        except Exception:
            log.exception("a delivery could not be metered yet")
            return False
        return True
