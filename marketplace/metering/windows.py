"""How often a grant may ask in a minute; every race is decided by one conditional statement."""

import math
from dataclasses import dataclass
from datetime import timedelta

from sqlalchemy.dialects import postgresql
from sqlalchemy.sql import case, func, or_

from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering.errors import RateLimited
from marketplace.metering.window_models import RequestWindow

WINDOW_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Rate:
    """What is left of the minute that runs, and for how long it still runs."""

    limit: int
    left: int
    seconds: int


def take(grant_id: str, limit: int) -> Rate:
    """Count a request of a grant in the minute that runs; raises RateLimited where ``limit`` were made before.

    Minutes are those of the clock. One that goes back stays in the minute it was in: it gives nobody a second one.
    """
    now = clock.now()
    begun_at = now.replace(second=0, microsecond=0)
    seconds = max(1, math.ceil((begun_at + timedelta(seconds=WINDOW_SECONDS) - now).total_seconds()))
    first = postgresql.insert(RequestWindow).values(grant_id=grant_id, begun_at=begun_at, requests=1)
    is_over = RequestWindow.begun_at < first.excluded.begun_at
    statement = first.on_conflict_do_update(
        index_elements=["grant_id"],
        set_={
            "begun_at": func.greatest(RequestWindow.begun_at, first.excluded.begun_at),
            "requests": case((is_over, 1), else_=RequestWindow.requests + 1),
        },
        where=or_(is_over, RequestWindow.requests < limit),
    )
    made = db.session.scalar(statement.returning(RequestWindow.requests))
    if made is None:
        raise RateLimited(
            f"{limit} requests were made in this minute; the next begins in {seconds} s.",
            limit=limit,
            retry_after_seconds=seconds,
        )
    return Rate(limit, limit - made, seconds)
