"""Recomputing the record from its entries, and naming what is wrong."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy import select

from marketplace.audit import rules
from marketplace.audit.models import Entry, Leaf, Node
from marketplace.kit.db import db

BATCH = 5000
TOLERANCE = timedelta(minutes=5)


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
    """Recompute every hash of the record; ``noted`` is an earlier (size, root) to be matched as well.

    Detects altered, removed, swapped, doubled and back-dated entries, and altered or missing nodes.
    """
    findings: list[Finding] = []
    nodes: dict[tuple[int, int], bytes] = {}
    size = 0
    latest = None
    for position, entry_id, entry in _leaves():
        if position != size:
            findings.append(Finding(size, None, f"leaf {size} is missing"))
            break
        data = _leaf_data(position, entry_id, entry, findings)
        grown = rules.grow(position, rules.leaf_hash(data), lambda level, at: nodes[level, at])
        nodes.update({(level, at): value for level, at, value in grown})
        if entry is not None:
            if latest and entry.occurred_at < latest - TOLERANCE:
                findings.append(Finding(position, entry_id, "the entry is dated before entries placed earlier"))
            latest = max(latest or entry.occurred_at, entry.occurred_at)
        size += 1
    findings += _compare_nodes(nodes)
    computed = rules.root(size, lambda level, at: nodes[level, at]).hex()
    findings += _compare_noted(noted, size, nodes)
    return Verdict(size, computed, _count_unplaced(), findings)


def _leaves() -> Iterator[tuple[int, str, Entry | None]]:
    start = 0
    while True:
        rows = db.session.execute(
            select(Leaf.position, Leaf.entry_id, Entry)
            .outerjoin(Entry, Entry.id == Leaf.entry_id)
            .where(Leaf.position >= start)
            .order_by(Leaf.position)
            .limit(BATCH)
        ).all()
        for row in rows:
            yield row.position, row.entry_id, row.Entry
        if len(rows) < BATCH:
            return
        start = rows[-1].position + 1
        db.session.expunge_all()


def _leaf_data(position: int, entry_id: str, entry: Entry | None, findings: list[Finding]) -> bytes:
    if entry is None:
        findings.append(Finding(position, entry_id, "the entry was removed"))
        return b""
    columns = {name: getattr(entry, name) for name in rules.FIELDS}
    if rules.canonical_entry(columns) != entry.canonical:
        findings.append(Finding(position, entry_id, "the columns differ from the canonical text"))
    return entry.canonical.encode()


def _compare_nodes(computed: dict[tuple[int, int], bytes]) -> list[Finding]:
    findings = []
    stored = dict.fromkeys(computed, b"")
    for level, position, value in db.session.execute(select(Node.level, Node.position, Node.hash)):
        if (level, position) not in stored:
            findings.append(Finding(None, None, f"node {level}/{position} belongs to no leaf"))
        stored[level, position] = value
    for (level, position), value in computed.items():
        if stored[level, position] != value and (level == 0 or not findings):
            entry_id = _entry_at(position) if level == 0 else None
            what = (
                "the entry is not what the tree committed to" if level == 0 else f"node {level}/{position} was altered"
            )
            findings.append(Finding(position if level == 0 else None, entry_id, what))
    return findings


def _entry_at(position: int) -> str | None:
    return db.session.execute(select(Leaf.entry_id).where(Leaf.position == position)).scalar()


def _compare_noted(noted: tuple[int, str] | None, size: int, nodes: dict[tuple[int, int], bytes]) -> list[Finding]:
    if noted is None:
        return []
    noted_size, noted_root = noted
    if noted_size > size:
        return [Finding(None, None, f"the tree has {size} leaves but had {noted_size} when its root was noted")]
    if rules.root(noted_size, lambda level, at: nodes[level, at]).hex() != noted_root.lower():
        return [Finding(None, None, f"the first {noted_size} leaves are not those whose root was noted")]
    return []


def _count_unplaced() -> int:
    waiting = select(Entry.id).outerjoin(Leaf, Leaf.entry_id == Entry.id).where(Leaf.entry_id.is_(None))
    return len(db.session.execute(waiting).all())
