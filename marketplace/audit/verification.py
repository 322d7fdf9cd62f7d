"""Recomputing the record from its entries, and naming what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

import rfc8785
from sqlalchemy import Row, and_, func, or_, select, text

from marketplace.audit import rules, sequencer
from marketplace.audit.models import Entry, Leaf, Node, Waiting
from marketplace.audit.signed import Signed
from marketplace.kit import merkle
from marketplace.kit.db import db

BATCH = 4096
FINDINGS_MAX = 1000
TOLERANCE = timedelta(minutes=5)
# One statement, so that leaves and nodes are those of one moment however fast the tree grows meanwhile.
_ORPHANS = text("""
WITH tree AS (SELECT coalesce(max(position) + 1, 0) AS size FROM audit_leaf)
SELECT level, position FROM audit_node, tree
 WHERE level NOT BETWEEN 0 AND 62 OR position < 0 OR position >= size >> least(greatest(level, 0), 62)
 ORDER BY level, position LIMIT :limit
""")
# A place below the first is none, where somebody took away the constraint that refuses it.
_FORGOTTEN = (
    select(Entry.id)
    .outerjoin(Leaf, and_(Leaf.entry_id == Entry.id, Leaf.position >= 0))
    .outerjoin(Waiting, Waiting.entry_id == Entry.id)
    .where(Leaf.entry_id.is_(None), Waiting.entry_id.is_(None))
    .order_by(Entry.id)
    .limit(FINDINGS_MAX)
)


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with the record: where, and what."""

    position: int | None
    entry_id: str | None
    trouble: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """The outcome of a verification: tree size, root hash in hex, and all findings."""

    size: int
    root: str
    unplaced: int
    findings: list[Finding]

    @property
    def sound(self) -> bool:
        """Whether nothing was found."""
        return not self.findings


def verify(noted: tuple[int, str] | None = None) -> Verdict:
    """Recompute every hash of the record; ``noted`` is an earlier (size, root in hex) to be matched as well.

    Detects altered, removed, swapped, doubled, back-dated and hidden entries, altered, missing and
    surplus nodes, and a tree that is another than was signed, however well it was rewritten. What was
    placed before the call is verified, while the record may go on growing; memory grows with the
    logarithm of its size. Ends early when more than ``FINDINGS_MAX`` things are wrong.
    """
    walk = _Walk(sequencer.tree_size(), noted[0] if noted else None)
    walk.run()
    findings = walk.findings + _compare_noted(noted, walk)
    findings += [Finding(None, None, f"node {level}/{at} belongs to no leaf") for level, at in _orphans()]
    hidden = "the entry has no place in the tree and waits for none"
    findings += [Finding(None, entry_id, hidden) for entry_id in db.session.scalars(_FORGOTTEN)]
    return Verdict(walk.done, walk.root().hex(), _count_waiting(), findings)


