"""Starts a fresh reader for one file, keeps it to its limits, and trusts nothing that it says."""

import json
import signal
from dataclasses import asdict
from pathlib import Path
from typing import Any

from marketplace.catalog.profiling import process, words
from marketplace.catalog.profiling.distinct import SKETCH
from marketplace.catalog.profiling.result import Profile, ProfileLimits
from marketplace.catalog.states import ProfileState

_START = process.program("marketplace.catalog.profiling.child")
_STATES = {str(state): state for state in ProfileState if state is not ProfileState.PENDING}
_NAME_CHARACTERS_MAX = 1000
_INTEGER_MAX = 2**53 - 1


def profile_file(path: Path, name: str, limits: ProfileLimits | None = None) -> Profile:
    """Return what the file holds, read in a subprocess of its own.

    ``name`` is the file's public name, used only to judge its extension. Whatever the content does to the reader
    comes back as a failed profile; raises only OSError when the file cannot be opened or no process be started.
    """
    limits = limits or ProfileLimits()
    request = json.dumps({"name": name[-_NAME_CHARACTERS_MAX:], "limits": asdict(limits)})
    with path.open("rb") as file:
        ended = process.run(_START, request, file.fileno(), limits.wall_seconds, limits.answer_bytes)
    if not ended.is_whole:
        return _failed("too-much-time", limit_seconds=limits.wall_seconds)
    return judged(ended.answer, ended.code, limits)


def judged(answer: bytes, code: int, limits: ProfileLimits) -> Profile:
    """Return the profile in a reader's answer, checked; a failed one when its end or its words are not as agreed."""
    if code == -signal.SIGXCPU:
        return _failed("too-much-time", limit_seconds=limits.cpu_seconds)
    try:
        said = json.loads(answer, parse_float=_refuse, parse_constant=_refuse)
        state, document = _STATES[said["state"]], _clean_object(said["document"])
        sketches = {name: one for name, one in _clean_object(said.get("sketches", {})).items() if _is_sketch(one)}
        return Profile(state, document, sketches, _clean_text(str(said.get("made_by", "")))[:_NAME_CHARACTERS_MAX])
    except (ValueError, TypeError, KeyError, RecursionError):
        return _failed("reader-stopped", reason=f"exit code {code}" if answer == b"" else "unreadable answer")


def _failed(slug: str, **facts: Any) -> Profile:
    return Profile(ProfileState.FAILED, {"problem": words.problem(slug, facts), "warnings": []})


def _is_sketch(value: Any) -> bool:
    return isinstance(value, list) and len(value) <= SKETCH and all(type(one) is int and one >= 0 for one in value)


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
