"""From a table to the part that is given: text to text in the spelling of its cells, Parquet to Parquet."""

import csv
import hashlib
import hmac
import io
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Any, BinaryIO

from marketplace.catalog.profiling import kinds
from marketplace.catalog.profiling.result import Patience, ProfileLimits, Unreadable
from marketplace.catalog.tabular import typing
from marketplace.catalog.tabular.writing import Copy, Write
from marketplace.delivery.policing.recipe import Given, Recipe
from marketplace.delivery.rows import engine, readers, statements
from marketplace.delivery.rows.columns import Column
from marketplace.delivery.rows.task import RowLimits, Task

_BATCH_ROWS = 16_384
_MARK = "\ufeff"
"""Spreadsheet programs in Japan take a text for UTF-8 by it alone."""

Filter = Callable[[Any], list[int]]


def make(file: BinaryIO, recipe: Recipe, key: bytes, limits: ProfileLimits, write: Write) -> int:
    """Write the part of an open file that a recipe gives, and return its rows; raises Unreadable.

    The same file, recipe and key give the same bytes.
    """
    matching, patience = _filter(recipe, limits), Patience(limits)
    if recipe.source.format == "parquet":
        return _parquet(file, recipe, key, matching, patience, write)
    return _text(file, recipe, key, matching, patience, write)


def _filter(recipe: Recipe, limits: ProfileLimits) -> Filter:
    """Return what tells the places of rows that meet all conditions, in batches of Arrow, as the row API would."""
    if not recipe.where:
        return lambda batch: list(range(batch.num_rows))
    connection = engine.connection(limits.memory_bytes, {})
    text, values = statements.select((), recipe.where, (), _BATCH_ROWS, follows=False)

    def matching(batch: Any) -> list[int]:
        import pyarrow as pa

        connection.register(statements.TABLE, pa.Table.from_batches([batch]))
        found = connection.sql(text, params=values).to_arrow_table()
        return sorted(found.column(statements.ROW).to_pylist())

    return matching


def _text(file: BinaryIO, recipe: Recipe, key: bytes, matching: Filter, patience: Patience, write: Write) -> int:
    delimiter = recipe.source.delimiter or ","
    written = 0
    write(_lines([[one.column.name for one in recipe.given]], delimiter, _MARK))
    for some in _rows(file, recipe, patience):
        kept = [some[place] for place in matching(_typed(recipe.needed, some))] if recipe.where else some
        cells = [_cells(one, kept, key) for one in recipe.given]
        write(_lines(zip(*cells, strict=True), delimiter))
        written += len(kept)
    return written


def _rows(file: BinaryIO, recipe: Recipe, patience: Patience) -> Iterator[list[Sequence[Any]]]:
    with readers.opened(file, recipe.source) as rows:
        while some := list(islice(rows, _BATCH_ROWS)):
            yield some
            _check(patience)


def _typed(columns: Sequence[Column], rows: Sequence[Sequence[Any]]) -> Any:
    """Return the columns of rows that conditions look at, and the places of the rows, as Arrow holds them."""
    import pyarrow as pa

    arrays = {statements.name(column.place): _array(column, rows) for column in columns}
    return pa.record_batch(arrays | {statements.ROW: pa.array(range(len(rows)), pa.int64())})


def _array(column: Column, rows: Sequence[Sequence[Any]]) -> Any:
    plan = {"type": column.kind, "spelling": column.spelling}
    return typing.array_of(plan, [row[column.place] for row in rows])


def _cells(given: Given, rows: Sequence[Sequence[Any]], key: bytes) -> Sequence[str]:
    if given.is_changed:
        return ["" if one is None else one for one in _changed(given, _array(given.column, rows).to_pylist(), key)]
    return [kinds.shown(row[given.column.place]) if row[given.column.place] is not None else "" for row in rows]


def _changed(given: Given, values: Sequence[Any], key: bytes) -> list[str | None]:
    """Return values as texts, hashed or cut: a date has one, however the file spells it, and nothing stays nothing."""
    texts = (None if value is None else kinds.shown(value) for value in values)
    if given.length is not None:
        return [None if text is None else text[: given.length] for text in texts]
    return [None if text is None else hashed(text, key) for text in texts]


def hashed(text: str, key: bytes) -> str:
    """Return what stands for a value: HMAC-SHA256 (RFC 2104) in hex, so that equal values stay equal in a grant."""
    return hmac.new(key, text.encode("utf-8", "surrogatepass"), hashlib.sha256).hexdigest()


def _lines(rows: Any, delimiter: str, mark: str = "") -> bytes:
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return (mark + text.getvalue()).encode("utf-8", "replace")


def _parquet(file: BinaryIO, recipe: Recipe, key: bytes, matching: Filter, patience: Patience, write: Write) -> int:
    import pyarrow as pa

    task = _reading(recipe)
    laid_out = readers.schema(file, task)
    fields = [
        (one.column.name, pa.string() if one.is_changed else laid_out.field(statements.name(one.column.place)).type)
        for one in recipe.given
    ]
    made = Copy(fields, write)
    for batch in readers.batches(file, task, 0):
        numbered = batch.set_column(batch.num_columns - 1, statements.ROW, pa.array(range(batch.num_rows), pa.int64()))
        kept = batch.take(pa.array(matching(numbered), pa.int64())) if recipe.where else batch
        made.add([_values(one, kept, key) for one in recipe.given])
        _check(patience)
    made.close()
    return made.rows


def _reading(recipe: Recipe) -> Task:
    columns = {one.column.place: one.column for one in recipe.given} | {one.place: one for one in recipe.needed}
    wanted = tuple(columns[place] for place in sorted(columns))
    return Task(recipe.source, wanted, (), (), (), _BATCH_ROWS, "parquet", None, RowLimits())


def _values(given: Given, batch: Any, key: bytes) -> Any:
    import pyarrow as pa

    values = batch.column(statements.name(given.column.place))
    return pa.array(_changed(given, values.to_pylist(), key), pa.string()) if given.is_changed else values


def _check(patience: Patience) -> None:
    if patience.is_over():
        raise Unreadable("too-much-time")
