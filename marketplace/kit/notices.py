"""Hearing what other transactions tell with NOTIFY: a connection of its own that does nothing but listen."""

from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg import sql

from marketplace.kit.postgres import libpq_url

# A connection that only listens would not notice that the other end is gone: the kernel asks every few seconds.
_ALIVE = {"keepalives_idle": 5, "keepalives_interval": 5, "keepalives_count": 3, "connect_timeout": 10}


class Ear:
    """Listens on one channel while the block lasts; what was told before, or between two ears, is never heard.

    PostgreSQL tells at the commit of the telling transaction, and never of one that was rolled back. A pooler in
    transaction mode loses notices: the database's address must lead to sessions. Raises psycopg.OperationalError
    when the database is away.
    """

    def __init__(self, database_url: str, channel: str) -> None:
        self._url, self._channel = libpq_url(database_url), channel
        self._connection: psycopg.Connection[Any]

    def __enter__(self) -> Self:
        self._connection = psycopg.connect(self._url, autocommit=True, **_ALIVE)  # type: ignore[arg-type] # libpq's
        try:
            self._connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(self._channel)))
        except BaseException:
            self._connection.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def hear(self, seconds: float) -> set[str]:
        """Wait so long for a notice at most, and return all that are there by then, each once."""
        return {notice.payload for notice in self._connection.notifies(timeout=seconds, stop_after=1)}
