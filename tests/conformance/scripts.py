"""Scripts of other people's JavaScript libraries, which `npm` keeps in a folder outside the checkout."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests import live

SOURCES = Path(__file__).parent / "npm"
UNREACHABLE = ["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ENETUNREACH", "ETIMEDOUT", "SOCKET_TIMEOUT"]
INSTALL_SECONDS = 600
QUIETLY = ["--ignore-scripts", "--no-audit", "--no-fund"]
QUIETLY += ["--fetch-timeout=60000", "--fetch-retry-mintimeout=1000", "--fetch-retry-maxtimeout=5000"]
NODE_MAJOR_MIN = 20


def cache() -> Path:
    """Return the folder where what was installed stays from run to run."""
    return Path(os.environ.get("MUSUBI_TESTS_CACHE") or Path.home() / ".cache" / "musubi-tests")


def installed() -> Path:
    """Return the folder with the pinned packages, installed once for each lock file; skips where that cannot be."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        pytest.skip("node and npm are not on this machine")
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=True).stdout
    if int(version.lstrip("v").split(".")[0]) < NODE_MAJOR_MIN:
        pytest.skip(f"node is {version.strip()}, and the packages need {NODE_MAJOR_MIN} or newer")
    lock = (SOURCES / "package-lock.json").read_bytes()
    folder = cache() / f"npm-{hashlib.sha256(lock).hexdigest()[:16]}"
    with _alone(cache()):
        if not folder.is_dir():
            _install(folder)
    return folder / "node_modules"


def _install(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as around:
        made = Path(around, "packages")
        made.mkdir()
        for name in ("package.json", "package-lock.json"):
            shutil.copy(SOURCES / name, made)
        answer = subprocess.run(
            ["npm", "ci", *QUIETLY], cwd=made, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False
        )
        if answer.returncode and any(word in answer.stderr for word in UNREACHABLE):
            pytest.skip("the npm packages are not in the cache, and their registry cannot be reached")
        assert not answer.returncode, answer.stderr
        made.rename(folder)  # at once: what is there is whole


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Let one test process at a time install."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class Scripts:
    """The scripts in a folder where they find the packages."""

    folder: Path

    def run(self, script: str, visit: Callable[[str], str | None] | None = None, **facts: Any) -> dict[str, Any]:
        """Run a script with these facts; ``visit`` opens an address for it and returns where that led."""
        with self.started(script) as process:
            tell(process, facts)
            while (said := hear(process)).keys() == {"visit"}:
                assert visit is not None, said
                tell(process, {"back": visit(said["visit"])})
        assert "done" in said, json.dumps(said, indent=1, ensure_ascii=False)
        return said["done"]

    @contextmanager
    def started(
        self, script: str, patience_seconds: float | None = live.WAIT_SECONDS * 2
    ) -> Iterator[subprocess.Popen[str]]:
        """Run a script as long as the block lasts, and no longer than our patience."""
        process = subprocess.Popen(
            ["node", script], cwd=self.folder, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8",
        )  # fmt: skip
        patience = threading.Timer(patience_seconds or 0, process.kill)
        if patience_seconds is not None:
            patience.start()
        with process:  # which waits for its end, so that it must be brought about before
            try:
                yield process
            finally:
                process.kill()
                patience.cancel()


def tell(process: subprocess.Popen[str], facts: dict[str, Any]) -> None:
    """Say something to a script."""
    assert process.stdin is not None
    process.stdin.write(json.dumps(facts) + "\n")
    process.stdin.flush()


def hear(process: subprocess.Popen[str]) -> dict[str, Any]:
    """Return what a script says next."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, "the script ended without a word"
    return json.loads(line)
