"""How fast files go out, against nginx with static files, a bare sendfile server and the usual stack.

Servers run on one core and the client on another. Variants are shuffled inside each round and the ratio is taken
inside the round: wall time on a shared machine scatters, the pair much less, processor time least.
"""

import argparse
import contextlib
import json
import random
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import machine, nginx, world
from benchmarks.download_servers import EVENTS, THREADED

GIB, MIB, KIB = 2**30, 2**20, 2**10
ROUNDS, ROUNDS_QUICK = 4, 1
USUAL = "gunicorn gthread, Flask send_file"
LABEL, WIDTH = 38, 26
TITLES = (
    "of the limit", "the same by CPU", "x send_file", "GB/s", "answers/s", "CPU us an answer", "its database",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Load:
    """How a file is asked for: until ``requests`` are answered, or for ``seconds``; ``aim`` is a share of nginx."""

    name: str
    size_bytes: int
    connections: int
    requests: int | None = None
    seconds: float = 60.0
    bytes_per_second: float | None = None
    aim: str = ""


LOADS = (
    Load("1 GiB", GIB, connections=1, requests=4, aim="0.9 of nginx"),
    Load("1 MiB", MIB, connections=8, seconds=2.0, aim="0.45 of nginx"),
    Load("10 KiB", 10 * KIB, connections=16, seconds=2.0, aim="0.12 of nginx, and 10 times send_file"),
)
QUICK_LOADS = tuple(replace(load, seconds=1.0 if load.requests is None else load.seconds) for load in LOADS)


@dataclass(frozen=True, slots=True)
class Target:
    """A running server: its process, that of its database, how it is asked for a file, and where it has it."""

    process_id: int
    address_of: Callable[[Path], str]
    headers: Sequence[str] = ()
    database_process: int | None = None
    kept: Callable[[Path], Path] = Path

    def cpu_seconds(self) -> tuple[float, float]:
        """Return the processor time used so far by the server and by its database."""
        return machine.cpu_seconds(self.process_id), machine.cpu_seconds(self.database_process)


@dataclass(frozen=True, slots=True)
class Variant:
    """A server to compare: a name, and a context in which it runs; may raise machine.Skipped."""

    name: str
    running: Callable[[str], AbstractContextManager[Target]]


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement; the processor times are those of the server and of its database."""

    seconds: float
    bytes_read: int
    answered: int
    cpu_seconds: float
    database_seconds: float
    resident: float

    @property
    def gigabytes_per_second(self) -> float:
        """Throughput, in 10^9 bytes."""
        return self.bytes_read / self.seconds / 1e9

    @property
    def per_second(self) -> float:
        """Answered requests."""
        return self.answered / self.seconds

    @property
    def cpu_microseconds(self) -> float:
        """Processor time of the server for one request."""
        return self.cpu_seconds / self.answered * 1e6

    @property
    def database_microseconds(self) -> float:
        """Processor time of the database for one request."""
        return self.database_seconds / self.answered * 1e6

    @property
    def all_microseconds(self) -> float:
        """Processor time of both for one request; a tick at least, for less is not counted."""
        return max(self.cpu_microseconds + self.database_microseconds, 1e6 / machine.TICKS_PER_SECOND / self.answered)


def measure_download(target: Target, file: Path, load: Load) -> Figures:
    """Download the file as the load says and return the figures; raises RuntimeError when a request fails."""
    url, before = target.address_of(file), target.cpu_seconds()
    command = client_command(url, target.headers, load)
    finished = subprocess.run(
        command, check=True, capture_output=True, text=True, preexec_fn=machine.pinned_to(machine.client_core())
    )
    told = json.loads(finished.stdout)
    if told["failed"] or told["refused"]:
        raise RuntimeError(f"{url}: {told['failed']} requests failed, {told['refused']} were refused")
    if load.requests and told["bytes_read"] != load.requests * load.size_bytes:
        raise RuntimeError(f"{url}: {told['bytes_read']} bytes came, not {load.requests} x {load.size_bytes}")
    server, database = (after - earlier for after, earlier in zip(target.cpu_seconds(), before, strict=True))
    resident = machine.resident(target.kept(file))
    return Figures(told["seconds"], told["bytes_read"], told["answered"], server, database, resident)


def client_command(url: str, headers: Sequence[str], load: Load) -> list[str]:
    """Return the command line of the C client; raises machine.Skipped without a compiler."""
    parts = urlsplit(url)
    path = f"{parts.path}?{parts.query}" if parts.query else parts.path
    command = [str(machine.compiled("download_client")), str(parts.hostname), str(parts.port), path]
    command += ["-c", str(load.connections), "-t", str(load.seconds)]
    if load.requests:
        command += ["-n", str(load.requests)]
    if load.bytes_per_second:
        command += ["-r", str(load.bytes_per_second)]
    return command + [part for header in headers for part in ("-H", header)]


@contextlib.contextmanager
def started(command: Sequence[str]) -> Iterator[Target]:
    """Run a program that serves /NAME and prints its port first; pinned to the servers' core."""
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=machine.HERE.parent,
        preexec_fn=machine.pinned_to(machine.server_core()),  # noqa: PLW1509 - no threads here
    )  # fmt: skip
    try:
        port = int(process.stdout.readline()) if process.stdout else 0
        yield Target(process.pid, lambda file: f"http://127.0.0.1:{port}/{file.name}")
    finally:
        process.terminate()
        process.communicate()


