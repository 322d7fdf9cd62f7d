"""How long streams outlive their right: from the commit of a revocation to the last byte that reaches the reader.

Readers take what comes, so the server is as busy as it can be. What is measured is the notice, the look at the
database, the reset, and whatever the kernel had on its way; the limit is nothing.
"""

import argparse
import selectors
import socket
import statistics
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from benchmarks import machine, world
from benchmarks.download import GIB, MIB
from marketplace.access import service as access
from marketplace.kit.transaction import transaction

STREAMS = 100
ROUNDS, ROUNDS_QUICK = 10, 2
PIECE_BYTES = 64 * 2**10
PATIENCE_SECONDS = 60.0


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


def main(arguments: list[str]) -> None:
    """Print how long after the commit the last bytes came."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks revocation")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    rounds = ROUNDS_QUICK if parser.parse_args(arguments).quick else ROUNDS
    file = machine.file_of(GIB)
    with world.installed() as exchange:
        shop = exchange.shop([file])
        with exchange.serving():
            found = [late for _ in range(rounds) for late in _round(exchange, shop, file.name)]
    _print(found, rounds)


def _round(exchange: world.World, shop: world.Shop, name: str) -> list[float]:
    """Buy, fetch with all streams at once, revoke; return the seconds from the commit to each last byte."""
    grant_id = exchange.buy(shop.offer_id, shop.terms_sha256)
    address = f"{exchange.settings.base_url}/v1/grants/{grant_id}/files/{name}"
    authorization = exchange.bearer(exchange.buyer)
    streams = [_asked(address, authorization) for _ in range(STREAMS)]
    reader = threading.Thread(target=_read, args=(streams,), daemon=True)
    reader.start()
    _wait_running(streams)
    with transaction():
        access.revoke(exchange.provider, grant_id, "measured")
    committed_at = time.monotonic()
    reader.join(PATIENCE_SECONDS)
    if reader.is_alive():
        raise RuntimeError("streams go on without a right")
    return [max(0.0, stream.last_at - committed_at) for stream in streams]


def _asked(address: str, authorization: str) -> Stream:
    parts = urlsplit(address)
    asked = socket.create_connection((str(parts.hostname), int(parts.port or 80)))
    fields = f"Host: {parts.netloc}\r\nAuthorization: {authorization}\r\n"
    asked.sendall(f"GET {parts.path} HTTP/1.1\r\n{fields}\r\n".encode())
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


def _print(found: Sequence[float], rounds: int) -> None:
    cuts = statistics.quantiles(found, n=100, method="inclusive")
    print(f"  {rounds} revocations in the middle of {STREAMS} streams each; from the commit to the last byte:")
    print(f"  p50 {cuts[49] * 1e3:.0f} ms, p99 {cuts[98] * 1e3:.0f} ms, longest {max(found) * 1e3:.0f} ms", flush=True)
