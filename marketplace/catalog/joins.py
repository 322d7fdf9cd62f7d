"""Which datasets share a key with another one: kept for what everybody sees, and looked up at bounded cost.

For each key and area of the dataset so many others are taken, over an index; nearest are those that
share the most telling keys, at the same fineness, in the same place and over the same days.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from sqlalchemy import Row, delete, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.catalog import keys
from marketplace.catalog.key_kinds import DATE_GRAINS, GRAINS, NATION, Key, KeyKind
from marketplace.catalog.key_models import JoinKey
from marketplace.kit import clock
from marketplace.kit.db import db

WITHIN_MAX, AFTER_MAX = 40, 20
"""So many others are looked at for each key and area: whose last day is one of the dataset's, and later ones."""
ASKED_MAX = 24
WEIGHTS = {
    KeyKind.CORPORATE_NUMBER: 60,
    KeyKind.MESH: 50,
    KeyKind.COORDINATES: 45,
    KeyKind.POSTAL_CODE: 40,
    KeyKind.GOVERNMENT_CODE: 40,
    KeyKind.DATE: 30,
}
SAME_GRAIN, SAME_PLACE, SAME_DAYS = 5, 10, 10
_MEETS = {
    KeyKind.MESH: (KeyKind.MESH, KeyKind.COORDINATES),
    KeyKind.COORDINATES: (KeyKind.COORDINATES, KeyKind.MESH),
}
"""A point lies in a square: coordinates are joined with grid squares as well."""
# Ordered by the index and cut there: what it costs does not grow with the catalogue.
_IN_AREA = """SELECT k.* FROM unnest(CAST(:kinds AS text[]), CAST(:areas AS text[])) AS own (kind, area)
 CROSS JOIN LATERAL (
    (SELECT * FROM join_key WHERE kind = own.kind AND {place} AND recency BETWEEN :since AND :until
        AND dataset_id <> :but ORDER BY recency DESC, dataset_id DESC LIMIT :within)
     UNION ALL
    (SELECT * FROM join_key WHERE kind = own.kind AND {place} AND recency > :until
        AND dataset_id <> :but ORDER BY recency, dataset_id LIMIT :after)) AS k"""
_PLACED = text(_IN_AREA.format(place="area = own.area"))
_ANYWHERE = text(_IN_AREA.format(place="own.area = '*'"))


@dataclass(frozen=True, slots=True)
class Shared:
    """A key that two datasets share: in which columns, how fine each is, and how fine both can be made."""

    kind: KeyKind
    columns: tuple[str, ...]
    other_columns: tuple[str, ...]
    grain: str
    other_grain: str
    common_grain: str
    areas: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Join:
    """Another dataset with the keys that it shares, the days that both reach over, and how near it is."""

    dataset_id: str
    shared: tuple[Shared, ...]
    time_from: date | None
    time_to: date | None
    score: int


def follow(dataset_id: str, document: Mapping[str, Any] | None) -> None:
    """Keep the keys of a dataset as everybody sees it; None where the public does not."""
    db.session.execute(delete(JoinKey).where(JoinKey.dataset_id == dataset_id))
    rows = [_row(dataset_id, key, area, document) for key in keys.keys_of(document or {}) for area in sorted(key.areas)]
    if rows:
        db.session.execute(insert(JoinKey).on_conflict_do_nothing(), rows)