def bare(congestion: str) -> AbstractContextManager[Target]:
    """Run C, epoll and sendfile, without any care."""
    return started([str(machine.compiled("bare_server")), str(machine.shelf()), congestion])


def program(name: str, worker: str = THREADED) -> Callable[[str], AbstractContextManager[Target]]:
    """Run one of the servers of `download_servers`."""
    command = [sys.executable, "-m", "benchmarks.download_servers", name]
    return lambda congestion: started([*command, congestion, worker])


@contextlib.contextmanager
def static(congestion: str) -> Iterator[Target]:
    """Run nginx over the files: the limit of the aims, which asks nobody."""
    with nginx.serving(machine.shelf(), congestion) as (process_id, port):
        yield Target(process_id, lambda file: f"http://127.0.0.1:{port}/{file.name}")


def marketplace(worker: str, **environment: str) -> Callable[[str], AbstractContextManager[Target]]:
    """Run the real exchange with one of its workers."""
    return lambda congestion: _marketplace(congestion, worker, **environment)


@contextlib.contextmanager
def _marketplace(congestion: str, worker: str, **environment: str) -> Iterator[Target]:
    """Run the exchange with the files of all loads in it, bought under one grant by one client."""
    with world.installed() as exchange:
        grant_id = exchange.shop([machine.file_of(load.size_bytes) for load in LOADS]).grant_id
        headers = [f"Authorization: {exchange.bearer(exchange.buyer)}"]
        files = f"{exchange.settings.base_url}/v1/grants/{grant_id}/files"
        with exchange.serving(congestion, worker, **environment) as process_id:
            address_of, kept = (lambda file: f"{files}/{file.name}"), cache(exchange.kept)
            yield Target(process_id, address_of, headers, exchange.database_process, kept)


OURS = [
    Variant("the marketplace, threaded worker", marketplace(THREADED)),
    Variant("the marketplace, event worker, no pass", marketplace(EVENTS, MARKETPLACE_DOWNLOAD_PASSES="false")),
    Variant("the marketplace, event worker", marketplace(EVENTS)),
]
VARIANTS = [
    Variant("nginx, static, asks nobody", static),
    Variant("bare C sendfile, asks nobody", bare),
    *OURS,
    Variant("threaded worker, bare application", program("worker")),
    Variant("event worker, bare application", program("worker", EVENTS)),
    Variant(USUAL, program("usual")),
]


def main(arguments: list[str], variants: Sequence[Variant] = VARIANTS) -> None:
    """Print the ratios of all variants to the first one that runs here."""
    options = _options(arguments)
    print(f"congestion control of the listeners: {options.congestion}; rounds: {options.rounds}")
    with contextlib.ExitStack() as stack:
        targets = _running(stack, variants, options.congestion)
        print(f"the limit: {next(iter(targets))}")
        for load in QUICK_LOADS if options.quick else LOADS:
            _print_load(load, _rounds(load, targets, options.rounds))


def _running(stack: contextlib.ExitStack, variants: Sequence[Variant], congestion: str) -> dict[str, Target]:
    """Start what can be started here, and say of the rest why it cannot."""
    targets = {}
    for variant in variants:
        try:
            targets[variant.name] = stack.enter_context(variant.running(congestion))
        except machine.Skipped as reason:
            print(f"  {variant.name:{LABEL}} skipped: {reason}")
    return targets


def _rounds(load: Load, targets: dict[str, Target], rounds: int) -> dict[str, list[Figures]]:
    file = machine.file_of(load.size_bytes)
    figures: dict[str, list[Figures]] = {name: [] for name in targets}
    for number in range(rounds + 1):
        for name, target in random.sample(list(targets.items()), len(targets)):
            machine.warm(target.kept(file))
            found = measure_download(target, file, load)
            if number:  # the first round only warms up
                figures[name].append(found)
    return figures


def _print_load(load: Load, figures: dict[str, list[Figures]]) -> None:
    resident = min(one.resident for found in figures.values() for one in found)
    print(f"\n{load.name}, {load.connections} connection(s); the aim: {load.aim}; in memory: {resident:.0%} of it")
    print(f"  {'':{LABEL}} " + "".join(f"{title:{WIDTH}}" for title in TITLES))
    limit, usual = next(iter(figures.values())), figures.get(USUAL)
    for name, found in figures.items():
        pairs, beside = list(zip(found, limit, strict=True)), zip(found, usual or found, strict=True)
        columns = (
            machine.median(one.per_second / best.per_second for one, best in pairs),
            machine.median(best.all_microseconds / one.all_microseconds for one, best in pairs),
            machine.median(one.per_second / other.per_second for one, other in beside),
            machine.median(one.gigabytes_per_second for one in found),
            machine.median(one.per_second for one in found),
            machine.median(one.cpu_microseconds for one in found),
            machine.median(one.database_microseconds for one in found),
        )
        print(f"  {name:{LABEL}} " + "".join(f"{column:{WIDTH}}" for column in columns), flush=True)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks download")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--congestion", default="cubic", help="of the listeners: cubic, bbr, reno")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (ROUNDS_QUICK if options.quick else ROUNDS)
    return options
