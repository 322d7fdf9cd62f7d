"""Parquet to Parquet: most files are delivered as they are; what readers of Delta tables do not know is rewritten."""

import json
from collections.abc import Callable
from typing import Any, BinaryIO

from marketplace.catalog.profiling import parquet
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.tabular import typing
from marketplace.catalog.tabular.writing import Copy, Write

_BATCH_ROWS = 16_384


def copy(file: BinaryIO, limits: ProfileLimits, patience: Patience, write: Write) -> dict[str, Any]:
    """Write a Parquet file anew where a column asks for it; else say that it is good as it is. Raises Unreadable."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        size_bytes = file.seek(0, 2)
        file.seek(0)
        source = pq.ParquetFile(pa.PythonFile(file, mode="r"), memory_map=False, pre_buffer=False)
        parquet.check_rows(source.metadata, size_bytes, limits)
        return _copy(source, limits, patience, write)
    except pa.ArrowMemoryError as error:
        raise Unreadable("too-much-memory", limit_bytes=limits.memory_bytes) from error
    except (pa.ArrowException, OSError) as error:
        raise Unreadable("damaged", format="Parquet", reason=type(error).__name__) from error


def _copy(source: Any, limits: ProfileLimits, patience: Patience, write: Write) -> dict[str, Any]:
    schema = source.schema_arrow
    names = typing.unique(schema.names)
    kept = [name_of(field.type) for field in schema]
    if names == list(schema.names) and all(kept) and not _has_int96(source.schema):
        return _said(source.metadata.num_rows, names, kept, as_is=True)
    targets = [_target(field.type) for field in schema]
    made = Copy([(name, kind) for name, (kind, _change) in zip(names, targets, strict=True)], write)
    for batch in source.iter_batches(batch_size=_BATCH_ROWS, use_threads=False):
        made.add([change(values) for (_kind, change), values in zip(targets, batch.columns, strict=True)])
        if patience.is_over():
            raise Unreadable("too-much-time", limit_seconds=limits.cpu_seconds)
    made.close()
    return _said(made.rows, names, [name_of(kind) for kind, _change in targets], as_is=False)


def _said(rows: int, names: list[str], kinds: list[str | None], *, as_is: bool) -> dict[str, Any]:
    columns = [{"name": name, "type": str(kind)} for name, kind in zip(names, kinds, strict=True)]
    return {"as_is": as_is, "rows": rows, "columns": columns}


def _has_int96(schema: Any) -> bool:
    return any(schema.column(place).physical_type == "INT96" for place in range(len(schema)))


def name_of(kind: Any) -> str | None:
    """Return what a Delta table calls an Arrow type; None for those it does not know."""
    from pyarrow import types

    if types.is_dictionary(kind):
        return name_of(kind.value_type) if types.is_string(kind.value_type) else None
    if types.is_decimal128(kind):
        return f"decimal({kind.precision},{kind.scale})" if kind.scale >= 0 else None
    if types.is_timestamp(kind):
        name = "timestamp_ntz" if kind.tz is None else "timestamp"
        return name if kind.unit in {"ms", "us"} else None
    simple = (
        (types.is_boolean, "boolean"),
        (types.is_int8, "byte"),
        (types.is_int16, "short"),
        (types.is_int32, "integer"),
        (types.is_int64, "long"),
        (types.is_float32, "float"),
        (types.is_float64, "double"),
        (types.is_date32, "date"),
        (types.is_string, "string"),
        (types.is_binary, "binary"),
    )
    return next((name for judge, name in simple if judge(kind)), None)


def _target(kind: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Return the type in which a column is written, and how its values become that; in doubt texts."""
    import pyarrow as pa
    from pyarrow import types

    if types.is_dictionary(kind):
        target, change = _target(kind.value_type)
        return target, lambda values: change(values.dictionary_decode())
    if name_of(kind):
        return kind, lambda values: values
    if types.is_timestamp(kind):
        moments = pa.timestamp("us", None if kind.tz is None else "UTC")
        return moments, lambda values: values.cast(moments, safe=False)  # nanoseconds are cut off
    for judge, target in (
        (types.is_uint8, pa.int64()),
        (types.is_uint16, pa.int64()),
        (types.is_uint32, pa.int64()),
        (types.is_float16, pa.float64()),
        (types.is_large_string, pa.string()),
        (types.is_large_binary, pa.binary()),
        (types.is_date64, pa.date32()),
    ):
        if judge(kind):
            return target, _caster(target)
    return pa.string(), lambda values: pa.array([_text(value) for value in values.to_pylist()], pa.string())


def _caster(target: Any) -> Callable[[Any], Any]:
    return lambda values: values.cast(target)


def _text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, dict | list | tuple):
        return json.dumps(value, ensure_ascii=False, default=str)
    return str(value)
