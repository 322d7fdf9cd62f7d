"""HTTP for a witness: one address, small bodies, no secrets in answers."""

import logging
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from marketplace.witness.judging import Verdict, Witness
from marketplace.witness.memory import MemoryUnusable

log = logging.getLogger(__name__)
ADDRESS = "/add-checkpoint"
BODY_BYTES_MAX = 64 * 1024
PATIENCE_SECONDS = 20


class Server(ThreadingHTTPServer):
    """Serves one witness until it is shut down."""

    daemon_threads = True

    def __init__(self, host: str, port: int, witness: Witness) -> None:
        super().__init__((host, port), _Handler)
        self.witness = witness


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = PATIENCE_SECONDS
    protocol_version = "HTTP/1.1"
    server_version, sys_version = "musubi-witness", ""

    def do_POST(self) -> None:
        if self.path != ADDRESS:
            self._answer(Verdict(HTTPStatus.NOT_FOUND, "only /add-checkpoint is here\n"), close=True)
            return
        length = self.headers.get("Content-Length", "")
        if not (length.isascii() and length.isdigit()) or int(length[:10]) > BODY_BYTES_MAX:
            self._answer(Verdict(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "say a length of at most 64 KiB\n"), close=True)
            return
        self._answer(self._judged(self.rfile.read(int(length))))

    def do_GET(self) -> None:
        """Tell who signs here, so that a person can look."""
        self._answer(Verdict(HTTPStatus.OK, f"{self.server.witness.key.text}\n"))

    def _judged(self, body: bytes) -> Verdict:
        try:
            return self.server.witness.judge(body)
        except (MemoryUnusable, OSError):
            log.exception("nothing is signed while what was signed cannot be kept")
            return Verdict(HTTPStatus.INTERNAL_SERVER_ERROR, "the witness cannot keep what it signs\n")

    def _answer(self, verdict: Verdict, *, close: bool = False) -> None:
        body = verdict.text.encode()
        self.send_response(verdict.status)
        self.send_header("Content-Type", verdict.media_type)
        self.send_header("Content-Length", str(len(body)))
        if close:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's name
        log.info("%s %s", self.address_string(), format % args)
