"""What changed in the columns from one release to the next. Pure functions."""

import unicodedata
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Any, NamedTuple

Columns = Mapping[str, str]
"""Types by column name, in the order in which they stand."""

ALIKE = 60
"""Names that agree in so many of a hundred of their letters, in the same place, are taken for one that was renamed."""

COMPARED_MAX = 200


class Rename(NamedTuple):
    """A column that is gone and one that came, which look like the same."""

    before: str
    after: str


class Retyped(NamedTuple):
    """A column that holds another type now."""

    name: str
    before: str
    after: str


class Changes(NamedTuple):
    """What a program that read the one release should mind in the other. Renames are a guess, and said to be one."""

    added: list[str]
    removed: list[str]
    renamed: list[Rename]
    retyped: list[Retyped]

    @property
    def breaks(self) -> bool:
        """Whether what read the former release may fail on this one: columns that were added break nothing."""
        return bool(self.removed or self.renamed or self.retyped)

    def document(self) -> dict[str, Any]:
        """Return it as JSON."""
        return {
            "added": self.added,
            "removed": self.removed,
            "renamed": [rename._asdict() for rename in self.renamed],
            "retyped": [column._asdict() for column in self.retyped],
            "breaks": self.breaks,
        }


def compare(before: Columns, after: Columns) -> Changes:
    """Return what changed; a column without a value in one of them has no type there, and is not retyped."""
    removed, added = [name for name in before if name not in after], [name for name in after if name not in before]
    renamed = _renamed(before, after, removed, added)
    gone, come = {rename.before for rename in renamed}, {rename.after for rename in renamed}
    retyped = [
        Retyped(name, before[name], after[name])
        for name in before
        if name in after and before[name] != after[name] and "empty" not in {before[name], after[name]}
    ]
    return Changes(
        [name for name in added if name not in come], [name for name in removed if name not in gone], renamed, retyped
    )


def _renamed(before: Columns, after: Columns, removed: Sequence[str], added: Sequence[str]) -> list[Rename]:
    places = {name: place for place, name in enumerate(before)}, {name: place for place, name in enumerate(after)}
    found, free = [], list(added[:COMPARED_MAX])
    for name in removed[:COMPARED_MAX]:
        twin = next((one for one in free if _same_name(name, one)), None) or next(
            (
                one
                for one in free
                if places[0][name] == places[1][one] and before[name] == after[one] and _alike(name, one)
            ),
            None,
        )
        if twin is not None:
            free.remove(twin)
            found.append(Rename(name, twin))
    return found


def _same_name(one: str, other: str) -> bool:
    return _plain(one) == _plain(other)


def _alike(one: str, other: str) -> bool:
    return 100 * SequenceMatcher(None, _plain(one), _plain(other)).ratio() >= ALIKE


def _plain(name: str) -> str:
    letters = unicodedata.normalize("NFKC", name[:100]).casefold()
    return "".join(sign for sign in letters if sign.isalnum())
