"""Checkpoints: the tree as it was at an instant, signed, so that all can be shown the same (C2SP tlog-checkpoint).

What was signed once is never contradicted. It is kept in the database, and in a file of this machine beside it: a
database that was restored from an old backup does not know any more what its log has said, and the file does.
"""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Interval, func, literal, select, text
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import log_keys, sequencer
from marketplace.audit.errors import LogForked, LogKeyUnusable
from marketplace.audit.models import Checkpoint, Cosignature, LogKey
from marketplace.kit import clock, notes, secret_files, settings
from marketplace.kit.db import db
from marketplace.kit.notes import Note, Signature, VerifierKey

log = logging.getLogger(__name__)
_LOCK = 0x6D7573756270  # beside the sequencer's


@dataclass(frozen=True, slots=True)
class Policy:
    """Who has to have signed a checkpoint: ``count`` of the witnesses, by their keys, within a time of its signing."""

    witnesses: tuple[str, ...]
    count: int
    within: timedelta


def policy() -> Policy | None:
    """Return what the settings ask for, None where they ask for no witnesses."""
    chosen = settings.current()
    if not chosen.log_witnesses_min:
        return None
    keys = tuple(notes.read_witness(one)[1].text for one in chosen.log_witnesses)
    return Policy(keys, chosen.log_witnesses_min, timedelta(seconds=chosen.log_witnesses_seconds))


def publish() -> Checkpoint | None:
    """Sign the tree where it has grown since the last checkpoint; to be called in a transaction.

    None where it has not. Raises LogForked where the record does not continue all that was signed before, also
    where it has not grown since an old backup was restored, and LogKeyUnusable. One signs at a time, whatever the
    number of processes.
    """
    db.session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    size, root = sequencer.root()
    before = latest()
    require_continued(size)
    if before is not None and before.size == size:
        _note_beside(before)
        return None
    if size == 0:
        return None
    signed = notes.Checkpoint(log_keys.origin(), size, root)
    note = Note(signed.text, log_keys.sign(signed.text)).written
    checkpoint = Checkpoint(size=size, root=root, note=note, signed_at=clock.now())
    # First the file: what is in the database may have been shown to somebody.
    _note_beside(checkpoint)
    db.session.add(checkpoint)
    _keep_keys()
    db.session.flush()
    return checkpoint


def trouble() -> str | None:
    """Return why nothing is signed any more, None where the record may be signed."""
    try:
        require_continued(sequencer.tree_size())
        if not log_keys.is_new():
            log_keys.verifiers()
    except (LogForked, LogKeyUnusable) as error:
        return str(error)
    return None


def require_continued(size: int) -> None:
    """Refuse a tree of this size that is not what was signed last, in the database or beside it; raises LogForked."""
    sound: set[tuple[int, bytes]] = set()
    for where, seen in seen_last():
        if seen.size > size:
            raise LogForked(f"{where} a tree of {seen.size} was signed, and the record has {size} entries")
        # Most of the time the file says what the database does.
        if (seen.size, seen.root) not in sound and sequencer.root(seen.size)[1] != seen.root:
            raise LogForked(f"{where} another root was signed for the first {seen.size} entries")
        sound.add((seen.size, seen.root))


def seen_last() -> Iterator[tuple[str, notes.Checkpoint]]:
    """Yield what was signed last, and by what it is known; raises LogForked where that cannot be read any more."""
    before = latest()
    if before is not None:
        yield "in the database", notes.Checkpoint(log_keys.origin(), before.size, before.root)
    beside = _read_beside()
    if beside is not None:
        yield f"by {settings.current().log_signed_path}", beside


def note_beside() -> str | None:
    """Return the checkpoint that lies beside the database, None where none does; raises UnicodeDecodeError."""
    path = settings.current().log_signed_path
    return path.read_text(encoding="utf-8") if path.exists() else None


def _read_beside() -> notes.Checkpoint | None:
    try:
        note = note_beside()
        return None if note is None else notes.read_checkpoint(notes.read(note).text)
    except ValueError as error:
        path = settings.current().log_signed_path
        raise LogForked(f"{path} does not say any more what was signed ({error}): restore it") from error


def _note_beside(checkpoint: Checkpoint) -> None:
    """Note on this machine what was signed last, also where another has signed it: that one may be lost."""
    beside = _read_beside()
    if beside is None or beside.size < checkpoint.size:
        secret_files.replace(settings.current().log_signed_path, checkpoint.note.encode())


def _keep_keys() -> None:
    for key in log_keys.verifiers():
        row = {"vkey": key.text, "first_used_at": clock.now()}
        db.session.execute(insert(LogKey).values(row).on_conflict_do_nothing())


def latest() -> Checkpoint | None:
    """Return the last checkpoint, None before the first."""
    return db.session.scalar(select(Checkpoint).order_by(Checkpoint.size.desc()).limit(1))


def latest_witnessed(policy: Policy) -> Checkpoint | None:
    """Return the last checkpoint that so many of the witnesses have signed in time."""
    in_time = Cosignature.witnessed_at <= Checkpoint.signed_at + literal(policy.within, Interval)
    # In the order of the key, so that it ends at the first that is enough.
    enough = (
        select(Cosignature.size)
        .join(Checkpoint, Checkpoint.size == Cosignature.size)
        .where(Cosignature.witness.in_(policy.witnesses), in_time)
        .group_by(Cosignature.size)
        .having(func.count() >= policy.count)
        .order_by(Cosignature.size.desc())
        .limit(1)
    )
    size = db.session.scalar(enough)
    return None if size is None else find(size)


def unwitnessed_since(policy: Policy) -> datetime | None:
    """Return when the first checkpoint was signed that still waits for enough witnesses; None where none does."""
    witnessed = latest_witnessed(policy)
    waiting = select(Checkpoint.signed_at).where(Checkpoint.size > (witnessed.size if witnessed else 0))
    return db.session.scalar(waiting.order_by(Checkpoint.size).limit(1))


def size_seen_by(witness: VerifierKey) -> int:
    """Return the size of the last checkpoint that a witness has signed, 0 for none."""
    sizes = select(func.max(Cosignature.size)).where(Cosignature.witness == witness.text)
    return db.session.scalar(sizes) or 0


def find(size: int) -> Checkpoint | None:
    """Return the checkpoint of a tree size, if one was signed."""
    return db.session.get(Checkpoint, size)


def written(checkpoint: Checkpoint) -> str:
    """Return a checkpoint with the signatures of the log and of all witnesses that have seen it."""
    lines = select(Cosignature.line).where(Cosignature.size == checkpoint.size).order_by(Cosignature.witness)
    return checkpoint.note + "".join(db.session.scalars(lines))


def keep_cosignature(checkpoint: Checkpoint, key: VerifierKey, signature: Signature, at: datetime) -> None:
    """Keep what a witness has signed of a checkpoint, once."""
    row = {
        "size": checkpoint.size,
        "witness": key.text,
        "line": signature.line,
        "witnessed_at": at,
    }
    db.session.execute(insert(Cosignature).values(row).on_conflict_do_nothing())


def list_keys() -> list[LogKey]:
    """Return every key that checkpoints were ever signed with, oldest first."""
    return list(db.session.scalars(select(LogKey).order_by(LogKey.first_used_at, LogKey.vkey)))
