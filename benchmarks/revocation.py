"""How long streams outlive their right: from the commit that ends it to the last byte that reaches the reader.

Readers take what comes, so the servers are as busy as they can be; half of the streams run at each of two. What is
measured is the notice, the look at the database, the reset, and whatever the kernel had on its way; the limit is
nothing. A refund revokes a grant and a dispute suspends it, so they are the first two rows with more around them. An
exhausted quota ends no stream: what a stream may bring was held before its first byte. Small downloads under passes,
which ask no database, are measured to the last byte of the last one that is still answered.
"""

import argparse
import contextlib
import http.client
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from http import HTTPStatus

from sqlalchemy import text

from benchmarks import download_servers, machine, world
from benchmarks.download import GIB, KIB, MIB
from marketplace.access import service as access
from marketplace.access.states import Cause
from marketplace.demo import stage
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

STREAMS = 100
ROUNDS, ROUNDS_QUICK = 5, 1
PIECE_BYTES = 64 * 2**10
PATIENCE_SECONDS = 60.0
SMALL_BYTES = 10 * KIB
SMALL_BEFORE = 500
SMALL_ROUNDS_A_ROUND = 4
RUNS_OUT_IN = timedelta(seconds=2)
_RUNS_OUT = text("UPDATE access_grant SET expires_at = :at WHERE id = :grant_id")
_REINSTATED = text("UPDATE organization SET state = 'verified', suspended_reason = NULL WHERE id = :id")


@dataclass
class Stream:
    """One download: what came of it, and when the last of it came."""

    socket: socket.socket
    received: int = 0
    last_at: float = 0.0

    def read(self) -> bool:
        """Take what is there; False at the end."""
        try:
            count = len(self.socket.recv(PIECE_BYTES))
        except ConnectionResetError:
            return False
        if count:
            self.received, self.last_at = self.received + count, time.monotonic()
        return count > 0


@dataclass(frozen=True, slots=True)
class Round:
    """What every round has in common: the exchange, what it sells, and where its servers listen."""

    exchange: world.World
    shop: world.Shop
    name: str
    ports: tuple[int, int]

    def measured(self, end: Callable[[world.World, str], float]) -> list[float]:
        """Buy, fetch with all streams at once, end the right; return the seconds from its end to each last byte."""
        grant_id = self.exchange.buy(self.shop.offer_id, self.shop.terms_sha256)
        authorization = self.exchange.bearer(self.exchange.buyer)
        target = f"/v1/grants/{grant_id}/files/{self.name}"
        streams = [_asked(self.ports[number % 2], target, authorization) for number in range(STREAMS)]
        reader = threading.Thread(target=_read, args=(streams,), daemon=True)
        reader.start()
        _wait_running(streams)
        ended_at = end(self.exchange, grant_id)
        reader.join(PATIENCE_SECONDS)
        if reader.is_alive():
            raise RuntimeError("streams go on without a right")
        _reinstate(self.exchange)
        return [max(0.0, stream.last_at - ended_at) for stream in streams]


