"""Verifying a whole record: how long ``verify_audit.py`` takes over an archive of a million entries, on one core.

The limit is what nobody can leave out: reading each entry as JSON, and SHA-256 over each leaf and each node, in a
process of its own on the same core.
"""

import argparse
import os
import subprocess
import sys
import time

from benchmarks import machine
from benchmarks.market import Archive

ENTRIES, ENTRIES_QUICK = 1_000_000, 50_000
ROUNDS, ROUNDS_QUICK = 3, 1
LIMIT_SECONDS = 60.0
_LIMIT = """
import hashlib, json, sys, tarfile
sha256, read = hashlib.sha256, json.JSONDecoder().decode
with tarfile.open(sys.argv[1], "r:") as tar:
    for line in tar.extractfile("entries.ndjson"):
        read(line.decode())
        sha256(b"\\1" + sha256(line).digest() * 2).digest()
"""


def main(arguments: list[str]) -> None:
    """Print seconds and processor time of a verification beside the limit, and what an entry weighs in the archive."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks archive")
    parser.add_argument("--quick", action="store_true", help=f"{ENTRIES_QUICK:,} entries, one round")
    parser.add_argument("--entries", type=int, help=f"how many entries; {ENTRIES:,} when absent")
    chosen = parser.parse_args(arguments)
    count = chosen.entries or (ENTRIES_QUICK if chosen.quick else ENTRIES)
    path = machine.shelf() / "record.tar"
    Archive(count).write(path)
    print(f"{count:,} entries, {path.stat().st_size / count:.0f} bytes of archive each, hashes and books included")
    verifier = machine.HERE.parent / "verify_audit.py"
    commands = {"reading and hashing alone (the limit)": ["-c", _LIMIT], "verify_audit.py": [str(verifier)]}
    took: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
    for _ in range(ROUNDS_QUICK if chosen.quick else ROUNDS):
        for name, program in commands.items():
            took[name].append(_run([*program, str(path)]))
    _print(count, took)
    path.unlink()


def _run(program: list[str]) -> tuple[float, float]:
    """Run a program on one core and return its seconds by the clock and of the processor."""
    before, start = os.times(), time.perf_counter()
    told = subprocess.run(
        [sys.executable, "-I", *program], capture_output=True, text=True, check=False,
        preexec_fn=machine.pinned_to(machine.client_core()),
    )  # fmt: skip
    seconds, after = time.perf_counter() - start, os.times()
    if told.returncode:
        raise RuntimeError(told.stdout[-500:] + told.stderr[-500:])
    used = after.children_user + after.children_system - before.children_user - before.children_system
    return seconds, used


def _print(count: int, took: dict[str, list[tuple[float, float]]]) -> None:
    limit = next(iter(took.values()))
    for name, rounds in took.items():
        ratios = machine.median(used / least for (_, used), (_, least) in zip(rounds, limit, strict=True))
        clock, used = (machine.median(one[at] for one in rounds) for at in (0, 1))
        print(f"  {name:44} {ratios} x the limit by processor time: {used} s of it, {clock} s by the clock", flush=True)
    each = max(used for _, used in took["verify_audit.py"]) / count
    print(f"  a million of them on one core: {each * 1e6:.0f} s; the aim is {LIMIT_SECONDS:.0f} s")
