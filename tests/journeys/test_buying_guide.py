"""What the guide for buyers shows is played as it stands there: curl, the command line, pandas, Polars and DuckDB."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests import live
from tests.conformance import pandas_client

GUIDE = (live.ROOT / "docs" / "buying.md").read_text(encoding="utf-8")
FILE = "people.csv"
CONTENT = "地点,人数,観測日\n大通,120,2026-11-22\n駅前,80,2026-11-22\n大通,300,2026-11-23\n".encode()
TITLES = {
    "title_ja": "大通地区の人流", "title_en": "Footfall in Odori",
    "description_ja": "日ごとの通行量。", "description_en": "Passers-by by the day.",
}  # fmt: skip


def blocks(section: str, language: str) -> str:
    """The code of one section of the guide, in the order in which it stands there."""
    [text] = re.findall(rf"^## {re.escape(section)}$(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    found = re.findall(rf"^```{language}$(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found, f"the section {section} shows nothing"
    return "\n".join(found)


@pytest.fixture(scope="module")
def exchange(tmp_path_factory, clone):
    with live.exchange(tmp_path_factory.mktemp("guide"), clone()) as started:
        yield started


@pytest.fixture(scope="module")
def parties(exchange):
    return exchange.assemble()


@pytest.fixture
def bought(parties, tmp_path):
    """A fresh grant for the whole file."""
    path = tmp_path / FILE
    path.write_bytes(CONTENT)
    dataset_id = live.publish(parties["provider"], [path], TITLES)["dataset_id"]
    path.unlink()
    return live.buy(parties["buyer"], live.offer(parties["provider"], dataset_id, "free"))["grant_id"]


@pytest.fixture
def play(exchange, parties, bought, tmp_path):
    """Run one program in an empty folder, with what the guide expects in its environment; returns what it printed."""
    command = tmp_path / "bin" / "marketplace"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nPYTHONPATH="{live.ROOT}" exec "{sys.executable}" -m marketplace "$@"\n')
    command.chmod(0o755)
    buyer, folder = parties["buyer"], tmp_path / "work"
    folder.mkdir()
    given = {
        "EXCHANGE": exchange.base_url, "CLIENT_ID": buyer.client_id, "CLIENT_SECRET": buyer.client_secret,
        "GRANT": bought, "FILE": FILE, "HOME": str(tmp_path), "PATH": f"{command.parent}:/usr/bin:/bin",
        "PYTHONUTF8": "1", "LANG": "C.UTF-8", "no_proxy": "*",
    }  # fmt: skip

    def run(*program: str | Path) -> str:
        ended = subprocess.run(
            program, cwd=folder, env=given, capture_output=True, text=True, encoding="utf-8",
            timeout=live.WAIT_SECONDS * 2, check=False,
        )  # fmt: skip
        assert ended.returncode == 0, ended.stderr[-4000:]
        return ended.stdout.strip()

    run.folder = folder
    return run


def used(parties, grant_id):
    """The bytes that were charged, once all deliveries have ended."""

    def settled():
        quota = parties["buyer"].get(f"/v1/grants/{grant_id}")["quota"]
        return not quota["open_deliveries"] and quota

    return live.wait_until("the deliveries to end", settled)["used_bytes"]


def test_curl_fetches_with_a_token_and_with_a_ticket_and_pays_once(play, parties, bought):
    play("bash", "-euo", "pipefail", "-c", blocks("curl", "sh"))
    assert (play.folder / FILE).read_bytes() == CONTENT
    assert (play.folder / f"ticket-{FILE}").read_bytes() == CONTENT
    assert used(parties, bought) == len(CONTENT)


def test_the_command_line_fetches_and_keeps_a_receipt(play, parties, bought):
    play("bash", "-euo", "pipefail", "-c", blocks("The command line", "sh"))
    [fetched] = (play.folder / "data").rglob(FILE)
    assert fetched.read_bytes() == CONTENT
    assert list((play.folder / "data").rglob("*.receipt"))
    assert used(parties, bought) == len(CONTENT)


@pytest.mark.parametrize(
    ("section", "printed"),
    [("pandas", "3"), ("Polars", "2 3"), ("DuckDB", "[('大通', 420), ('駅前', 80)]")],
    ids=["pandas", "polars", "duckdb"],
)
def test_people_with_notebooks_read_what_was_bought(play, parties, bought, section, printed):
    python = pandas_client.installed()
    (play.folder / "musubi.py").write_text(blocks("Python: what the next three share", "python"), encoding="utf-8")
    (play.folder / "example.py").write_text(blocks(section, "python"), encoding="utf-8")
    assert play(python, "example.py") == printed
    assert used(parties, bought) > 0


def test_the_guide_shows_every_tool_of_which_it_speaks():
    assert re.findall(r"^## (.+)$", GUIDE, re.MULTILINE) == [
        "curl", "The command line", "Python: what the next three share", "pandas", "Polars", "DuckDB",
        "When it is refused",
    ]  # fmt: skip
