"""How fast files go out, against a bare sendfile server and the usual stack, and what slow readers cost.

Servers run on one core and the client on another. Variants are shuffled inside each round and the ratio is taken
inside the round: wall time on a shared machine scatters, the pair much less, processor time least.
"""

import argparse
import contextlib
import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks import machine

GIB, MIB, KIB = 2**30, 2**20, 2**10
SLOW_READERS = 200
SLOW_BYTES_PER_SECOND = 100_000
SLOW_SECONDS = 6.0


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
SLOW = Load("slow readers", GIB, SLOW_READERS, seconds=SLOW_SECONDS, bytes_per_second=SLOW_BYTES_PER_SECOND)


@dataclass(frozen=True, slots=True)
class Target:
    """A running server: its process, and the address and headers with which it gives out a file."""

    process_id: int
    address_of: Callable[[Path], str]
    headers: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Variant:
    """A server to compare: a name, and a context in which it runs; may raise machine.Skipped."""

    name: str
    running: Callable[[str], AbstractContextManager[Target]]


@dataclass(frozen=True, slots=True)
class Figures:
    """One measurement; ``cpu_seconds`` is the server's."""

    seconds: float
    bytes_read: int
    answered: int
    served: int
    cpu_seconds: float

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


def measure_download(url: str, headers: Sequence[str], load: Load, process_id: int) -> Figures:
    """Download ``url`` as the load says and return the figures; raises RuntimeError when a request fails."""
    before = machine.cpu_seconds(process_id)
    command = client_command(url, headers, load)
    finished = subprocess.run(
        command, check=True, capture_output=True, text=True, preexec_fn=machine.pinned_to(machine.client_core())
    )
    told = json.loads(finished.stdout)
    if told["failed"] or told["refused"]:
        raise RuntimeError(f"{url}: {told['failed']} requests failed, {told['refused']} were refused")
    if load.requests and told["bytes_read"] != load.requests * load.size_bytes:
        raise RuntimeError(f"{url}: {told['bytes_read']} bytes came, not {load.requests} x {load.size_bytes}")
    used = machine.cpu_seconds(process_id) - before
    return Figures(told["seconds"], told["bytes_read"], told["answered"], told["served"], used)


def measure_memory(url: str, headers: Sequence[str], load: Load, process_id: int) -> tuple[int, int, int]:
    """Return the server's memory before and during slow downloads, and how many readers were being served."""
    idle = machine.resident_bytes(process_id)
    client = subprocess.Popen(
        client_command(url, headers, load), stdout=subprocess.PIPE, text=True,
        preexec_fn=machine.pinned_to(machine.client_core()),  # noqa: PLW1509 - no threads here
    )  # fmt: skip
    time.sleep(load.seconds * 0.8)
    busy = machine.resident_bytes(process_id)
    told = json.loads(client.communicate()[0])
    return idle, busy, told["served"]


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


LIMIT = Variant("bare C sendfile (the limit)", bare)
VARIANTS = [
    LIMIT,
    Variant("our worker, bare application", program("worker")),
    Variant("gunicorn gthread, Flask send_file", program("usual")),
]


def main(arguments: list[str], variants: Sequence[Variant] = VARIANTS) -> None:
    """Print the ratios of all variants to the first one, then their memory with slow readers."""
    options = _options(arguments)
    print(f"congestion control of the listeners: {options.congestion}; rounds: {options.rounds}")
    with contextlib.ExitStack() as stack:
        try:
            targets = {variant.name: stack.enter_context(variant.running(options.congestion)) for variant in variants}
            for load in LOADS:
                _print_load(load, _rounds(load, targets, options.rounds))
            _print_memory(targets)
        except machine.Skipped as reason:
            print(f"skipped: {reason}")


def _rounds(load: Load, targets: dict[str, Target], rounds: int) -> dict[str, list[Figures]]:
    file = machine.file_of(load.size_bytes)
    figures: dict[str, list[Figures]] = {name: [] for name in targets}
    for number in range(rounds + 1):
        for name, target in random.sample(list(targets.items()), len(targets)):
            machine.warm(file)
            found = measure_download(target.address_of(file), target.headers, load, target.process_id)
            if number:  # the first round only warms up
                figures[name].append(found)
    return figures


def _print_load(load: Load, figures: dict[str, list[Figures]]) -> None:
    print(f"\n{load.name}, {load.connections} connection(s)")
    print(f"  {'':36} {'ratio to the limit':22} {'GB/s':20} {'answers/s':22} server CPU us/answer")
    limit = next(iter(figures.values()))
    for name, found in figures.items():
        ratios = [one.per_second / best.per_second for one, best in zip(found, limit, strict=True)]
        columns = (
            machine.median(ratios),
            machine.median(one.gigabytes_per_second for one in found),
            machine.median(one.per_second for one in found),
            machine.median(one.cpu_microseconds for one in found),
        )
        print(f"  {name:36} {columns[0]:22} {columns[1]:20} {columns[2]:22} {columns[3]}", flush=True)


def _print_memory(targets: dict[str, Target]) -> None:
    file = machine.file_of(SLOW.size_bytes)
    print(f"\nmemory (PSS of all processes), idle and with {SLOW_READERS} readers of {SLOW_BYTES_PER_SECOND} bytes/s")
    for name, target in targets.items():
        idle, busy, served = measure_memory(target.address_of(file), target.headers, SLOW, target.process_id)
        growth = (busy - idle) / served / KIB if served else float("nan")
        print(
            f"  {name:36} idle {idle / MIB:6.1f} MiB, busy {busy / MIB:6.1f} MiB, "
            f"readers served {served} of {SLOW_READERS}, {growth:.1f} KiB a reader",
            flush=True,
        )


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks download")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--congestion", default="cubic", help="of the listeners: cubic, bbr, reno")
    return parser.parse_args(arguments)
