"""One process that reads foreign bytes for us: a fresh one each time, without our environment, ended in time."""

import contextlib
import os
import selectors
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from pathlib import Path

_ROOT = str(Path(__file__).resolve().parents[3])
# -P and -s with an environment of our own equal -I, except that the seed of str hashes is ours: profiles repeat.
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "OPENPYXL_LXML": "False",
}


@dataclass(frozen=True, slots=True)
class Ended:
    """What a reader said until it ended, whether it ended in time, and with which code."""

    answer: bytes
    is_whole: bool
    code: int


def program(module: str) -> str:
    """Return the program that has ``module`` answer a request, at the version of this process from any directory."""
    place, _, name = module.rpartition(".")
    return (
        f"import sys; sys.path.insert(0, sys.argv[1]); from {place} import {name}; "
        f"{name}.main(open(int(sys.argv[2]), encoding='utf-8').read())"
    )


def run(start: str, request: str, descriptor: int, wall_seconds: float, answer_bytes: int) -> Ended:
    """Have a program read the open file as its standard input; more than the allowed bytes end it early.

    Raises OSError when no process can be started.
    """
    reader = _start(start, request, descriptor)
    try:
        answer, is_whole = _listen(reader, wall_seconds, answer_bytes)
    finally:
        _end(reader)
    return Ended(answer, is_whole, reader.returncode)


def stream(start: str, request: str, descriptor: int, wall_seconds: float) -> Generator[bytes, None, None]:
    """Yield what a program says of the open file as it comes, however much; it ends with the generator, or in time.

    Raises OSError when no process can be started, TimeoutError when its time is over.
    """
    reader = _start(start, request, descriptor)
    try:
        if reader.stdout is not None:
            yield from _pieces(reader.stdout.fileno(), time.monotonic() + wall_seconds)
    finally:
        _end(reader)


def _pieces(descriptor: int, deadline: float) -> Iterator[bytes]:
    with selectors.DefaultSelector() as selector:
        selector.register(descriptor, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            piece = os.read(descriptor, 1 << 18)
            if not piece:
                return
            yield piece
        raise TimeoutError


def _start(start: str, request: str, descriptor: int) -> subprocess.Popen[bytes]:
    # An argument would be bounded, and for every user of the machine to read.
    with tempfile.TemporaryFile() as asked:
        asked.write(request.encode())
        asked.seek(0)
        return subprocess.Popen(
            [sys.executable, "-P", "-s", "-B", "-c", start, _ROOT, str(asked.fileno())],
            stdin=descriptor,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=_ENVIRONMENT,
            cwd="/",
            pass_fds=(asked.fileno(),),
            start_new_session=True,
        )


def _listen(reader: subprocess.Popen[bytes], wall_seconds: float, answer_bytes: int) -> tuple[bytes, bool]:
    """Return what the reader said, and whether it ended in time."""
    if reader.stdout is None:  # pragma: no cover - Popen was given a pipe
        return b"", True
    deadline = time.monotonic() + wall_seconds
    said = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(reader.stdout, selectors.EVENT_READ)
        while len(said) <= answer_bytes:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return b"", False
            piece = os.read(reader.stdout.fileno(), 1 << 16)
            if not piece:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    reader.wait(max(0.1, deadline - time.monotonic()))
                return bytes(said), True
            said += piece
    return b"", True


def _end(reader: subprocess.Popen[bytes]) -> None:
    # The group outlives its leader only if the reader started something, which the filter forbids; end both.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if reader.poll() is None:
            os.killpg(reader.pid, signal.SIGKILL)
    reader.wait()
    if reader.stdout is not None:
        reader.stdout.close()
