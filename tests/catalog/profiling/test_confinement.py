"""The reading process gives up what it does not need, and its parent believes nothing."""

import subprocess
import sys
from pathlib import Path

import pytest

from marketplace.catalog import profiling
from marketplace.catalog.profiling import ProfileLimits, confinement, parent
from marketplace.catalog.states import ProfileState

CONFINED = "from marketplace.catalog.profiling import confinement; confinement.confine(1 << 29, 20)\n"


def confined(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", CONFINED + code], capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


@pytest.mark.parametrize(
    "code",
    [
        "import socket; socket.create_connection(('127.0.0.1', 9), 1)",
        "import os; os.execv('/bin/true', ['true'])",
        "import os; os.fork()",
        "import subprocess; subprocess.run(['/bin/true'])",
        "import os; os.kill(os.getppid(), 0)",
    ],
)
def test_no_network_no_programs_no_processes_no_signals(code: str):
    said = confined(code + "\nprint('done')")
    assert "done" not in said
    assert "Error" in said


def test_no_file_can_be_written(tmp_path: Path):
    confined(f"open({str(tmp_path / 'x')!r}, 'w').write('a')")
    assert (tmp_path / "x").stat().st_size == 0


def test_threads_still_work():
    assert "done" in confined(
        "import threading; t = threading.Thread(target=print, args=['done']); t.start(); t.join()"
    )


@pytest.mark.parametrize("machine", ["x86_64", "aarch64"])
def test_the_filter_is_whole_instructions_for_each_machine(machine: str):
    program = confinement._program(*confinement._MACHINES[machine])
    assert len(program) % 8 == 0
    assert program[-8:-4] == b"\x06\0\0\0"


def test_memory_is_bounded():
    assert "MemoryError" in confined("bytearray(1 << 30)")


@pytest.mark.parametrize(
    ("program", "slug"),
    [
        ("print('no json')", "reader-stopped"),
        ("print('[]')", "reader-stopped"),
        ('print(\'{"state": "pending", "document": {}}\')', "reader-stopped"),
        ('print(\'{"state": "profiled", "document": {"a": 1.5}}\')', "reader-stopped"),
        ('print(\'{"state": "profiled", "document": {"a": NaN}}\')', "reader-stopped"),
        ('print(\'{"state": "profiled", "document": {"a": 9007199254740993}}\')', "reader-stopped"),
        ('print(\'{"state": "profiled", "document": []}\')', "reader-stopped"),
        ("print('[' * 100000)", "reader-stopped"),
        ("import os; os.abort()", "reader-stopped"),
        ("while True: print('x' * 65536)", "reader-stopped"),
        ("import signal; signal.pause()", "too-much-time"),
    ],
)
def test_whatever_a_broken_reader_says_is_a_failed_profile(tmp_path: Path, monkeypatch, program: str, slug: str):
    monkeypatch.setattr(parent, "_START", program)
    path = tmp_path / "stored"
    path.write_bytes(b"a,b\n")
    profile = profiling.profile_file(path, "a.csv", ProfileLimits(wall_seconds=5, answer_bytes=1 << 20))
    assert (profile.state, profile.document["problem"]["slug"]) == (ProfileState.FAILED, slug)


def test_nul_and_lone_surrogates_in_an_answer_are_replaced(tmp_path: Path, monkeypatch):
    said = r'{"state": "opaque", "document": {"a\u0000": ["\ud800", {"b": "\u0000"}]}}'
    monkeypatch.setattr(parent, "_START", f"print({said!r})")
    path = tmp_path / "stored"
    path.write_bytes(b"x")
    assert profiling.profile_file(path, "a").document == {"a␀": ["?", {"b": "␀"}]}


def test_a_missing_file_is_the_callers_error(tmp_path: Path):
    with pytest.raises(FileNotFoundError):
        profiling.profile_file(tmp_path / "absent", "a.csv")


def test_the_working_directory_and_the_environment_do_not_matter(tmp_path: Path, monkeypatch):
    (tmp_path / "json.py").write_text("raise SystemExit('shadowed')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    path = tmp_path / "stored"
    path.write_bytes(b"a,b\n1,2\n")
    assert profiling.profile_file(path, "a.csv").state is ProfileState.PROFILED
