"""A connection between a client and a server that can be cut, or held, after so many bytes."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.live import WAIT_SECONDS

PIECE = 2**14


@dataclass
class Line:
    """Takes connections at one port and passes them on to another."""

    port: int
    target_port: int
    cuts: list[int] = field(default_factory=list)
    """After so many bytes of a connection it is cut, each once, in this order."""

    hold_at: int | None = None
    """After so many bytes nothing more comes through until ``let_go``."""

    held: threading.Event = field(default_factory=threading.Event)
    _free: threading.Event = field(default_factory=threading.Event)

    def hold(self, at: int) -> None:
        """Hold the next connection that brings so much."""
        self.held.clear()
        self._free.clear()
        self.hold_at = at

    def wait_held(self) -> None:
        assert self.held.wait(WAIT_SECONDS), "nothing was held"

    def let_go(self) -> None:
        self.hold_at = None
        self._free.set()

    def serve(self, listening: socket.socket) -> None:
        """Pass connections on until the socket is closed."""
        with contextlib.suppress(OSError):
            while True:
                client, _peer = listening.accept()
                threading.Thread(target=self._pass, args=(client,), daemon=True).start()

    def _pass(self, client: socket.socket) -> None:
        there = ("127.0.0.1", self.target_port)
        with client, contextlib.suppress(OSError), socket.create_connection(there) as server:
            asking = threading.Thread(target=_pump, args=(client, server), daemon=True)
            asking.start()
            with contextlib.suppress(OSError):
                self._answer(server, client)
            for end in (client, server):
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            asking.join()

    def _answer(self, server: socket.socket, client: socket.socket) -> None:
        passed = 0
        while piece := server.recv(PIECE):
            if self.cuts and passed + len(piece) > self.cuts[0]:
                client.sendall(piece[: self.cuts.pop(0) - passed])
                return
            if self.hold_at is not None and passed + len(piece) > self.hold_at:
                self.held.set()
                self._free.wait(WAIT_SECONDS)
            client.sendall(piece)
            passed += len(piece)


@contextmanager
def line(port: int, target_port: int) -> Iterator[Line]:
    """Pass connections on until the block ends."""
    made = Line(port, target_port)
    with socket.create_server(("127.0.0.1", port)) as listening:
        thread = threading.Thread(target=made.serve, args=(listening,), daemon=True)
        thread.start()
        try:
            yield made
        finally:
            made.let_go()
            listening.shutdown(socket.SHUT_RDWR)
    thread.join(WAIT_SECONDS)


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while piece := source.recv(PIECE):
            sink.sendall(piece)
        sink.shutdown(socket.SHUT_WR)
