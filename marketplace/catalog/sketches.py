"""How many values of a key two datasets have in common, by sketches that the profiler makes and nobody is shown.

A sketch holds the smallest hashes of a column's different values. As far as both of two sketches reach, all hashes of
both are there: what they share among these is what the columns share, exactly where both columns have few values.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import delete, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalog.joins import Shared
from marketplace.catalog.key_models import ColumnSketch
from marketplace.catalog.profiling.distinct import SKETCH
from marketplace.catalog.profiling.result import Profile
from marketplace.kit.db import db

FILES_MAX = 20
SEEN_MIN = 20
"""From fewer hashes no share is estimated."""
_FIND = text("""
SELECT sha256, made_by, one.key AS name, one.value AS hashes FROM column_sketch, jsonb_each(columns) AS one
 WHERE sha256 = ANY(:contents) AND one.key = ANY(:names)
""")
Sketches = Mapping[tuple[str, str], tuple[str, list[int]]]


class Match(NamedTuple):
    """The shares, in percent, of the different values of either side that the other has."""

    share_percent: int
    other_share_percent: int
    is_exact: bool


class _Column(NamedTuple):
    """A column of a key in one file: where its sketch is, and how its values are written."""

    sha256: str
    name: str
    spelling: tuple[Any, ...]


def keep(sha256: str, found: Profile, but: Collection[str] = ()) -> None:
    """Keep the sketches of a content, without those of columns in which people were found."""
    kept = {name: hashes for name, hashes in found.sketches.items() if name not in but}
    if kept:
        row = {"sha256": sha256, "made_by": found.made_by, "columns": kept}
        db.session.execute(insert(ColumnSketch).values(row).on_conflict_do_nothing())


def forget(sha256: str) -> None:
    """Forget the sketches of a content that is gone."""
    db.session.execute(delete(ColumnSketch).where(ColumnSketch.sha256 == sha256))


def compared(
    own: Mapping[str, Any], others: Sequence[tuple[Mapping[str, Any], Sequence[Shared]]]
) -> list[list[Match | None]]:
    """Return for each other document, and each key that it shares with one's own, how far their values meet.

    None where it is not known: of files that were profiled before there were sketches, of columns whose values are
    written differently or of different fineness, and of columns whose values are not shown.
    """
    keys = [(one.columns, one.other_columns) for _, shared in others for one in shared]
    names = {name for pair in keys for columns in pair for name in columns}
    contents = {one["sha256"] for document in (own, *(other for other, _ in others)) for one in _files(document)}
    held = _held(contents, names) if names else {}
    return [[_match(own, other, one, held) for one in shared] for other, shared in others]


def matched(one: Collection[int], other: Collection[int]) -> Match | None:
    """Return how far two sketches meet; None where so little is seen of one that nothing can be told."""
    reach = [max(side) for side in (one, other) if len(side) >= SKETCH]
    limit = min(reach, default=None)
    ours, theirs = ({value for value in side if limit is None or value <= limit} for side in (one, other))
    if not ours or not theirs or (limit is not None and min(len(ours), len(theirs)) < SEEN_MIN):
        return None
    both = len(ours & theirs)
    return Match(_percent(both, len(ours)), _percent(both, len(theirs)), limit is None)


def _percent(part: int, whole: int) -> int:
    """Return a share in whole percent; 0 and 100 are said of none and of all alone."""
    rounded = (200 * part + whole) // (2 * whole)
    return rounded if part in {0, whole} else min(99, max(1, rounded))


def _match(own: Mapping[str, Any], other: Mapping[str, Any], key: Shared, held: Sketches) -> Match | None:
    if key.grain != key.other_grain or len(key.columns) != 1 or len(key.other_columns) != 1:
        return None
    ours, theirs = list(_columns(own, key.columns[0])), list(_columns(other, key.other_columns[0]))
    if len({column.spelling for column in (*ours, *theirs)}) != 1 or not ours or not theirs:
        return None
    found = [held.get((column.sha256, column.name)) for column in (*ours, *theirs)]
    if len({one[0] if one else None for one in found}) != 1 or None in found:
        return None
    merged = [_merged(held, side) for side in (ours, theirs)]
    return matched(*merged)


def _merged(held: Sketches, columns: Sequence[_Column]) -> list[int]:
    """Return the sketch of several files together: the smallest of the smallest."""
    hashes = {one for column in columns for one in held[column.sha256, column.name][1]}
    return sorted(hashes)[:SKETCH]


def _columns(document: Mapping[str, Any], name: str) -> Iterator[_Column]:
    for file in _files(document):
        for column in (file.get("profile") or {}).get("columns") or ():
            if column.get("name") == name:
                yield _Column(file["sha256"], name, _spelling(column))


def _spelling(column: Mapping[str, Any]) -> tuple[Any, ...]:
    """Return how the values of a column are written: texts of another form are other texts, whatever they mean."""
    shown = [one for one in (*(column.get("examples") or ()), column.get("min"), column.get("max")) if one]
    if not shown:
        return (None, id(column))
    if column.get("type") in {"date", "datetime"}:
        return (column["type"], column.get("format") or "iso")
    return ("code", *sorted({len(one) for one in shown}))


def _files(document: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    releases = document.get("releases") or ()
    return list(releases[0].get("files", ())[:FILES_MAX]) if releases else []


def _held(contents: Collection[str], names: Collection[str]) -> dict[tuple[str, str], tuple[str, list[int]]]:
    rows = db.session.execute(_FIND, {"contents": sorted(contents), "names": sorted(names)})
    return {(row.sha256, row.name): (row.made_by, row.hashes) for row in rows}
