"""Columns of a foreign file as Arrow batches, from any row on."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from itertools import chain, islice
from typing import Any, BinaryIO

from marketplace.catalog.profiling import archives, delimited, spreadsheets
from marketplace.catalog.profiling.decoding import TextSurvey
from marketplace.catalog.profiling.result import Patience, ProfileLimits
from marketplace.catalog.tabular import typing
from marketplace.delivery.rows.columns import Column
from marketplace.delivery.rows.statements import ROW, name
from marketplace.delivery.rows.task import Source, Task

_BATCH_ROWS = 16_384
_MARKS = {"utf-8": 3, "utf-16-le": 2, "utf-16-be": 2, "utf-32-le": 4, "utf-32-be": 4}
Batches = Iterator[Any]
Rows = AbstractContextManager[Iterator[Sequence[Any]]]


def schema(file: BinaryIO, task: Task) -> Any:
    """Return the Arrow schema of what ``batches`` yields: the needed columns by their places, and the row number."""
    import pyarrow as pa

    if task.source.format == "parquet":
        stored = _parquet(file).schema_arrow
        fields = [pa.field(name(column.place), _plain(stored.field(column.place).type)) for column in task.columns]
    else:
        fields = [pa.field(name(column.place), typing.arrow_type(column.kind)) for column in task.columns]
    return pa.schema([*fields, pa.field(ROW, pa.int64())])


def batches(file: BinaryIO, task: Task, start: int) -> Batches:
    """Yield the rows from number ``start`` on, which begin at 0, in the order of the file."""
    laid_out = schema(file, task)
    if task.source.format == "parquet":
        return _of_parquet(_parquet(file), task.columns, laid_out, start)
    return _of_rows(file, task, laid_out, start)


def row(file: BinaryIO, task: Task, number: int) -> Any:
    """Return one row as a table of its own."""
    import pyarrow as pa

    found = next(batches(file, task, number))
    return pa.Table.from_batches([found.slice(0, 1)])


def _parquet(file: BinaryIO) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    file.seek(0)
    return pq.ParquetFile(pa.PythonFile(file, mode="r"), memory_map=False, pre_buffer=False)


def _plain(stored: Any) -> Any:
    from pyarrow import types

    return stored.value_type if types.is_dictionary(stored) else stored


def _of_parquet(source: Any, columns: Sequence[Column], laid_out: Any, start: int) -> Batches:
    """Skip the row groups before ``start`` unread."""
    first = 0
    for group in range(source.metadata.num_row_groups):
        rows = source.metadata.row_group(group).num_rows
        if first + rows > start:
            yield from _of_group(source, group, columns, laid_out, first, start)
        first += rows


def _of_group(source: Any, group: int, columns: Sequence[Column], laid_out: Any, first: int, start: int) -> Batches:
    stored = source.schema_arrow
    wanted = {stored.field(column.place).name for column in columns}
    # Columns are read by name, come in the order in which they are asked for, and may share their names.
    read = [place for place, field in enumerate(stored) if field.name in wanted]
    names = [stored.field(place).name for place in read]
    for batch in source.iter_batches(
        _BATCH_ROWS, row_groups=[group], columns=[*dict.fromkeys(names)], use_threads=False
    ):
        if batch.schema.names != names:  # a.b beside a group a: Arrow takes one for a part of the other
            raise ValueError("columns that cannot be told apart")
        skipped = max(0, min(batch.num_rows, start - first))
        if skipped < batch.num_rows:
            kept = batch.slice(skipped)
            arrays = [kept.column(read.index(column.place)) for column in columns]
            yield _batch(arrays, laid_out, first + skipped)
        first += batch.num_rows


def _of_rows(file: BinaryIO, task: Task, laid_out: Any, start: int) -> Batches:
    first = 0
    with opened(file, task.source) as rows:
        while some := list(islice(rows, _BATCH_ROWS)):
            kept = some[max(0, start - first) :]
            if kept:
                arrays = [
                    typing.array_of(
                        {"type": column.kind, "spelling": column.spelling}, [line[column.place] for line in kept]
                    )
                    for column in task.columns
                ]
                yield _batch(arrays, laid_out, first + len(some) - len(kept))
            first += len(some)


def opened(file: BinaryIO, source: Source) -> Rows:
    """Open a text or a workbook as rows of cells, each as wide as the table."""
    return _OPENED[source.format](file, source)


def _batch(arrays: list[Any], laid_out: Any, first: int) -> Any:
    import pyarrow as pa

    count = len(arrays[0])
    cast = [_decoded(array).cast(field.type) for array, field in zip(arrays, laid_out, strict=False)]
    return pa.record_batch([*cast, pa.arange(first, first + count)], schema=laid_out)


def _decoded(array: Any) -> Any:
    return array.dictionary_decode() if hasattr(array, "dictionary_decode") else array


@contextmanager
def _text(file: BinaryIO, source: Source) -> Iterator[Iterator[Sequence[Any]]]:
    survey = TextSurvey(source.encoding or "utf-8", _MARKS[source.encoding or "utf-8"] if source.bom else 0)
    with delimited.opened(file, survey, source.delimiter or ",", ProfileLimits()) as text:
        width = text.width
        yield (
            row if len(row) == width else row[:width] + [""] * (width - len(row))
            for row in text.rows
            if row  # a blank line is no row
        )


@contextmanager
def _sheet(file: BinaryIO, _source: Source) -> Iterator[Iterator[Sequence[Any]]]:
    limits = ProfileLimits()
    with archives.opened(file, file.seek(0, 2), limits) as archive:
        archives.refuse_document_types(archive)
        yield chain.from_iterable(spreadsheets.first_filled(file, limits, Patience(limits)).batches())


_OPENED: dict[str, Callable[[BinaryIO, Source], Rows]] = {"csv": _text, "tsv": _text, "xlsx": _sheet}
