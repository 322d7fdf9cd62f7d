"""Reads of harvests, their runs and reports."""

from collections.abc import Collection, Sequence
from datetime import datetime

from sqlalchemy import select

from marketplace.catalog.harvesting.models import Harvest, HarvestLine, HarvestRecord, HarvestRun
from marketplace.catalog.harvesting.states import Outcome, RunState
from marketplace.identity.actors import Actor
from marketplace.kit.db import db
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page, cut, decode_cursor
from marketplace.kit.texts import storable

_FRESH = {"populate_existing": True}


def find_harvest(organization_id: str, address: str) -> Harvest | None:
    """Return an organization's harvest of this address, or None."""
    of = (Harvest.organization_id == organization_id, Harvest.address == storable(address))
    return db.session.scalar(select(Harvest).where(*of), execution_options=_FRESH)


def get_visible_harvest(actor: Actor, harvest_id: str) -> Harvest:
    """Return a harvest that the caller owns or oversees; NotFound for all others."""
    found = db.session.scalar(select(Harvest).where(Harvest.id == storable(harvest_id)), execution_options=_FRESH)
    if found is None or (found.organization_id != actor.organization_id and not actor.oversees):
        raise NotFound
    return found


def get_own_harvest(actor: Actor, harvest_id: str) -> Harvest:
    """Return a harvest of the caller's organization; NotFound for all others."""
    found = get_visible_harvest(actor, harvest_id)
    if found.organization_id != actor.organization_id:
        raise NotFound
    return found


def list_harvests(
    *, organization_id: str | None = None, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[Harvest]:
    """Return harvests of one organization or of all, newest first."""
    statement = select(Harvest).order_by(Harvest.id.desc())
    if organization_id is not None:
        statement = statement.where(Harvest.organization_id == organization_id)
    if after := decode_cursor(cursor, 1):
        statement = statement.where(Harvest.id < storable(str(after[0])))
    return cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda row: [row.id])


def get_visible_run(actor: Actor, harvest_id: str, run_id: str) -> HarvestRun:
    """Return a run over a harvest that the caller owns or oversees; NotFound for all others."""
    harvest = get_visible_harvest(actor, harvest_id)
    found = find_run(run_id)
    if found is None or found.harvest_id != harvest.id:
        raise NotFound
    return found


def find_run(run_id: str) -> HarvestRun | None:
    """Return a run as it is committed last, or None."""
    return db.session.scalar(select(HarvestRun).where(HarvestRun.id == storable(run_id)), execution_options=_FRESH)


def find_running(harvest_id: str) -> HarvestRun | None:
    """Return the run over a catalogue that has not come to its end, or None."""
    running = (HarvestRun.harvest_id == harvest_id, HarvestRun.state == RunState.RUNNING)
    return db.session.scalar(select(HarvestRun).where(*running), execution_options=_FRESH)


def list_runs(harvest_id: str, *, cursor: str | None = None, size: int = SIZE_DEFAULT) -> Page[HarvestRun]:
    """Return the runs over a catalogue, newest first."""
    statement = select(HarvestRun).where(HarvestRun.harvest_id == harvest_id).order_by(HarvestRun.id.desc())
    if after := decode_cursor(cursor, 1):
        statement = statement.where(HarvestRun.id < storable(str(after[0])))
    return cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda row: [row.id])


def list_lines(
    run_id: str, *, outcome: Outcome | None = None, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[HarvestLine]:
    """Return what became of each record in a run, by record."""
    statement = select(HarvestLine).where(HarvestLine.run_id == run_id).order_by(HarvestLine.record_id)
    if outcome is not None:
        statement = statement.where(HarvestLine.outcome == outcome)
    if after := decode_cursor(cursor, 1):
        statement = statement.where(HarvestLine.record_id > storable(str(after[0])))
    return cut(db.session.scalars(statement.limit(size + 1)).all(), size, lambda row: [row.record_id])


def seen_names(run_id: str) -> set[str]:
    """Return the names of all records that a run has met."""
    return set(db.session.scalars(select(HarvestLine.name).where(HarvestLine.run_id == run_id)))


def known_names(harvest_id: str) -> set[str]:
    """Return the names of all records of a catalogue that were taken over."""
    return set(db.session.scalars(select(HarvestRecord.name).where(HarvestRecord.harvest_id == harvest_id)))


def due(now: datetime, size: int) -> Sequence[Harvest]:
    """Return the catalogues whose time has come, locked; those that others are at are passed by."""
    asked = select(Harvest).where(Harvest.next_at <= now).order_by(Harvest.next_at).limit(size)
    return db.session.scalars(asked.with_for_update(skip_locked=True)).all()


def origins_of(dataset_ids: Collection[str]) -> dict[str, tuple[str, datetime | None]]:
    """Return from which address each of these datasets is harvested, and since when its record is gone there."""
    asked = select(HarvestRecord.dataset_id, Harvest.address, HarvestRecord.vanished_at)
    asked = asked.join(Harvest, Harvest.id == HarvestRecord.harvest_id)
    found = db.session.execute(asked.where(HarvestRecord.dataset_id.in_(dataset_ids)))
    return {row.dataset_id: (row.address, row.vanished_at) for row in found}
