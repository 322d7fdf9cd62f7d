"""A server on the loopback interface that stands for whatever strangers' addresses name."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
import urllib3

from marketplace.kit import outbound

Respond = Callable[[socket.socket, str], None]


class Origin:
    """A server on the loopback interface that answers each request as it is told, and notes what it was asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.respond: Respond = answer(b"")
        self._listening = socket.create_server(("127.0.0.1", 0))
        self.port = self._listening.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            peer, _ = self._listening.accept()
            with closing(peer), peer.makefile("rb") as lines:
                head = b"".join(iter(lines.readline, b"\r\n")).decode("latin-1") if not self._over(lines) else ""
                if not head:
                    return
                self.asked.append(head)
                try:
                    self.respond(peer, head)
                except OSError:
                    continue  # the other side has had enough

    def _over(self, lines: Any) -> bool:
        return not lines.peek(1)

    def close(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        self._thread.join()
        self._listening.close()


def answer(body: bytes, status: str = "200 OK", length: int | None = None, **fields: str) -> Respond:
    def respond(peer: socket.socket, _head: str) -> None:
        told = {"Content-Length": str(len(body) if length is None else length), "Connection": "close"}
        told |= {name.replace("_", "-"): value for name, value in fields.items()}
        head = "".join(f"{name}: {value}\r\n" for name, value in told.items() if value)
        peer.sendall(f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body)

    return respond


@contextmanager
def reached(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    """An origin at which every public name is reached; what the addresses of names are is still checked."""
    made = Origin()

    def pool(_address: str, _host: str) -> urllib3.HTTPConnectionPool:
        return urllib3.HTTPConnectionPool("127.0.0.1", made.port, retries=urllib3.Retry(0, redirect=False))

    monkeypatch.setattr(outbound, "_pool", pool)
    resolve = socket.getaddrinfo

    def named(host: str, *args: Any, **kwargs: Any) -> Any:
        known = {"data.example.jp": "93.184.216.34", "inside.example.jp": "10.0.0.1"}
        return resolve(known.get(host, host), *args, **kwargs)

    monkeypatch.setattr(socket, "getaddrinfo", named)
    try:
        yield made
    finally:
        made.close()
