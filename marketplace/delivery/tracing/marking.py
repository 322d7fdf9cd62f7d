"""Making a grant's copy of a table: an order of its own, or a few rows of its own, both out of a seed."""

import csv
import hashlib
import hmac
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from marketplace.delivery.tracing.reading import NoTable, Records, Row, Table

SHARE, CANARIES_MIN, CANARIES_MAX = 100, 8, 100
"""One marker row for a hundred rows, within these bounds."""

TRIES = 64
PLACE_BYTES = 16


def seed_of(key: bytes, grant_id: str, sha256: str) -> bytes:
    """Return the seed of a grant's copy of a content (HMAC-SHA256, RFC 2104): nobody else can make or foresee it."""
    return hmac.digest(key, f"{grant_id}\n{sha256}".encode(), "sha256")


def reordered(source: Records, seed: bytes) -> bytes:
    """Return the table with its rows in the order of the seed; no byte of a row changes.

    A row's place follows from its cells, so that it can be told of a leaked row without the rest of the file.
    """
    places = [place(seed, row) for row in source.table.rows]
    order = sorted(range(len(places)), key=places.__getitem__)
    return b"".join([source.head, *(source.records[one] for one in order), source.tail])


def place(seed: bytes, row: Row) -> bytes:
    """Return where a row stands in the order of a seed: to whoever has not the seed, as good as random."""
    return hashlib.blake2b("\x1f".join(row).encode("utf-8", "replace"), key=seed, digest_size=PLACE_BYTES).digest()


def with_canaries(source: Records, seed: bytes) -> bytes:
    """Return the table with marker rows at places that the seed decides; raises NoTable where it yields none."""
    markers = canaries(Pools.of(source.table), seed)
    if not markers:
        raise NoTable("its values are too few for rows of its own")
    records = list(source.records)
    for number, row in enumerate(markers):
        records.insert(_number(seed, f"place {number}", len(records) + 1), _written(source, row))
    return b"".join([source.head, *records, source.tail])


@dataclass(frozen=True, slots=True)
class Pools:
    """What marker rows are drawn from: the different values of each column, and the rows that are there."""

    columns: list[list[str]]
    there: frozenset[Row]

    @classmethod
    def of(cls, table: Table) -> "Pools":
        """Gather the values of a table, in an order that is the same everywhere."""
        fitting = [row for row in table.rows if len(row) == len(table.names)]
        columns = [sorted({row[column] for row in fitting}) for column in range(len(table.names))]
        return cls(columns if fitting else [], frozenset(table.rows))


def canaries(pools: Pools, seed: bytes) -> tuple[Row, ...]:
    """Draw the marker rows of a seed: each cell one of the values of its column, each row none that is there."""
    count = min(CANARIES_MAX, max(CANARIES_MIN, len(pools.there) // SHARE))
    return tuple(row for number in range(count) for row in _drawn(pools, seed, number))


def _drawn(pools: Pools, seed: bytes, number: int) -> Iterator[Row]:
    for attempt in range(TRIES if pools.columns else 0):
        drawn = [
            pool[_number(seed, f"{number} {attempt} {column}", len(pool))] for column, pool in enumerate(pools.columns)
        ]
        if (row := tuple(drawn)) not in pools.there and any(row):
            yield row
            return


def _number(seed: bytes, name: str, below: int) -> int:
    return int.from_bytes(hashlib.blake2b(name.encode(), key=seed, digest_size=32).digest()) % below


def _written(source: Records, row: Row) -> bytes:
    # Quoted where the others are, since a marker must look like them.
    quotes_all = source.records[0].startswith(b'"')
    quoting: Literal[0, 1] = csv.QUOTE_ALL if quotes_all else csv.QUOTE_MINIMAL
    text, ending = io.StringIO(), source.ending.decode("ascii")
    csv.writer(text, delimiter=source.delimiter, quoting=quoting, lineterminator=ending).writerow(row)
    # No second byte order mark in the middle of the file.
    return text.getvalue().encode(source.encoding.removesuffix("-sig"))
