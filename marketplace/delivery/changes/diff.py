"""The rows by which two tables of the same columns differ, as a Delta change feed has them."""

import io
from collections.abc import Sequence
from typing import Any, BinaryIO

from marketplace.catalog.tabular.writing import Copy, Write
from marketplace.delivery.rows import engine

CHANGE_TYPE = "_change_type"
_BATCH_ROWS = 16_384
Places = dict[str, list[int]]


class Incomparable(Exception):
    """The tables have other columns or types."""


def write_changes(file: BinaryIO, sizes: Sequence[int], keys: Sequence[str], memory_bytes: int, write: Write) -> int:
    """Write as Parquet what the second of two Parquet files in ``file`` changed of the first; returns the rows.

    The same two files and keys give the same bytes. Raises Incomparable.
    """
    import pyarrow as pa

    before, after = _tables(file, sizes)
    if before.schema != after.schema:
        raise Incomparable
    found = changes(before, after, _key_places(before.column_names, keys), memory_bytes)
    parts = [(before, "delete"), (before, "update_preimage"), (after, "update_postimage"), (after, "insert")]
    made = Copy([(field.name, field.type) for field in before.schema] + [(CHANGE_TYPE, pa.string())], write)
    for table, kind in parts:
        rows = table.take(pa.array(found[kind], pa.int64())).combine_chunks()
        for batch in rows.to_batches(max_chunksize=_BATCH_ROWS):
            made.add([*batch.columns, pa.array([kind] * batch.num_rows, pa.string())])
    made.close()
    return made.rows


def _tables(file: BinaryIO, sizes: Sequence[int]) -> list[Any]:
    import pyarrow.parquet as pq

    file.seek(0)
    return [_plain(pq.read_table(io.BytesIO(file.read(size)), use_threads=False)) for size in sizes]


def _plain(table: Any) -> Any:
    import pyarrow as pa
    from pyarrow import types

    fields = [
        pa.field(field.name, field.type.value_type if types.is_dictionary(field.type) else field.type)
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _key_places(names: Sequence[str], keys: Sequence[str]) -> list[int]:
    """Return where the key stands; all columns where the table does not have it."""
    places = {name: place for place, name in enumerate(names)}
    return [places[name] for name in keys] if keys and set(keys) <= set(places) else list(range(len(names)))


def changes(before: Any, after: Any, keys: Sequence[int], memory_bytes: int) -> Places:
    """Return the places of the rows that went, of both images of those that changed, and of those that came.

    Rows are one and the same where their key is, nothing being a value like any other. Rows that share a key cannot
    be told apart by it: then, as where all columns are the key, whole rows are compared, each as often as it is there.
    """
    width = before.num_columns
    connection = engine.connection(memory_bytes, {"before": _numbered(before), "after": _numbered(after)})
    if len(keys) < width and any(_has_twins(connection, name, keys) for name in ("before", "after")):
        keys = list(range(width))
    rest = [place for place in range(width) if place not in set(keys)]
    same = " AND ".join(f"b.c{place} IS NOT DISTINCT FROM a.c{place}" for place in keys) + " AND b.n = a.n"
    other = " OR ".join(f"b.c{place} IS DISTINCT FROM a.c{place}" for place in rest) or "false"
    for name, of in (("b", "before"), ("a", "after")):
        connection.execute(f"CREATE TEMP VIEW {name} AS {_counted(of, keys)}")
    deleted = f"SELECT b.r FROM b ANTI JOIN a ON {same} ORDER BY b.r"  # noqa: S608 - numbers alone, as below
    inserted = f"SELECT a.r FROM a ANTI JOIN b ON {same} ORDER BY a.r"  # noqa: S608
    updated = connection.sql(f"SELECT b.r, a.r FROM b JOIN a ON {same} WHERE {other} ORDER BY a.r").fetchall()  # noqa: S608
    return {
        "delete": [row[0] for row in connection.sql(deleted).fetchall()],
        "update_preimage": [row[0] for row in updated],
        "update_postimage": [row[1] for row in updated],
        "insert": [row[0] for row in connection.sql(inserted).fetchall()],
    }


def _numbered(table: Any) -> Any:
    import pyarrow as pa

    names = [f"c{place}" for place in range(table.num_columns)]
    return table.rename_columns(names).append_column("r", pa.array(range(table.num_rows), pa.int64()))


def _counted(name: str, keys: Sequence[int]) -> str:
    by = ", ".join(f"c{place}" for place in keys)
    return f"SELECT *, row_number() OVER (PARTITION BY {by} ORDER BY r) AS n FROM {name}"  # noqa: S608 - numbers alone


def _has_twins(connection: Any, name: str, keys: Sequence[int]) -> bool:
    by = ", ".join(f"c{place}" for place in keys)
    statement = f"SELECT 1 FROM {name} GROUP BY {by} HAVING count(*) > 1 LIMIT 1"  # noqa: S608 - numbers alone
    return bool(connection.sql(statement).fetchall())
