"""What the files of a dataset say: another licence than its description, another encoding than UTF-8, days of eras."""

from collections.abc import Iterable, Mapping
from typing import Any

from marketplace.catalog.cleaning.licences import differ, licence_of
from marketplace.catalog.cleaning.mending import Finding, Rule
from marketplace.catalog.states import Licence

FILES_NAMED = 20
_PLAIN = frozenset({"utf-8", "ascii"})
_UNREAD = "invalid-bytes"
Profiled = tuple[str, Mapping[str, Any]]


def file_findings(licence_hint: str | None, files: Iterable[Profiled]) -> list[Finding]:
    """Return the findings on files, each its name and its profile; one finding for each licence."""
    licences: dict[str, list[str]] = {}
    for name, profile in files:
        inside = _licence_inside(profile)
        if inside and _conflicts(licence_hint, inside):
            licences.setdefault(inside, []).append(name)
    return [
        Finding(Rule.LICENCE_CONFLICT, None, licence_hint, {"licence": licence} | _named(names), 95)
        for licence, names in sorted(licences.items())
    ]


def text_findings(texts: Iterable[Profiled]) -> list[Finding]:
    """Return the findings on the texts of a release that a copy would mend; one for each encoding, one for days.

    A text of which some bytes cannot be read has none: a copy would lose them.
    """
    encodings: dict[str, list[str]] = {}
    days: dict[str, list[str]] = {}
    for name, traits in texts:
        if _UNREAD in traits["odd"]:
            continue
        if is_foreign(traits["encoding"]):
            encodings.setdefault(traits["encoding"], []).append(name)
        if traits["era"]:
            days[name] = traits["era"]
    columns = {"columns": sorted({one for names in days.values() for one in names})[:FILES_NAMED]}
    eras = [Finding(Rule.DATES, None, "era", {"days": "iso"} | columns | _named(list(days)), 90)] if days else []
    return eras + [
        Finding(Rule.ENCODING, None, encoding, {"encoding": "utf-8"} | _named(names), 90)
        for encoding, names in sorted(encodings.items())
    ]


def is_foreign(encoding: Any) -> bool:
    """Tell whether a text is in another encoding than UTF-8."""
    return isinstance(encoding, str) and encoding not in _PLAIN


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
