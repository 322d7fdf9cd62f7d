"""Profiles of Parquet files: the footer is judged first, then the values are read in batches."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any, BinaryIO

from marketplace.catalog.profiling import words
from marketplace.catalog.profiling.columns import Column
from marketplace.catalog.profiling.distinct import DistinctCounter
from marketplace.catalog.profiling.result import MIB, Patience, ProfileLimits, Unreadable
from marketplace.catalog.profiling.tables import Table, check_width

MEDIA_TYPE = "application/vnd.apache.parquet"
MAGIC = b"PAR1"
_WIDTHS = {"BOOLEAN": 1, "INT32": 4, "FLOAT": 4, "INT64": 8, "DOUBLE": 8, "INT96": 12}
_TEXT_WIDTH = 16
_BATCH_ROWS_MAX = 16_384
_BATCH_BYTES = 16 * MIB
_FOOTER_BYTES_MAX = 64 * MIB
_BOMB_FROM = 256 * MIB
_UNCOUNTED = frozenset({"binary", "object", "array", "other"})


def read(file: BinaryIO, size_bytes: int, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    """Return the profile of a Parquet file; raises Unreadable."""
    check_footer(file, size_bytes)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file.seek(0)
        source = pq.ParquetFile(pa.PythonFile(file, mode="r"), memory_map=False, pre_buffer=False)
        check_rows(source.metadata, size_bytes, limits)
        return _read(source, limits, patience)
    except pa.ArrowMemoryError as error:
        raise Unreadable("too-much-memory", limit_bytes=limits.memory_bytes) from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable("damaged", format="Parquet", reason=type(error).__name__) from error


def texts(file: BinaryIO, size_bytes: int, limits: ProfileLimits) -> tuple[list[str], Iterator[list[list[str]]]]:
    """Return the column names of a Parquet file, and its rows in texts, some at a time; raises Unreadable.

    Nulls and binary values are "".
    """
    check_footer(file, size_bytes)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file.seek(0)
        source = pq.ParquetFile(pa.PythonFile(file, mode="r"), memory_map=False, pre_buffer=False)
        check_rows(source.metadata, size_bytes, limits)
        check_width(len(source.schema_arrow), limits)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise Unreadable("damaged", format="Parquet", reason=type(error).__name__) from error
    return list(source.schema_arrow.names), _texts(source)


def _texts(source: Any) -> Iterator[list[list[str]]]:
    kinds_of_columns = [kind_of(field.type) for field in source.schema_arrow]
    for batch in _batches(source):
        columns = [
            [""] * batch.num_rows if kind == "binary" else list(map(_text, values.to_pylist()))
            for values, kind in zip(batch.columns, kinds_of_columns, strict=True)
        ]
        yield [list(row) for row in zip(*columns, strict=True)]


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def check_footer(file: BinaryIO, size_bytes: int) -> None:
    """Refuse a file whose end is none, or that asks for more than it holds; raises Unreadable."""
    file.seek(max(0, size_bytes - 8))
    tail = file.read(8)
    if size_bytes < 12 or tail[4:] != MAGIC:
        raise Unreadable("truncated", format="Parquet")
    footer_bytes = int.from_bytes(tail[:4], "little")
    if footer_bytes > min(size_bytes - 12, _FOOTER_BYTES_MAX):
        raise Unreadable("damaged", format="Parquet", reason=f"a footer of {footer_bytes} bytes")


def check_rows(footer: Any, size_bytes: int, limits: ProfileLimits) -> None:
    """Judge by rows times width: the byte counts in a footer describe encoded pages and can be tiny for 16 GB."""
    check_width(footer.num_columns, limits)
    unpacked = footer.num_rows * _row_bytes(footer)
    if unpacked > _BOMB_FROM and unpacked > size_bytes * limits.unpacked_ratio:
        raise Unreadable(
            "unpacks-too-large",
            unpacked_bytes=unpacked,
            packed_bytes=size_bytes,
            limit_bytes=_BOMB_FROM,
            limit_ratio=limits.unpacked_ratio,
        )


def _row_bytes(footer: Any) -> int:
    widths = (
        _WIDTHS.get(footer.schema.column(place).physical_type, _TEXT_WIDTH) for place in range(footer.num_columns)
    )
    return max(1, sum(widths))


def _read(source: Any, limits: ProfileLimits, patience: Patience) -> dict[str, Any]:
    footer, schema = source.metadata, source.schema_arrow
    check_width(len(schema), limits)
    geometries = _geometries(schema.metadata or {})
    stated = [(field, "geometry" if field.name in geometries else kind_of(field.type)) for field in schema]
    counter = [
        None if kind in _UNCOUNTED or kind == "geometry" else DistinctCounter.shared_by(len(stated))
        for _, kind in stated
    ]
    columns = [Column(field.name, count, ()) for (field, _), count in zip(stated, counter, strict=True)]
    table = Table(columns, limits)
    kinds_of_columns = [kind for _, kind in stated]
    for batch in _batches(source):
        _add(batch, table, kinds_of_columns)
        if patience.is_over():
            table.is_complete = table.rows >= footer.num_rows
            break
    found = table.warnings()
    if table.is_complete and table.rows != footer.num_rows:
        found.append(words.warning("row-count-differs", promised=footer.num_rows, rows=table.rows))
    document = table.document()
    for column, (field, _) in zip(document["columns"], stated, strict=True):
        column["stored_type"] = str(field.type)[:200]
    return {"row_groups": footer.num_row_groups, "rows_promised": footer.num_rows, **document, "warnings": found}


def _batches(source: Any) -> Iterator[Any]:
    footer = source.metadata
    stored = sum(footer.row_group(place).total_byte_size for place in range(footer.num_row_groups))
    row_bytes = max(_row_bytes(footer), stored // max(1, footer.num_rows))
    rows = max(1, min(_BATCH_ROWS_MAX, _BATCH_BYTES // row_bytes))
    return iter(source.iter_batches(batch_size=rows, use_threads=False))


def _geometries(metadata: dict[bytes, bytes]) -> set[str]:
    """Return the geometry columns that GeoParquet metadata names."""
    try:
        return set(json.loads(metadata.get(b"geo", b"{}")).get("columns", {}))
    except (ValueError, AttributeError, TypeError, RecursionError):
        return set()


def kind_of(stored: Any) -> str:
    """Return the profile's name for an Arrow type."""
    from pyarrow import types

    if types.is_dictionary(stored):
        return kind_of(stored.value_type)
    for judge, kind in (
        (types.is_boolean, "boolean"),
        (types.is_integer, "integer"),
        (types.is_floating, "decimal"),
        (types.is_decimal, "decimal"),
        (types.is_date, "date"),
        (types.is_timestamp, "datetime"),
        (types.is_time, "time"),
        (types.is_duration, "duration"),
        (types.is_string, "string"),
        (types.is_large_string, "string"),
        (types.is_struct, "object"),
        (types.is_map, "object"),
        (types.is_list, "array"),
        (types.is_large_list, "array"),
        (types.is_binary, "binary"),
        (types.is_large_binary, "binary"),
        (types.is_fixed_size_binary, "binary"),
        (types.is_null, "empty"),
    ):
        if judge(stored):
            return kind
    return "other"


