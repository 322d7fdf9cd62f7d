"""Tiles: the paths of C2SP tlog-tiles, and bytes out of which others compute the same tree."""

import hashlib
import struct

import pytest
from flask import Flask

from marketplace.audit import sequencer, tiles
from marketplace.audit.tiles import Tile
from marketplace.kit import merkle
from tests.audit.test_record import write


@pytest.mark.parametrize(
    ("path", "tile"),
    [
        ("0/000", Tile(0, 0, 256)),
        ("1/x001/x234/067", Tile(1, 1234067, 256)),
        ("63/999.p/1", Tile(63, 999, 1)),
        ("entries/x001/000.p/255", Tile(None, 1000, 255)),
    ],
)
def test_paths_are_those_of_the_specification(path: str, tile: Tile) -> None:
    assert tiles.read_path(path) == tile
    assert tiles.path_of(tile) == path


@pytest.mark.parametrize(
    "path",
    [
        "", "0", "0/", "0/0", "0/00", "0/0000", "00/000", "64/000", "-1/000", "0/x000/001", "0/001/002", "0/x001",
        "0/000.p/0", "0/000.p/256", "0/000.p/01", "0/000.p/", "0/000.p/999", "other/000", "0/٠٠٠", "0/000/", "../0/000",
        "0/x001/x001/x001/x001/x001/x001/000",
    ],
)  # fmt: skip
def test_other_paths_name_nothing(path: str) -> None:
    assert tiles.read_path(path) is None


def test_the_tiles_of_a_tree_are_its_hashes_and_its_entries(own_database: Flask) -> None:
    write(600)
    sequencer.sequence_all()
    size, root = sequencer.root()
    widths = {0: [256, 256, 88], 1: [2]}
    read = {
        level: b"".join(content(Tile(level, number, width)) for number, width in enumerate(each))
        for level, each in widths.items()
    }
    entries = [one for number, width in enumerate(widths[0]) for one in unpacked(content(Tile(None, number, width)))]
    leaves = [merkle.leaf_hash(entry) for entry in entries]
    assert read[0] == b"".join(leaves)
    assert read[1] == b"".join(merkle.span(0, 256, subtrees(leaves[at : at + 256])) for at in (0, 256))
    assert (size, root) == (600, merkle.root(600, subtrees(leaves)))
    assert hashlib.sha256(b"\0" + entries[7]).digest() == read[0][7 * 32 : 8 * 32]


@pytest.mark.parametrize(
    "tile",
    [Tile(0, 0, 6), Tile(0, 0, 256), Tile(0, 1, 1), Tile(1, 0, 1), Tile(8, 0, 1), Tile(63, 0, 1), Tile(None, 0, 6),
     Tile(0, 10**17, 256), Tile(None, 10**17, 256)],
    ids=str,
)  # fmt: skip
def test_a_tile_that_the_tree_has_not_grown_to_is_not_there(own_database: Flask, tile: Tile) -> None:
    write(5)
    sequencer.sequence_all()
    assert tiles.content(Tile(0, 0, 5)) is not None
    assert tiles.content(tile) is None


def content(tile: Tile) -> bytes:
    found = tiles.content(tile)
    assert found is not None
    return found


def unpacked(bundle: bytes) -> list[bytes]:
    found = []
    while bundle:
        (length,) = struct.unpack(">H", bundle[:2])
        found.append(bundle[2 : 2 + length])
        bundle = bundle[2 + length :]
    return found


def subtrees(leaves: list[bytes]) -> merkle.Subtree:
    nodes: dict[tuple[int, int], bytes] = {}
    for position, leaf in enumerate(leaves):
        for level, at, value in merkle.grow(position, leaf, lambda level, at: nodes[level, at]):
            nodes[level, at] = value
    return lambda level, at: nodes[level, at]