def main(arguments: list[str]) -> None:
    """Print how long after the end of the right the last bytes came."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks revocation")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = ROUNDS_QUICK if parser.parse_args(arguments).quick else ROUNDS
    file, small = machine.file_of(GIB), machine.file_of(SMALL_BYTES)
    with world.installed() as exchange:
        shop = exchange.shop([file, small])
        with _two_servers(exchange) as ports:
            print(f"  {rounds} x {STREAMS} streams at two servers; from the end of the right to the last byte:")
            for name, end in ENDS.items():
                one = Round(exchange, shop, file.name, ports)
                _print(name, [late for _ in range(rounds) for late in one.measured(end)])
        with exchange.serving(worker=download_servers.EVENTS):
            found = [_last_small(exchange, shop, small.name) for _ in range(rounds * SMALL_ROUNDS_A_ROUND)]
        _print("grant revoked, downloads by passes", found)


def _last_small(exchange: world.World, shop: world.Shop, name: str) -> float:
    """Fetch a small file again and again, revoke; return the seconds from the commit to the end of the last answer."""
    grant_id = exchange.buy(shop.offer_id, shop.terms_sha256)
    path, fields = f"/v1/grants/{grant_id}/files/{name}", {"Authorization": exchange.bearer(exchange.buyer)}
    ended: list[float] = []

    def fetch() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", exchange.settings.port)
        while True:
            connection.request("GET", path, headers=fields)
            answer = connection.getresponse()
            answer.read()
            if answer.status != HTTPStatus.OK:
                return connection.close()
            ended.append(time.monotonic())

    reader = threading.Thread(target=fetch, daemon=True)
    reader.start()
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(ended) < SMALL_BEFORE:
        if time.monotonic() > deadline:
            raise RuntimeError("small downloads are not answered")
        time.sleep(0.05)
    revoked_at = _revoked(exchange, grant_id)
    reader.join(PATIENCE_SECONDS)
    if reader.is_alive():
        raise RuntimeError("downloads go on without a right")
    return max(0.0, ended[-1] - revoked_at)


@contextlib.contextmanager
def _two_servers(exchange: world.World) -> Iterator[tuple[int, int]]:
    first, second = exchange.settings.port, stage.free_port()
    with exchange.serving(), exchange.serving(MARKETPLACE_PORT=str(second)):
        stage.wait_for("the other server", lambda: machine.answers(f"http://127.0.0.1:{second}/v1/ready"))
        yield first, second


def _revoked(exchange: world.World, grant_id: str) -> float:
    with transaction():
        access.revoke(exchange.provider, grant_id, "measured")
    return time.monotonic()


def _suspended(_exchange: world.World, grant_id: str) -> float:
    with transaction():
        access.suspend(SYSTEM, grant_id, Cause.DISPUTE, "measured")
    return time.monotonic()


def _buyer_suspended(exchange: world.World, _grant_id: str) -> float:
    with transaction():
        identity.suspend_organization(SYSTEM, exchange.buyer.organization_id, "measured")
    return time.monotonic()


def _run_out(_exchange: world.World, grant_id: str) -> float:
    at, now = clock.now() + RUNS_OUT_IN, time.monotonic()
    with transaction():
        db.session.execute(_RUNS_OUT, {"at": at, "grant_id": grant_id})
    return now + RUNS_OUT_IN.total_seconds()


ENDS: dict[str, Callable[[world.World, str], float]] = {
    "grant revoked (as by a refund)": _revoked,
    "grant suspended (as by a dispute)": _suspended,
    "grant run out": _run_out,
    "buyer suspended": _buyer_suspended,
}


def _reinstate(exchange: world.World) -> None:
    """Let the buyer buy again; a story of the exchange would have a person decide."""
    with transaction():
        db.session.execute(_REINSTATED, {"id": exchange.buyer.organization_id})


def _asked(port: int, target: str, authorization: str) -> Stream:
    asked = socket.create_connection(("127.0.0.1", port))
    fields = f"Host: 127.0.0.1:{port}\r\nAuthorization: {authorization}\r\n"
    asked.sendall(f"GET {target} HTTP/1.1\r\n{fields}\r\n".encode())
    return Stream(asked)


def _read(streams: Sequence[Stream]) -> None:
    with selectors.DefaultSelector() as selector:
        for stream in streams:
            selector.register(stream.socket, selectors.EVENT_READ, stream)
        while selector.get_map():
            for key, _ in selector.select():
                if not key.data.read():
                    selector.unregister(key.fileobj)
                    key.data.socket.close()


def _wait_running(streams: Sequence[Stream]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while min(stream.received for stream in streams) < MIB:
        if time.monotonic() > deadline:
            raise RuntimeError("not all streams are running")
        time.sleep(0.05)


def _print(name: str, found: Sequence[float]) -> None:
    cuts = statistics.quantiles(found, n=100, method="inclusive")
    figures = f"p50 {cuts[49] * 1e3:.0f} ms, p99 {cuts[98] * 1e3:.0f} ms, longest {max(found) * 1e3:.0f} ms"
    print(f"  {name:36} {figures}", flush=True)
