"""A payment gateway in this process that can hold a request, before or after acting on it."""

import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

import requests
from flask import Flask
from sqlalchemy import func, select
from werkzeug.serving import make_server

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.sandbox.delivery import signature
from marketplace.sandbox.models import SandboxEvent, SandboxObject

WAIT_SECONDS = 180


@dataclass
class Gate:
    """The gateway and its handle."""

    gateway: Flask
    url: str = ""
    secret: str = "whsec_of_the_gate"
    live: Any = None
    _method: str = ""
    _path: str = ""
    _moment: str = ""
    _held: threading.Event = field(default_factory=threading.Event)
    _free: threading.Event = field(default_factory=threading.Event)

    def hold(self, method: str, path: str, moment: str) -> None:
        """Hold the next such request: when it is ``asked``, or when it is to be ``answered``."""
        self._held.clear()
        self._free.clear()
        self._method, self._path, self._moment = method, path, moment

    def wait_held(self) -> None:
        assert self._held.wait(WAIT_SECONDS), "no request came"

    def let_go(self) -> None:
        self._method = ""
        self._free.set()

    def sessions(self) -> int:
        with self.gateway.app_context():
            query = select(func.count()).select_from(SandboxObject)
            return db.session.scalar(query.where(SandboxObject.kind == "checkout.session"))

    def pay(self, checkout_url: str) -> None:
        page = self.url + urlsplit(checkout_url).path
        assert requests.post(f"{page}/pay", allow_redirects=False, timeout=WAIT_SECONDS).status_code == 303

    def deliver_events(self) -> list[int]:
        """Send all events to the exchange; returns the statuses of its answers."""
        with self.gateway.app_context():
            events = db.session.scalars(select(SandboxEvent.document).order_by(SandboxEvent.sequence)).all()
        return [self._send(event) for event in events]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        """Serve one request, held where asked for."""
        mine = environ["REQUEST_METHOD"] == self._method and self._path in environ["PATH_INFO"]
        if mine and self._moment == "asked":
            self._wait()
        answer = self.gateway(environ, start_response)
        if mine and self._moment == "answered":
            answer = [b"".join(answer)]
            self._wait()
        return answer

    def _wait(self) -> None:
        self._method = ""
        self._held.set()
        self._free.wait(WAIT_SECONDS)

    def _send(self, event: dict[str, Any]) -> int:
        import json

        body = json.dumps(event).encode()
        headers = {"Stripe-Signature": signature(body, self.secret, clock.now())}
        url = f"{self.live.base_url}/webhooks/stripe"
        return requests.post(url, data=body, headers=headers, timeout=WAIT_SECONDS).status_code


@contextmanager
def gate(gateway: Flask) -> Iterator[Gate]:
    """Serve a gateway until the block ends; its own webhooks stay in its outbox."""
    made = Gate(gateway)
    server = make_server("127.0.0.1", 0, made, threaded=True)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield made
    finally:
        made.let_go()
        server.shutdown()
        thread.join()
        server.server_close()
