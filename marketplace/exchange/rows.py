"""Rows: from a grant and a query to a page of a table, metered by what arrived like every download.

The page is a content of its own, named by the SHA-256 of its bytes: fetched twice it is charged once.
"""

import hashlib
import json
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from marketplace.access import queries as access
from marketplace.access.rules import Entitlement
from marketplace.catalog.states import ConversionState
from marketplace.delivery.rows import columns as tables
from marketplace.delivery.rows import cursors, query, reader
from marketplace.delivery.rows.columns import Column
from marketplace.delivery.rows.cursors import Place
from marketplace.delivery.rows.errors import NotTabular, RowsBusy
from marketplace.delivery.rows.query import Query
from marketplace.delivery.rows.task import RowLimits, Source, Task
from marketplace.exchange import download, facilities, tabular
from marketplace.identity.actors import Actor
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction

MEDIA_TYPES = {
    "json": "application/json",
    "ndjson": "application/x-ndjson",
    "csv": "text/csv; charset=utf-8",
    "arrow": "application/vnd.apache.arrow.stream",
    "parquet": "application/vnd.apache.parquet",
}
_SUFFIXES = {name: name for name in MEDIA_TYPES} | {"arrow": "arrows"}


@dataclass(frozen=True, slots=True)
class Table:
    """A table that a grant opens, and what of it: the columns that a query may name. ``sha256`` is what is read."""

    entitled: Entitlement
    sha256: str
    source: Source
    columns: tuple[Column, ...]
    rows_total: int | None = None


@dataclass(frozen=True, slots=True)
class Sheet:
    """The rows of a page before they are put into an envelope: an array of objects, and what they are.

    ``rows_total`` is how many rows the table has, None where nobody knows.
    """

    release_id: str
    columns: tuple[Column, ...]
    rows: bytes
    count: int
    next_cursor: str | None
    rows_total: int | None


Envelope = Callable[[Sheet], bytes]
Deliver = Callable[..., download.Answer]
Counting = Callable[[Entitlement, Deliver], download.Answer]
"""Opens a delivery and counts it against something of its own, in the delivery's transaction."""


@dataclass(frozen=True, slots=True)
class Page:
    """The answer to a query, and the cursor of what follows; none on the last page."""

    answer: download.Answer
    next_cursor: str | None


def open_page(
    actor: Actor,
    grant_id: str,
    file_name: str,
    asked: Mapping[str, Any],
    headers: Mapping[str, str],
    envelope: Envelope | None = None,
    counting: Counting | None = None,
) -> Page:
    """Check the grant, run the query beside the exchange, and open the metered delivery of its page.

    In two transactions, since a query may take seconds: the grant is checked again in the second, so that what was
    revoked or used up meanwhile gives nothing. A protocol that words its answers in its own way gives an ``envelope``
    for rows of JSON, which then is the content, and may have ``counting`` open the delivery. Of ``headers`` a declared
    purpose counts; ranges and conditions are for what has an address. Raises what a download raises, Invalid, and
    ``delivery.rows.errors``.
    """
    means, cursor = facilities.current().settings, asked.get("cursor")
    purpose = {name: value for name, value in headers.items() if name.lower() == download.PURPOSE}
    release_id = asked.get("release_id") or (cursors.release_of(cursor) if cursor else None)
    with transaction():
        table = _table(actor, grant_id, file_name, release_id)
        download.for_purpose(table.entitled, purpose)
    wanted = query.checked(asked, table.columns, means.row_page_rows_max)
    after = cursors.read(cursor, grant_id, table.entitled.sha256, wanted).row if cursor else None
    found = _read(table, wanted, after, means)
    following = _following(table, wanted, found.last)
    sheet = Sheet(table.entitled.release_id, wanted.shown, found.body, found.rows, following, table.rows_total)
    body = (envelope or _enveloped)(sheet) if wanted.format == "json" else found.body
    with transaction():
        now = access.authorize(actor, grant_id, file_name, table.entitled.release_id)
        content = _content(now, body, found.rows, wanted.format)
        deliver = partial(download.answer, actor, content, "POST", purpose, partial(_temporary, body))
        return Page(counting(content, deliver) if counting else deliver(), following)


