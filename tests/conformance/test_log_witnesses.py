"""aics-tlog and aics-witness, which need Python 3.12: a monitor of our record, a witness of it, a feeder of our witness."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest
import requests

from marketplace.demo.stage import free_port
from tests import live
from tests.conformance import environments
from tests.conformance.record import Record, size_of

SOURCES = Path(__file__).parent / "tlog"
NAME = "city.otaru.example/witness"


@pytest.fixture(scope="module")
def python():
    return environments.installed(SOURCES, environments.newer_python(12))


@contextmanager
def running(command: list[object], folder: Path, **settings: object) -> Iterator[subprocess.Popen[str]]:
    """Run a witness as long as the block lasts."""
    with (folder / "witness.log").open("a") as log:
        process = subprocess.Popen(
            command, cwd=folder, env=live.environment(**settings), stdout=subprocess.PIPE, stderr=log, text=True
        )
        with process:
            try:
                yield process
            finally:
                process.terminate()


@pytest.fixture
def foreign_witness(python: Path, kept: Record, tmp_path: Path) -> Iterator[str]:
    """A started aics-witness that knows our log, as our settings name it: address and key."""
    port, command = free_port(), [python, "-m", "aics_witness"]
    origin = kept.key.partition("+")[0]
    for step in (
        ["init", "--name", NAME, "--listen", f"127.0.0.1:{port}"],
        ["add-log", "--origin", origin, "--vkey", kept.key],
    ):
        subprocess.run([*command, *step], cwd=tmp_path, check=True, capture_output=True)
    told = subprocess.run([*command, "init"], cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    [key] = [word for word in told.split() if word.startswith(f"{NAME}+")]
    with running([*command, "serve"], tmp_path):
        live.wait_until("the witness", lambda: answers(f"http://127.0.0.1:{port}/healthz"))
        yield f"http://127.0.0.1:{port} {key}"


@pytest.fixture
def own_witness(kept: Record, tmp_path: Path) -> Iterator[tuple[str, str]]:
    """A started `marketplace witness`: its address and its key."""
    port = free_port()
    command = [sys.executable, "-m", "marketplace", "witness", "--name", NAME, "--log", kept.key, "--port", port]
    with running([str(word) for word in command], tmp_path, pythonpath=live.ROOT) as process:
        key, _, told = process.stdout.readline().partition(" listens on ")
        yield told.strip(), key


def answers(address: str) -> bool:
    try:
        return requests.get(address, timeout=10).ok
    except requests.ConnectionError:
        return False


def feed(kept: Record, witness: str) -> subprocess.CompletedProcess[str]:
    return live.command("audit", "feed", **kept.exchange.given, marketplace_log_witnesses=witness)


def test_a_monitor_authenticates_every_tile_and_entry_and_every_receipt(python, kept):
    asked = {"log": kept.log, "key": kept.key, "note": kept.checkpoint(), "older": kept.older}
    told = environments.ask(python, SOURCES / "read.py", deed="watched", authorization=kept.authorization, **asked)
    size = size_of(asked["note"])
    assert told == {"done": {"size": size, "tiles": -(-size // 256) + 1, "bundles": -(-size // 256), "grown": True}}
    forged = asked | {"older": kept.forked(size_of(kept.older))}
    told = environments.ask(python, SOURCES / "read.py", deed="watched", authorization=kept.authorization, **forged)
    assert told["done"]["grown"] is False
    for receipt in kept.receipts:
        given = {"key": kept.key, "entry": receipt["entry"], "proof": receipt["proof"]}
        assert environments.ask(python, SOURCES / "read.py", deed="received", **given) == {"done": True}
    given["entry"] = given["entry"].replace('"v":1', '"v":2')
    assert environments.ask(python, SOURCES / "read.py", deed="received", **given) == {"done": False}


def test_a_foreign_witness_signs_our_record_as_it_grows_and_never_one_that_was_taken_back(
    python, kept, foreign_witness
):
    key = foreign_witness.partition(" ")[2]
    sizes = []
    for _ in range(2):
        grown = size_of(kept.grow(3))
        told = feed(kept, foreign_witness)
        assert (told.returncode, told.stdout) == (0, f"{NAME}: signed\n"), told.stderr
        # Whatever else is done meanwhile is signed, and shown, anew.
        again = partial(feed, kept, foreign_witness)
        note = live.wait_until("the signature", lambda size=grown, show=again: witnessed(kept, size) or (show() and ""))
        sizes.append(size_of(note))
    assert sizes[0] < sizes[1]
    ahead = kept.forked(sizes[1] + 100)
    address = foreign_witness.partition(" ")[0]
    given = {"log": kept.log, "key": kept.key, "witness": address, "witness_key": key, "newest": note, "notes": [ahead]}
    told = environments.ask(python, SOURCES / "read.py", deed="witnessed", **given)
    assert told["raised"].startswith("WitnessRejected: witness answered 422")
    kept.grow(3)
    assert feed(kept, foreign_witness).stdout == f"{NAME}: signed\n"


def witnessed(kept: Record, size: int) -> str:
    """The newest checkpoint that the witness has signed, of at least that size."""
    note = kept.checkpoint()
    return note if f"— {NAME} " in note and size_of(note) >= size else ""


def test_our_witness_signs_what_a_foreign_feeder_shows_it_and_refuses_a_fork(python, kept, own_witness):
    address, key = own_witness
    newest = kept.checkpoint()
    given = {"log": kept.log, "key": kept.key, "witness": address, "witness_key": key, "newest": newest}
    shown = [kept.older, newest, newest]
    told = environments.ask(python, SOURCES / "read.py", deed="witnessed", notes=shown, **given)
    assert told == {"done": [size_of(note) for note in shown]}
    for size, status in ((size_of(newest), 409), (size_of(newest) + 1, 422)):
        told = environments.ask(python, SOURCES / "read.py", deed="witnessed", notes=[kept.forked(size)], **given)
        assert told["raised"].startswith(f"WitnessRejected: witness answered {status}"), told
    back = environments.ask(python, SOURCES / "read.py", deed="witnessed", notes=[kept.older], **given)
    assert back["raised"].startswith("WitnessAhead: ")
