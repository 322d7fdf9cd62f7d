"""Uploads in pieces against a really started server: foreign client, kills, lost connections, one writer at a time."""

import base64
import hashlib
import io
import os
import random
from pathlib import Path
from typing import Any

import pytest
import requests
from tusclient.client import TusClient
from tusclient.exceptions import TusCommunicationError, TusUploadFailed

from marketplace.catalog.models import File
from marketplace.exchange import uploading
from tests.faults.started import Live
from tests.faults.test_uploads import MEMORY_GROWTH_MAX, PIECE, memory_high
from tests.faults.world import count
from tests.live import wait_until

CONTENT = random.Random(20261129).randbytes(2**20) * 40 + b"the end"
SHA256 = hashlib.sha256(CONTENT).hexdigest()
TUS = {"Tus-Resumable": "1.0.0"}
OFFSET_STREAM = "application/offset+octet-stream"


class Sender:
    """A provider with a draft release, who sends one file in pieces."""

    def __init__(self, live: Live) -> None:
        self.live, self.provider = live, live.provider()
        label = os.urandom(4).hex()
        released = self.provider.post(f"/v1/datasets/{live.world.dataset_id}/releases", {"label": label})
        self.release_id: str = released["id"]

    @property
    def headers(self) -> dict[str, str]:
        return {"Authorization": f"Bearer {self.provider.token()}"}

    def tus(self) -> TusClient:
        return TusClient(f"{self.live.base_url}/v1/releases/{self.release_id}/uploads", headers=self.headers)

    def begin(self, size: int = len(CONTENT)) -> str:
        """Begin an upload and return its address."""
        said = {"Upload-Length": str(size), "Upload-Metadata": f"filename {base64.b64encode(b'big.bin').decode()}"}
        answer = requests.post(self.tus().url, headers=self.headers | TUS | said, timeout=60)
        assert answer.status_code == 201, answer.text
        return self.live.base_url + answer.headers["Location"]

    def send(self, url: str, offset: int, body: Any) -> requests.Response:
        said = {"Upload-Offset": str(offset), "Content-Type": OFFSET_STREAM}
        return requests.patch(url, data=body, headers=self.headers | TUS | said, timeout=180)

    def offset(self, url: str) -> int:
        return int(requests.head(url, headers=self.headers | TUS, timeout=60).headers["Upload-Offset"])

    def files(self) -> list[tuple[str, str, int]]:
        found = self.provider.get(f"/v1/releases/{self.release_id}")["files"]
        return [(file["name"], file["sha256"], file["size_bytes"]) for file in found]


def parts(live: Live) -> list[Path]:
    return list((live.exchange.data_dir / "store" / "parts").iterdir())


@pytest.mark.parametrize("checksum", [False, True])
def test_the_tus_projects_own_client_goes_on_after_the_server_was_killed(live: Live, checksum: bool) -> None:
    sender = Sender(live)
    said = {"filename": "人流.bin", "filetype": "application/octet-stream", "sha256": SHA256}
    first = sender.tus().uploader(
        file_stream=io.BytesIO(CONTENT), chunk_size=5 * 2**20, metadata=said, upload_checksum=checksum
    )
    for _ in range(3):
        first.upload_chunk()
    live.exchange.kill()
    with pytest.raises((TusUploadFailed, TusCommunicationError)):
        first.upload_chunk()
    live.exchange.restart()

    again = sender.tus().uploader(
        file_stream=io.BytesIO(CONTENT), url=first.url, chunk_size=7 * 2**20, upload_checksum=checksum
    )
    assert again.offset == 15 * 2**20
    again.upload()
    assert sender.files() == [("人流.bin", SHA256, len(CONTENT))]
    assert parts(live) == []
    live.assert_sound()


def test_a_kill_in_the_middle_of_a_piece_loses_only_what_was_not_acknowledged(live: Live) -> None:
    sender = Sender(live)
    url = sender.begin()
    half = CONTENT[: 25 * 2**20]

    def body() -> Any:
        for at in range(0, len(half), 2**20):
            yield half[at : at + 2**20]
        wait_until("the checkpoint", lambda: sender.offset(url) >= uploading.CHECKPOINT_BYTES)
        live.exchange.kill()
        yield b"never"

    with pytest.raises(requests.RequestException):
        sender.send(url, 0, body())
    live.exchange.restart()
    stand, [part] = sender.offset(url), parts(live)
    assert uploading.CHECKPOINT_BYTES <= stand <= part.stat().st_size
    assert part.read_bytes()[:stand] == CONTENT[:stand]
    assert sender.send(url, stand, CONTENT[stand:]).status_code == 204
    assert sender.files() == [("big.bin", SHA256, len(CONTENT))]


def test_who_goes_on_while_the_lost_connection_still_hangs_gets_the_upload(live: Live) -> None:
    sender, before = Sender(live), count(File)
    url = sender.begin()
    assert sender.send(url, 0, CONTENT[:1000]).status_code == 204
    answers = []

    def hanging() -> Any:
        yield b"x" * 2**20
        wait_until("its bytes to be written", lambda: [1 for part in parts(live) if part.stat().st_size > 1000])
        answers.append(sender.send(url, 1000, CONTENT[1000:5000]).status_code)
        yield b"x" * 2**20

    late = sender.send(url, 1000, hanging())
    assert (answers, late.status_code, late.json()["offset_bytes"]) == ([204], 409, 5000)
    assert sender.offset(url) == 5000
    assert sender.send(url, 5000, CONTENT[5000:]).status_code == 204
    assert sender.files() == [("big.bin", SHA256, len(CONTENT))]
    assert (parts(live), count(File)) == ([], before + 1)


def test_a_large_upload_takes_no_more_memory_than_a_small_one(live: Live) -> None:
    sender = Sender(live)
    assert sender.send(sender.begin(len(PIECE)), 0, PIECE).status_code == 204
    before, size = memory_high(live), 256 * len(PIECE)
    other = Sender(live)
    url = other.begin(size)
    assert other.send(url, 0, (PIECE for _ in range(256))).status_code == 204
    assert memory_high(live) - before < MEMORY_GROWTH_MAX
    assert [file[2] for file in other.files()] == [size]
