"""How many rows are alike in what may tell people apart: k-anonymity and l-diversity, exactly, in bounded memory.

Groups are counted by a hash of their values. Where there are more groups than fit, the file is read several times, each
time for a part of the hashes: more time instead of more memory, and no disk, which the process may not write.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import Any, BinaryIO

from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.privacy.detectors.folding import folded
from marketplace.privacy.inspection import reading, records

GROUPS_MAX = 1_000_000
VALUES_MAX = 10
"""So many different values of a sensitive column are told apart in a group; more are so many."""

_PASSES_MAX = 64
_SIZES = (1, 2, 4, 9)
"""Upper ends of the classes by which rows are counted: unique, in pairs, 3 to 4, 5 to 9, and more."""


class _Overflow(Exception):
    """More groups than fit in one pass."""


class Groups:
    """One pass over one table: the groups whose hash falls into this part."""

    def __init__(self, names: Sequence[str], asked: dict[str, Any], part: int, parts: int) -> None:
        self.names = list(names)
        self.rows = 0
        self.is_complete = True
        self.counts: dict[int, int] = {}
        self.values: dict[int, list[set[int]]] = {}
        self._quasi, self._sensitive = asked["quasi_identifiers"], asked["sensitive"]
        self._part, self._parts = part, parts
        self._max = asked.get("groups_max", GROUPS_MAX)

    @property
    def is_meant(self) -> bool:
        """Whether the table has all columns that are asked for."""
        return not self.names or {*self._quasi, *self._sensitive} <= set(self.names)

    def add_rows(self, rows: Sequence[Sequence[str]]) -> None:
        """Count rows of a table."""
        if not self.is_meant:
            return
        quasi = [self.names.index(name) for name in self._quasi]
        sensitive = [self.names.index(name) for name in self._sensitive]
        for row in rows:
            self._count([row[place] for place in quasi], [row[place] for place in sensitive])

    def add_records(self, found: Sequence[records.Record]) -> None:
        """Count records; a path that one lacks is empty there, and what has none of them is no row but a title."""
        for record in found:
            values = dict(record)
            if values.keys().isdisjoint(self._quasi):
                continue
            quasi = [values.get(name, "") for name in self._quasi]
            self._count(quasi, [values.get(name, "") for name in self._sensitive])

    def _count(self, quasi: list[str], sensitive: list[str]) -> None:
        self.rows += 1
        key = _hash("\x1f".join(map(_plain, quasi)))
        if key % self._parts != self._part:
            return
        known = self.counts.get(key, 0)
        self.counts[key] = known + 1
        if not known and len(self.counts) > self._max:
            raise _Overflow
        if sensitive:
            kept = self.values.setdefault(key, [set() for _ in sensitive])
            for seen, value in zip(kept, sensitive, strict=True):
                if len(seen) < VALUES_MAX:
                    seen.add(_hash(_plain(value)))


def _plain(value: str) -> str:
    return folded(value).strip()


def _hash(text: str) -> int:
    return int.from_bytes(blake2b(text.encode("utf-8", "replace"), digest_size=8).digest(), "big")


class Tally:
    """What all passes come to."""

    def __init__(self, sensitive: Sequence[str]) -> None:
        self.groups = self.unique = 0
        self.smallest: int | None = None
        self.sizes = [0] * (len(_SIZES) + 1)
        self.diversity: dict[str, int | None] = dict.fromkeys(sensitive)

    def add(self, groups: Groups) -> None:
        """Take in one pass."""
        for key, count in groups.counts.items():
            self.groups += 1
            self.unique += count == 1
            self.smallest = count if self.smallest is None else min(self.smallest, count)
            self.sizes[next((place for place, end in enumerate(_SIZES) if count <= end), len(_SIZES))] += count
            for name, seen in zip(self.diversity, groups.values.get(key, ()), strict=False):
                before = self.diversity[name]
                self.diversity[name] = len(seen) if before is None else min(before, len(seen))


def measure(file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    """Return k, l and the share of unique rows of the table with the asked columns; raises Unreadable."""
    parts = 1
    while parts <= _PASSES_MAX:
        try:
            return _measured(file, asked, limits, patience, parts)
        except _Overflow:
            parts *= 2
    raise Unreadable("too-much-memory", limit_bytes=limits.memory_bytes)


def _measured(
    file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, patience: Patience, parts: int
) -> dict[str, Any]:
    tally = Tally(asked["sensitive"])
    rows = 0
    for part in range(parts):
        groups = _passed(file, asked, limits, patience, (part, parts))
        rows = groups.rows
        tally.add(groups)
    return {
        "rows": rows,
        "groups": tally.groups,
        "k": tally.smallest or 0,
        "unique_rows": tally.unique,
        "unique_mille": tally.unique * 1000 // max(1, rows),
        "rows_by_size": tally.sizes,
        "l": {name: least or 0 for name, least in tally.diversity.items()},
        "passes": parts,
    }


def _passed(
    file: BinaryIO, asked: dict[str, Any], limits: ProfileLimits, patience: Patience, turn: tuple[int, int]
) -> Groups:
    found: list[Groups] = []

    def opened(names: Sequence[str], _table: str) -> Groups:
        found.append(Groups(names, asked, *turn))
        return found[-1]

    file.seek(0)
    reading.stream(file, asked, limits, patience, opened)
    meant = next((groups for groups in found if groups.is_meant), None)
    if meant is None:
        raise Unreadable("damaged", format=asked["format"], reason="no such columns")
    if not meant.is_complete:
        raise Unreadable("too-much-time", limit_seconds=limits.cpu_seconds)
    return meant
