"""What is charged against what arrived: ranges that overlap, come twice and break off, counted by the client's kernel.

The limit is no deviation at all, in either direction. A download that is broken off is let come to rest first: it takes
what its window holds, and its acknowledgements are on their way (RFC 9293 section 3.8.6.3: within half a second). Then
what the client's kernel received is what the server's kernel knows to be acknowledged.
"""

import argparse
import random
import socket
import struct
import time
from collections import defaultdict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqlalchemy import text

from benchmarks import machine, world
from benchmarks.download import MIB
from benchmarks.download_servers import EVENTS, THREADED
from benchmarks.world import World
from marketplace.demo import stage
from marketplace.kit.db import db
from marketplace.metering import queries as metering

DOWNLOADS, DOWNLOADS_QUICK = 500, 120
THREADS, GRANTS = 16, 4
SIZE_BYTES = 8 * MIB
WINDOW_BYTES = 64 * 2**10
REST_SECONDS = 0.5
RECEIVED_AT = 128  # tcpi_bytes_received in struct tcp_info, include/uapi/linux/tcp.h
_OPEN = text("SELECT count(*) FROM delivery WHERE state = 'open'")
_SUMS = text("SELECT sum(bytes_sent), sum(bytes_acked) FROM delivery")


@dataclass(frozen=True, slots=True)
class Part:
    """What one download asks for, and after how many bytes it is broken off, if it is."""

    grant_id: str
    start: int
    end: int
    cut_after: int | None


def main(arguments: list[str]) -> None:
    """Print the deviation of what was charged, and what counting bytes written would have charged."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks billing")
    parser.add_argument("--quick", action="store_true", help="fewer downloads")
    parser.add_argument("--downloads", type=int)
    parser.add_argument("--worker", choices=(THREADED, EVENTS), default=THREADED)
    options = parser.parse_args(arguments)
    count = options.downloads or (DOWNLOADS_QUICK if options.quick else DOWNLOADS)
    file = machine.file_of(SIZE_BYTES)
    with world.installed() as exchange:
        shop = exchange.shop([file])
        grants = [exchange.buy(shop.offer_id, shop.terms_sha256) for _ in range(GRANTS)]
        parts = [_part(grants[number % GRANTS]) for number in range(count)]
        with exchange.serving("cubic", options.worker):
            arrived = _fetched(exchange, parts, file.name)
            stage.wait_for("the last delivery to be charged", lambda: _scalars(_OPEN)[0] == 0)
        _print(parts, arrived)


def _part(grant_id: str) -> Part:
    start = random.randrange(SIZE_BYTES)
    end = random.randrange(start, SIZE_BYTES) + 1
    return Part(grant_id, start, end, random.choice((None, random.randrange(end - start))))


def _fetched(exchange: World, parts: list[Part], name: str) -> list[int]:
    """Fetch all parts, several at once, and return how many bytes of each arrived."""
    authorization = exchange.bearer(exchange.buyer)
    server = urlsplit(exchange.settings.base_url)

    def fetch(part: Part) -> int:
        head = f"GET /v1/grants/{part.grant_id}/files/{name} HTTP/1.1\r\nHost: {server.netloc}\r\n"
        head += f"Authorization: {authorization}\r\nRange: bytes={part.start}-{part.end - 1}\r\n\r\n"
        with socket.socket() as asked:
            asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, WINDOW_BYTES)
            asked.connect((str(server.hostname), int(server.port or 80)))
            asked.sendall(head.encode())
            return _arrived(asked, part)

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(fetch, parts))


def _arrived(asked: socket.socket, part: Part) -> int:
    """Read a part whole, or until it is broken off; return the bytes of it that the kernel received."""
    said = b""
    while b"\r\n\r\n" not in said:
        said += asked.recv(WINDOW_BYTES)
    head = said.index(b"\r\n\r\n") + 4
    if not said.startswith(b"HTTP/1.1 206"):
        raise RuntimeError(said[:100])
    read, length = len(said) - head, part.end - part.start
    while read < (length if part.cut_after is None else part.cut_after):
        read += len(asked.recv(min(WINDOW_BYTES, length - read)))
    if part.cut_after is None:
        return read
    time.sleep(REST_SECONDS)
    facts = asked.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, RECEIVED_AT + 8)
    received: int = struct.unpack_from("=Q", facts, RECEIVED_AT)[0]
    return received - head


def _print(parts: list[Part], arrived: list[int]) -> None:
    spans = defaultdict(list)
    for part, count in zip(parts, arrived, strict=True):
        spans[part.grant_id].append((part.start, part.start + count))
    union = {grant_id: _measure(of_grant) for grant_id, of_grant in spans.items()}
    charged = {grant_id: metering.get_quota(grant_id).used_bytes for grant_id in spans}
    sent, acked = (int(figure) for figure in _scalars(_SUMS))
    broken = sum(count < part.end - part.start for part, count in zip(parts, arrived, strict=True))
    deviations = [charged[grant_id] - union[grant_id] for grant_id in spans]
    print(f"  {len(parts)} downloads of ranges at random, {broken} of them broken off, under {len(spans)} grants")
    print(f"  arrived {sum(arrived):,} bytes, acknowledged {acked:,}: deviation {acked - sum(arrived)} bytes")
    print(f"  union {sum(union.values()):,} bytes, charged {sum(charged.values()):,}: deviation {deviations} bytes")
    print(f"  handed to the kernel {sent:,} bytes: who bills these bills {sent / sum(arrived):.3f} times what arrived")


def _measure(spans: Iterable[tuple[int, int]]) -> int:
    """Return how many bytes a union of spans has."""
    covered = reached = 0
    for start, end in sorted(spans):
        covered += max(0, end - max(start, reached))
        reached = max(reached, end)
    return covered


def _scalars(statement: object) -> tuple[object, ...]:
    row = db.session.execute(statement).one()  # type: ignore[call-overload]
    db.session.rollback()
    return tuple(row)