def find_table(actor: Actor, grant_id: str, file_name: str, release_id: str | None) -> Table:
    """Return a table that a grant opens, for whoever has to know its columns to word a query; raises as a page does."""
    return _table(actor, grant_id, file_name, release_id)


def _table(actor: Actor, grant_id: str, file_name: str, release_id: str | None) -> Table:
    entitled = access.authorize(actor, grant_id, file_name, release_id)
    profile = tabular.profile_of(entitled.sha256, entitled.file_id)
    if not profile:
        raise NotTabular
    columns = tables.columns_of(profile)
    # Its Parquet has the same rows and types, and is read many times as fast; without it, the file itself does.
    made = tabular.find(entitled.sha256) if profile["format"] != "parquet" and profile.get("complete") else None
    if made is not None and made.state == ConversionState.DONE and made.sha256:
        return Table(entitled, made.sha256, Source("parquet"), columns, made.rows)
    return Table(entitled, entitled.sha256, Source.of(profile), columns, _rows_of(profile))


def _rows_of(profile: Mapping[str, Any]) -> int | None:
    # What was not read to its end was not counted either.
    counted = profile.get("rows") if profile.get("complete") else None
    return counted if isinstance(counted, int) else None


def _read(table: Table, wanted: Query, after: int | None, means: Settings) -> reader.Read:
    limits = RowLimits(
        means.row_query_memory_bytes_max,
        means.row_query_cpu_seconds_max,
        3 * means.row_query_cpu_seconds_max,
        means.row_page_bytes_max,
    )
    task = Task.of(table.source, table.columns, wanted, after, limits)
    with _turn(means.row_queries_max), facilities.current().store.open(table.sha256) as file:
        return reader.read(file, task)


@contextmanager
def _turn(most: int) -> Iterator[None]:
    """Take one of the places for queries; raises RowsBusy at once where all are taken, for waiting holds a thread."""
    places = _places(most)
    if not places.acquire(blocking=False):
        raise RowsBusy
    try:
        yield
    finally:
        places.release()


@cache
def _places(most: int) -> threading.BoundedSemaphore:
    return threading.BoundedSemaphore(most)


def _following(table: Table, wanted: Query, last: int | None) -> str | None:
    if last is None:
        return None
    place = Place(table.entitled.release_id, last)
    return cursors.written(place, table.entitled.grant_id, table.entitled.sha256, wanted)


def _enveloped(sheet: Sheet) -> bytes:
    """Put rows of JSON between what they are and what follows; the same page is the same bytes."""
    head = {
        "release_id": sheet.release_id,
        "columns": [{"name": column.name, "type": column.kind} for column in sheet.columns],
    }
    begins = json.dumps(head, ensure_ascii=False)[:-1].encode()
    return begins + b', "rows": ' + sheet.rows + b', "next_cursor": ' + json.dumps(sheet.next_cursor).encode() + b"}"


def _content(entitled: Entitlement, body: bytes, rows: int, format_name: str) -> Entitlement:
    stem = PurePosixPath(entitled.file_name).stem
    return replace(
        entitled,
        sha256=hashlib.sha256(body).hexdigest(),
        size_bytes=len(body),
        rows=rows,
        media_type=MEDIA_TYPES[format_name],
        file_name=f"{stem}-rows.{_SUFFIXES[format_name]}",
    )


def _temporary(body: bytes) -> BinaryIO:
    # Without a name: it is gone with the last who reads it, whatever becomes of the process.
    file = tempfile.TemporaryFile()  # noqa: SIM115 - the server closes it when the body has gone out
    file.write(body)
    file.flush()
    return file
