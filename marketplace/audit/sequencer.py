"""Giving each committed entry its place in the tree: one sequencer at a time, in batches."""

import logging
from collections.abc import Callable
from datetime import datetime
from functools import partial
from typing import TypeVar

from sqlalchemy import func, select, text, tuple_

from marketplace.audit.errors import LogForked
from marketplace.audit.models import Leaf, Node, Waiting
from marketplace.kit import merkle
from marketplace.kit.db import db
from marketplace.kit.merkle import Subtree
from marketplace.kit.transaction import transaction

log = logging.getLogger(__name__)
BATCH = 1000
T = TypeVar("T")
_LOCK = 0x6D7573756269  # "musubi"
# In the order of their instants as far as they are committed: whoever commits late is placed late.
_NEXT = text("""
WITH first AS (
  SELECT occurred_at, entry_id FROM audit_waiting ORDER BY occurred_at, entry_id LIMIT :batch),
taken AS (
  DELETE FROM audit_waiting w USING first
   WHERE w.occurred_at = first.occurred_at AND w.entry_id = first.entry_id
  RETURNING w.entry_id)
SELECT e.id, e.canonical FROM taken JOIN audit_entry e ON e.id = taken.entry_id ORDER BY e.occurred_at, e.id
""")
_ADD_LEAVES = text("""
INSERT INTO audit_leaf (position, entry_id)
SELECT :size + place - 1, entry_id FROM unnest(CAST(:entry_ids AS text[])) WITH ORDINALITY AS placed (entry_id, place)
""")
_ADD_NODES = text("""
INSERT INTO audit_node (level, position, hash)
SELECT * FROM unnest(CAST(:levels AS integer[]), CAST(:positions AS bigint[]), CAST(:hashes AS bytea[]))
""")


def sequence_all() -> int:
    """Place every entry that is committed and not yet placed; returns how many.

    An advisory lock lets one sequencer work at a time, whatever the number of processes. Each batch
    is one transaction, so a sequencer that dies leaves nothing half placed. Raises LogForked where the tree lacks
    what it is to grow on.
    """
    placed = 0
    while True:
        with transaction():
            count = _sequence_batch()
        placed += count
        if count < BATCH:
            return placed


def is_allowed() -> bool:
    """Whether this login may place entries: one that only audits may not."""
    return bool(db.session.scalar(text("SELECT has_table_privilege('audit_leaf', 'INSERT')")))


def _sequence_batch() -> int:
    db.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    rows = db.session.execute(_NEXT, {"batch": BATCH}).all()
    if not rows:
        return 0
    size = tree_size()
    # Whatever grows on the tree has its left neighbours among these, or among what has just grown.
    edge = _stored(_wanted(partial(merkle.root, size)))
    fresh: dict[tuple[int, int], bytes] = {}

    def sibling(level: int, position: int) -> bytes:
        return _found(fresh if (level, position) in fresh else edge, level, position)

    for position, row in enumerate(rows, size):
        grown = merkle.grow(position, merkle.leaf_hash(row.canonical.encode()), sibling)
        fresh.update({(level, at): value for level, at, value in grown})
    db.session.execute(_ADD_LEAVES, {"size": size, "entry_ids": [row.id for row in rows]})
    levels, positions = zip(*fresh, strict=True)
    nodes = {"levels": list(levels), "positions": list(positions), "hashes": list(fresh.values())}
    db.session.execute(_ADD_NODES, nodes)
    return len(rows)


def tree_size() -> int:
    """Return the number of placed entries."""
    last = db.session.execute(select(Leaf.position).order_by(Leaf.position.desc()).limit(1)).scalar()
    return 0 if last is None else last + 1


def over_tree(compute: Callable[[Subtree], T]) -> T:
    """Compute something over the stored tree with one query.

    It is asked twice: which subtrees it looks at must not depend on their hashes, as it never does in RFC 6962.
    Raises LogForked where one is missing.
    """
    found = _stored(_wanted(compute))

    def stored(level: int, position: int) -> bytes:
        return _found(found, level, position)

    return compute(stored)


def _found(nodes: dict[tuple[int, int], bytes], level: int, position: int) -> bytes:
    if (level, position) not in nodes:
        raise LogForked(f"the subtree {level}/{position} is gone: run `marketplace audit verify`")
    return nodes[level, position]


def _wanted(compute: Callable[[Subtree], object]) -> set[tuple[int, int]]:
    wanted: set[tuple[int, int]] = set()

    def note(level: int, position: int) -> bytes:
        wanted.add((level, position))
        return b""

    compute(note)
    return wanted


def _stored(wanted: set[tuple[int, int]]) -> dict[tuple[int, int], bytes]:
    if not wanted:
        return {}
    stored = select(Node.level, Node.position, Node.hash).where(tuple_(Node.level, Node.position).in_(wanted))
    return {(row.level, row.position): row.hash for row in db.session.connection().execute(stored)}


def root(size: int | None = None) -> tuple[int, bytes]:
    """Return the size and the root hash of the tree, or of its first ``size`` leaves."""
    size = tree_size() if size is None else size
    return size, over_tree(partial(merkle.root, size))


def unplaced() -> int:
    """Return how many entries wait for their place, counted up to one batch."""
    waiting = select(Waiting.entry_id).limit(BATCH).subquery()
    return db.session.scalar(select(func.count()).select_from(waiting)) or 0


def unplaced_since() -> datetime | None:
    """Return when the oldest entry was written that waits for its place, None where none waits."""
    return db.session.scalar(select(func.min(Waiting.occurred_at)))
