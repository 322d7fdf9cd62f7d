"""The embedded PostgreSQL: odd paths, several holders, killed holders, killed servers."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import psycopg
import pytest

from marketplace.kit import postgres
from marketplace.kit.settings import BadSetting
from tests import live

HOLDER = """
import sys
from pathlib import Path
from marketplace.kit import postgres
print(postgres.database_url(Path(sys.argv[1])), flush=True)
sys.stdin.readline()
postgres.stop(Path(sys.argv[1]))
"""


@pytest.fixture
def data_dir(open_folder):
    yield open_folder / "data"
    postgres.stop(open_folder / "data")


@pytest.fixture
def hold():
    """Start processes that hold a server until told to let go."""
    started = []

    def start(data_dir):
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(data_dir)], cwd=live.ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        started.append(process)
        assert process.stdout.readline()
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()


def pid_of(data_dir):
    return live.Exchange(data_dir.parent).postmaster() if data_dir.name == "data" else None


def answers(url):
    with psycopg.connect(postgres.libpq_url(url)) as connection:
        return connection.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize(
    "name",
    ["with spaces", "結び 取引所", "quotes'\"`x`", "$HOME%20&x=y", "comma,semi;colon", "long-" * 40, "人流" * 30],
    ids=["spaces", "japanese", "quotes", "signs", "commas", "long", "long-japanese"],
)
def test_the_server_runs_under_any_path(open_folder, name):
    folder = open_folder / name / "data"
    try:
        url = postgres.database_url(folder)
        assert answers(url)
    finally:
        pid = live.Exchange(folder.parent).postmaster()
        postgres.stop(folder)
    assert pid is not None
    live.wait_until("the server to be gone", lambda: not live.alive(pid))
    assert not list(Path(parse_qs(urlsplit(url).query)["host"][0]).glob(".s.PGSQL*"))


def test_the_last_of_several_processes_ends_the_server(data_dir, hold):
    first, second = hold(data_dir), hold(data_dir)
    pid = pid_of(data_dir)
    first.communicate(b"\n")
    assert live.alive(pid)
    second.communicate(b"\n")
    live.wait_until("the server to be gone", lambda: not live.alive(pid))


def test_a_killed_process_holds_nothing_any_more(data_dir, hold):
    first, second = hold(data_dir), hold(data_dir)
    pid = pid_of(data_dir)
    first.kill()
    first.wait()
    second.communicate(b"\n")
    live.wait_until("the server to be gone", lambda: not live.alive(pid))


def test_a_server_that_was_killed_starts_again_with_what_was_committed(data_dir):
    url = postgres.database_url(data_dir)
    with psycopg.connect(postgres.libpq_url(url)) as connection:
        connection.execute("CREATE TABLE kept AS SELECT '人流' AS word")
    pid = pid_of(data_dir)
    os.kill(pid, signal.SIGKILL)
    live.wait_until("the server to be gone", lambda: not live.alive(pid))
    postgres.stop(data_dir)
    with psycopg.connect(postgres.libpq_url(postgres.database_url(data_dir))) as connection:
        assert connection.execute("SELECT word FROM kept").fetchone() == ("人流",)


def test_a_process_id_that_went_to_another_program_is_not_taken_for_the_server(data_dir):
    postgres.database_url(data_dir)
    pid = pid_of(data_dir)
    os.kill(pid, signal.SIGKILL)
    live.wait_until("the server to be gone", lambda: not live.alive(pid))
    postgres.stop(data_dir)
    note = data_dir / "postgresql" / "postmaster.pid"
    note.write_text(note.read_text().replace(str(pid), str(os.getpid()), 1))
    assert answers(postgres.database_url(data_dir))
    assert pid_of(data_dir) != os.getpid()


def test_words_sort_and_fold_the_same_whatever_the_environment_says(data_dir, monkeypatch):
    monkeypatch.setenv("LC_ALL", "xx_XX.nonsense")
    with psycopg.connect(postgres.libpq_url(postgres.database_url(data_dir))) as connection:
        assert connection.execute("SELECT lower('ＡÄ'), 'a' > 'B', 'あ' < '人'").fetchone() == ("ａä", True, True)
        assert connection.info.encoding == "utf-8"


def test_a_folder_that_cannot_be_made_is_named_with_a_way_out(open_folder):
    (open_folder / "file").write_text("not a folder")
    with pytest.raises(BadSetting, match=r"file/postgresql.*MARKETPLACE_DATA_DIR.*DATABASE_URL"):
        postgres.database_url(open_folder / "file")


def test_a_server_that_will_not_start_shows_its_own_words(data_dir):
    (data_dir / "postgresql").mkdir(parents=True)
    (data_dir / "postgresql" / "PG_VERSION").write_text("9.6\n")
    with pytest.raises(BadSetting, match=r"it does not answer"):
        postgres.database_url(data_dir)
