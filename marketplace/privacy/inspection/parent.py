"""Has a file looked through by a fresh process, keeps it to its limits, and trusts nothing that it says."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from marketplace.catalog.profiling import process
from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.privacy.detectors import Finding, Kind, Level
from marketplace.privacy.inspection import reading

_START = process.program("marketplace.privacy.inspection.child")
_TEXT_MAX = 200
_ROWS_MAX = 2**53 - 1
_FINDINGS_MAX = 500


@dataclass(frozen=True)
class Inspected:
    """What came of looking through a file: ``problem`` says why it could not be done, or not to the end."""

    findings: tuple[Finding, ...] = ()
    total: int = 0
    rows: int = 0
    problem: str | None = None

    @property
    def is_whole(self) -> bool:
        """Whether all of the file was looked through, and all that was found is told."""
        return self.problem is None


def inspect_file(path: Path, profile: dict[str, Any] | None, limits: ProfileLimits) -> Inspected:
    """Return what a profiled file gives away of people. Raises only OSError."""
    if not reading.looked_through(profile) or profile is None:
        return Inspected(problem="unread-format")
    said = _said(path, {"deed": "look", **_format(profile)}, limits)
    try:
        return _judged(said)
    except (ValueError, TypeError, KeyError):
        return Inspected(problem="reader-stopped")


def measure_file(
    path: Path,
    profile: dict[str, Any],
    quasi_identifiers: Sequence[str],
    sensitive: Sequence[str],
    limits: ProfileLimits,
) -> dict[str, Any]:
    """Return how many rows are alike in the named columns, or ``{"problem": ...}``. Raises only OSError."""
    if not reading.looked_through(profile):
        return {"problem": "unread-format"}
    columns = {"quasi_identifiers": list(quasi_identifiers), "sensitive": list(sensitive)}
    said = _said(path, {"deed": "measure", **_format(profile), **columns}, limits)
    try:
        return _measured(said, sensitive)
    except (ValueError, TypeError, KeyError):
        return {"problem": "reader-stopped"}


def _format(profile: dict[str, Any]) -> dict[str, Any]:
    return {"format": profile["format"], "delimiter": profile.get("delimiter")}


def _said(path: Path, asked: dict[str, Any], limits: ProfileLimits) -> dict[str, Any]:
    request = json.dumps(asked | {"limits": asdict(limits)})
    with path.open("rb") as file:
        ended = process.run(_START, request, file.fileno(), limits.wall_seconds, limits.answer_bytes)
    if not ended.is_whole:
        return {"problem": "too-much-time"}
    try:
        said = json.loads(ended.answer, parse_float=_refuse, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return {"problem": "reader-stopped" if ended.code >= 0 else "too-much-time"}
    return said if isinstance(said, dict) else {"problem": "reader-stopped"}


def _refuse(text: str) -> float:
    raise ValueError(f"an answer holds no floats: {text[:20]}")


def _judged(said: dict[str, Any]) -> Inspected:
    if "problem" in said:
        return Inspected(problem=_text(said["problem"]))
    findings = tuple(_finding(one) for one in said["findings"][:_FINDINGS_MAX])
    total = _count(said["total"])
    problem = None if said["complete"] is True else "partly-read"
    return Inspected(findings, total, _count(said["rows"]), "too-many-findings" if total > len(findings) else problem)


def _finding(one: dict[str, Any]) -> Finding:
    return Finding(
        kind=Kind(one["kind"]),
        level=Level(one["level"]),
        column=_text(one["column"]),
        place=_count(one["place"]),
        hits=_count(one["hits"]),
        cells=_count(one["cells"]),
        rows=tuple(_count(row) for row in one["rows"][:3]),
        table=_text(one["table"]),
    )


def _measured(said: dict[str, Any], sensitive: Sequence[str]) -> dict[str, Any]:
    if "problem" in said:
        return {"problem": _text(said["problem"])}
    counts = {name: _count(said[name]) for name in ("rows", "groups", "k", "unique_rows", "unique_mille", "passes")}
    sizes = [_count(size) for size in said["rows_by_size"][:5]]
    return counts | {"rows_by_size": sizes, "l": {name: _count(said["l"][name]) for name in sensitive}}


def _count(number: Any) -> int:
    if type(number) is not int or not 0 <= number <= _ROWS_MAX:
        raise ValueError("no count")
    return number


def _text(text: Any) -> str:
    return str(text)[:_TEXT_MAX].replace("\0", "\u2400").encode("utf-8", "replace").decode()