def find(dataset_id: str, own: Sequence[Key]) -> list[Join]:
    """Return public datasets that share keys with these ones of a dataset, nearest first."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in {(one.dataset_id, one.kind, one.grain, one.area): one for one in _candidates(dataset_id, own)}.values():
        found[row.dataset_id].append(row)
    joined = [_join(other, rows, own) for other, rows in found.items()]
    return sorted((one for one in joined if one.shared), key=lambda one: (-one.score, one.dataset_id))


def _row(dataset_id: str, key: Key, area: str, document: Mapping[str, Any] | None) -> dict[str, Any]:
    published = (document or {}).get("published_at")
    last = key.time_to or (clock.parse(published).date() if published else clock.today())
    return {
        "dataset_id": dataset_id,
        "kind": key.kind.value,
        "grain": key.grain,
        "area": area,
        "columns": list(key.columns),
        "time_from": key.time_from,
        "time_to": key.time_to,
        "recency": last.toordinal(),
    }


def _candidates(dataset_id: str, own: Sequence[Key]) -> Iterable[Row[Any]]:
    asked = [(kind, area) for key in own for kind in _MEETS.get(key.kind, (key.kind,)) for area in key.areas | {NATION}]
    asked = sorted(set(asked))[:ASKED_MAX]
    since = min((key.time_from.toordinal() for key in own if key.time_from), default=0)
    until = max((key.time_to.toordinal() for key in own if key.time_to), default=date.max.toordinal())
    bounds = {"since": since, "until": until, "but": dataset_id, "within": WITHIN_MAX, "after": AFTER_MAX}
    for statement, wanted in (
        (_PLACED, asked),
        (_ANYWHERE, [one for one in asked if one[1] == NATION and _is_anywhere(own, one[0])]),
    ):
        if wanted:
            named = {"kinds": [kind.value for kind, _ in wanted], "areas": [area for _, area in wanted]}
            yield from db.session.execute(statement, bounds | named)


def _is_anywhere(own: Sequence[Key], kind: KeyKind) -> bool:
    return any(NATION in key.areas and kind in _MEETS.get(key.kind, (key.kind,)) for key in own)


def _join(other: str, rows: Sequence[Any], own: Sequence[Key]) -> Join:
    days = _common_days(own, rows)
    shared: dict[KeyKind, tuple[int, Shared]] = {}
    for key in own:
        for row in rows:
            found = _shared(key, row, days)
            if found is not None and found[0] > shared.get(key.kind, (0, None))[0]:
                shared[key.kind] = found
    score = sum(points for points, _ in shared.values()) + (SAME_DAYS if shared and days else 0)
    first, last = days or (None, None)
    return Join(other, tuple(one for _, one in sorted(shared.values(), key=_by_points)), first, last, score)


def _by_points(one: tuple[int, Shared]) -> tuple[int, str]:
    return -one[0], one[1].kind


def _shared(key: Key, row: Any, days: tuple[date, date] | tuple[()] | None) -> tuple[int, Shared] | None:
    kind = KeyKind(row.kind)
    if kind not in _MEETS.get(key.kind, (key.kind,)):
        return None
    if key.kind is KeyKind.DATE and days == ():
        return None  # both tell their days, and they have none in common
    is_near = row.area in key.areas and row.area != NATION
    if not (is_near or NATION in {row.area, *key.areas}):
        return None
    common = _common_grain(key, kind, row.grain)
    points = WEIGHTS[key.kind] + SAME_GRAIN * (key.grain == row.grain) + SAME_PLACE * is_near
    areas = (row.area,) if is_near else ()
    return points, Shared(key.kind, key.columns, tuple(row.columns), key.grain, row.grain, common, areas)


def _common_grain(key: Key, kind: KeyKind, grain: str) -> str:
    """Return the coarser of two grains: what is finer is summed up to it."""
    if key.kind is KeyKind.DATE:
        return min((key.grain, grain), key=DATE_GRAINS.index)
    if key.kind is not kind:
        return key.grain if key.kind is KeyKind.MESH else grain
    return min((key.grain, grain), key=GRAINS.index)


def _common_days(own: Sequence[Key], rows: Sequence[Any]) -> tuple[date, date] | tuple[()] | None:
    """Return the first and the last day that both reach over, () where they have none, None where one tells none."""
    mine = next(((key.time_from, key.time_to) for key in own if key.time_from and key.time_to), None)
    theirs = next(((row.time_from, row.time_to) for row in rows if row.time_from), None)
    if mine is None or theirs is None:
        return None
    first, last = max(mine[0], theirs[0]), min(mine[1], theirs[1])
    return (first, last) if first <= last else ()