class _Walk:
    """One pass over the leaves, oldest first, that holds the hashes of complete subtrees on the right edge only."""

    def __init__(self, size: int, noted_size: int | None) -> None:
        self.size, self.done = size, 0
        self.findings: list[Finding] = []
        self.noted_root: bytes | None = None
        self._noted_size = noted_size
        # The last complete subtree of each level: all that later nodes and the root are made of.
        self._edge: dict[int, bytes] = {}
        self._latest: datetime | None = None
        self._signed = Signed(lambda trouble: self._find(None, None, trouble))
        self._note_root()

    def run(self) -> None:
        """Verify batch after batch; stops where the record is too broken to go on."""
        while self.done < self.size and len(self.findings) <= FINDINGS_MAX:
            end = min(self.done + BATCH, self.size)
            stored = _stored_nodes(self.done, end)
            leaves = _leaves(self.done, end)
            signed = self._signed.roots(self.done, end)
            for position in range(self.done, end):
                self._visit(position, leaves.pop(position, None), stored)
                self._compare_signed(signed.get(self.done, set()))
            db.session.expunge_all()
        if self.done < self.size:
            self._find(self.done, None, "too much is wrong: verification ends here")
        self._signed.find_lost()

    def root(self) -> bytes:
        """Return the root over the leaves visited so far."""
        return merkle.root(self.done, self._subtree)

    def _visit(self, position: int, leaf: Row[str, int, Entry] | None, stored: dict[tuple[int, int], bytes]) -> None:
        committed = stored.get((0, position))
        if leaf is None:
            self._find(position, None, f"leaf {position} is missing")
            found = committed
        else:
            found = self._leaf_hash(position, leaf.entry_id, leaf.Entry, committed)
        # Going on with what the tree committed to makes one alteration one finding.
        value = committed or found or b""
        for level, at, computed in merkle.grow(position, value, self._subtree):
            self._edge[level] = computed
            if level and stored.get((level, at)) != computed:
                self._find(None, None, f"node {level}/{at} was altered or removed")
        if committed is None:
            self._find(None, None, f"node 0/{position} was altered or removed")
        self.done = position + 1
        self._note_root()

    def _leaf_hash(self, position: int, entry_id: str, entry: Entry | None, committed: bytes | None) -> bytes | None:
        if entry is None:
            self._find(position, entry_id, "the entry was removed")
            return None
        if not _agrees(entry):
            self._find(position, entry_id, "the columns differ from the canonical text")
        found = merkle.leaf_hash(entry.canonical.encode())
        if committed not in {None, found}:
            self._find(position, entry_id, "the entry is not what the tree committed to")
        if self._latest and entry.occurred_at < self._latest - TOLERANCE:
            self._find(position, entry_id, "the entry is dated before entries placed earlier")
        self._latest = max(self._latest or entry.occurred_at, entry.occurred_at)
        return found

    def _compare_signed(self, roots: set[bytes]) -> None:
        if roots - {self.root()}:
            self._find(None, None, f"the first {self.done} entries are not those that were signed")

    def _subtree(self, level: int, position: int) -> bytes:  # noqa: ARG002 - it is always the last one of its level
        return self._edge[level]

    def _note_root(self) -> None:
        if self.done == self._noted_size:
            self.noted_root = self.root()

    def _find(self, position: int | None, entry_id: str | None, trouble: str) -> None:
        self.findings.append(Finding(position, entry_id, trouble))


def _leaves(start: int, end: int) -> dict[int, Row[str, int, Entry]]:
    rows = db.session.execute(
        select(Leaf.entry_id, Leaf.position, Entry)
        .outerjoin(Entry, Entry.id == Leaf.entry_id)
        .where(Leaf.position >= start, Leaf.position < end)
        .execution_options(populate_existing=True)
    )
    return {row.position: row for row in rows}


def _stored_nodes(start: int, end: int) -> dict[tuple[int, int], bytes]:
    """Return the stored nodes that become complete with the leaves from ``start`` up to ``end``."""
    levels = [level for level in range(end.bit_length()) if end >> level > start >> level]
    complete = or_(
        *(and_(Node.level == level, Node.position >= start >> level, Node.position < end >> level) for level in levels)
    )
    rows = db.session.execute(select(Node.level, Node.position, Node.hash).where(complete))
    return {(row.level, row.position): row.hash for row in rows}


def _agrees(entry: Entry) -> bool:
    try:
        return rules.canonical_entry({name: getattr(entry, name) for name in rules.FIELDS}) == entry.canonical
    except (rfc8785.CanonicalizationError, UnicodeEncodeError):
        # Columns that have no canonical form were never recorded like that.
        return False


def _compare_noted(noted: tuple[int, str] | None, walk: _Walk) -> list[Finding]:
    if noted is None:
        return []
    noted_size, noted_root = noted
    if noted_size > walk.size:
        return [Finding(None, None, f"the tree has {walk.size} leaves but had {noted_size} when its root was noted")]
    if walk.noted_root is None or walk.noted_root.hex() != noted_root.lower():
        return [Finding(None, None, f"the first {noted_size} leaves are not those whose root was noted")]
    return []


def _orphans() -> Iterator[tuple[int, int]]:
    for row in db.session.execute(_ORPHANS, {"limit": FINDINGS_MAX}):
        yield row.level, row.position


def _count_waiting() -> int:
    return db.session.scalar(select(func.count()).select_from(Waiting)) or 0
