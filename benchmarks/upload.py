"""How fast files come in, against copying and hashing the same file on the same disk, and what a huge one costs memory.

The limit reads the file once, hashes it, writes it and syncs it, which is what an upload must do at the least.
"""

import argparse
import hashlib
import os
import shutil
import socket
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from benchmarks import machine, world
from benchmarks.download import GIB, MIB
from benchmarks.world import World

SIZES = {"1 GiB": GIB, "64 MiB": 64 * MIB}
ROUNDS, ROUNDS_QUICK = 4, 1
CHUNK_BYTES = 2**20
HUGE_BYTES = 10 * GIB
SPARE_BYTES = 2 * GIB  # stays free on the disk beside a huge file
Send = Callable[[socket.socket], object]


def main(arguments: list[str]) -> None:
    """Print MB/s of uploads over HTTP on one connection, their ratio to copy and SHA-256, and memory over 10 GiB."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks upload")
    parser.add_argument("--quick", action="store_true", help="one round, and no huge file")
    quick = parser.parse_args(arguments).quick
    with world.installed() as exchange:
        bearer = exchange.bearer(exchange.provider)
        with exchange.serving() as process_id:
            for name, size_bytes in SIZES.items():
                _print_speed(exchange, bearer, process_id, (name, size_bytes), ROUNDS_QUICK if quick else ROUNDS)
        try:
            _print_memory(exchange, bearer, quick=quick)
        except machine.Skipped as reason:
            print(f"\n10 GiB skipped: {reason}")


def _print_speed(exchange: World, bearer: str, process_id: int, size: tuple[str, int], rounds: int) -> None:
    name, size_bytes = size
    file = machine.file_of(size_bytes)
    deeds = {
        "copy, SHA-256 and fsync (the limit)": partial(copied, file, exchange.settings.data_dir / "copy"),
        "PUT over loopback HTTP": partial(uploaded, exchange, bearer, file),
    }
    machine.warm(file)
    before = machine.cpu_seconds(process_id)
    figures = machine.shuffled_rounds(deeds, rounds)
    used = (machine.cpu_seconds(process_id) - before) / rounds / size_bytes * GIB
    print(f"\n{name}, rounds: {rounds}; the server's processor time: {used:.2f} s/GiB")
    machine.print_ratios(figures, "MB/s")


def _print_memory(exchange: World, bearer: str, *, quick: bool) -> None:
    """Print by how much the peak of a fresh server's memory grows over one upload of 10 GiB; raises Skipped."""
    if quick:
        raise machine.Skipped("--quick")
    free = shutil.disk_usage(exchange.settings.data_dir).free
    if free < HUGE_BYTES + SPARE_BYTES:
        raise machine.Skipped(
            f"{free / GIB:.1f} GiB are free on the disk, {(HUGE_BYTES + SPARE_BYTES) / GIB:.0f} needed"
        )
    with exchange.serving() as process_id:
        put(exchange, bearer, CHUNK_BYTES, repeated)  # awake: everything is loaded
        before = peak_bytes(process_id)
        rate = put(exchange, bearer, HUGE_BYTES, partial(repeated, times=HUGE_BYTES // CHUNK_BYTES))
        after = peak_bytes(process_id)
    print(
        f"\n10 GiB in one upload, {rate:.0f} MB/s: the peaks of the server's processes (VmHWM) grow from "
        f"{before / MIB:.1f} to {after / MIB:.1f} MiB, by {(after - before) / 1e6:.1f} MB; the limit: 100 MB"
    )


def peak_bytes(process_id: int) -> int:
    """Return the most memory that a process and its descendants ever held (VmHWM of proc(5)), summed."""
    texts = [Path(f"/proc/{member}/status").read_text() for member in machine.family(process_id)]
    lines = [line for text in texts for line in text.splitlines() if line.startswith("VmHWM:")]
    return sum(int(line.split()[1]) for line in lines) * 1024


def copied(file: Path, target: Path) -> float:
    """Copy, hash and sync a file; return 10^6 bytes a second."""
    start, digest = time.perf_counter(), hashlib.sha256()
    with file.open("rb") as source, target.open("wb") as copy:
        while chunk := source.read(CHUNK_BYTES):
            digest.update(chunk)
            copy.write(chunk)
        copy.flush()
        os.fsync(copy.fileno())
    seconds = time.perf_counter() - start
    target.unlink()
    return file.stat().st_size / seconds / 1e6


def uploaded(exchange: World, bearer: str, file: Path) -> float:
    """Upload a file into a fresh release until it is acknowledged as durable; return 10^6 bytes a second."""
    with file.open("rb") as source:
        return put(exchange, bearer, file.stat().st_size, lambda connection: connection.sendfile(source))


def repeated(connection: socket.socket, times: int = 1) -> None:
    """Send the same random MiB as often as that."""
    piece = os.urandom(CHUNK_BYTES)
    for _ in range(times):
        connection.sendall(piece)


def put(exchange: World, bearer: str, size_bytes: int, send: Send) -> float:
    """Put what is sent into a fresh release until it is acknowledged as durable; return 10^6 bytes a second."""
    release_id, _ = exchange.draft()
    head = (
        f"PUT /v1/releases/{release_id}/files/{size_bytes}.bin HTTP/1.1\r\n"
        f"Host: 127.0.0.1:{exchange.settings.port}\r\nAuthorization: {bearer}\r\n"
        f"Content-Type: application/octet-stream\r\nContent-Length: {size_bytes}\r\nConnection: close\r\n\r\n"
    )
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", exchange.settings.port)) as connection:
        connection.sendall(head.encode())
        send(connection)
        answer = connection.makefile("rb").read()
    if not answer.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(answer[:500])
    return size_bytes / (time.perf_counter() - start) / 1e6
