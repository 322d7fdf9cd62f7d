"""The official client of Delta Sharing, in a virtual environment of its own outside the checkout."""

import fcntl
import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests import live
from tests.conformance.scripts import cache

SOURCES = Path(__file__).parent / "pandas"
INSTALL_SECONDS = 900
UNREACHABLE = [
    "No matching distribution found",
    "Could not find a version",
    "NewConnectionError",
    "ConnectTimeoutError",
]


def installed() -> Path:
    """Return a Python that has the pinned packages, installed once for each list; skips where that cannot be."""
    pins = (SOURCES / "requirements.txt").read_bytes()
    folder = cache() / f"pandas-{sys.version_info.minor}-{hashlib.sha256(pins).hexdigest()[:16]}"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / "lock-pandas").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            _install(folder)
    return folder / "bin" / "python"


def _install(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", folder], check=True, capture_output=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    answer = subprocess.run(
        [*pip, "-r", SOURCES / "requirements.txt"],
        capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    if answer.returncode and any(word in answer.stderr for word in UNREACHABLE):
        pytest.skip("the client's packages are not in the cache, and their registry cannot be reached")
    assert not answer.returncode, answer.stderr
    (folder / "whole").touch()


def ask(python: Path, **asked: Any) -> dict[str, Any]:
    """Have the client do one thing in a process of its own; returns what it did, or what it raised."""
    with tempfile.TemporaryDirectory() as home:
        answer = subprocess.run(
            [python, SOURCES / "read.py"],
            input=json.dumps(asked), env={"HOME": home, "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
            capture_output=True, text=True, encoding="utf-8", timeout=live.WAIT_SECONDS * 2, check=False,
        )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-4000:]
    return json.loads(answer.stdout)
