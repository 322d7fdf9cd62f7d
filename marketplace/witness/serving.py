"""HTTP for a witness: one address, small bodies, no secrets in answers."""

import logging
import re
import socket
import sys
import threading
from contextlib import suppress
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from marketplace.witness.judging import Verdict, Witness
from marketplace.witness.memory import MemoryUnusable

log = logging.getLogger(__name__)
ADDRESS = "/add-checkpoint"
BODY_BYTES_MAX = 64 * 1024
PATIENCE_SECONDS = 20
CONNECTIONS_MAX = 32
_LENGTH = re.compile(r"[0-9]{1,5}", re.ASCII)
_BUSY = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 20\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
# As the standard library does: what a caller sends forges no lines and moves no cursor.
_PRINTED = str.maketrans({code: rf"\x{code:02x}" for code in (*range(0x20), *range(0x7F, 0xA0))} | {ord("\\"): r"\\"})


class Server(ThreadingHTTPServer):
    """Serves one witness until it is shut down: so many connections at once, each for one request and a short time."""

    daemon_threads = True
    patience_seconds: float = PATIENCE_SECONDS

    def __init__(self, host: str, port: int, witness: Witness) -> None:
        super().__init__((host, port), _Handler)
        self.witness = witness
        self._free = threading.BoundedSemaphore(CONNECTIONS_MAX)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Serve a connection in a thread of its own, or turn it away."""
        if not self._free.acquire(blocking=False):
            with suppress(OSError):
                request.sendall(_BUSY)
            self.shutdown_request(request)
            return
        try:
            super().process_request(request, client_address)
        except BaseException:
            self._free.release()
            raise

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Serve a connection; one that lasts is cut off, however steadily a byte comes now and then."""
        timer = threading.Timer(self.patience_seconds, _cut, (request,))
        timer.daemon = True
        timer.start()
        try:
            super().process_request_thread(request, client_address)
        finally:
            timer.cancel()
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the library's names
        """Note who got no answer: most have gone, or were cut off."""
        error = sys.exception()
        level = logging.INFO if isinstance(error, OSError) else logging.ERROR
        log.log(level, "%s got no answer", client_address[0], exc_info=error)


def _cut(connection: socket.socket) -> None:
    with suppress(OSError):  # it has ended meanwhile
        connection.shutdown(socket.SHUT_RDWR)


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = PATIENCE_SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "musubi-witness", ""

    def do_POST(self) -> None:
        if self.path != ADDRESS:
            self._answer(Verdict(HTTPStatus.NOT_FOUND, "only /add-checkpoint is here\n"))
            return
        length = self.headers.get("Content-Length", "")
        if not _LENGTH.fullmatch(length) or int(length) > BODY_BYTES_MAX:
            self._answer(Verdict(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "say a length of at most 64 KiB\n"))
            return
        body = self.rfile.read(int(length))
        if len(body) < int(length):  # cut off
            self.close_connection = True
            return
        self._answer(self._judged(body))

    def do_GET(self) -> None:
        """Tell who signs here, so that a person can look."""
        self._answer(Verdict(HTTPStatus.OK, f"{self.server.witness.key.text}\n"))

    def _judged(self, body: bytes) -> Verdict:
        try:
            return self.server.witness.judge(body)
        except (MemoryUnusable, OSError):
            log.exception("nothing is signed while what was signed cannot be kept")
            return Verdict(HTTPStatus.INTERNAL_SERVER_ERROR, "the witness cannot keep what it signs\n")

    def _answer(self, verdict: Verdict) -> None:
        body = verdict.text.encode()
        self.send_response(verdict.status)
        self.send_header("Content-Type", verdict.media_type)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        log.info("%s %s", self.address_string(), (format % args).translate(_PRINTED))
