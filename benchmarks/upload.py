"""How fast files come in, against copying and hashing the same file on the same disk.

The limit reads the file once, hashes it, writes it and syncs it, which is what an upload must do at the least.
"""

import argparse
import hashlib
import os
import socket
import time
from functools import partial
from pathlib import Path

from benchmarks import machine, world
from benchmarks.download import GIB, MIB
from benchmarks.world import World

SIZES = {"1 GiB": GIB, "64 MiB": 64 * MIB}
ROUNDS, ROUNDS_QUICK = 4, 1
CHUNK_BYTES = 2**20


def main(arguments: list[str]) -> None:
    """Print MB/s of uploads over HTTP on one connection and their ratio to copy and SHA-256."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks upload")
    parser.add_argument("--quick", action="store_true", help="one round")
    rounds = ROUNDS_QUICK if parser.parse_args(arguments).quick else ROUNDS
    with world.installed() as exchange:
        bearer = exchange.bearer(exchange.provider)
        with exchange.serving() as process_id:
            for name, size_bytes in SIZES.items():
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
    release_id, _ = exchange.draft()
    size_bytes = file.stat().st_size
    head = (
        f"PUT /v1/releases/{release_id}/files/{file.name} HTTP/1.1\r\nHost: 127.0.0.1:{exchange.settings.port}\r\n"
        f"Authorization: {bearer}\r\nContent-Type: application/octet-stream\r\nContent-Length: {size_bytes}\r\n"
        "Connection: close\r\n\r\n"
    )
    start = time.perf_counter()
    with socket.create_connection(("127.0.0.1", exchange.settings.port)) as connection, file.open("rb") as source:
        connection.sendall(head.encode())
        connection.sendfile(source)
        answer = connection.makefile("rb").read()
    if not answer.startswith(b"HTTP/1.1 201"):
        raise RuntimeError(answer[:500])
    return size_bytes / (time.perf_counter() - start) / 1e6
