"""`marketplace demo --serve --world FILE`: a world for other programs, complete when FILE is there."""

import hashlib
import json
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from urllib.parse import quote

import psutil
import pytest
import requests

from tests import live
from tests.journeys.test_demo import left_running, program

KEYS = {
    "base_url", "issuer", "clients", "dataset_id", "release_id", "offer_id", "grant_id", "file_name", "file_sha256",
    "file_size", "unbought_offer_id", "unbought_offer_url",
}  # fmt: skip


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    home = Path(tempfile.mkdtemp(prefix="mk-"))  # pytest's own folders are closed to PostgreSQL's account
    home.chmod(0o755)
    file, port = tmp_path_factory.mktemp("world") / "世界.json", live.free_port()
    process = program(home, "--serve", "--port", str(port), "--world", file)
    try:
        live.wait_until("the world", lambda: file.exists() or process.poll() is not None)
        assert process.poll() is None, process.communicate()[1]
        yield process, home, port, json.loads(file.read_text(encoding="utf-8"))
    finally:
        process.terminate()
        process.communicate(timeout=live.WAIT_SECONDS)
        shutil.rmtree(home, ignore_errors=True)


def token_of(world, role):
    client = world["clients"][role]
    answer = requests.post(
        f"{world['issuer']}/oauth/token",
        data={"grant_type": "client_credentials"},
        auth=(client["client_id"], client["client_secret"]),
        timeout=180,
    )
    assert answer.status_code == 200, answer.text
    return answer.json()["access_token"]


def get(world, role, path):
    bearer = {"Authorization": f"Bearer {token_of(world, role)}"}
    return requests.get(world["base_url"] + path, headers=bearer, timeout=180)


def file_path(world):
    return f"/v1/grants/{world['grant_id']}/files/{quote(world['file_name'])}"


def test_the_world_has_exactly_what_is_documented_and_everybody_gets_a_token(served):
    _, _, port, world = served
    assert set(world) == KEYS
    assert world["base_url"] == world["issuer"] == f"http://127.0.0.1:{port}"
    assert set(world["clients"]) == {"provider", "buyer", "operator", "auditor", "stranger"}
    for role, client in world["clients"].items():
        assert set(client) == {"organization_id", "client_id", "client_secret"}
        assert token_of(world, role)


def test_the_buyer_downloads_what_was_bought(served):
    world = served[3]
    answer = get(world, "buyer", file_path(world))
    assert answer.status_code == 200
    assert len(answer.content) == world["file_size"]
    assert hashlib.sha256(answer.content).hexdigest() == world["file_sha256"]


def test_a_stranger_learns_nothing_of_it(served):
    world = served[3]
    assert get(world, "stranger", file_path(world)).status_code == 404
    assert get(world, "stranger", f"/v1/grants/{world['grant_id']}").status_code == 404


def test_the_auditor_reads_the_trade_and_fetches_nothing(served):
    world = served[3]
    assert get(world, "auditor", f"/v1/grants/{world['grant_id']}").json()["offer_id"] == world["offer_id"]
    assert get(world, "auditor", f"/v1/audit/entries?subject={world['grant_id']}").json()["items"]
    assert get(world, "auditor", file_path(world)).status_code in {403, 404}


def test_the_second_offer_is_open_and_for_the_same_dataset(served):
    world = served[3]
    offer = requests.get(world["unbought_offer_url"], timeout=180).json()
    assert offer["id"] == world["unbought_offer_id"] != world["offer_id"]
    assert (offer["dataset_id"], offer["state"]) == (world["dataset_id"], "open")
    grants = get(world, "buyer", "/v1/grants").json()["items"]
    assert world["unbought_offer_id"] not in {grant["offer_id"] for grant in grants}


def test_a_port_in_use_is_said_at_once(served):
    _, home, port, _ = served
    late = program(home, "--serve", "--port", str(port))
    _, err = late.communicate(timeout=live.WAIT_SECONDS)
    assert late.returncode == 1
    assert f"port {port} is in use" in err
    assert "Traceback" not in err


def test_a_world_that_could_not_be_written_is_refused_before_anything_starts(served, tmp_path):
    late = program(served[1], "--serve", "--world", tmp_path / "missing" / "world.json")
    _, err = late.communicate(timeout=live.WAIT_SECONDS)
    assert late.returncode == 2
    assert "does not exist" in err


def test_the_world_ends_cleanly_on_sigterm(open_folder, tmp_path):
    port = live.free_port()
    process = program(open_folder, "--serve", "--port", str(port), "--world", tmp_path / "world.json")
    live.wait_until("the world", lambda: (tmp_path / "world.json").exists() or process.poll() is not None)
    assert requests.get(f"http://127.0.0.1:{port}/v1/ready", timeout=180).status_code == 200
    below = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=live.WAIT_SECONDS)
    assert process.returncode == 0, err
    assert out.rstrip().endswith("closed")
    assert "Traceback" not in err
    assert not any(live.alive(one.pid) for one in below)
    assert left_running(open_folder) == []
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", port))
