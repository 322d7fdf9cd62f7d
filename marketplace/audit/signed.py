"""Comparing the record with all that was signed of it: checkpoints, cosignatures, and the file beside the database."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sqlalchemy import select

from marketplace.audit import checkpoints, sequencer
from marketplace.audit.errors import LogForked
from marketplace.audit.models import Checkpoint, Cosignature
from marketplace.kit import notes
from marketplace.kit.db import db
from marketplace.kit.notes import BadKey, BadNote, Note, VerifierKey


class Signed:
    """What was signed of a record, asked for in the order of its growth; ``find`` takes what was altered of it."""

    def __init__(self, find: Callable[[str], object]) -> None:
        self._find = find
        self._keys = list(self._read_keys())
        self._last: list[notes.Checkpoint] = []
        try:
            self._last = [seen for _where, seen in checkpoints.seen_last()]
        except LogForked as error:
            find(str(error))

    def roots(self, start: int, end: int) -> dict[int, set[bytes]]:
        """Return the roots that were signed of each size above ``start`` up to ``end``."""
        found: defaultdict[int, set[bytes]] = defaultdict(set)
        for seen in self._last:
            if start < seen.size <= end:
                found[seen.size].add(seen.root)
        of_sizes = select(Checkpoint).where(Checkpoint.size > start, Checkpoint.size <= end)
        for checkpoint in db.session.scalars(of_sizes.order_by(Checkpoint.size)):
            found[checkpoint.size].add(checkpoint.root)
            self._examine(checkpoint)
        of_witnesses = select(Cosignature, Checkpoint.note).join(Checkpoint, Checkpoint.size == Cosignature.size)
        for row in db.session.execute(of_witnesses.where(Cosignature.size > start, Cosignature.size <= end)):
            self._examine_witness(row.Cosignature, row.note)
        return found

    def find_lost(self) -> None:
        """Find out whether more was signed than there is."""
        size = max((seen.size for seen in self._last), default=0)
        if (now := sequencer.tree_size()) < size:
            self._find(f"a checkpoint of {size} entries was signed, and the record has {now}")

    def _examine(self, checkpoint: Checkpoint) -> None:
        try:
            told = notes.read_checkpoint(notes.read(checkpoint.note).text)
            notes.opened(checkpoint.note, [key for key in self._keys if key.name == told.origin])
        except BadNote as error:
            self._find(f"the checkpoint of {checkpoint.size} entries was altered: {error}")
            return
        if (told.size, told.root) != (checkpoint.size, checkpoint.root):
            self._find(f"the checkpoint of {checkpoint.size} entries was altered: its note says something else")

    def _examine_witness(self, one: Cosignature, note: str) -> None:
        try:
            key = notes.read_key(one.witness)
            signed = Note(notes.read(note).text, notes.read_signatures(one.line))
            at = notes.verified(signed, [key])[key]
            is_signed = at is not None and datetime.fromtimestamp(at, UTC) == one.witnessed_at
        except (KeyError, ValueError, OverflowError, OSError):
            is_signed = False
        if not is_signed:
            self._find(f"what a witness signed of the checkpoint of {one.size} entries was altered")

    def _read_keys(self) -> Iterator[VerifierKey]:
        for key in checkpoints.list_keys():
            try:
                yield notes.read_key(key.vkey)
            except BadKey as error:
                self._find(f"a key of the log was altered: {error}")
