"""Telling of requests: one notice for each organization and event, and which of them are still to be mailed."""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert

from marketplace.demand import queries
from marketplace.demand.models import DataRequest, RequestNotice
from marketplace.demand.states import Event
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

MAILED_MAX = 200


def note(request: DataRequest, event: Event, about: str = "", *, but: str = "") -> int:
    """Write a notice for the requester and each follower but one, once for each event; return how many are new."""
    told = [one for one in queries.list_followers(request) if one != but]
    shared = {"request_id": request.id, "event": event.value, "about": about, "created_at": clock.now()}
    rows = [shared | {"id": new_id("drn"), "organization_id": organization_id} for organization_id in told]
    if not rows:
        return 0
    written = insert(RequestNotice).on_conflict_do_nothing().returning(RequestNotice.id)
    return len(db.session.scalars(written, rows).all())


def take_unmailed(size: int = MAILED_MAX) -> Sequence[RequestNotice]:
    """Return notices that nobody has mailed, and mark them as mailed in this transaction."""
    waiting = select(RequestNotice).where(RequestNotice.mailed_at.is_(None)).order_by(RequestNotice.id).limit(size)
    found = db.session.scalars(waiting.with_for_update(skip_locked=True)).all()
    for one in found:
        one.mailed_at = clock.now()
    db.session.flush()
    return found
