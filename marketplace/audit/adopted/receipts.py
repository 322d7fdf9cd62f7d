"""Receipts of what was done at the exchange of before: its entries, and the proofs that its signed tree holds them."""

import tarfile
from dataclasses import dataclass
from typing import BinaryIO

from marketplace.audit import proofs
from marketplace.audit.adopted import queries, rules
from marketplace.audit.adopted.archive import Archive
from marketplace.audit.adopted.errors import RecordDamaged
from marketplace.audit.adopted.models import AdoptedRecord
from marketplace.kit import merkle
from marketplace.kit.merkle import Subtree

STORED_LEVELS = 8
"""Of each eighth level the hashes are stored, as C2SP tlog-tiles has them; those between are made of 128 at most."""

_BROKEN = (tarfile.TarError, OSError, LookupError, ValueError)


@dataclass(frozen=True, slots=True)
class AdoptedReceipt:
    """An entry as its leaf commits to it, and the proof against the last checkpoint of the former log."""

    id: str
    entry: str
    position: int
    proof: str


def read(record: AdoptedRecord, file: BinaryIO, entry_id: str) -> AdoptedReceipt:
    """Return the receipt of an entry, out of a little of the archive; raises NotFound and RecordDamaged."""
    placed = queries.get_entry(record, entry_id)
    try:
        archive = Archive(file)
        line = archive.entry_at(placed.start)
        path = merkle.inclusion(placed.position, record.size, _tree(record, archive))
        proved = merkle.root_of_inclusion(merkle.leaf_hash(line), placed.position, record.size, path)
        entry = line.decode()
    except _BROKEN as error:
        raise RecordDamaged from error
    # A proof that proves nothing would be believed to prove that the former operator lied.
    if proved != record.root:
        raise RecordDamaged
    return AdoptedReceipt(entry_id, entry, placed.position, proofs.written(placed.position, path, note_of(record)))


def note_of(record: AdoptedRecord) -> str:
    """Return the last checkpoint of the former log; raises RecordDamaged where it is not any more what was adopted."""
    if not rules.is_signed(record):
        raise RecordDamaged
    return record.note


def _tree(record: AdoptedRecord, archive: Archive) -> Subtree:
    def subtree(level: int, position: int) -> bytes:
        height = level % STORED_LEVELS
        first, count = position << height, 1 << height
        if level == height:
            return _folded(archive.leaves(first, count))
        return _folded(queries.nodes(record, level - height, first, count))

    return subtree


def _folded(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [merkle.node_hash(*pair) for pair in zip(hashes[::2], hashes[1::2], strict=True)]
    return hashes[0]
