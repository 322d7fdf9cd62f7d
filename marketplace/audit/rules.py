"""The mathematics of the record: canonical entries and RFC 6962 hashes. Pure."""

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

from marketplace.kit import clock
from marketplace.kit.canonical import canonical_json

FIELDS = (
    "id", "occurred_at", "organization_id", "client_id", "member_id", "verb", "subject",
    "counterparty_id", "dataset_id", "amount_minor", "facts",
)  # fmt: skip
VERSION = 1


def canonical_entry(columns: Mapping[str, Any]) -> str:
    """Return the RFC 8785 text that the leaf commits to; absent fields are left out."""
    document = {name: columns[name] for name in FIELDS if columns[name] is not None}
    document["occurred_at"] = clock.text(columns["occurred_at"])
    return canonical_json({"v": VERSION, **document}).decode()


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\1" + left + right).digest()


def grow(position: int, leaf: bytes, sibling: Callable[[int, int], bytes]) -> list[tuple[int, int, bytes]]:
    """Return the nodes (level, position, hash) that become complete when this leaf is added.

    ``sibling(level, position)`` gives the hash of an earlier complete subtree.
    """
    nodes = [(0, position, leaf)]
    level, at, value = 0, position, leaf
    while at & 1:
        value = node_hash(sibling(level, at - 1), value)
        level, at = level + 1, at >> 1
        nodes.append((level, at, value))
    return nodes


def root(size: int, subtree: Callable[[int, int], bytes]) -> bytes:
    """Return the Merkle tree hash of the first ``size`` leaves out of complete subtrees."""
    if size == 0:
        return hashlib.sha256(b"").digest()
    peaks = _peaks(size)
    value = subtree(*peaks[-1])
    for level, position in reversed(peaks[:-1]):
        value = node_hash(subtree(level, position), value)
    return value


def _peaks(size: int) -> list[tuple[int, int]]:
    peaks, before = [], 0
    for level in range(size.bit_length() - 1, -1, -1):
        if size >> level & 1:
            peaks.append((level, before >> level))
            before += 1 << level
    return peaks
