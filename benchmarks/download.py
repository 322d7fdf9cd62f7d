"""How fast files go out, against a bare sendfile server and the usual stack.

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
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import machine, world

GIB, MIB, KIB = 2**30, 2**20, 2**10
ROUNDS, ROUNDS_QUICK = 4, 1


@dataclass(frozen=True, slots=True)
class Load:
    """How a file is asked for: until ``requests`` are answered, or for ``seconds``."""

    name: str
    size_bytes: int
    connections: int
    requests: int | None = None
    seconds: float = 60.0
    bytes_per_second: float | None = None


LOADS = (
    Load("1 GiB", GIB, connections=1, requests=4),
    Load("1 MiB", MIB, connections=8, seconds=2.0),
    Load("10 KiB", 10 * KIB, connections=16, seconds=2.0),
)
QUICK_LOADS = tuple(replace(load, seconds=1.0 if load.requests is None else load.seconds) for load in LOADS)


@dataclass(frozen=True, slots=True)
class Target:
    """A running server: its process, that of its database, and how it is asked for a file."""

    process_id: int
    address_of: Callable[[Path], str]
    headers: Sequence[str] = ()
    database_process: int | None = None

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
    return Figures(told["seconds"], told["bytes_read"], told["answered"], server, database)


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
    """Run the limit: C, epoll and sendfile, without any care."""
    return started([str(machine.compiled("bare_server")), str(machine.WORKSHOP), congestion])


def program(name: str) -> Callable[[str], AbstractContextManager[Target]]:
    """Run one of the servers of `download_servers`."""
    return lambda congestion: started([sys.executable, "-m", "benchmarks.download_servers", name, congestion])


@contextlib.contextmanager
def marketplace(congestion: str) -> Iterator[Target]:
    """Run the real exchange with the files of all loads in it, bought under one grant by one client."""
    with world.installed() as exchange:
        grant_id = exchange.shop([machine.file_of(load.size_bytes) for load in LOADS]).grant_id
        headers = [f"Authorization: {exchange.bearer(exchange.buyer)}"]
        files = f"{exchange.settings.base_url}/v1/grants/{grant_id}/files"
        with exchange.serving(congestion) as process_id:
            yield Target(process_id, lambda file: f"{files}/{file.name}", headers, exchange.database_process)


LIMIT = Variant("bare C sendfile (the limit)", bare)
VARIANTS = [
    LIMIT,
    Variant("the marketplace: authorised, metered", marketplace),
    Variant("our worker, bare application", program("worker")),
    Variant("gunicorn gthread, Flask send_file", program("usual")),
]


def main(arguments: list[str], variants: Sequence[Variant] = VARIANTS) -> None:
    """Print the ratios of all variants to the first one."""
    options = _options(arguments)
    print(f"congestion control of the listeners: {options.congestion}; rounds: {options.rounds}")
    with contextlib.ExitStack() as stack:
        targets = {variant.name: stack.enter_context(variant.running(options.congestion)) for variant in variants}
        for load in QUICK_LOADS if options.quick else LOADS:
            _print_load(load, _rounds(load, targets, options.rounds))


def _rounds(load: Load, targets: dict[str, Target], rounds: int) -> dict[str, list[Figures]]:
    file = machine.file_of(load.size_bytes)
    figures: dict[str, list[Figures]] = {name: [] for name in targets}
    for number in range(rounds + 1):
        for name, target in random.sample(list(targets.items()), len(targets)):
            machine.warm(file)
            found = measure_download(target, file, load)
            if number:  # the first round only warms up
                figures[name].append(found)
    return figures


def _print_load(load: Load, figures: dict[str, list[Figures]]) -> None:
    print(f"\n{load.name}, {load.connections} connection(s)")
    print(f"  {'':36} {'ratio to the limit':22} {'GB/s':20} {'answers/s':22} {'server CPU us/answer':22} database")
    limit = next(iter(figures.values()))
    for name, found in figures.items():
        ratios = [one.per_second / best.per_second for one, best in zip(found, limit, strict=True)]
        columns = (
            machine.median(ratios),
            machine.median(one.gigabytes_per_second for one in found),
            machine.median(one.per_second for one in found),
            machine.median(one.cpu_microseconds for one in found),
            machine.median(one.database_microseconds for one in found),
        )
        print(f"  {name:36} {columns[0]:22} {columns[1]:20} {columns[2]:22} {columns[3]:22} {columns[4]}", flush=True)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks download")
    parser.add_argument("--quick", action="store_true", help="one short round")
    parser.add_argument("--rounds", type=int)
    parser.add_argument("--congestion", default="cubic", help="of the listeners: cubic, bbr, reno")
    options = parser.parse_args(arguments)
    options.rounds = options.rounds or (ROUNDS_QUICK if options.quick else ROUNDS)
    return options
