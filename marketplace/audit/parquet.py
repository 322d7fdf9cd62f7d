"""The record as Parquet: typed columns, in groups of rows that are sent on as soon as they are full."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Any

from marketplace.audit.queries import PlacedEntry
from marketplace.audit.rules import FIELDS
from marketplace.kit.canonical import canonical_json

GROUP_ROWS = 10_000
"""Some 10 MB of entries: as much as is held of an export, however long it is."""


class _Pipe:
    """What pyarrow takes for a file that can only be written to; what was written is taken out again."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[bytes] = []

    def write(self, data: Any) -> int:
        """Hold some bytes until they are taken."""
        self._pieces.append(bytes(data))
        return len(self._pieces[-1])

    def flush(self) -> None:
        """Do nothing: what is held is taken when it is asked for."""

    def close(self) -> None:
        """End."""
        self.closed = True

    def take(self) -> bytes:
        """Return what was written since the last time."""
        taken, self._pieces = b"".join(self._pieces), []
        return taken


def as_parquet(entries: Iterable[PlacedEntry]) -> Iterator[bytes]:
    """Yield a Parquet file, a group of rows at a time; ``facts`` are RFC 8785 text, instants are UTC microseconds."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    pipe, waiting, schema = _Pipe(), iter(entries), _schema()
    writer = pq.ParquetWriter(pa.PythonFile(pipe, mode="w"), schema, version="2.6", compression="snappy")
    while group := list(islice(waiting, GROUP_ROWS)):
        writer.write_table(pa.table(_columns(group), schema=schema), row_group_size=GROUP_ROWS)
        yield pipe.take()
    writer.close()
    yield pipe.take()


def _schema() -> Any:
    import pyarrow as pa

    kinds = {"occurred_at": pa.timestamp("us", tz="UTC"), "amount_minor": pa.int64()}
    return pa.schema([("position", pa.int64()), *((name, kinds.get(name, pa.string())) for name in FIELDS)])


def _columns(group: Sequence[PlacedEntry]) -> dict[str, list[Any]]:
    columns = {name: [getattr(placed.entry, name) for placed in group] for name in FIELDS}
    texts = [canonical_json(facts).decode() for facts in columns["facts"]]
    return {"position": [placed.position for placed in group]} | columns | {"facts": texts}
