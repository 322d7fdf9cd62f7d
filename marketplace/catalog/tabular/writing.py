"""Parquet that grows while rows stream past, the same for the same rows."""

from collections.abc import Callable, Sequence
from typing import Any

from marketplace.catalog.tabular import typing

_GROUP_ROWS = 131_072
_GROUP_CELLS = 4_000_000
Write = Callable[[bytes], None]


class Sink:
    """What pyarrow takes for a file that can only be written to."""

    closed = False

    def __init__(self, write: Write) -> None:
        self._write = write

    def write(self, data: Any) -> int:
        """Hand some bytes on."""
        piece = bytes(data)
        self._write(piece)
        return len(piece)

    def flush(self) -> None:
        """Hold nothing back: there is nothing held."""

    def close(self) -> None:
        """End."""
        self.closed = True


class Copy:
    """A table under way into Parquet; ``rows`` are those taken in so far."""

    def __init__(self, fields: Sequence[tuple[str, Any]], write: Write) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        self.rows = 0
        self.is_complete = True
        self._schema = pa.schema([pa.field(name, kind) for name, kind in fields])
        self._group = max(1, min(_GROUP_ROWS, _GROUP_CELLS // max(1, len(fields))))
        self._waiting: list[Any] = []
        self._file = pa.PythonFile(Sink(write), mode="w")
        # Everything that decides about bytes is said here, and nothing of the machine or the moment goes in.
        self._writer = pq.ParquetWriter(
            self._file,
            self._schema,
            version="2.6",
            compression="snappy",
            use_dictionary=True,
            write_statistics=True,
            data_page_version="1.0",
            store_schema=False,
        )

    def add(self, arrays: Sequence[Any]) -> None:
        """Take in columns of equal length; groups of rows are cut by number, however they came."""
        import pyarrow as pa

        self._waiting.append(pa.RecordBatch.from_arrays(list(arrays), schema=self._schema))
        self.rows += self._waiting[-1].num_rows
        if sum(batch.num_rows for batch in self._waiting) >= self._group:
            self._flush(whole=False)

    def _flush(self, *, whole: bool) -> None:
        import pyarrow as pa

        table = pa.Table.from_batches(self._waiting, self._schema)
        while table.num_rows >= self._group or (whole and table.num_rows):
            self._writer.write_table(table.slice(0, self._group).combine_chunks(), row_group_size=self._group)
            table = table.slice(self._group)
        self._waiting = table.to_batches()

    def close(self) -> None:
        """Write what waits, and the end of the file."""
        self._flush(whole=True)
        self._writer.close()
        self._file.close()


class TextCopy(Copy):
    """A copy of rows of cells, typed column by column as planned."""

    def __init__(self, names: Sequence[str], plans: list[dict[str, str | None]], write: Write) -> None:
        """``plans`` that are not as many as the names are none: every column is text then."""
        self.plans = plans if len(plans) == len(names) else [typing.STRING] * len(names)
        self.names = typing.unique(names)
        kinds = [typing.arrow_type(str(plan["type"])) for plan in self.plans]
        super().__init__(list(zip(self.names, kinds, strict=True)), write)

    def add_rows(self, rows: Sequence[Sequence[Any]]) -> None:
        """Take in rows, each exactly as wide as the table; raises Misfit."""
        columns = zip(self.plans, zip(*rows, strict=True), strict=True)
        self.add([typing.array_of(plan, cells) for plan, cells in columns])

    def columns(self) -> list[dict[str, str]]:
        """Return names and types of the columns."""
        return [{"name": name, "type": str(plan["type"])} for name, plan in zip(self.names, self.plans, strict=True)]
