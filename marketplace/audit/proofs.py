"""Receipts of deeds: an entry, and the proof that the signed tree holds it, checked without us (C2SP tlog-proof)."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Protocol

from sqlalchemy import or_, select

from marketplace.audit import checkpoints, queries, sequencer
from marketplace.audit.errors import LogForked
from marketplace.audit.models import Checkpoint, Entry
from marketplace.kit import merkle, notes
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor

HEAD = "c2sp.org/tlog-proof@v1"


class Reader(Protocol):
    """Whoever asks for a receipt."""

    @property
    def organization_id(self) -> str:
        """The organization that asks."""
        ...

    @property
    def oversees(self) -> bool:
        """Whether it may see the deeds of others."""
        ...


@dataclass(frozen=True, slots=True)
class DeedReceipt:
    """An entry as its leaf commits to it; ``proof`` is None until a checkpoint holds it."""

    entry: Entry
    position: int | None
    proof: str | None


def get_receipt(reader: Reader, entry_id: str) -> DeedReceipt:
    """Return the receipt of a deed to those who had part in it and to overseers; NotFound to everyone else.

    Raises LogForked where the record is not any more what was signed.
    """
    placed = queries.get_entry(entry_id)
    if not reader.oversees and reader.organization_id not in _parties(placed.entry):
        raise NotFound
    proof = None if placed.position is None else proof_of(placed.entry, placed.position)
    return DeedReceipt(placed.entry, placed.position, proof)


def list_deeds(reader: Reader, subject: str, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[Entry]:
    """List the deeds that were done to a thing, of those that one had part in; newest first."""
    own = or_(Entry.organization_id == reader.organization_id, Entry.counterparty_id == reader.organization_id)
    query = select(Entry).where(Entry.subject == subject).order_by(Entry.id.desc()).limit(size + 1)
    if not reader.oversees:
        query = query.where(own)
    if key := decode_cursor(cursor, 1):
        query = query.where(Entry.id < str(key[0]))
    return cut(db.session.scalars(query).all(), size, lambda entry: [entry.id])


def proof_of(entry: Entry, position: int) -> str | None:
    """Return the proof that a checkpoint holds an entry at its place; None where all were signed before.

    It is the newest one that enough witnesses have signed in time, or else the newest. Raises LogForked where it
    holds something else.
    """
    policy = checkpoints.policy()
    checkpoint = checkpoints.latest_witnessed(policy) if policy else None
    if checkpoint is None or checkpoint.size <= position:
        checkpoint = checkpoints.latest()
    if checkpoint is None or checkpoint.size <= position:
        return None
    path = sequencer.over_tree(partial(merkle.inclusion, position, checkpoint.size))
    _require_proved(entry, position, path, checkpoint)
    return written(position, path, checkpoints.written(checkpoint))


def _require_proved(entry: Entry, position: int, path: Sequence[bytes], checkpoint: Checkpoint) -> None:
    proved = merkle.root_of_inclusion(merkle.leaf_hash(entry.canonical.encode()), position, checkpoint.size, path)
    told = notes.read_checkpoint(notes.read(checkpoint.note).text)
    # A proof that proves nothing would be believed to prove that we lied.
    if (told.size, told.root) != (checkpoint.size, proved):
        raise LogForked(f"{entry.id} is not what was signed at {position}: run `marketplace audit verify`")


def written(position: int, path: Sequence[bytes], checkpoint: str) -> str:
    """Return a proof as C2SP tlog-proof writes it: where the leaf is, its audit path, the signed checkpoint."""
    steps = "".join(f"{base64.b64encode(step).decode()}\n" for step in path)
    return f"{HEAD}\nindex {position}\n{steps}\n{checkpoint}"


def _parties(entry: Entry) -> set[str | None]:
    return {entry.organization_id, entry.counterparty_id}
