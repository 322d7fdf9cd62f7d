"""A really started server around the tiny application, and a client that sees every byte."""

import hashlib
import json
import random
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

PROGRAM = Path(__file__).with_name("tiny_exchange.py")
WAIT_SECONDS = 180
PATTERN = random.Random(20261122).randbytes(2**20 + 7)  # no power of two: a shifted copy never looks right


class Client:
    """One connection; ``receive_bytes`` bounds the kernel's receive buffer."""

    def __init__(self, port: int, receive_bytes: int | None = None) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(WAIT_SECONDS)
        self.socket.connect(("127.0.0.1", port))
        self.reader = self.socket.makefile("rb", buffering=0)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.vanish()

    @property
    def buffer_bytes(self) -> int:
        """What the kernel may hold for us unread, generously."""
        return 2 * self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)

    def send(self, target: str, method: str = "GET", version: str = "1.1", more: str = "") -> None:
        self.socket.sendall(f"{method} {target} HTTP/{version}\r\nHost: tiny\r\n{more}\r\n".encode())

    def head(self) -> tuple[int, dict[str, str]]:
        """Read one response head byte by byte, so that nothing behind it is taken."""
        raw = b""
        while not raw.endswith(b"\r\n\r\n"):
            byte = self.reader.read(1)
            assert byte, f"connection closed inside the head: {raw!r}"
            raw += byte
        status, *lines = raw.decode("latin-1").split("\r\n")[:-2]
        fields = (line.split(": ", 1) for line in lines)
        return int(status.split()[1]), {name.lower(): value for name, value in fields}

    def take(self, count: int) -> bytes:
        """Read exactly ``count`` bytes, or fewer when the peer ends."""
        parts = []
        while count > 0:
            part = self.reader.read(min(count, 2**20))
            if not part:
                break
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def get(self, target: str, method: str = "GET", version: str = "1.1", more: str = "") -> tuple[int, dict, bytes]:
        self.send(target, method, version, more)
        status, headers = self.head()
        return status, headers, self.take(0 if method == "HEAD" else int(headers["content-length"]))

    def text(self, target: str) -> str:
        status, _, body = self.get(target)
        assert status == 200
        return body.decode()

    def vanish(self) -> None:
        self.reader.close()
        self.socket.close()


@dataclass
class Tiny:
    """The started server."""

    port: int
    file: Path
    log: Path
    errors: Path
    process: subprocess.Popen

    def client(self, receive_bytes: int | None = None) -> Client:
        return Client(self.port, receive_bytes)

    def reports(self, count: int) -> list[list]:
        """Wait until the application has had ``count`` reports and return all it had."""
        with self.client() as client:
            return json.loads(client.text(f"/reports?n={count}"))

    def stop(self) -> list[list]:
        """End the server and return every report it ever made."""
        self.process.send_signal(signal.SIGTERM)
        return self.stopped()

    def stopped(self) -> list[list]:
        self.process.wait(WAIT_SECONDS)
        return [json.loads(line) for line in self.log.read_text().splitlines()]


@pytest.fixture(scope="session")
def big_file(tmp_path_factory):
    """64 MiB in which no piece equals a piece elsewhere at the same distance."""
    file = tmp_path_factory.mktemp("big") / "big.bin"
    file.write_bytes((PATTERN * 65)[: 64 * 2**20])
    return file


@pytest.fixture(scope="session")
def big_sha256(big_file):
    return hashlib.sha256(big_file.read_bytes()).hexdigest()


@pytest.fixture(scope="session")
def small_file(tmp_path_factory):
    file = tmp_path_factory.mktemp("small") / "データ.csv"
    file.write_text("日付,駅,人数\n" + "2026-11-22,札幌,12345\n" * 400, encoding="utf-8")
    return file


@pytest.fixture(params=["threads", "events"])
def worker(request):
    """What serves, by the setting's word for it: whatever is said of one holds for the other."""
    return request.param


@contextmanager
def starting(folder: Path) -> Iterator[Callable[..., Tiny]]:
    """Start servers; each is ended by its own process id."""
    started: list[Tiny] = []

    def start_one(file: Path, **settings) -> Tiny:
        number = len(started)
        log, errors = folder / f"reports-{number}.jsonl", folder / f"errors-{number}.log"
        log.touch()
        given = {"file": str(file), "log": str(log), "port": 0, "threads": 4, "graceful_timeout_seconds": 20}
        with errors.open("w") as stderr:
            process = subprocess.Popen(
                [sys.executable, str(PROGRAM), json.dumps(given | settings)],
                stdout=subprocess.PIPE,
                stderr=stderr,
                text=True,
            )
        started.append(Tiny(0, file, log, errors, process))
        line = process.stdout.readline()
        assert line, errors.read_text()
        started[-1].port = json.loads(line)[1]
        return started[-1]

    yield start_one
    for tiny in started:
        if tiny.process.poll() is None:
            tiny.process.terminate()
        tiny.process.wait(WAIT_SECONDS)
        tiny.process.stdout.close()


@pytest.fixture
def start(tmp_path, worker):
    """Start servers of the worker class that is tried."""
    with starting(tmp_path) as start_one:
        yield partial(start_one, worker_class=worker)


@pytest.fixture
def tiny(start, small_file):
    """A server of a small file."""
    return start(small_file)


@pytest.fixture
def big(start, big_file):
    """A server of a 64 MiB file."""
    return start(big_file)
