"""Uploads under strain: a full disk, a sender that vanishes, slow ones, too big ones, and a very big one."""

import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from marketplace.catalog.models import File
from tests.faults.started import Live, Reader, live_world
from tests.faults.world import CONTENT, FILE, count
from tests.live import wait_until

THREADS = 4
LIMIT_BYTES = 2**20
GIBIBYTE = 2**30
PIECE = bytes(2**20)
ROOM_BYTES = 4 * 2**20
MEMORY_GROWTH_MAX = 100 * 2**20


@pytest.fixture
def small(clone: Callable[[], str], tmp_path: Path) -> Iterator[Live]:
    """A server of four threads that takes a mebibyte at most; of each test, so that its context is the innermost."""
    settings = {"marketplace_threads": THREADS, "marketplace_upload_size_bytes_max": LIMIT_BYTES}
    with live_world(tmp_path / "small", clone(), **settings) as started:
        yield started


def release_of(live: Live) -> str:
    """The address of a fresh draft release's files."""
    release = live.provider().post(f"/v1/datasets/{live.world.dataset_id}/releases", {"label": os.urandom(4).hex()})
    return f"/v1/releases/{release['id']}/files"


def put(live: Live, path: str, body: Any) -> requests.Response:
    headers = {"Authorization": f"Bearer {live.provider().token()}"}
    return requests.put(live.base_url + path, data=body, headers=headers, timeout=120)


def begin(live: Live, path: str, size: int, body: bytes = b"") -> Reader:
    """Announce an upload and send a part of it."""
    sender = Reader(live.exchange.port, "/v1/health", "", None)
    sender.head()
    sender.take(int(sender.headers["content-length"]))
    head = f"PUT {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {live.provider().token()}\r\n"
    sender.socket.sendall(f"{head}Content-Length: {size}\r\n\r\n".encode() + body)
    return sender


def incoming(live: Live) -> list[Path]:
    return list((live.exchange.data_dir / "store" / "incoming").iterdir())


def problem(answer: requests.Response) -> tuple[int, str]:
    assert answer.headers["Content-Type"] == "application/problem+json"
    return answer.status_code, answer.json()["type"].rsplit("/", 1)[1]


def test_a_chunked_upload_beyond_the_limit_is_refused_and_leaves_nothing(small: Live) -> None:
    path, before = release_of(small), count(File)
    answer = put(small, f"{path}/a.bin", iter([PIECE[: LIMIT_BYTES // 2]] * 3))
    assert problem(answer) == (413, "too-large")
    assert problem(put(small, f"{path}/a.bin", PIECE + b"1")) == (413, "too-large")
    assert incoming(small) == []
    assert count(File) == before
    assert put(small, f"{path}/a.bin", iter([PIECE])).status_code == 201


@pytest.mark.parametrize("sent", [0, 1, LIMIT_BYTES - 1])
def test_a_sender_that_vanishes_leaves_nothing(small: Live, sent: int) -> None:
    path, before = release_of(small), count(File)
    sender = begin(small, f"{path}/a.bin", LIMIT_BYTES, PIECE[:sent])
    wait_until("the upload to begin", lambda: incoming(small))
    sender.vanish()
    wait_until("the rest to be removed", lambda: not incoming(small))
    assert count(File) == before
    assert put(small, f"{path}/a.bin", b"1").status_code == 201


def test_slow_uploads_leave_threads_to_answer_and_are_not_lost(small: Live) -> None:
    path = release_of(small)
    half = LIMIT_BYTES // 2
    slow = [begin(small, f"{path}/{number}.bin", LIMIT_BYTES, PIECE[:half]) for number in range(THREADS // 2)]
    wait_until("the uploads to begin", lambda: len(incoming(small)) == len(slow))
    refused = put(small, f"{path}/more.bin", b"1")
    assert problem(refused) == (503, "uploads-busy")
    assert int(refused.headers["Retry-After"]) > 0
    assert requests.get(f"{small.base_url}/v1/ready", timeout=180).status_code == 200
    assert small.place(small.world.offer(0)).status_code == 201
    for sender in slow:
        sender.socket.sendall(PIECE[half:LIMIT_BYTES])
    assert [sender.head() for sender in slow] == [201] * len(slow)
    for sender in slow:
        sender.vanish()
    assert put(small, f"{path}/more.bin", b"1").status_code == 201


@pytest.fixture
def full_disk(clone: Callable[[], str], tmp_path: Path) -> Iterator[Live]:
    """An exchange whose store has room for no file above four mebibytes: a limit of the kernel that needs no root."""
    with live_world(tmp_path / "full", clone()) as started:
        for process in started.exchange.processes():
            process.rlimit(psutil.RLIMIT_FSIZE, (ROOM_BYTES, ROOM_BYTES))
        yield started


def test_a_full_disk_is_a_507_and_harms_nothing_else(full_disk: Live) -> None:
    path, grant_id = release_of(full_disk), full_disk.grant()
    before = count(File)
    for _ in range(2):
        assert problem(put(full_disk, f"{path}/a.bin", iter([PIECE] * 6))) == (507, "storage-full")
        assert incoming(full_disk) == []
    assert count(File) == before
    assert full_disk.buyer().call("GET", f"/v1/grants/{grant_id}/files/{FILE}").content == CONTENT
    assert put(full_disk, f"{path}/a.bin", PIECE).status_code == 201
    assert full_disk.place(full_disk.world.offer(0)).status_code == 201
    full_disk.wait_closed()
    full_disk.assert_sound()


def test_a_gibibyte_is_taken_and_given_at_constant_memory(standing: Live) -> None:
    path = release_of(standing)
    put(standing, f"{path}/warm.bin", PIECE)
    before = memory_high(standing)
    answer = put(standing, f"{path}/big.bin", (PIECE for _ in range(GIBIBYTE // len(PIECE))))
    assert (answer.status_code, answer.json()["size_bytes"]) == (201, GIBIBYTE)
    digest = hashlib.sha256()
    for _ in range(GIBIBYTE // len(PIECE)):
        digest.update(PIECE)
    assert answer.json()["sha256"] == digest.hexdigest()
    assert memory_high(standing) - before < MEMORY_GROWTH_MAX


def memory_high(live: Live) -> int:
    """The most memory that any process of the server ever held, in bytes (VmHWM)."""
    held = []
    for process in live.exchange.processes():
        try:
            status = Path(f"/proc/{process.pid}/status").read_text()
        except (FileNotFoundError, psutil.NoSuchProcess):
            continue
        held += [int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("VmHWM")]
    return max(held)
