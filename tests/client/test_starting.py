"""A client's command is a program of its own, though it stands beside the exchange's."""

import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.app import composition
from marketplace.cli import build
from marketplace.client import entry

ROOT = Path(__file__).resolve().parents[2]
LOADED = """
import runpy, sys
sys.argv = ["marketplace", {command!r}, "--help"]
try:
    runpy.run_module("marketplace", run_name="__main__")
except SystemExit as ended:
    assert not ended.code, ended.code
heavy = ("flask", "sqlalchemy", "psycopg", "joserfc", "cryptography", "marketplace.app", "marketplace.cli")
sys.stderr.write(" ".join(name for name in heavy if name in sys.modules))
"""


@pytest.mark.parametrize("command", sorted(entry.NAMES))
def test_a_clients_command_starts_without_the_exchange(command: str) -> None:
    asked = [sys.executable, "-c", LOADED.format(command=command)]
    ended = subprocess.run(asked, cwd=ROOT, capture_output=True, text=True, check=True)
    assert f"marketplace {command}" in ended.stdout
    assert ended.stderr == ""


def test_the_exchanges_command_shows_them_as_well() -> None:
    commands = build(composition()).commands
    assert set(commands) >= entry.NAMES
    assert all(commands[command.name] is command for command in entry.COMMANDS)


def test_other_commands_are_the_exchanges() -> None:
    assert not entry.is_meant([])
    assert not entry.is_meant(["serve"])
    assert not entry.is_meant(["--help"])
    assert entry.is_meant(["get", "grt_1"])
