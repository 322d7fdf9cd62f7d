"""What a witness has signed last of each log: one file, replaced whole before anybody hears of it."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from marketplace.kit import secret_files
from marketplace.kit.notes import Checkpoint


class MemoryUnusable(Exception):
    """The file does not hold what it should; the message says how to mend it."""


class Memory:
    """The last checkpoint of each log, by the log's name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no other submission be compared or kept meanwhile, in whatever process."""
        with secret_files.locked(self._path):
            yield

    def latest(self, origin: str) -> Checkpoint | None:
        """Return what was signed last of a log; raises MemoryUnusable."""
        seen = self._read().get(origin)
        return None if seen is None else Checkpoint(origin, seen["size"], base64.b64decode(seen["root"]))

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep what is about to be signed, on the disk; to be called while held."""
        seen = {"size": checkpoint.size, "root": base64.b64encode(checkpoint.root).decode()}
        told = json.dumps(self._read() | {checkpoint.origin: seen}, indent=1, sort_keys=True)
        secret_files.replace(self._path, f"{told}\n".encode())

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError as error:
            raise MemoryUnusable(f"{self._path} is not what this witness wrote: restore it from a backup") from error
        return dict(found)
