"""Judging a submission: a cosignature, or the refusal that the protocol names (C2SP tlog-witness, add-checkpoint)."""

import base64
import binascii
import re
import time
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import NamedTuple

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from marketplace.kit import merkle, notes
from marketplace.kit.merkle import BadProof
from marketplace.kit.notes import BadNote, Checkpoint, VerifierKey
from marketplace.witness.memory import Memory

SIZE_TYPE = "text/x.tlog.size"
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)
_HASH_BYTES = 32


class Verdict(NamedTuple):
    """The answer to a submission."""

    status: HTTPStatus
    text: str
    media_type: str = "text/plain"


class Witness:
    """One who signs under a name, of logs whose keys it knows."""

    def __init__(
        self, name: str, private: Ed25519PrivateKey, logs: Mapping[str, Sequence[VerifierKey]], memory: Memory
    ) -> None:
        self.key = notes.key_of(name, private, notes.COSIGNATURE)
        self._name, self._private, self._logs, self._memory = name, private, logs, memory

    def judge(self, submission: bytes) -> Verdict:
        """Sign the submitted checkpoint if it continues what was signed of that log last."""
        try:
            old, path, note = _parts(submission.decode())
            checkpoint = notes.read_checkpoint(notes.read(note).text)
        except (ValueError, UnicodeDecodeError) as error:
            return Verdict(HTTPStatus.BAD_REQUEST, f"{error}\n")
        keys = self._logs.get(checkpoint.origin)
        if keys is None:
            return Verdict(HTTPStatus.NOT_FOUND, "this witness does not know that log\n")
        try:
            notes.opened(note, keys)
        except BadNote as error:
            return Verdict(HTTPStatus.FORBIDDEN, f"{error}\n")
        if old > checkpoint.size:
            return Verdict(HTTPStatus.BAD_REQUEST, "the old size is larger than the new one\n")
        with self._memory.held():
            return self._compare(checkpoint, old, path, notes.read(note).text)

    def _compare(self, checkpoint: Checkpoint, old: int, path: list[bytes], text: str) -> Verdict:
        before = self._memory.read().get(checkpoint.origin)
        size, root = (before.size, before.root) if before else (0, merkle.root(0, _nothing))
        if old != size:
            return Verdict(HTTPStatus.CONFLICT, f"{size}\n", SIZE_TYPE)
        if old == checkpoint.size and root != checkpoint.root:
            return Verdict(HTTPStatus.CONFLICT, f"{size}\n", SIZE_TYPE)
        try:
            merkle.require_consistent(size, root, checkpoint.size, checkpoint.root, path)
        except BadProof as error:
            return Verdict(HTTPStatus.UNPROCESSABLE_ENTITY, f"{error}\n")
        self._memory.keep(checkpoint)
        return Verdict(HTTPStatus.OK, notes.cosign(self._name, self._private, text, int(time.time())).line)


def _parts(text: str) -> tuple[int, list[bytes], str]:
    head, blank, note = text.partition("\n\n")
    first, *steps = head.split("\n")
    found = _OLD.fullmatch(first)
    if not blank or found is None or len(steps) > merkle.PROOF_MAX:
        raise ValueError("a submission says the old size, a proof of at most 63 lines, and a checkpoint")
    try:
        path = [base64.b64decode(step, validate=True) for step in steps]
    except binascii.Error as error:
        raise ValueError("a line of the proof is not base64") from error
    if any(len(step) != _HASH_BYTES for step in path):
        raise ValueError("a line of the proof is no hash")
    return int(found[1]), path, note


def _nothing(_level: int, _position: int) -> bytes:
    raise LookupError("an empty tree has no subtrees")
