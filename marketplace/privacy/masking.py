"""What a profile tells of columns in which personal data was found: that they are there, and no value of them. Pure.

Findings are those of the detectors over the whole file, where it was inspected, and over the little that a profile
shows of it in any case.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import Any, NamedTuple

from marketplace.privacy.detectors import MASK, Kind, Level, look

Profile = dict[str, Any]
Findings = Mapping[str, Sequence[str]]
"""Kinds that were found, by the name of the column."""

NEVER_LIFTED = frozenset({str(Kind.MY_NUMBER), str(Kind.CARD_NUMBER)})
"""What no word of a provider makes fit to be shown."""

DECLARED = "declared"


class ColumnFound(NamedTuple):
    """What the gate found in a column of a whole file; places count from 1."""

    name: str
    place: int
    kind: str


_VALUES = ("min", "max", "distribution")


def suspect(profile: Profile) -> dict[str, list[str]]:
    """Return which columns of a profile look like personal data, by their headers and by the values that it shows."""
    columns = profile.get("columns") or []
    names = [str(column.get("name", "")) for column in columns]
    rows = [_row(row, len(names)) for row in profile.get("preview") or ()]
    rows += map(list, zip_longest(*map(_values, columns)))
    found: dict[str, set[str]] = {}
    for finding in look(names, rows or [[None] * len(names)]):
        if finding.level is not Level.NOTE:
            found.setdefault(finding.column, set()).add(str(finding.kind))
    return {name: sorted(kinds) for name, kinds in found.items()}


def gathered(profile: Profile, found: Iterable[ColumnFound]) -> dict[str, list[str]]:
    """Return what a profile itself shows, and what the gate found on the whole file though the sampled rows do not.

    A column is known by its name; by its place where the gate read another name, as in a file without a header.
    """
    names = [str(column.get("name", "")) for column in profile.get("columns") or ()]
    all_found = {name: set(kinds) for name, kinds in suspect(profile).items()}
    for one in found:
        by_place = names[one.place - 1] if one.place <= len(names) else None
        name = one.name if one.name in names else by_place
        if name is not None:
            all_found.setdefault(name, set()).add(one.kind)
    return {name: sorted(kinds) for name, kinds in all_found.items()}


def decided(findings: Findings, said: Mapping[str, bool]) -> dict[str, list[str]]:
    """Return what is masked, once a provider has said of some columns whether they are of persons.

    It may lift what a detector took for personal data, such as the telephone numbers of schools; never what no
    catalogue shows. It may mask what none found.
    """
    masked = {name: list(kinds) for name, kinds in findings.items()}
    for name, is_personal in said.items():
        if is_personal:
            masked.setdefault(name, [DECLARED])
        elif name in masked:
            masked[name] = [kind for kind in masked[name] if kind in NEVER_LIFTED]
    return {name: kinds for name, kinds in masked.items() if kinds}


def masked(profile: Profile, findings: Findings) -> Profile:
    """Return a profile without any value of these columns; one without such columns is returned as it is."""
    columns = profile.get("columns") or []
    places = [place for place, column in enumerate(columns) if column.get("name") in findings]
    if not places:
        return profile
    shown = [
        _without_values(column, findings[column["name"]]) if place in places else column
        for place, column in enumerate(columns)
    ]
    told = profile | {"columns": shown}
    told.pop("grid", None)  # where people are found, no place is shown
    if "preview" in profile:
        told["preview"] = [_masked_row(row, places) for row in profile["preview"] or ()]
    return told


def _without_values(column: dict[str, Any], kinds: Sequence[str]) -> dict[str, Any]:
    hidden: dict[str, Any] = {name: None for name in _VALUES if name in column}
    if "examples" in column:
        hidden["examples"] = []
    return column | hidden | {"masked": list(kinds)}


def _masked_row(row: Sequence[Any], places: Iterable[int]) -> list[Any]:
    shown = list(row)
    for place in places:
        if place < len(shown) and shown[place] is not None:
            shown[place] = MASK
    return shown


def _row(row: Sequence[Any], width: int) -> list[str | None]:
    cells = [cell if isinstance(cell, str) else None for cell in row[:width]]
    return cells + [None] * (width - len(cells))


def _values(column: Mapping[str, Any]) -> list[str]:
    """Return the values of a column that its profile tells beside the preview."""
    frequent = [one["value"] for one in (column.get("distribution") or {}).get("values", ())]
    given = [column.get("min"), column.get("max"), *frequent, *(column.get("examples") or ())]
    return [one for one in given if isinstance(one, str)]
