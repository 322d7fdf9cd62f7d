"""What the reading process is told, and what one query may cost."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from marketplace.delivery.rows.columns import Column
from marketplace.delivery.rows.query import Direction, Predicate, Query

MIB = 1 << 20


@dataclass(frozen=True, slots=True)
class RowLimits:
    """What one query may cost: memory of the whole process, seconds of CPU and of the clock, bytes of the page."""

    memory_bytes: int = 1536 * MIB
    cpu_seconds: int = 20
    wall_seconds: int = 60
    page_bytes: int = 32 * MIB


@dataclass(frozen=True, slots=True)
class Source:
    """How the bytes are to be read: the format, and for a text its encoding, byte order mark and delimiter."""

    format: str
    encoding: str | None = None
    bom: bool = False
    delimiter: str | None = None

    @classmethod
    def of(cls, profile: Mapping[str, Any]) -> "Source":
        """Take it from a profile."""
        return cls(profile["format"], profile.get("encoding"), bool(profile.get("bom")), profile.get("delimiter"))


@dataclass(frozen=True, slots=True)
class Task:
    """One query over one file, as it goes to the reading process; ``after`` is the row that the page follows.

    ``skip`` rows are passed over before the page begins.
    """

    source: Source
    columns: tuple[Column, ...]
    shown: tuple[int, ...]
    where: tuple[Predicate, ...]
    order: tuple[Direction, ...]
    limit: int
    format: str
    after: int | None
    limits: RowLimits
    skip: int = 0

    @classmethod
    def of(
        cls, source: Source, columns: tuple[Column, ...], query: Query, after: int | None, limits: RowLimits
    ) -> "Task":
        """Return the task of a query, with the columns it needs in the order of the file."""
        needed = tuple(column for column in columns if column.place in set(query.places))
        shown = tuple(column.place for column in query.shown)
        return cls(
            source, needed, shown, query.where, query.order, query.limit, query.format, after, limits, query.skip
        )

    def written(self) -> str:
        """Return the task as JSON."""
        return json.dumps(asdict(self), ensure_ascii=False)

    @classmethod
    def read(cls, text: str) -> "Task":
        """Read what ``written`` wrote."""
        told = json.loads(text)
        return cls(
            Source(**told["source"]),
            tuple(Column(**one) for one in told["columns"]),
            tuple(told["shown"]),
            tuple(Predicate(**one | {"values": tuple(one["values"])}) for one in told["where"]),
            tuple(Direction(**one) for one in told["order"]),
            told["limit"],
            told["format"],
            told["after"],
            RowLimits(**told["limits"]),
            told["skip"],
        )

    def by_place(self) -> dict[int, Column]:
        """Return the needed columns by their places."""
        return {column.place: column for column in self.columns}
