"""Foreign Python packages that live in virtual environments of their own, outside the checkout."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from tests import live
from tests.conformance.scripts import cache

INSTALL_SECONDS = 900
UNREACHABLE = [
    "No matching distribution found",
    "Could not find a version",
    "NewConnectionError",
    "ConnectTimeoutError",
]


def installed(sources: Path, base: str = sys.executable) -> Path:
    """Return a Python that has the pinned packages of a folder, installed once for each list; skips where it cannot."""
    pins = (sources / "requirements.txt").read_bytes() + (b"" if base == sys.executable else base.encode())
    folder = cache() / f"{sources.name}-{sys.version_info.minor}-{hashlib.sha256(pins).hexdigest()[:16]}"
    cache().mkdir(parents=True, exist_ok=True)
    with (cache() / f"lock-{sources.name}").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / "whole").exists():
            _install(folder, sources, base)
    return folder / "bin" / "python"


def _install(folder: Path, sources: Path, base: str) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    subprocess.run([base, "-m", "venv", folder], check=True, capture_output=True)
    pip = [folder / "bin" / "python", "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary", ":all:"]
    answer = subprocess.run(
        [*pip, "-r", sources / "requirements.txt"],
        capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False,
    )  # fmt: skip
    if answer.returncode and any(word in answer.stderr for word in UNREACHABLE):
        pytest.skip("the client's packages are not in the cache, and their registry cannot be reached")
    assert not answer.returncode, answer.stderr
    (folder / "whole").touch()


def newer_python(minor: int) -> str:
    """Return a Python 3 of at least this minor version, of the machine or of pyenv; skips where there is none."""
    names = [f"python3.{one}" for one in range(minor, minor + 10)]
    versions = [path for one in range(minor, minor + 10) for path in _pyenv().glob(f"versions/3.{one}.*/bin/python")]
    for found in [sys.executable, *filter(None, map(shutil.which, names)), *map(str, versions)]:
        asked = [found, "-c", f"import sys, venv, ensurepip; sys.exit(sys.version_info < (3, {minor}))"]
        if subprocess.run(asked, capture_output=True, check=False).returncode == 0:
            return found
    pytest.skip(f"no Python 3.{minor} or newer with venv is on this machine, and the packages need it")


def _pyenv() -> Path:
    return Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")


def ask(python: Path, script: Path, **asked: Any) -> dict[str, Any]:
    """Have a script do one thing in a process of its own; returns what it says."""
    with tempfile.TemporaryDirectory() as home:
        answer = subprocess.run(
            [python, script],
            input=json.dumps(asked), env={"HOME": home, "PATH": "/usr/bin:/bin", "PYTHONUTF8": "1"},
            capture_output=True, text=True, encoding="utf-8", timeout=live.WAIT_SECONDS * 2, check=False,
        )  # fmt: skip
    assert answer.returncode == 0, answer.stderr[-4000:]
    return json.loads(answer.stdout)
