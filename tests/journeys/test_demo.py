"""The demo as a newcomer runs it: a program of its own, from its first line to its last."""

import os
import re
import signal
import subprocess
import sys

import psutil
import pytest

from tests import live

ROW = re.compile(r"^  bytes (fetched|metered|billed)\D+([\d,]+)$", re.MULTILINE)


@pytest.fixture
def home(open_folder):
    """Where the demo puts its temporary folder, so that what it leaves can be seen."""
    return open_folder


def program(home, *arguments, cwd=live.ROOT):
    return subprocess.Popen(
        [sys.executable, "-m", "marketplace", "demo", *map(os.fspath, arguments)],
        env=live.environment() | {"TMPDIR": str(home), "PYTHONPATH": str(live.ROOT)},
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def play(home, *arguments, cwd=live.ROOT):
    process = program(home, *arguments, cwd=cwd)
    try:
        out, err = process.communicate(timeout=300)
    finally:
        process.kill()
        process.communicate()
    return process.returncode, out, err


def left_running(home):
    return [
        one.info
        for one in psutil.process_iter(["pid", "cmdline", "status"])
        if one.info["status"] != psutil.STATUS_ZOMBIE and any(str(home) in word for word in one.info["cmdline"] or [])
    ]


def assert_complete(home, code, out, err):
    assert code == 0, err + out
    assert "FIRST TRADE COMPLETE" in out
    counts = dict(ROW.findall(out))
    assert set(counts) == {"fetched", "metered", "billed"}
    assert len(set(counts.values())) == 1
    assert "Traceback" not in err
    assert re.search(r"^  ledger sum\D+0$", out, re.MULTILINE)
    assert re.search(r"^  audit log .*verified, \d+ entries, root [0-9a-f]{64}$", out, re.MULTILINE)
    assert_nothing_left(home)
    return int(counts["billed"].replace(",", ""))


def assert_nothing_left(home):
    assert left_running(home) == []
    assert [path.name for path in home.iterdir() if path.name.startswith("musubi")] == []


def test_the_demo_plays_the_whole_first_trade_with_its_sample(home):
    billed = assert_complete(home, *play(home))
    assert billed > 2**20


def test_the_demo_lists_a_file_of_an_older_system_by_a_relative_path(home, tmp_path):
    content = "年月,人口（人）\r\n2024-04,１９７万\r\n".encode("cp932")
    (tmp_path / "人口推移　令和６年.csv").write_bytes(content)
    code, out, err = play(home, "人口推移　令和６年.csv", cwd=tmp_path)
    assert assert_complete(home, code, out, err) == len(content)
    assert "encoding=cp932" in out


def test_the_demo_lists_a_folder_and_says_which_files_it_cannot(home, tmp_path):
    (tmp_path / "data" / "下").mkdir(parents=True)
    files = {
        "気温.csv": "日付,気温\n2026-11-22,3.4\n".encode(),
        "下/写し.csv": "日付,気温\n2026-11-22,3.4\n".encode(),
        "empty.csv": b"",
        "opaque.bin": bytes(range(256)) * 9,
        "x' OR 1=1; --?.csv": b"a,b\n1,2\n",
        "100 % & more.csv": b"a,b\n5,6\n",
        "a/x.csv": b"a,b\n7,8\n",
        "b/x.csv": b"a,b\n7,9\n",
        ".git/config": b"not for sale",
    }
    for name, content in files.items():
        (tmp_path / "data" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "data" / name).write_bytes(content)
    (tmp_path / "data").joinpath(os.fsdecode("古い名前.txt".encode("cp932"))).write_bytes(b"CP932 on disk")
    code, out, err = play(home, tmp_path / "data")
    billed = assert_complete(home, code, out, err)
    assert re.search(r"exchange +refuses x' OR 1=1; --\?\.csv: .*must not contain", out)
    assert "uploads 古い名前.txt" in out
    assert re.search(r"uploads a_x\.csv .*uploads b_x\.csv ", out, re.DOTALL)
    assert "config" not in out
    once = ("気温.csv", "opaque.bin", "100 % & more.csv", "a/x.csv", "b/x.csv")
    assert billed == sum(len(files[name]) for name in once) + len(b"CP932 on disk")


def test_the_demo_shows_how_far_a_big_file_is_though_nobody_watches(home, tmp_path):
    with (tmp_path / "big.bin").open("wb") as file:
        file.truncate(2**24 + 1)
    code, out, err = play(home, tmp_path / "big.bin")
    assert assert_complete(home, code, out, err) == 2**24 + 1
    for what in ("uploading", "fetching"):
        assert re.findall(rf"{what} big\.bin: (\d+) %", out)[:4] == ["25", "50", "75", "100"]


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "missing", "does not exist"),
        (lambda folder: folder, "nothing to sell"),
        (lambda folder: (folder / "empty.csv").touch() or folder / "empty.csv", "nothing to sell"),
        (lambda folder: (folder / "a?b.csv").write_bytes(b"x") and folder / "a?b.csv", "no file could be listed"),
        (lambda folder: (folder / "a.csv").symlink_to("/proc/self/mem") or folder, "a.csv cannot be read"),
    ],
    ids=["missing", "nothing-in-it", "no-bytes", "bad-name", "unreadable"],
)
def test_the_demo_says_in_one_line_what_is_wrong_with_the_data(home, tmp_path, make, sentence):
    code, _, err = play(home, make(tmp_path))
    assert code in {1, 2}
    assert sentence in err
    assert "Traceback" not in err
    assert_nothing_left(home)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_the_demo_leaves_nothing_when_it_is_broken_off(home, number):
    process = program(home)
    assert "is open" in process.stdout.readline()
    process.send_signal(number)
    process.send_signal(number)
    out, err = process.communicate(timeout=live.WAIT_SECONDS)
    assert process.returncode == 130
    assert out.rstrip().endswith("closed")
    assert "Traceback" not in err
    assert_nothing_left(home)


def test_a_killed_demo_leaves_no_process_and_disturbs_no_other(home):
    process = program(home)
    assert "is open" in process.stdout.readline()
    process.kill()
    process.communicate()
    live.wait_until("its server and PostgreSQL to end", lambda: not left_running(home))
