"""What a profile is, what it may cost, and how a reader says that it cannot go on."""

import time
from dataclasses import dataclass, field
from typing import Any

from marketplace.catalog.states import ProfileState

MIB = 1 << 20


@dataclass(frozen=True)
class ProfileLimits:
    """What one profile may cost and how much of the file it may show.

    Past ``patience`` percent of the seconds a reader stops and reports what it has read so far (``complete`` is
    false); at 100 percent the kernel or the parent ends it.
    """

    memory_bytes: int = 1024 * MIB
    cpu_seconds: int = 120
    wall_seconds: int = 240
    patience: int = 80
    preview_rows: int = 20
    preview_cells: int = 20_000
    cell_characters: int = 200
    columns_max: int = 4096
    line_characters: int = 16 * MIB
    field_characters: int = 131_072
    unpacked_bytes: int = 512 * MIB
    unpacked_ratio: int = 200
    archive_members: int = 10_000
    answer_bytes: int = 16 * MIB


@dataclass(frozen=True)
class Profile:
    """What was found: any state but pending, and a JSON document without floats, NULs and lone surrogates.

    ``sketches`` of columns of codes, by name, are for the exchange alone; ``made_by`` says what hashed them.
    """

    state: ProfileState
    document: dict[str, Any]
    sketches: dict[str, Any] = field(default_factory=dict)
    made_by: str = ""


class Unreadable(Exception):
    """The file cannot be read any further; ``slug`` names the problem in ``words.PROBLEMS``."""

    def __init__(self, slug: str, **facts: Any) -> None:
        super().__init__(slug)
        self.slug = slug
        self.facts = facts


class Patience:
    """Says when a reader should stop and report what it has."""

    def __init__(self, limits: ProfileLimits) -> None:
        share = limits.patience / 100
        self._cpu = time.process_time() + limits.cpu_seconds * share
        self._wall = time.monotonic() + limits.wall_seconds * share

    def is_over(self) -> bool:
        """Return whether most of the allowed CPU or wall-clock time has gone."""
        return time.process_time() > self._cpu or time.monotonic() > self._wall
