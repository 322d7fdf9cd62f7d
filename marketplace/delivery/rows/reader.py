"""Asks a file for a page of rows in a process of its own, keeps it to its limits, and checks what it says."""

import json
import signal
from dataclasses import dataclass
from typing import BinaryIO

from marketplace.catalog.profiling import process
from marketplace.delivery.rows.errors import PageTooLarge, QueryTooExpensive, RowsUnreadable
from marketplace.delivery.rows.task import MIB, RowLimits, Task

_START = process.program("marketplace.delivery.rows.child")


@dataclass(frozen=True, slots=True)
class Read:
    """The rows of a page as bytes, how many they are, and the number of the last one when others follow."""

    body: bytes
    rows: int
    last: int | None


def read(file: BinaryIO, task: Task) -> Read:
    """Return the page; raises QueryTooExpensive, PageTooLarge or RowsUnreadable, and OSError without a process."""
    limits = task.limits
    ended = process.run(_START, task.written(), file.fileno(), limits.wall_seconds, limits.page_bytes + MIB)
    if not ended.is_whole or ended.code == -signal.SIGXCPU:
        raise QueryTooExpensive(f"The query takes more than {limits.cpu_seconds} seconds.")
    return judged(ended.answer, task)


def judged(answer: bytes, task: Task) -> Read:
    """Return the page in an answer, checked; raises as ``read`` does."""
    line, _, body = answer.partition(b"\n")
    try:
        said = json.loads(line)
        problem, rows, last = said.get("problem"), said.get("rows"), said.get("last")
    except (ValueError, AttributeError, RecursionError) as error:
        raise RowsUnreadable("The reader ended without an answer.") from error
    if problem is not None:
        raise _refusal(str(problem), task.limits)
    if type(rows) is not int or not 0 <= rows <= task.limit or not (last is None or (type(last) is int and last >= 0)):
        raise RowsUnreadable("The reader gave an answer that is none.")
    return Read(body, rows, last)


def _refusal(problem: str, limits: RowLimits) -> Exception:
    if problem == "memory":
        return QueryTooExpensive(f"The query needs more than {limits.memory_bytes // MIB} MiB of memory.")
    if problem == "size":
        return PageTooLarge(f"A page may have {limits.page_bytes} bytes.")
    return RowsUnreadable(f"The reader stopped ({problem[:50]}).")
