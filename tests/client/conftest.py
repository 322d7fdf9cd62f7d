"""A client with a folder of its own, whose pauses take no time, and a server that plays a part."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from marketplace.client import entry, keeping, pauses
from marketplace.client.keeping import Login
from tests.client.scripted import Scripted, scripted

ORGANIZATION = "org_" + "1" * 32


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The client's folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("LC_ALL", "en_US.UTF-8")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("MUSUBI_SERVER", raising=False)
    return tmp_path / "config" / "musubi"


@pytest.fixture(autouse=True)
def paused(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The pauses that the client would have made."""
    made: list[float] = []
    monkeypatch.setattr(pauses, "pause", made.append)
    return made


@pytest.fixture
def server() -> Iterator[Scripted]:
    with scripted() as script:
        script.is_an_exchange()
        yield script


SignIn = Callable[..., Login]


@pytest.fixture
def signed_in(server: Scripted) -> SignIn:
    """Keep a login of a person at the server, good for an hour."""

    def keep(**changes: object) -> Login:
        facts = {
            "origin": server.origin,
            "client_id": "cli_of_commands",
            "access_token": "a-1",
            "access_until": time.time() + 3600,
            "refresh_token": "r-1",
            "organization_id": ORGANIZATION,
        }
        login = Login(**facts | changes)
        keeping.save(login)
        keeping.choose(server.origin)
        return login

    return keep


@pytest.fixture
def run() -> Callable[..., tuple[str, str]]:
    """Run a command and return what it said to output and errors; nobody sits at the terminal."""

    def invoke(*arguments: object, code: int = 0) -> tuple[str, str]:
        result = CliRunner().invoke(entry.group(), [str(one) for one in arguments])
        assert result.exit_code == code, (result.exit_code, result.stdout, result.stderr, result.exception)
        return result.stdout, result.stderr

    return invoke
