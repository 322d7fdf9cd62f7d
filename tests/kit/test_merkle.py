"""Merkle trees: roots, audit paths and proofs of consistency, against RFC 6962 written down as it stands."""

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from marketplace.kit import merkle
from marketplace.kit.merkle import BadProof

SIZES = st.integers(1, 300)


def leaves_of(size: int) -> list[bytes]:
    return [merkle.leaf_hash(f"札幌 {number}".encode()) for number in range(size)]


def subtrees(leaves: list[bytes]) -> merkle.Subtree:
    nodes: dict[tuple[int, int], bytes] = {}
    for position, leaf in enumerate(leaves):
        for level, at, value in merkle.grow(position, leaf, lambda level, at: nodes[level, at]):
            nodes[level, at] = value
    return lambda level, at: nodes[level, at]


def root_of(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, as it is defined."""
    if len(leaves) < 2:
        return leaves[0] if leaves else hashlib.sha256(b"").digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return merkle.node_hash(root_of(leaves[:split]), root_of(leaves[split:]))


@given(SIZES, st.data())
def test_an_audit_path_leads_from_every_leaf_to_the_root_and_from_no_other(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    position = data.draw(st.integers(0, size - 1))
    path = merkle.inclusion(position, size, subtrees(leaves))
    root = root_of(leaves)
    assert merkle.root(size, subtrees(leaves)) == root
    assert merkle.root_of_inclusion(leaves[position], position, size, path) == root
    assert merkle.root_of_inclusion(merkle.leaf_hash(b"other"), position, size, path) != root
    for wrong in (path[:-1], [*path, root]):
        if len(wrong) != len(path) and (path or wrong):
            with pytest.raises(BadProof):
                merkle.root_of_inclusion(leaves[position], position, size, wrong)


@given(SIZES, st.data())
def test_a_proof_shows_that_one_tree_begins_the_other_and_no_altered_one(size: int, data: st.DataObject) -> None:
    leaves = leaves_of(size)
    before = data.draw(st.integers(1, size))
    old, now = root_of(leaves[:before]), root_of(leaves)
    path = merkle.consistency(before, size, subtrees(leaves))
    merkle.require_consistent(before, old, size, now, path)
    altered = leaves.copy()
    altered[data.draw(st.integers(0, before - 1))] = merkle.leaf_hash(b"altered")
    for roots, proof in (
        ((root_of(altered[:before]), now), path),
        ((old, root_of(altered)), merkle.consistency(before, size, subtrees(altered))),
        ((old, now), [*path, old]),
        ((old, now), path[:-1] or [old]),
    ):
        with pytest.raises(BadProof):
            merkle.require_consistent(before, roots[0], size, roots[1], proof)


def test_every_tree_continues_the_empty_one_and_none_a_larger_one() -> None:
    leaves = leaves_of(3)
    merkle.require_consistent(0, root_of([]), 3, root_of(leaves), [])
    with pytest.raises(BadProof):
        merkle.require_consistent(0, root_of([]), 3, root_of(leaves), [leaves[0]])
    with pytest.raises(BadProof):
        merkle.require_consistent(4, root_of(leaves), 3, root_of(leaves), [])


@pytest.mark.parametrize(("position", "size"), [(3, 3), (-1, 3), (0, 0)])
def test_a_leaf_that_is_not_there_has_no_path(position: int, size: int) -> None:
    with pytest.raises(BadProof):
        merkle.root_of_inclusion(b"\0" * 32, position, size, [])
