"""What a witness has signed last of each log: one file, replaced whole before anybody hears of it."""

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from marketplace.kit import notes, secret_files
from marketplace.kit.notes import Checkpoint


class MemoryUnusable(Exception):
    """The file is gone, or does not hold what it should; the message says how to mend it."""


class Memory:
    """The last checkpoint of each log, by the log's name."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def begin(self) -> Self:
        """Begin with nothing signed, where there is no file: once, before there is a key that could have signed."""
        secret_files.create(self._path, b"{}\n")
        return self

    @contextmanager
    def held(self) -> Iterator[None]:
        """Let no other submission be compared or kept meanwhile, in whatever process."""
        with secret_files.locked(self._path):
            yield

    def read(self) -> dict[str, Checkpoint]:
        """Return what was signed last of each log; raises MemoryUnusable."""
        try:
            found = json.loads(self._path.read_text(encoding="utf-8"))
            return {
                origin: notes.read_checkpoint(f"{origin}\n{seen['size']}\n{seen['root']}\n")
                for origin, seen in found.items()
            }
        except (FileNotFoundError, ValueError, LookupError, TypeError, AttributeError) as error:
            raise MemoryUnusable(
                f"{self._path} does not say what this witness has signed ({error}): write there the newest"
                " checkpoint of each log that others have seen, as docs/auditing.md says"
            ) from error

    def keep(self, checkpoint: Checkpoint) -> None:
        """Keep what is about to be signed, on the disk; to be called while held."""
        seen = self.read() | {checkpoint.origin: checkpoint}
        told = {origin: {"size": one.size, "root": base64.b64encode(one.root).decode()} for origin, one in seen.items()}
        secret_files.replace(self._path, f"{json.dumps(told, indent=1, sort_keys=True)}\n".encode())
