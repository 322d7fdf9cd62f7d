"""The querying process: confines itself, asks the file on its standard input, and answers with one page."""

import json
import os
import re
from typing import Any, BinaryIO

from marketplace.catalog.profiling import confinement
from marketplace.delivery.rows import engine, pages, readers, statements
from marketplace.delivery.rows.task import Task

_NO_MEMORY = re.compile("MemoryError|OutOfMemory|Out of Memory|malloc of size")


def main(request: str) -> None:  # pragma: no cover - runs only in the querying process, which measures nothing
    """Answer the query over the file open as descriptor 0, as the request (a task, in JSON) asks."""
    task = Task.read(request)
    confinement.confine(task.limits.memory_bytes, task.limits.cpu_seconds)
    # What libraries print on the way, such as the progress of a long query, is no part of the answer.
    with open(0, "rb", closefd=False) as file, os.fdopen(os.dup(1), "wb") as told:
        os.dup2(2, 1)
        told.write(answered(file, task))
    # Nothing that a foreign file left behind in native libraries gets a chance to run on the way out.
    os._exit(0)


def answered(file: BinaryIO, task: Task) -> bytes:
    """Return a line of JSON about the page, and its bytes after it; whatever the file does, there is an answer."""
    try:
        return _page(file, task)
    except MemoryError:
        return _said(problem="memory")
    except Exception as error:  # noqa: BLE001 - a foreign file may break any library; the parent must hear of it
        # What goes wrong while DuckDB reads our batches comes out as an error of DuckDB's, with the reason in its text.
        return _said(problem="memory" if _NO_MEMORY.search(f"{type(error).__name__} {error}") else type(error).__name__)


def _page(file: BinaryIO, task: Task) -> bytes:
    found = _queried(file, task)
    page = found.slice(0, task.limit)
    last = page.column(statements.ROW)[-1].as_py() if found.num_rows > task.limit else None
    names = [task.by_place()[place].name for place in task.shown]
    body = pages.written(_in_utc(page.drop_columns([statements.ROW]).rename_columns(names)), task.format)
    if len(body) > task.limits.page_bytes:
        return _said(problem="size")
    return _said(rows=page.num_rows, last=last) + body


def _queried(file: BinaryIO, task: Task) -> Any:
    """Return the rows of the page, and one more where there is one; the last column is their number."""
    import pyarrow as pa

    # Rows in the order of the file need not be compared: the reading begins after the last one, or those left out.
    start = 0 if task.order or task.after is None else task.after + 1
    skip = task.skip
    if not task.order and not task.where:
        start, skip = start + skip, 0
    follows = task.after is not None
    text, values = statements.select(task.shown, task.where, task.order, task.limit + 1, follows=follows, skip=skip)
    tables = {}
    if task.order and task.after is not None:
        tables[statements.AFTER] = readers.row(file, task, task.after)
    laid_out = readers.schema(file, task)
    tables[statements.TABLE] = pa.RecordBatchReader.from_batches(laid_out, readers.batches(file, task, start))
    return engine.connection(task.limits.memory_bytes, tables).sql(text, params=values).to_arrow_table()


def _in_utc(table: Any) -> Any:
    """Return the table with instants in UTC, whatever the time zone of the machine."""
    import pyarrow as pa
    from pyarrow import types

    fields = [
        pa.field(field.name, pa.timestamp(field.type.unit, "UTC"))
        if types.is_timestamp(field.type) and field.type.tz
        else field
        for field in table.schema
    ]
    return table.cast(pa.schema(fields))


def _said(**facts: Any) -> bytes:
    return json.dumps(facts).encode() + b"\n"
