"""What the files of a dataset say against its description: another licence inside, another encoding than UTF-8."""

from collections.abc import Iterable, Mapping
from typing import Any

from marketplace.catalog.cleaning.licences import differ, licence_of
from marketplace.catalog.cleaning.mending import Finding, Rule
from marketplace.catalog.states import Licence

FILES_NAMED = 20
_PLAIN = frozenset({"utf-8", "ascii"})
Profiled = tuple[str, Mapping[str, Any]]


def file_findings(licence_hint: str | None, files: Iterable[Profiled]) -> list[Finding]:
    """Return the findings on files, each its name and its profile; one finding for each licence and encoding."""
    licences: dict[str, list[str]] = {}
    encodings: dict[str, list[str]] = {}
    for name, profile in files:
        inside = _licence_inside(profile)
        if inside and _conflicts(licence_hint, inside):
            licences.setdefault(inside, []).append(name)
        encoding = profile.get("encoding")
        if isinstance(encoding, str) and encoding not in _PLAIN:
            encodings.setdefault(encoding, []).append(name)
    conflicts = [
        Finding(Rule.LICENCE_CONFLICT, None, licence_hint, {"licence": licence} | _named(names), 95)
        for licence, names in sorted(licences.items())
    ]
    return conflicts + [
        Finding(Rule.ENCODING, None, encoding, {"encoding": "utf-8"} | _named(names), 90)
        for encoding, names in sorted(encodings.items())
    ]


def _named(names: list[str]) -> dict[str, Any]:
    return {"files": sorted(names)[:FILES_NAMED], "count": len(names)}


def _licence_inside(profile: Mapping[str, Any]) -> str:
    found = profile.get("embedded_license")
    if not isinstance(found, Mapping):
        return ""
    read = licence_of(str(found.get("id") or "")) or licence_of(str(found.get("value") or ""))
    return read.name if read else ""


def _conflicts(hint: str | None, inside: str) -> bool:
    stated, found = licence_of(hint or ""), licence_of(inside)
    # A provider that names none, or one that is none of ours, has said nothing that a file could contradict.
    return (
        hint not in {None, Licence.OTHER.value} and stated is not None and found is not None and differ(stated, found)
    )
