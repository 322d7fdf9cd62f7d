"""Thousands of slow readers on one server process: whether all are served, what they hold, and what others wait.

The limit is calm: the same process with nobody reading. Readers are many grants' at once, since what is measured is the
server and not the lock of one grant.
"""

import argparse
import contextlib
import http.client
import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from urllib.parse import urlsplit

from sqlalchemy import text

from benchmarks import machine, world
from benchmarks.download import GIB, KIB, MIB, Load, client_command
from benchmarks.download_servers import EVENTS, THREADED
from benchmarks.world import World
from marketplace.kit.db import db

READERS, READERS_QUICK = 5000, 500
CLIENTS = 10
BYTES_PER_SECOND = 20_000
SECONDS, SECONDS_QUICK = 8.0, 3.0
PATIENCE_SECONDS, LOOK_SECONDS = 150.0, 0.5
PAUSE_SECONDS = 0.01
_OPEN = text("SELECT count(*) FROM delivery WHERE state = 'open'")


def main(arguments: list[str]) -> None:
    """Print readers served, memory, and the latency of two addresses of the API, calm and meanwhile."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks readers")
    parser.add_argument("--quick", action="store_true", help="a tenth of the readers, a shorter look")
    parser.add_argument("--readers", type=int)
    parser.add_argument("--worker", choices=(THREADED, EVENTS), default=THREADED)
    options = parser.parse_args(arguments)
    readers = options.readers or (READERS_QUICK if options.quick else READERS)
    seconds = SECONDS_QUICK if options.quick else SECONDS
    print(f"  {readers} readers of 1 GiB at {BYTES_PER_SECOND} bytes/s each; aims: p99 below 10 ms, memory that stays")
    with world.installed() as exchange:
        _measure(exchange, options.worker, readers, seconds)


def _measure(exchange: World, worker: str, readers: int, seconds: float) -> None:
    file = machine.file_of(GIB)
    shop = exchange.shop([file])
    grants = [exchange.buy(shop.offer_id, shop.terms_sha256) for _ in range(CLIENTS)]
    authorization = exchange.bearer(exchange.buyer)
    files = [f"{exchange.settings.base_url}/v1/grants/{grant_id}/files/{file.name}" for grant_id in grants]
    with exchange.serving("cubic", worker) as process_id:
        paths = {"/v1/health": "/v1/health", "/v1/grants/{id}, by its token": f"/v1/grants/{grants[0]}"}
        calm = {name: _latencies(_probe(exchange, path, authorization), seconds / 2) for name, path in paths.items()}
        idle = machine.memory_bytes(process_id)[1]
        start = time.perf_counter()
        with _reading(files, authorization, readers):
            served = _wait_served(readers)
            ramp = time.perf_counter() - start
            first, kernel = machine.memory_bytes(process_id)[1], machine.tcp_memory_bytes()
            busy = {name: _latencies(_probe(exchange, path, authorization), seconds) for name, path in paths.items()}
            last = machine.memory_bytes(process_id)[1]
    print(f"  {worker}: {served} of {readers} served by one process, the last after {ramp:.0f} s")
    print(
        f"    PSS {idle / MIB:.0f} MiB idle, {first / MIB:.0f} with all, {last / MIB:.0f} {2 * seconds:.0f} s later: "
        f"{(last - idle) / max(served, 1) / KIB:.1f} KiB a reader; TCP memory of the kernel {kernel / MIB:.0f} MiB"
    )
    for name, found in busy.items():
        print(f"    {name:30} calm {_told(calm[name])}, meanwhile {_told(found)}", flush=True)


def _probe(exchange: World, path: str, authorization: str) -> Callable[[], None]:
    """Return what asks for an address once, over one kept connection."""
    parts = urlsplit(exchange.settings.base_url)
    connection = http.client.HTTPConnection(str(parts.hostname), parts.port, timeout=PATIENCE_SECONDS)

    def ask() -> None:
        connection.request("GET", path, headers={"Authorization": authorization})
        answer = connection.getresponse()
        answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{path}: {answer.status}")

    return ask


def _latencies(ask: Callable[[], None], seconds: float) -> list[float]:
    found, until = [], time.perf_counter() + seconds
    while (start := time.perf_counter()) < until:
        ask()
        found.append(time.perf_counter() - start)
        time.sleep(PAUSE_SECONDS)
    return found


@contextlib.contextmanager
def _reading(files: Sequence[str], authorization: str, readers: int) -> Iterator[None]:
    """Read from all addresses at once, each by as many readers, until the block ends."""
    load = Load("", GIB, readers // len(files), seconds=2 * PATIENCE_SECONDS, bytes_per_second=BYTES_PER_SECOND)
    clients = [
        subprocess.Popen(
            client_command(file, [f"Authorization: {authorization}"], load),
            stdout=subprocess.DEVNULL, preexec_fn=_prepared,  # noqa: PLW1509 - no threads but idle ones
        )
        for file in files
    ]  # fmt: skip
    try:
        yield
    finally:
        for client in clients:
            client.kill()
            client.wait()


def _prepared() -> None:
    machine.pinned_to(machine.client_core())()
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _wait_served(readers: int) -> int:
    """Wait until all are, or until no more are after a while; returns how many."""
    until = time.monotonic() + PATIENCE_SECONDS
    while (served := _open_deliveries()) < readers and time.monotonic() < until:
        time.sleep(LOOK_SECONDS)
    return served


def _open_deliveries() -> int:
    found = db.session.scalar(_OPEN)
    db.session.rollback()
    return int(found or 0)


def _told(seconds: Sequence[float]) -> str:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return f"p50 {cuts[49] * 1e3:.1f}, p99 {cuts[98] * 1e3:.1f}, longest {max(seconds) * 1e3:.0f} ms"
