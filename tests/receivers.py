"""A receiver of webhooks on the loopback, to which everything goes that is sent to the open internet."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import urllib3

from marketplace.kit import outbound


@dataclass
class Receiver:
    """A receiver on the loopback: what came, and what it answers."""

    port: int = 0
    status: int = 204
    came: list[tuple[dict[str, str], bytes]] = field(default_factory=list)

    @property
    def bodies(self) -> list[dict[str, Any]]:
        return [json.loads(body) for _headers, body in self.came]

    def types(self) -> list[str]:
        return [body["type"] for body in self.bodies]


@contextmanager
def receiving(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Have all that is sent to the open internet arrive on the loopback, in clear."""
    made = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            made.came.append(({name.lower(): value for name, value in self.headers.items()}, body))
            self.send_response(made.status)
            self.send_header("Location", "https://elsewhere.example.jp/")
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    made.port = server.server_port
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(outbound, "_address_of", lambda _host: "127.0.0.1")
    monkeypatch.setattr(outbound, "_pool", lambda address, _host: urllib3.HTTPConnectionPool(address, made.port))
    yield made
    server.shutdown()
    server.server_close()
