"""A small register of the National Tax Agency, really started on the loopback: answers as its interfaces document them."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

COLUMNS = 30


@dataclass
class Registers:
    """What both registers know, what they were asked, and how they answer when they are in trouble."""

    corporations: dict[str, dict[str, str]] = field(default_factory=dict)
    issuers: dict[str, dict[str, str]] = field(default_factory=dict)
    asked: list[tuple[str, dict[str, str]]] = field(default_factory=list)
    raw: tuple[int, str, bytes] | None = None
    port: int = 0

    def answer(self, path: str, query: dict[str, str]) -> tuple[int, str, bytes]:
        self.asked.append((path, query))
        if self.raw is not None:
            return self.raw
        return self._corporation(query) if path == "/4/num" else self._issuer(query)

    def _corporation(self, query: dict[str, str]) -> tuple[int, str, bytes]:
        """CSV in UTF-8 (type 02): date, count, part and parts first, then thirty columns a corporation."""
        known = self.corporations.get(query["number"])
        lines = [f"2026-11-27,{1 if known else 0},1,1"]
        if known:
            row = [""] * COLUMNS
            row[0], row[1], row[6], row[18] = "1", query["number"], known["name"], known.get("closed_on", "")
            lines.append(",".join(f'"{value}"' for value in row))
        return 200, "text/csv; charset=UTF-8", ("\r\n".join(lines) + "\r\n").encode()

    def _issuer(self, query: dict[str, str]) -> tuple[int, str, bytes]:
        known = self.issuers.get(query["number"])
        entry: dict[str, Any] = {"sequenceNumber": "1", "registratedNumber": query["number"], "process": "01"}
        entry |= {"registrationDate": "2023-10-01", "disposalDate": "", "expireDate": ""} | (known or {})
        found = {"count": "1" if known else "0", "announcement": [entry] if known else []}
        head = {"lastUpdateDate": "2026-11-27", "divideNumber": "1", "divideSize": "1"}
        return 200, "application/json;charset=UTF-8", json.dumps(head | found, ensure_ascii=False).encode()


@contextmanager
def started() -> Iterator[Registers]:
    """Both registers on one port of the loopback, until the block ends."""
    registers = Registers()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            status, media_type, body = registers.answer(parts.path, query)
            self.send_response(status)
            self.send_header("Content-Type", media_type)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_args: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    registers.port = server.server_port
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield registers
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
