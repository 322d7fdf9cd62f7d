"""Tiles: the tree and its entries in pieces that never change, for programs that watch logs (C2SP tlog-tiles)."""

import re
import struct
from typing import NamedTuple

from sqlalchemy import select

from marketplace.audit.models import Entry, Leaf, Node
from marketplace.kit.db import db

WIDTH = 256
HEIGHT = 8
_LEVEL_MAX = 63 // HEIGHT
_PATH = re.compile(
    r"(?P<level>[0-9]|[1-5][0-9]|6[0-3]|entries)/(?P<index>(?:x[0-9]{3}/){0,5}[0-9]{3})(?:\.p/(?P<width>[1-9][0-9]{0,2}))?",
    re.ASCII,
)


class Tile(NamedTuple):
    """Which tile: ``level`` None is a bundle of entries; ``width`` is 256 for a full one."""

    level: int | None
    number: int
    width: int


def read_path(path: str) -> Tile | None:
    """Read the path of a tile below ``tile/``, None for one that names none."""
    found = _PATH.fullmatch(path)
    if found is None:
        return None
    width, parts = int(found["width"] or WIDTH), found["index"].replace("x", "").split("/")
    if (found["width"] and width >= WIDTH) or (len(parts) > 1 and parts[0] == "000"):
        return None
    return Tile(None if found["level"] == "entries" else int(found["level"]), int("".join(parts)), width)


def path_of(tile: Tile) -> str:
    """Return the path of a tile below ``tile/``."""
    digits = f"{tile.number:03d}"
    digits = digits.zfill(-(-len(digits) // 3) * 3)
    parts = [digits[at : at + 3] for at in range(0, len(digits), 3)]
    index = "/".join([*(f"x{part}" for part in parts[:-1]), parts[-1]])
    level = "entries" if tile.level is None else tile.level
    return f"{level}/{index}" + ("" if tile.width == WIDTH else f".p/{tile.width}")


def content(tile: Tile) -> bytes | None:
    """Return the bytes of a tile, None where the tree has not grown so far."""
    first, end = tile.number * WIDTH, tile.number * WIDTH + tile.width
    pieces = _entries(first, end) if tile.level is None else _hashes(tile.level, first, end)
    return b"".join(pieces) if len(pieces) == tile.width else None


def _hashes(level: int, first: int, end: int) -> list[bytes]:
    if level > _LEVEL_MAX or end >= 2**63:
        return []
    wanted = (Node.level == level * HEIGHT, Node.position >= first, Node.position < end)
    return list(db.session.scalars(select(Node.hash).where(*wanted).order_by(Node.position)))


def _entries(first: int, end: int) -> list[bytes]:
    if end >= 2**63:
        return []
    placed = select(Entry.canonical).join(Leaf, Leaf.entry_id == Entry.id)
    rows = db.session.scalars(placed.where(Leaf.position >= first, Leaf.position < end).order_by(Leaf.position))
    return [struct.pack(">H", len(data)) + data for data in (canonical.encode() for canonical in rows)]
