"""A provider's folder, from its own terminal into a published release: resumed, told, and never sent twice."""

import hashlib
import json
import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests import live
from tests.journeys.test_command_line import TITLES, Terminal

LARGE = random.Random(29).randbytes(2**20) * 20
SMALL = "日時,人数\n2026-11-22,123\n".encode()
INNER = "日時,雨量\n2026-11-22,0\n".encode()
FILES = {
    "人流.csv": SMALL,
    "inner_北_雨量.csv": INNER,
    "気温.csv": "日時,気温\n2026-11-22,3\n".encode(),
    "large.bin": LARGE,
    "empty.csv": b"",
}
DYING = """
import os, signal, sys
from marketplace.client import entry, uploads
sent = uploads._piece_sent
def die_after_it(*given):
    sent(*given)
    os.kill(os.getpid(), signal.SIGKILL)
uploads._piece_sent = die_after_it
entry.main(args=sys.argv[1:])
"""


@pytest.fixture(scope="module")
def exchange(tmp_path_factory: pytest.TempPathFactory, clone: Any) -> Iterator[tuple[live.Exchange, Any, str]]:
    started = live.Exchange(tmp_path_factory.mktemp("exchange"), clone())
    try:
        started.start()
        parties = started.assemble()
        first = tmp_path_factory.mktemp("first") / "a.csv"
        first.write_bytes(SMALL)
        release = live.publish(parties["provider"], [first], TITLES)
        yield started, parties["provider"], release["dataset_id"]
    finally:
        started.close()


@pytest.fixture
def terminal(exchange: tuple[live.Exchange, Any, str], tmp_path: Path) -> Terminal:
    started, provider, _dataset_id = exchange
    made = Terminal(tmp_path, started.base_url)
    return made.login({"id": provider.client_id, "secret": provider.client_secret})


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "data"
    (made / "inner" / "北").mkdir(parents=True)
    (made / ".hidden").mkdir()
    for name, content in FILES.items():
        made.joinpath(*name.split("_")).write_bytes(content)
    for name in (".hidden/a.csv", "inner/.b.csv", ".c.csv"):
        (made / name).write_bytes(b"not sent")
    return made


def shown(out: str) -> dict[str, dict[str, Any]]:
    return {file["name"]: file for file in json.loads(out)["files"]}


def test_a_folder_becomes_a_published_release_and_is_not_sent_twice(
    exchange: tuple[live.Exchange, Any, str], terminal: Terminal, folder: Path
) -> None:
    _started, provider, dataset_id = exchange
    said = ("upload", folder, "--dataset", dataset_id, "--release", "2026-11", "--json")
    sent = shown(terminal.run(*said)[0])
    assert {name: file["sent_bytes"] for name, file in sent.items()} == {n: len(c) for n, c in FILES.items()}
    assert {name: file["sha256"] for name, file in sent.items()} == {
        name: hashlib.sha256(content).hexdigest() for name, content in FILES.items()
    }

    again = json.loads(terminal.run(*said, "--publish")[0])
    assert again["state"] == "published"
    assert all(file["was_there"] and file["sent_bytes"] == 0 for file in again["files"])
    release = provider.get(f"/v1/releases/{again['release_id']}")
    assert {file["name"]: file["size_bytes"] for file in release["files"]} == {n: len(c) for n, c in FILES.items()}
    assert "sealed" in terminal.run(*said, code=1)[1]


def test_a_command_that_was_killed_goes_on_where_it_stopped(
    exchange: tuple[live.Exchange, Any, str], terminal: Terminal, folder: Path
) -> None:
    _started, _provider, dataset_id = exchange
    said = ["upload", str(folder / "large.bin"), "--dataset", dataset_id, "--release", "killed", "--json"]
    died = subprocess.run(
        [sys.executable, "-c", DYING, *said],
        env=terminal.variables,
        cwd=live.ROOT,
        capture_output=True,
        check=False,
        timeout=live.WAIT_SECONDS,
    )
    assert died.returncode == -9, died.stderr
    file = shown(terminal.run(*said)[0])["large.bin"]
    assert 0 < file["sent_bytes"] < len(LARGE)
    assert file["sha256"] == hashlib.sha256(LARGE).hexdigest()


def test_another_file_of_a_name_that_is_taken_is_not_sent(
    exchange: tuple[live.Exchange, Any, str], terminal: Terminal, folder: Path
) -> None:
    _started, provider, dataset_id = exchange
    said = ("upload", folder / "人流.csv", "--dataset", dataset_id, "--release", "taken", "--json")
    release_id = json.loads(terminal.run(*said)[0])["release_id"]
    (folder / "人流.csv").write_bytes(b"other")
    assert "another file" in terminal.run(*said, code=1)[1]
    [file] = provider.get(f"/v1/releases/{release_id}")["files"]
    assert file["sha256"] == hashlib.sha256(SMALL).hexdigest()


def test_two_files_that_would_have_one_name_are_refused_before_anything_is_sent(
    exchange: tuple[live.Exchange, Any, str], terminal: Terminal, folder: Path
) -> None:
    _started, provider, dataset_id = exchange
    (folder / "inner_北_雨量.csv").write_bytes(b"another")
    said = ("upload", folder, "--dataset", dataset_id, "--release", "doubled", "--json")
    assert "inner_北_雨量.csv" in terminal.run(*said, code=2)[1]
    assert "doubled" not in [one["label"] for one in provider.get(f"/v1/datasets/{dataset_id}/releases")["items"]]
