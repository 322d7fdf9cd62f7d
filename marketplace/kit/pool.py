"""Pooled connections: telling a dead one without asking the server."""

import select
from typing import Any

from sqlalchemy.exc import InvalidatePoolError


def refuse_dead(connection: Any, _record: Any, _proxy: Any) -> None:
    """Have the pool replace a psycopg connection that the server has closed, with all others of its age.

    For SQLAlchemy's pool event ``checkout``. An idle connection has nothing to say: what can be read from it is
    the server's goodbye. Looking costs microseconds where ``pool_pre_ping`` costs a round trip.
    """
    ear = select.poll()
    ear.register(connection.fileno(), select.POLLIN)
    if ear.poll(0):
        raise InvalidatePoolError
