"""The keys under which the record's checkpoints are signed: one PEM file of Ed25519 keys, made with a log's first use.

All keys in the file sign. So a key is replaced without a moment in which somebody cannot verify: a new one is put
first and made known, and the old one is dropped when everybody has the new one.
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from sqlalchemy import select

from marketplace.audit.errors import LogKeyUnusable
from marketplace.audit.models import LogKey
from marketplace.kit import notes, secret_files, settings
from marketplace.kit.db import db
from marketplace.kit.notes import Signature, VerifierKey

_BLOCK = re.compile(rb"-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\s*", re.DOTALL)
Record = Callable[[Sequence[VerifierKey]], object]
"""Puts keys on the record, for good."""


def _untold(_keys: Sequence[VerifierKey]) -> None:
    """Put nothing on the record."""


def origin() -> str:
    """Return the name of the log, which its checkpoints begin with."""
    return settings.current().log_origin


def sign(text: str) -> tuple[Signature, ...]:
    """Sign a checkpoint with every key; raises LogKeyUnusable."""
    return tuple(notes.sign(origin(), private, text) for private in _private())


def verifiers() -> list[VerifierKey]:
    """Return what verifies the checkpoints that are signed now, the newest key first; raises LogKeyUnusable."""
    return [notes.key_of(origin(), private) for private in _private()]


def is_new() -> bool:
    """Whether this log has no key yet, and never had one: the first is made when it is asked for."""
    return not settings.current().log_key_path.exists() and db.session.scalar(select(LogKey.vkey).limit(1)) is None


def rotate(record: Record = _untold, *, is_lost: bool = False) -> VerifierKey:
    """Sign with a new key as well from now on, and return it; raises LogKeyUnusable.

    With ``is_lost`` it signs alone, where the file of the earlier keys is gone. ``record`` puts it on the record and
    commits that before it is there: a key of which that cannot be done is not made.
    """
    path, fresh = settings.current().log_key_path, Ed25519PrivateKey.generate()
    with secret_files.locked(path):
        if not is_lost:
            _private()  # made for a new log, and refused when unusable
        elif path.exists() or is_new():
            raise LogKeyUnusable(f"no key of this log is lost: {path} is there, or none was made yet")
        key = notes.key_of(origin(), fresh)
        record([key])
        secret_files.replace(path, notes.pem_of(fresh) + (b"" if is_lost else path.read_bytes()))
    return key


def prune(record: Record = _untold) -> list[VerifierKey]:
    """Sign with the newest key alone from now on, and return the others; raises LogKeyUnusable.

    ``record`` puts those on the record and commits that before they are dropped.
    """
    path = settings.current().log_key_path
    with secret_files.locked(path):
        newest, *retired = _private()
        dropped = [notes.key_of(origin(), private) for private in retired]
        if dropped:
            record(dropped)
            secret_files.replace(path, notes.pem_of(newest))
    return dropped


def _private() -> tuple[Ed25519PrivateKey, ...]:
    path = settings.current().log_key_path
    if is_new():
        secret_files.create(path, notes.pem_of(Ed25519PrivateKey.generate()))
    try:
        stat = path.stat()
    except FileNotFoundError as error:
        cure = "restore it from a backup, or run `marketplace audit keys rotate --lost`"
        raise LogKeyUnusable(f"{path}, whose keys have signed the record, is gone: {cure}") from error
    return _load(path, stat.st_mtime_ns, stat.st_ino)


@lru_cache(maxsize=16)
def _load(path: Path, _changed_ns: int, _inode: int) -> tuple[Ed25519PrivateKey, ...]:
    try:
        found = tuple(load_pem_private_key(block, None) for block in _BLOCK.findall(path.read_bytes()))
    except (ValueError, TypeError) as error:
        raise LogKeyUnusable(f"{path} holds a key that cannot be read ({error}): restore it from a backup") from error
    keys = tuple(key for key in found if isinstance(key, Ed25519PrivateKey))
    if not keys or len(keys) < len(found):
        raise LogKeyUnusable(f"{path} must hold Ed25519 keys in PEM and nothing else: restore it from a backup")
    return keys
