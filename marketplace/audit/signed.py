"""Comparing the record with all that was signed of it: checkpoints, cosignatures, and the file beside the database."""

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

from sqlalchemy import select

from marketplace.audit import checkpoints, sequencer
from marketplace.audit.errors import LogForked
from marketplace.audit.models import Checkpoint, Cosignature, Entry
from marketplace.audit.verbs import Verb
from marketplace.kit import notes, settings
from marketplace.kit.db import db
from marketplace.kit.notes import BadKey, BadNote, Note, VerifierKey


class Signed:
    """What was signed of a record, asked for in the order of its growth; ``find`` takes what was altered of it."""

    def __init__(self, find: Callable[[str], object]) -> None:
        self._find = find
        self._keys = list(self._read_keys())
        self._examine_keys()
        self._last: list[notes.Checkpoint] = []
        try:
            self._last = [seen for _where, seen in checkpoints.seen_last()]
        except LogForked as error:
            find(str(error))
        else:
            self._examine_beside()

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
            told = self._opened(checkpoint.note)
        except BadNote as error:
            self._find(f"the checkpoint of {checkpoint.size} entries was altered: {error}")
            return
        if (told.size, told.root) != (checkpoint.size, checkpoint.root):
            self._find(f"the checkpoint of {checkpoint.size} entries was altered: its note says something else")

    def _opened(self, note: str) -> notes.Checkpoint:
        told = notes.read_checkpoint(notes.read(note).text)
        return notes.opened(note, [key for key in self._keys if key.name == told.origin])

    def _examine_keys(self) -> None:
        """Find keys that nobody put on the record: each is, but the one with which the log began."""
        added = select(Entry.facts["vkey"].astext).where(Entry.verb == Verb.LOG_KEY_ADDED.value)
        # By the key itself: a log that is given another name goes on signing with those it has.
        recorded = {_key_in(str(vkey)) for vkey in db.session.scalars(added)}
        first = [key.text for key in self._keys if _key_in(key.text) not in recorded]
        if len({_key_in(vkey) for vkey in first}) > 1:
            self._find(f"only one key of the log may be its first, and these were never added: {', '.join(first)}")

    def _examine_beside(self) -> None:
        """Find keys that were all changed for others, where this machine has what the former ones signed."""
        note = checkpoints.note_beside()
        if note is None or not self._keys:
            return
        try:
            self._opened(note)
        except BadNote as error:
            self._find(f"the checkpoint in {settings.current().log_signed_path} is not of this log: {error}")

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


def _key_in(vkey: str) -> str:
    return vkey.split("+", 2)[-1]
