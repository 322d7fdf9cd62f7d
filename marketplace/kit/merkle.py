"""Merkle trees after RFC 6962: hashes, and the proofs that a leaf is in a tree and that one tree begins another. Pure.

A tree is told by its complete subtrees: ``subtree(level, position)`` gives the hash over the ``2 ** level`` leaves that
begin at ``position * 2 ** level``. Each is complete once and never changes.
"""

import hashlib
from collections.abc import Callable, Iterator, Sequence

Subtree = Callable[[int, int], bytes]
PROOF_MAX = 63
"""More hashes no proof has: a tree has at most 2 ** 63 leaves."""


class BadProof(ValueError):
    """A proof that proves nothing."""


def leaf_hash(data: bytes) -> bytes:
    """Return SHA-256(0x00 || data), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\0" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return SHA-256(0x01 || left || right), RFC 6962 section 2.1."""
    return hashlib.sha256(b"\1" + left + right).digest()


def grow(position: int, leaf: bytes, sibling: Subtree) -> list[tuple[int, int, bytes]]:
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


def root(size: int, subtree: Subtree) -> bytes:
    """Return the Merkle tree hash of the first ``size`` leaves."""
    return span(0, size, subtree)


def span(start: int, end: int, subtree: Subtree) -> bytes:
    """Return the Merkle tree hash of the leaves from ``start`` up to ``end``; a power of two divides ``start``."""
    if start == end:
        return hashlib.sha256(b"").digest()
    value = b""
    for level, position in reversed(list(_peaks(start, end))):
        value = node_hash(subtree(level, position), value) if value else subtree(level, position)
    return value


def _peaks(start: int, end: int) -> Iterator[tuple[int, int]]:
    """Yield the complete subtrees that leaves from ``start`` up to ``end`` consist of, largest first."""
    for level in range((end - start).bit_length() - 1, -1, -1):
        if (end - start) >> level & 1:
            yield level, start >> level
            start += 1 << level


def inclusion(position: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the audit path of a leaf, from its sibling up (RFC 6962 section 2.1.1)."""
    path, start, end = [], 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if position < middle:
            path.append(span(middle, end, subtree))
            end = middle
        else:
            path.append(span(start, middle, subtree))
            start = middle
    return path[::-1]


def consistency(before: int, size: int, subtree: Subtree) -> list[bytes]:
    """Return the proof that the first ``before`` leaves begin the tree of ``size`` (RFC 6962 section 2.1.2)."""
    if before in {0, size}:
        return []
    path, start, end, is_whole = [], 0, size, True
    while before != end:
        middle = start + _split(end - start)
        if before <= middle:
            path.append(span(middle, end, subtree))
            end = middle
        else:
            path.append(span(start, middle, subtree))
            start, is_whole = middle, False
    # What the older tree ends with is known to who knows its root, unless it is part of a larger one.
    return ([] if is_whole else [span(start, end, subtree)]) + path[::-1]


def _split(count: int) -> int:
    return 1 << (count - 1).bit_length() - 1


def root_of_inclusion(leaf: bytes, position: int, size: int, path: Sequence[bytes]) -> bytes:
    """Return the root that an audit path leads to (RFC 9162 section 2.1.3.2); raises BadProof."""
    if not 0 <= position < size:
        raise BadProof(f"a tree of {size} has no leaf {position}")
    value = leaf
    for is_left, step in _sides(position, size - 1, path):
        value = node_hash(step, value) if is_left else node_hash(value, step)
    return value


def require_consistent(before: int, root_before: bytes, size: int, root_now: bytes, path: Sequence[bytes]) -> None:
    """Refuse a proof that does not show one tree to begin the other (RFC 9162 section 2.1.4.2); raises BadProof."""
    if before > size:
        raise BadProof(f"a tree of {before} does not begin one of {size}")
    if before in {0, size}:
        if path or (before == size and root_before != root_now):
            raise BadProof("the proof is longer than it may be" if path else "the roots differ")
        return
    if roots_of_consistency(before, root_before, size, path) != (root_before, root_now):
        raise BadProof("the proof leads to other roots")


def roots_of_consistency(before: int, root_before: bytes, size: int, path: Sequence[bytes]) -> tuple[bytes, bytes]:
    """Return the two roots that a proof leads to, of 0 < ``before`` < ``size``; raises BadProof."""
    steps = list(path) if before & (before - 1) else [root_before, *path]
    if not steps:
        raise BadProof("the proof is empty")
    at, last = before - 1, size - 1
    while at & 1:
        at, last = at >> 1, last >> 1
    older = newer = steps[0]
    for is_left, step in _sides(at, last, steps[1:]):
        older = node_hash(step, older) if is_left else older
        newer = node_hash(step, newer) if is_left else node_hash(newer, step)
    return older, newer


def _sides(at: int, last: int, path: Sequence[bytes]) -> Iterator[tuple[bool, bytes]]:
    """Yield each step of a path from a node up, and whether it stands to the left; raises BadProof."""
    for step in path:
        if last == 0:
            raise BadProof("the path is longer than the tree is high")
        is_left = bool(at & 1) or at == last
        yield is_left, step
        while is_left and not at & 1 and at:
            at, last = at >> 1, last >> 1
        at, last = at >> 1, last >> 1
    if last:
        raise BadProof("the path ends below the root")
