"""gunicorn's threaded worker, with downloads taken out of its threads."""

import contextlib
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from functools import partial
from typing import Any, BinaryIO

from gunicorn import util
from gunicorn.http import wsgi
from gunicorn.workers import gthread

from marketplace.server import refusals
from marketplace.server.body import FileBody, OnClose, Outcome
from marketplace.server.gathering import HEAD_SECONDS, Gathering, PlainInput
from marketplace.server.linger import Lingering
from marketplace.server.passes import PASS, Slot
from marketplace.server.sender import Sender
from marketplace.server.transfer import Transfer

SEND_FILE = "marketplace.send_file"
SERVER_NAME = "Musubi"
STALL_SECONDS = 60.0
FIRST_DATA_SECONDS = 0.02
STOP_POLL_SECONDS = 0.2
Wsgi = Callable[[dict[str, Any], Any], Iterable[bytes]]


class _Request(threading.local):
    """What the application did with ``marketplace.send_file`` in the request this thread serves."""

    def __init__(self) -> None:
        self.bodies: list[FileBody] = []
        self.transfer: Transfer | None = None
        self.slot: Slot | None = None

    def take_transfer(self) -> Transfer | None:
        """Return the transfer the last call of the application began, once."""
        transfer, self.transfer = self.transfer, None
        return transfer


class _HandedOver:
    """The connection belongs to the sender for now; gunicorn must neither close nor reuse it."""


HANDED_OVER = _HandedOver()


