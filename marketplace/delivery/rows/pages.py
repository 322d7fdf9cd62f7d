"""A page of rows, written in the format asked for."""

import base64
import io
from collections.abc import Callable, Sequence
from typing import Any


def written(table: Any, format_name: str) -> bytes:
    """Return the table as bytes: ``json`` is an array of objects, to be put into its envelope."""
    return _WRITERS[format_name](table)


def _json(table: Any) -> bytes:
    return b"[" + b",".join(_objects(table)) + b"]"


def _ndjson(table: Any) -> bytes:
    return b"".join(line + b"\n" for line in _objects(table))


def _objects(table: Any) -> Sequence[bytes]:
    import orjson

    return [orjson.dumps(record, default=_unusual) for record in _in_microseconds(table).to_pylist()]


def _unusual(value: Any) -> Any:
    """Say in JSON what it has no word for: exact decimals and durations as text, bytes in base64."""
    return base64.b64encode(value).decode() if isinstance(value, bytes) else str(value)


def _in_microseconds(table: Any) -> Any:
    """Return the table with moments that Python can hold."""
    import pyarrow as pa
    from pyarrow import types

    fields = [
        pa.field(field.name, pa.timestamp("us", field.type.tz)) if types.is_timestamp(field.type) else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields), safe=False)


def _csv(table: Any) -> bytes:
    """Write RFC 4180 in UTF-8; a text is quoted, and nothing at all is null."""
    import pyarrow as pa
    from pyarrow import csv

    buffer = io.BytesIO()
    flat = [_flat(column) for column in table.columns]
    csv.write_csv(pa.table(flat, names=table.column_names), buffer)
    return buffer.getvalue()


def _flat(column: Any) -> Any:
    import orjson
    import pyarrow as pa
    from pyarrow import types

    if not (types.is_nested(column.type) or types.is_binary(column.type)):
        return column
    shown = [
        value if value is None else _unquoted(orjson.dumps(value, default=_unusual)) for value in column.to_pylist()
    ]
    return pa.array(shown, pa.string())


def _unquoted(text: bytes) -> str:
    return text.decode().strip('"')


def _arrow(table: Any) -> bytes:
    import pyarrow as pa

    buffer = io.BytesIO()
    with pa.ipc.new_stream(buffer, table.schema) as stream:
        stream.write_table(table)
    return buffer.getvalue()


def _parquet(table: Any) -> bytes:
    import pyarrow.parquet as pq

    buffer = io.BytesIO()
    pq.write_table(table, buffer, compression="zstd")
    return buffer.getvalue()


_WRITERS: dict[str, Callable[[Any], bytes]] = {
    "json": _json,
    "ndjson": _ndjson,
    "csv": _csv,
    "arrow": _arrow,
    "parquet": _parquet,
}
