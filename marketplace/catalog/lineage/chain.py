"""The whole chain of a dataset: what it was made of and what was made of it, as far as a reader sees it.

The walk goes over datasets that the reader sees, and stops at one that is hidden: neither that one is told or counted,
nor what lies behind it alone. It is broad before it is deep, so that what is cut off is what lies farthest.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import text

from marketplace.catalog.sight import Sight
from marketplace.kit.db import db
from marketplace.kit.texts import storable

DEPTH_MAX = 10
EDGES_MAX = 500
"""How far and how much is told, up and down each."""
_SEEN = """(EXISTS (SELECT FROM listing WHERE listing.dataset_id = {id}) OR EXISTS (
            SELECT FROM private_listing WHERE private_listing.dataset_id = {id} AND group_id = ANY(:groups)))"""
_SOURCE_SEEN, _MADE_SEEN = _SEEN.format(id="origin.source_dataset_id"), _SEEN.format(id="origin.dataset_id")
_CHAIN = text(f"""
WITH RECURSIVE up (source_id, dataset_id, place, depth) AS (
    (SELECT source_dataset_id, dataset_id, place, 1 FROM dataset_origin AS origin
      WHERE dataset_id = :start AND (url IS NOT NULL OR {_SOURCE_SEEN}) ORDER BY place)
     UNION
    SELECT origin.source_dataset_id, origin.dataset_id, origin.place, up.depth + 1
      FROM up JOIN dataset_origin AS origin ON origin.dataset_id = up.source_id
     WHERE up.depth <= :depth AND (origin.url IS NOT NULL OR {_SOURCE_SEEN})
), down (source_id, dataset_id, place, depth) AS (
    (SELECT source_dataset_id, dataset_id, place, 1 FROM dataset_origin AS origin
      WHERE source_dataset_id = :start AND {_MADE_SEEN} ORDER BY dataset_id DESC)
     UNION
    SELECT origin.source_dataset_id, origin.dataset_id, origin.place, down.depth + 1
      FROM down JOIN dataset_origin AS origin ON origin.source_dataset_id = down.dataset_id
     WHERE down.depth <= :depth AND {_MADE_SEEN}
), walked AS (
    (SELECT true AS is_up, * FROM up LIMIT :edges + 1) UNION ALL (SELECT false, * FROM down LIMIT :edges + 1)
)
SELECT is_up, walked.source_id, walked.dataset_id, walked.place, walked.depth, origin.url, origin.title, origin.words
  FROM walked JOIN dataset_origin AS origin ON origin.dataset_id = walked.dataset_id AND origin.place = walked.place
 ORDER BY is_up DESC, walked.depth, walked.dataset_id DESC, walked.place
""")  # noqa: S608 - our own text


class Edge(NamedTuple):
    """That a dataset was made of another one, or of something elsewhere; ``depth`` counts from where the walk began."""

    source_id: str | None
    dataset_id: str
    depth: int
    url: str | None
    title: str
    words: str


class Chain(NamedTuple):
    """What was walked, nearest first, each edge once; ``is_cut`` says that there is more than is told."""

    up: list[Edge]
    down: list[Edge]
    is_cut: bool


def walk(dataset_id: str, sight: Sight) -> Chain:
    """Return the chain of a dataset that the reader sees."""
    asked = {"start": storable(dataset_id), "groups": sorted(sight.groups), "depth": DEPTH_MAX, "edges": EDGES_MAX}
    rows = db.session.execute(_CHAIN, asked).all()
    up = [Edge(one.source_id, one.dataset_id, one.depth, one.url, one.title, one.words) for one in rows if one.is_up]
    down = [Edge(one.source_id, one.dataset_id, one.depth, None, "", one.words) for one in rows if not one.is_up]
    is_much = len(up) > EDGES_MAX or len(down) > EDGES_MAX
    up, up_cut = _near(up[:EDGES_MAX])
    down, down_cut = _near(down[:EDGES_MAX])
    return Chain(up, down, is_much or up_cut or down_cut)


def _near(edges: Iterable[Edge]) -> tuple[list[Edge], bool]:
    """Return each edge once, at its least depth, and whether there are any beyond the depth that is told."""
    nearest: dict[tuple[str | None, str, str | None], Edge] = {}
    for edge in edges:
        nearest.setdefault((edge.source_id, edge.dataset_id, edge.url), edge)
    kept = [edge for edge in nearest.values() if edge.depth <= DEPTH_MAX]
    return kept, len(kept) < len(nearest)
