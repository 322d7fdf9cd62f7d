"""Archiving: the whole record in one file, with what must come of it, to be verified with the exchange switched off.

The archive is a tar file of lines. ``verify_audit.py`` at the root of the project reads it with the standard library
and ``cryptography`` alone, and its head says what each file holds.
"""

import hashlib
import io
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, BinaryIO

from sqlalchemy import text

from marketplace.audit import checkpoints
from marketplace.audit.models import Checkpoint
from marketplace.kit import clock
from marketplace.kit.canonical import canonical_json
from marketplace.kit.db import db
from marketplace.kit.errors import Refusal

FORMAT = "musubi-record/1"
ROWS_AT_ONCE = 2000
TABLES = (
    "audit_entry", "audit_waiting", "audit_leaf", "audit_node", "audit_checkpoint", "audit_cosignature",
    "audit_log_key", "ledger_txn", "ledger_entry", "ledger_account", "access_grant", "quota", "adopted_record",
)  # fmt: skip
"""What an archive is made of, and what was adopted: all that whoever audits needs to read."""
_ENTRIES = """
SELECT e.canonical FROM audit_leaf l JOIN audit_entry e ON e.id = l.entry_id WHERE l.position < :size
 ORDER BY l.position
"""
_LEAVES = "SELECT encode(hash, 'hex') AS hash FROM audit_node WHERE level = 0 AND position < :size ORDER BY position"
# What was written since the checkpoint: nothing is proved of it yet, but books and grants know of it already.
_PENDING = """
SELECT e.canonical FROM audit_entry e LEFT JOIN audit_leaf l ON l.entry_id = e.id
 WHERE l.position IS NULL OR l.position >= :size ORDER BY l.position NULLS LAST, e.occurred_at, e.id
"""
_CHECKPOINTS = "SELECT size, note FROM audit_checkpoint ORDER BY size"
_COSIGNATURES = "SELECT size, line FROM audit_cosignature ORDER BY size, witness"
_KEYS = "SELECT vkey FROM audit_log_key ORDER BY first_used_at, vkey"
# Sorted by what every program sorts alike, so that a line that was moved is told from one that was not.
_LEDGER = """
SELECT t.kind, t.ref, t.idem, t.effective_on, t.reverses,
       (SELECT jsonb_agg(jsonb_build_array(a.code, e.currency, e.amount_minor) ORDER BY e.seq)
          FROM ledger_entry e JOIN ledger_account a ON a.id = e.account_id WHERE e.txn_id = t.id) AS entries
  FROM ledger_txn t ORDER BY t.idem COLLATE "C"
"""
_GRANTS = """
SELECT id, order_id, organization_id, provider_organization_id, state FROM access_grant ORDER BY id COLLATE "C"
"""
_USAGE = """
SELECT grant_id, used_bytes AS bytes, used_rows AS rows, used_requests AS requests FROM quota
 ORDER BY grant_id COLLATE "C"
"""


class NothingSigned(Refusal):
    """An archive was asked for, and nothing of the record has been signed yet."""

    slug, status = "nothing-signed", 409
    title, title_ja = "Nothing is signed yet", "まだ署名された記録がありません"
    cause = "No checkpoint of the record has been signed, so that an archive would prove nothing."
    cure = "Start the exchange once, or look into its log for why the record is not signed."
    cause_ja = "監査記録のチェックポイントがまだ署名されていないため、書き出しても何も証明できません。"
    cure_ja = "取引所を一度起動するか、署名されない理由をログで確かめてください。"


@dataclass(frozen=True, slots=True)
class Archived:
    """What an archive holds: proved entries, entries that wait for a signature, and the root over the proved ones."""

    size: int
    pending: int
    root: str


def archive(out: BinaryIO) -> Archived:
    """Write the archive of one moment; memory does not grow with the record. Raises NothingSigned.

    To be called at the beginning of a transaction: it sees one snapshot, however busy the exchange is.
    """
    db.session.connection(execution_options={"isolation_level": "REPEATABLE READ"})
    checkpoint = checkpoints.latest()
    if checkpoint is None:
        raise NothingSigned
    return write(out, checkpoint.size, checkpoint.root, _files(checkpoint))


def write(out: BinaryIO, size: int, root: bytes, files: Iterable[tuple[str, Iterable[bytes]]]) -> Archived:
    """Write files of lines, and a head that says the size and root of the tree and what each of them holds."""
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as tar:
        told = {name: _add(tar, name, lines) for name, lines in files}
        head = {
            "format": FORMAT,
            "made_at": clock.text(clock.now()),
            "size": size,
            "root": root.hex(),
            "files": told,
        }
        _add(tar, "head.json", [canonical_json(head)])
    return Archived(size, told["pending.ndjson"]["lines"], root.hex())


def _files(checkpoint: Checkpoint) -> Iterator[tuple[str, Iterable[bytes]]]:
    of_size = {"size": checkpoint.size}
    yield "entries.ndjson", (row.canonical.encode() for row in _rows(_ENTRIES, of_size))
    yield "leaves.txt", (row.hash.encode() for row in _rows(_LEAVES, of_size))
    yield "pending.ndjson", (row.canonical.encode() for row in _rows(_PENDING, of_size))
    yield "checkpoints.ndjson", _notes()
    yield "keys.txt", (row.vkey.encode() for row in _rows(_KEYS))
    yield "ledger.ndjson", (_document(row) for row in _rows(_LEDGER))
    yield "grants.ndjson", (_document(row) for row in _rows(_GRANTS))
    yield "usage.ndjson", (_document(row) for row in _rows(_USAGE))


def _notes() -> Iterator[bytes]:
    """Yield each checkpoint with what witnesses have signed of it; those are few beside the checkpoints."""
    witnessed: dict[int, str] = {}
    for row in _rows(_COSIGNATURES):
        witnessed[row.size] = witnessed.get(row.size, "") + row.line
    for row in _rows(_CHECKPOINTS):
        yield canonical_json({"note": row.note + witnessed.get(row.size, "")})


def _rows(statement: str, given: dict[str, Any] | None = None) -> Iterator[Any]:
    return iter(db.session.execute(text(statement), given or {}, execution_options={"yield_per": ROWS_AT_ONCE}))


def _document(row: Any) -> bytes:
    facts = {name: value.isoformat() if hasattr(value, "isoformat") else value for name, value in row._mapping.items()}  # noqa: SLF001 - SQLAlchemy's own name of it
    return canonical_json(facts)


def _add(tar: tarfile.TarFile, name: str, lines: Iterable[bytes]) -> dict[str, Any]:
    """Add a file of lines, which passes the disk since a tar file says each size before the content."""
    digest, count = hashlib.sha256(), 0
    with tempfile.TemporaryFile() as spool:
        for line in lines:
            spool.write(line + b"\n")
            digest.update(line + b"\n")
            count += 1
        member = tarfile.TarInfo(name)
        member.size = spool.tell()
        spool.seek(io.SEEK_SET)
        tar.addfile(member, spool)
    return {"sha256": digest.hexdigest(), "lines": count}
