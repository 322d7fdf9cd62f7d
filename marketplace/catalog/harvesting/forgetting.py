"""Forgetting what became of each record in runs that a newer one has taken the place of."""

from datetime import datetime, timedelta
from typing import Any, cast

from sqlalchemy import ColumnElement, CursorResult, and_, delete, exists, select, tuple_
from sqlalchemy.orm import aliased

from marketplace.audit import holds
from marketplace.catalog.harvesting.models import Harvest, HarvestLine, HarvestRun
from marketplace.catalog.harvesting.states import RunState
from marketplace.kit import clock, jobs, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

LINES_AT_ONCE = 10_000


@jobs.task("catalog.forget_harvest_lines", cron="19 4 * * *", slow=True)
def forget() -> None:
    """Delete the reports of runs that ended long ago, some thousand lines in a transaction; the runs stay.

    A report stays until a whole run has come after it: what became of each record last can always be read.
    """
    before = clock.now() - timedelta(days=settings.current().harvest_lines_kept_days)
    while True:
        with transaction():
            deleted = _forget_some(before)
        if deleted < LINES_AT_ONCE:
            return


def _forget_some(before: datetime) -> int:
    key = tuple_(HarvestLine.run_id, HarvestLine.record_id)
    old = select(HarvestLine.run_id, HarvestLine.record_id).join(HarvestRun, HarvestRun.id == HarvestLine.run_id)
    old = old.join(Harvest, Harvest.id == HarvestRun.harvest_id)
    old = old.where(_is_over(before), ~holds.covering(Harvest.organization_id, HarvestLine.dataset_id))
    # Of two such jobs neither waits for the other: what one has in hand the other passes by.
    old = old.limit(LINES_AT_ONCE).with_for_update(of=HarvestLine, skip_locked=True)
    done = db.session.execute(delete(HarvestLine).where(key.in_(old)))
    return cast("CursorResult[Any]", done).rowcount


def _is_over(before: datetime) -> ColumnElement[bool]:
    newer = aliased(HarvestRun)
    whole = (newer.state == RunState.DONE, ~newer.dry_run, newer.started_at > HarvestRun.started_at)
    return and_(HarvestRun.ended_at <= before, exists().where(newer.harvest_id == HarvestRun.harvest_id, *whole))
