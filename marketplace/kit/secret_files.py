"""Files that only the owner may read, made once."""

import fcntl
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from marketplace.kit import folders


def create(path: Path, content: bytes) -> None:
    """Write a secret file (mode 0600), whole and durable or not at all; of several that try at once, one wins."""
    draft = _draft(path, content)
    try:
        _link(draft, path)
    finally:
        draft.unlink()
    # Also when another was quicker: it may not have got so far yet, and the secret is about to be used.
    folders.sync(path.parent)


def replace(path: Path, content: bytes) -> None:
    """Put a secret file durably in the place of another: who reads it meanwhile finds the old one or the new one."""
    _draft(path, content).replace(path)
    folders.sync(path.parent)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Let nobody else replace a secret file meanwhile."""
    folders.make(path.parent)
    with path.with_name(f".{path.name}.lock").open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _draft(path: Path, content: bytes) -> Path:
    folders.make(path.parent)
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        draft.unlink()
        raise
    return draft


def _link(draft: Path, path: Path) -> None:
    try:
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was first: its secret is as good