def _add(batch: Any, table: Table, kinds: list[str]) -> None:
    for column, values, kind in zip(table.columns, batch.columns, kinds, strict=True):
        column.add_nulls(values.null_count)
        if values.null_count == len(values):
            continue
        if kind in _UNCOUNTED or kind == "geometry":
            column.state(kind)
            continue
        counted = _decoded(values).drop_null().value_counts()
        unique = [_exact(value) for value in counted.field("values").to_pylist()]
        numbers = [value for value in unique if value is not None and _is_ordered(value)]
        extremes = (min(numbers), max(numbers)) if numbers else None
        column.add_values(kind, unique, extremes, counted.field("counts").to_pylist())
    if not table.preview:
        head = batch.slice(0, table.limits.preview_rows)
        shown = [_previewed(values, kind) for values, kind in zip(head.columns, kinds, strict=True)]
        table.add_preview(list(zip(*shown, strict=True)))
    table.rows += batch.num_rows


def _decoded(values: Any) -> Any:
    return values.dictionary_decode() if hasattr(values, "dictionary_decode") else values


def _exact(value: Any) -> Any:
    return Decimal(repr(value)) if isinstance(value, float) else value


def _is_ordered(value: Any) -> bool:
    return not (isinstance(value, Decimal) and value.is_nan())


def _previewed(values: Any, kind: str) -> list[Any]:
    if kind in {"binary", "geometry"}:
        return [None if value is None else f"({kind})" for value in values.to_pylist()]
    return [None if value is None else str(value) for value in map(_exact, values.to_pylist())]
