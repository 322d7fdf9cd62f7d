"""Taking the record of another operator's exchange in, so that its proofs can be made here."""

import json
from collections.abc import Iterator, Sequence
from itertools import islice

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import log_keys
from marketplace.audit import service as audit
from marketplace.audit.adopted import queries, rules
from marketplace.audit.adopted.archive import Archive
from marketplace.audit.adopted.errors import RecordRefused
from marketplace.audit.adopted.models import AdoptedRecord
from marketplace.audit.adopted.receipts import STORED_LEVELS
from marketplace.audit.service import Signatory
from marketplace.audit.verbs import Verb
from marketplace.kit import clock, merkle, notes
from marketplace.kit.db import db
from marketplace.kit.ids import is_id, new_id
from marketplace.kit.notes import BadNote, Checkpoint, VerifierKey

BATCH = 1000
# Who adopts the same archive at the same time waits for the first, however long that one takes.
_PATIENCE = text("SET LOCAL lock_timeout = 0")
_ADD_ENTRIES = text("""
INSERT INTO adopted_entry (record_id, entry_id, position, start)
SELECT :record_id, * FROM unnest(CAST(:entry_ids AS text[]), CAST(:positions AS bigint[]), CAST(:starts AS bigint[]))
    ON CONFLICT DO NOTHING RETURNING 1
""")
_ADD_NODES = text("""
INSERT INTO adopted_node (record_id, level, position, hash)
SELECT :record_id, * FROM unnest(CAST(:levels AS integer[]), CAST(:positions AS bigint[]), CAST(:hashes AS bytea[]))
""")
_Placed = tuple[str, int, int]
_Node = tuple[int, int, bytes]


def take_in(actor: Signatory, archive: Archive, sha256: str, keys: Sequence[VerifierKey]) -> tuple[AdoptedRecord, bool]:
    """Write down the record of a verified archive and bind it to our own record; False if that was done before.

    Memory does not grow with the archive. Raises RecordRefused.
    """
    note = archive.last_note()
    signed = _opened(note, keys)
    adopted_id = new_id("adr")
    columns = {
        "id": adopted_id,
        "origin": signed.origin,
        "size": signed.size,
        "root": signed.root,
        "sha256": sha256,
        "keys": [key.text for key in keys],
        "note": note,
        "adopted_at": clock.now(),
    }
    if not _write(columns):
        return queries.get_record_of(sha256), False
    _index(adopted_id, archive, signed)
    record = queries.get_record(adopted_id)
    audit.record(actor, Verb.RECORD_ADOPTED, subject=adopted_id, facts=rules.facts_of(record))
    return record, True


def _opened(note: str, keys: Sequence[VerifierKey]) -> Checkpoint:
    try:
        signed = notes.opened(note, keys)
    except BadNote as error:
        raise RecordRefused(f"Its last checkpoint is none: {error}.") from error
    if signed.origin == log_keys.origin():
        raise RecordRefused("Its log has the name of ours: set MARKETPLACE_LOG_NAME, since no two logs may share one.")
    return signed


def _write(columns: dict[str, object]) -> bool:
    db.session.execute(_PATIENCE)
    row = insert(AdoptedRecord).values(columns).on_conflict_do_nothing(index_elements=["sha256"])
    return db.session.execute(row.returning(AdoptedRecord.id)).first() is not None


def _index(record_id: str, archive: Archive, signed: Checkpoint) -> None:
    """Write down where each entry is, and the hashes of which proofs are made; the tree must be the one signed."""
    # The last complete subtree of each level: all that later ones and the root are made of.
    edge: dict[int, bytes] = {}
    size = 0

    def last(level: int, _position: int) -> bytes:
        return edge[level]

    for batch in _batches(archive):
        entries: list[_Placed] = []
        nodes: list[_Node] = []
        for start, line in batch:
            grown = merkle.grow(size, merkle.leaf_hash(line), last)
            edge.update({level: value for level, _position, value in grown})
            nodes += [node for node in grown if node[0] and node[0] % STORED_LEVELS == 0]
            entries.append((_id_of(line, size), size, start))
            size += 1
        _add(record_id, entries, nodes)
    if (size, merkle.root(size, last)) != (signed.size, signed.root):
        raise RecordRefused("Its last checkpoint is not over its entries.")


def _batches(archive: Archive) -> Iterator[list[tuple[int, bytes]]]:
    entries = archive.entries()
    while batch := list(islice(entries, BATCH)):
        yield batch


def _id_of(line: bytes, position: int) -> str:
    try:
        entry_id = json.loads(line.decode()).get("id")
    except UnicodeDecodeError:
        entry_id = None
    if not isinstance(entry_id, str) or not is_id(entry_id):
        raise RecordRefused(f"entries.ndjson line {position + 1}: the entry has no id.")
    return entry_id


def _add(record_id: str, entries: list[_Placed], nodes: list[_Node]) -> None:
    entry_ids, positions, starts = map(list, zip(*entries, strict=True))
    columns = {"record_id": record_id, "entry_ids": entry_ids, "positions": positions, "starts": starts}
    if len(db.session.execute(_ADD_ENTRIES, columns).all()) < len(entries):
        raise RecordRefused(f"entries.ndjson: an id of lines {positions[0] + 1} to {positions[-1] + 1} is there twice.")
    if nodes:
        levels, at, hashes = map(list, zip(*nodes, strict=True))
        db.session.execute(_ADD_NODES, {"record_id": record_id, "levels": levels, "positions": at, "hashes": hashes})