class SendfileWorker(gthread.ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gthread, plus ``environ["marketplace.send_file"](file, offset, count, on_close, key=None)``.

    When the application returns that body over plain HTTP/1.x, with ``Content-Length: count``, the pool thread
    writes the headers and hands the connection to the sender; in every other case (HEAD, TLS, HTTP/2, a Unix
    socket, a body wrapped by a middleware) the body is iterated. ``on_close`` runs exactly once in each case.
    Reads ``stall_seconds`` from the gunicorn application object when it has one.
    """

    wsgi: Any

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._stall_seconds: float = getattr(self.app, "stall_seconds", STALL_SECONDS)
        self._problems_url: str = getattr(self.app, "problems_url", "/problems")
        self._answer_fields: refusals.Fields = getattr(self.app, "answer_fields", ())
        fields = self.cfg.limit_request_fields * (self.cfg.limit_request_field_size + 2)
        self._head_seconds: float = getattr(self.app, "head_seconds", HEAD_SECONDS)
        self._gathering = Gathering(self.cfg.limit_request_line, fields, self._head_seconds)
        self._request = _Request()
        self._ended = threading.Lock()
        self._over = False
        self._break_off_at: float | None = None

    def run(self) -> None:
        """Serve until told to stop; no download stays unreported."""
        self._sender = Sender(self._stall_seconds)
        self._lingering = Lingering(self.poller, self._forget_connection)
        self._sender.start()
        try:
            super().run()
        finally:
            self._leave_loop()
            self._sender.close()

    def load_wsgi(self) -> None:
        """Load the application and stand between it and gunicorn."""
        super().load_wsgi()
        self._application: Wsgi = self.wsgi
        self.wsgi = self._call_application

    def enqueue_req(self, conn: Any) -> None:
        """Serve the next request of a connection on a pool thread."""
        future = self.tpool.submit(self.handle, conn)
        future.add_done_callback(partial(self._handled, conn))

    def handle(self, conn: Any) -> Any:
        """Serve one request; a connection that sends nothing yet goes to the poller and holds no thread."""
        if not conn.initialized:
            if not conn.wait_for_data(FIRST_DATA_SECONDS):
                return gthread._DEFER  # noqa: SLF001 - gunicorn's own sign for "not yet"
            self._bound_waiting(conn.sock)
        if not self._can_be_read(conn):
            return gthread._DEFER  # noqa: SLF001 - as above
        try:
            keepalive = super().handle(conn)
        finally:
            self._end_leftovers()
            transfer = self._request.take_transfer()
        return keepalive if transfer is None else self._begin(conn, transfer, bool(keepalive))

    def finish_request(self, conn: Any, fs: "Future[Any]") -> None:
        """Keep a connection for its next request, or let it go without blocking the loop."""
        result = None if fs.cancelled() or fs.exception() is not None else fs.result()
        waits = result is gthread._DEFER  # noqa: SLF001 - gunicorn's own sign
        if not result or (waits and not self.alive):
            self._lingering.add(conn)
            return
        super().finish_request(conn, fs)
        until = getattr(conn, "gather_until", None)
        if waits and until is not None:
            # gunicorn's time begins anew with each byte; this one does not.
            conn.timeout = min(conn.timeout, until)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """Answer what cannot be read with a problem; the log gets no word of what was sent, which may be a secret."""
        if isinstance(exc, ssl.SSLError):
            super().handle_error(req, client, addr, exc)
            return
        refusal = refusals.of(exc)
        if refusal is None:
            self.log.error("the server failed", exc_info=exc)
        else:
            self.log.warning("refused a request: %s", type(exc).__name__)
        with contextlib.suppress(OSError):
            util.write_nonblock(client, refusals.rendered(refusal, self._problems_url, self._answer_fields))

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections, or none for now; for good, where this worker is about to end."""
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            self._leave_listeners()

    def murder_keepalived(self, force: bool = False) -> None:
        """Close connections that were idle for too long; with ``force``, the loop is about to end."""
        if force:
            self._leave_loop()
        super().murder_keepalived(force)

    def murder_pending(self) -> None:
        """Close connections that never spoke, and those that have lingered long enough."""
        super().murder_pending()
        self._lingering.expire()

    def wait_for_and_dispatch_events(self, timeout: float) -> None:
        """Run one round of the loop; near the end of the graceful time, break off the open downloads."""
        if not self.alive:
            timeout = min(timeout, STOP_POLL_SECONDS)
            self._break_off_in_time()
        super().wait_for_and_dispatch_events(timeout)

    def _can_be_read(self, conn: Any) -> bool:
        """Whether a thread need not wait for the sender; under TLS the socket does not tell."""
        if self.cfg.is_ssl:
            return True
        conn.init()
        return self._gathering.is_complete(conn)

    def _break_off_in_time(self) -> None:
        """Leave the last part of the graceful time to the reports: at its end the arbiter kills."""
        now = time.monotonic()
        if self._break_off_at is None:
            grace = float(self.cfg.graceful_timeout)
            self._break_off_at = now + grace - min(3.0, grace / 2)
        if now >= self._break_off_at:
            self._sender.stop(lambda _: True)

    def _call_application(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        self._end_leftovers()
        environ[SEND_FILE] = self._make_body
        if self._request.slot is not None:
            environ[PASS] = self._request.slot
        environ["wsgi.input"] = PlainInput(environ["wsgi.input"])
        start_response.__self__.version = SERVER_NAME  # gunicorn passes a bound method of its response
        body = self._application(environ, start_response)
        if not isinstance(body, FileBody):
            return body
        response = start_response.__self__
        if response._omits_body:  # noqa: SLF001 - gunicorn's own verdict on HEAD, 1xx, 204 and 304
            body.end(0, 0, Outcome.COMPLETE)
            return ()
        if body.started or not self._sendable(response, body.count):
            return body
        return self._take(body, response)

    def _make_body(
        self, file: BinaryIO, offset: int, count: int, on_close: OnClose, key: str | None = None
    ) -> FileBody:
        body = FileBody(file, offset, count, on_close, key)
        self._request.bodies.append(body)
        return body

    def _sendable(self, response: Any, count: int) -> bool:
        plain = type(response) is wsgi.Response and not self.cfg.is_ssl
        over_tcp = response.sock.family in {socket.AF_INET, socket.AF_INET6}
        return plain and over_tcp and response.response_length == count

    def _take(self, body: FileBody, response: Any) -> Iterable[bytes]:
        """Send the headers and keep the body for the sender; to gunicorn the response is over."""
        transfer = self._headed(body, response)
        body.hand_over()
        self._request.transfer = transfer
        return ()

    def _headed(self, body: FileBody, response: Any) -> Transfer:
        transfer = Transfer(body, response.sock)
        transfer.prepare()
        response.send_headers()
        return transfer

    def _end_leftovers(self) -> None:
        """End bodies the application made and then lost, for example by failing afterwards."""
        bodies, self._request.bodies = self._request.bodies, []
        for body in bodies:
            body.close()

    def _begin(self, conn: Any, transfer: Transfer, keepalive: bool) -> _HandedOver:
        conn.sock.settimeout(0)
        self._sender.submit(transfer, partial(self._ended_transfer, conn, keepalive))
        return HANDED_OVER

    def _ended_transfer(self, conn: Any, keepalive: bool, outcome: Outcome) -> None:
        future: Future[bool] = Future()
        future.set_result(keepalive)
        finish = partial(self.finish_request, conn, future)
        self._on_loop(conn, finish if outcome is Outcome.COMPLETE else partial(self._drop, conn))

    def _handled(self, conn: Any, future: "Future[Any]") -> None:
        done = not future.cancelled() and future.exception() is None
        if not (done and future.result() is HANDED_OVER):
            self._on_loop(conn, partial(self.finish_request, conn, future))

    def _on_loop(self, conn: Any, callback: Callable[[], None]) -> None:
        """Run on the event loop; after its end only close, since its wake-up pipe may be another's by then."""
        with self._ended:
            if not self._over:
                self.method_queue.defer(callback)
                return
        conn.close()

    def _leave_listeners(self) -> None:
        """Take who waits, and close our end: whoever came later would wait in the kernel until we are gone."""
        for listener in self.sockets:
            self._take_waiting(listener)
            listener.close()

    def _take_waiting(self, listener: Any) -> None:
        taken = -1
        while taken < self.nr_conns < self.worker_connections:
            taken = self.nr_conns
            self.accept(listener)

    def _leave_loop(self) -> None:
        with self._ended:
            self._over = True

    def _drop(self, conn: Any) -> None:
        conn.close()
        self._forget_connection()

    def _forget_connection(self) -> None:
        self.nr_conns -= 1

    def _bound_waiting(self, sock: socket.socket) -> None:
        """Let the kernel end reads and writes that hold a pool thread while the peer does nothing."""
        limit = struct.pack("ll", int(self._stall_seconds) or 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, limit)
