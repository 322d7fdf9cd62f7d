"""Starts a fresh reader for one file, keeps it to its limits, and trusts nothing that it says."""

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

from marketplace.catalog.profiling import words
from marketplace.catalog.profiling.result import Profile, ProfileLimits
from marketplace.catalog.states import ProfileState

# The root of the running package goes first, so that parent and reader are the same version from any directory.
_START = (
    "import sys; sys.path.insert(0, sys.argv[1]); "
    "from marketplace.catalog.profiling import child; child.main(sys.argv[2])"
)
_ROOT = str(Path(__file__).resolve().parents[3])
# -P and -s with an environment of our own equal -I, except that the seed of str hashes is ours: profiles repeat.
_ENVIRONMENT = {
    "PYTHONHASHSEED": "0",
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONUTF8": "1",
    "LC_ALL": "C.UTF-8",
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    "ARROW_IO_THREADS": "1",
    "OMP_NUM_THREADS": "1",
    "MALLOC_ARENA_MAX": "2",
    "OPENPYXL_LXML": "False",
}
_STATES = {str(state): state for state in ProfileState if state is not ProfileState.PENDING}
_NAME_CHARACTERS_MAX = 1000
_INTEGER_MAX = 2**53 - 1


def profile_file(path: Path, name: str, limits: ProfileLimits | None = None) -> Profile:
    """Return what the file holds, read in a subprocess of its own.

    ``name`` is the file's public name, used only to judge its extension. Whatever the content does to the reader
    comes back as a failed profile; raises only OSError when the file cannot be opened or no process be started.
    """
    limits = limits or ProfileLimits()
    with path.open("rb") as file:
        reader = _start(file.fileno(), name, limits)
    try:
        answer, is_whole = _listen(reader, limits)
    finally:
        _end(reader)
    if not is_whole:
        return _failed("too-much-time", limit_seconds=limits.wall_seconds)
    return judged(answer, reader.returncode, limits)


def _start(descriptor: int, name: str, limits: ProfileLimits) -> subprocess.Popen[bytes]:
    request = json.dumps({"name": name[-_NAME_CHARACTERS_MAX:], "limits": asdict(limits)})
    return subprocess.Popen(
        [sys.executable, "-P", "-s", "-B", "-c", _START, _ROOT, request],
        stdin=descriptor,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=_ENVIRONMENT,
        cwd="/",
        close_fds=True,
        start_new_session=True,
    )


def _listen(reader: subprocess.Popen[bytes], limits: ProfileLimits) -> tuple[bytes, bool]:
    """Return what the reader said, and whether it ended in time; more than the allowed bytes end it early."""
    if reader.stdout is None:  # pragma: no cover - Popen was given a pipe
        return b"", True
    deadline = time.monotonic() + limits.wall_seconds
    said = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(reader.stdout, selectors.EVENT_READ)
        while len(said) <= limits.answer_bytes:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return b"", False
            piece = os.read(reader.stdout.fileno(), 1 << 16)
            if not piece:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    reader.wait(max(0.1, deadline - time.monotonic()))
                return bytes(said), True
            said += piece
    return b"", True


def _end(reader: subprocess.Popen[bytes]) -> None:
    # The group outlives its leader only if the reader started something, which the filter forbids; end both.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if reader.poll() is None:
            os.killpg(reader.pid, signal.SIGKILL)
    reader.wait()
    if reader.stdout is not None:
        reader.stdout.close()


def judged(answer: bytes, code: int, limits: ProfileLimits) -> Profile:
    """Return the profile in a reader's answer, checked; a failed one when its end or its words are not as agreed."""
    if code == -signal.SIGXCPU:
        return _failed("too-much-time", limit_seconds=limits.cpu_seconds)
    try:
        said = json.loads(answer, parse_float=_refuse, parse_constant=_refuse)
        return Profile(_STATES[said["state"]], _clean_object(said["document"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return _failed("reader-stopped", reason=f"exit code {code}" if answer == b"" else "unreadable answer")


def _failed(slug: str, **facts: Any) -> Profile:
    return Profile(ProfileState.FAILED, {"problem": words.problem(slug, facts), "warnings": []})


def _refuse(text: str) -> float:
    raise ValueError(f"a profile holds no floats: {text[:20]}")


def _clean_object(value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise TypeError("a profile is an object")
    return {_clean_text(str(key)): _clean(item) for key, item in value.items()}


def _clean(value: Any) -> Any:
    """Return the value as PostgreSQL's JSONB and RFC 8785 can keep it; raises ValueError for other numbers."""
    if isinstance(value, str):
        return _clean_text(value)
    if isinstance(value, dict):
        return _clean_object(value)
    if isinstance(value, list):
        return [_clean(item) for item in value]
    if isinstance(value, int) and abs(value) > _INTEGER_MAX:
        raise ValueError("an integer beyond 2**53")
    return value


def _clean_text(text: str) -> str:
    if text.isprintable():
        return text
    return text.replace("\0", "\u2400").encode("utf-8", "replace").decode()
