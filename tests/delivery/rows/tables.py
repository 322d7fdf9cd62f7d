"""Tables to ask for rows, in this process or in one of its own."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from marketplace.catalog import profiling
from marketplace.catalog.profiling.result import ProfileLimits
from marketplace.delivery.rows import child, columns, query, reader
from marketplace.delivery.rows.task import RowLimits, Source, Task

LIMIT_MAX = 100_000


class Asked:
    """A profiled file that answers queries as the exchange has them answered."""

    def __init__(self, folder: Path, name: str, content: bytes) -> None:
        self.path = folder / name
        self.path.write_bytes(content)
        self.profile = profiling.profile_file(self.path, name, ProfileLimits()).document
        self.columns = columns.columns_of(self.profile)

    def task(self, after: int | None = None, limits: RowLimits | None = None, **asked: Any) -> Task:
        wanted = query.checked(asked, self.columns, LIMIT_MAX)
        return Task.of(Source.of(self.profile), self.columns, wanted, after, limits or RowLimits())

    def read(self, after: int | None = None, limits: RowLimits | None = None, **asked: Any) -> reader.Read:
        """Read a page in this process."""
        task = Task.read(self.task(after, limits, **asked).written())
        with self.path.open("rb") as file:
            return reader.judged(child.answered(file, task), task)

    def read_apart(self, after: int | None = None, limits: RowLimits | None = None, **asked: Any) -> reader.Read:
        """Read a page in a confined process."""
        with self.path.open("rb") as file:
            return reader.read(file, self.task(after, limits, **asked))

    def rows(self, **asked: Any) -> list[dict[str, Any]]:
        return json.loads(self.read(**asked).body)

    def every_page(self, limit: int, **asked: Any) -> Iterator[dict[str, Any]]:
        """All rows, page after page."""
        after = None
        while True:
            page = self.read(after, limit=limit, **asked)
            found = json.loads(page.body)
            assert page.rows == len(found)
            yield from found
            if page.last is None:
                return
            assert page.rows == limit
            after = page.last
