"""What an export holds at a time."""

import io
from collections.abc import Callable, Iterator
from typing import Any

import pyarrow.parquet as pq
import pytest

from marketplace.audit import exports, parquet
from marketplace.audit.models import Entry
from marketplace.audit.queries import PlacedEntry
from marketplace.kit import clock

START = clock.parse("2026-11-01T00:00:00+09:00")


def entry(n: int) -> PlacedEntry:
    named = {"id": f"aud_{n}", "organization_id": "org_1", "verb": "billing.order.paid", "subject": "＝1+1"}
    return PlacedEntry(Entry(**named, occurred_at=START, amount_minor=n, facts={"n": n}), n)


@pytest.fixture
def read() -> list[int]:
    """Which entries were read of the database so far."""
    return []


@pytest.fixture
def entries(read: list[int]) -> Iterator[PlacedEntry]:
    """A hundred entries that note when they are read."""

    def each() -> Iterator[PlacedEntry]:
        for n in range(100):
            read.append(n)
            yield entry(n)

    return each()


@pytest.mark.parametrize(
    ("write", "held"),
    [(exports.as_csv, 1), (exports.as_ndjson, 1), (parquet.as_parquet, 10)],
    ids=["csv", "ndjson", "parquet"],
)
def test_an_export_is_sent_on_before_the_next_entries_are_read(
    write: Callable[..., Any], held: int, entries: Iterator[PlacedEntry], read: list[int], monkeypatch: Any
) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 10)
    sent = write(entries)
    ahead = [len(read) - told * held for told, _piece in enumerate(sent) if len(read) < 100]
    assert len(read) == 100
    assert max(ahead) <= held


def test_a_parquet_file_of_several_groups_is_whole(entries: Iterator[PlacedEntry], monkeypatch: Any) -> None:
    monkeypatch.setattr(parquet, "GROUP_ROWS", 30)
    file = pq.ParquetFile(io.BytesIO(b"".join(parquet.as_parquet(entries))))
    assert file.num_row_groups == 4
    assert file.read().column("amount_minor").to_pylist() == list(range(100))
    assert file.read().column("facts").to_pylist()[7] == '{"n":7}'


def test_a_parquet_file_of_no_entries_has_its_columns() -> None:
    table = pq.read_table(io.BytesIO(b"".join(parquet.as_parquet(iter(())))))
    assert (table.num_rows, tuple(table.column_names)) == (0, exports.COLUMNS)
