"""Deeds of harvesting: naming a catalogue, beginning a run over it, and ending it."""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from sqlalchemy import select, text, update
from sqlalchemy.dialects.postgresql import insert

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog.harvesting import queries, rules
from marketplace.catalog.harvesting.errors import HarvestRunning, RunTaken
from marketplace.catalog.harvesting.models import Harvest, HarvestRun
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.harvesting.states import HarvestProblem, HarvestSchedule, RunState, SourceKind
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.ids import new_id

DUE_AT_ONCE = 20
LEASE = timedelta(hours=12)
"""For so long nobody else begins a harvest that was begun; a run that was cut off is gone on with by its job."""

_GONE = """
SELECT record_id FROM harvest_record r
 WHERE harvest_id = :harvest_id AND vanished_at IS NULL AND {absent}
"""
_UNSEEN = "NOT EXISTS (SELECT FROM harvest_line l WHERE l.run_id = :run_id AND l.record_id = r.record_id)"
_UNNAMED = f"{_UNSEEN} AND r.name NOT IN (SELECT unnest(CAST(:names AS text[])))"
_VANISHED_LINES = text("""
INSERT INTO harvest_line (run_id, record_id, name, title, outcome, detail, dataset_id)
SELECT :run_id, r.record_id, r.name, coalesce(nullif(d.title_ja, ''), d.title_en), 'vanished', '', r.dataset_id
  FROM harvest_record r JOIN dataset d ON d.id = r.dataset_id
 WHERE r.harvest_id = :harvest_id AND r.record_id = ANY(:gone)
""")
_FLAG = text("""
UPDATE harvest_record SET vanished_at = :now WHERE harvest_id = :harvest_id AND record_id = ANY(:gone)
RETURNING dataset_id
""")
_RETURNED = text("""
UPDATE harvest_record SET vanished_at = NULL
 WHERE harvest_id = :harvest_id AND vanished_at IS NOT NULL AND name = ANY(:names) RETURNING dataset_id
""")


@dataclass(frozen=True, slots=True)
class RunAt:
    """A run as it stands: whoever goes on with it names the position, and is refused where it has moved."""

    run_id: str
    harvest_id: str
    organization_id: str
    kind: SourceKind
    address: str
    position: int
    cursor: dict[str, Any]
    dry_run: bool
    is_full: bool
    since: str | None
    repairs: bool


def set_harvest(actor: Actor, draft: HarvestDraft) -> Harvest:
    """Name a catalogue to take over, or change how it is; one per organization and address.

    The address was checked by whoever asked for it: what a person hands over by a file has none on the network.
    """
    next_at = clock.now() if draft.schedule else None
    row = {"kind": draft.kind, "schedule": draft.schedule, "repairs": draft.repairs, "next_at": next_at}
    first = {"id": new_id("hrv"), "organization_id": actor.organization_id, "address": draft.address}
    statement = insert(Harvest).values(first | row | {"failures": 0, "created_at": clock.now()})
    statement = statement.on_conflict_do_update(index_elements=["organization_id", "address"], set_=row)
    harvest_id = str(db.session.scalar(statement.returning(Harvest.id)))
    facts = {"kind": draft.kind.value, "schedule": draft.schedule.value if draft.schedule else None}
    audit.record(actor, Verb.HARVEST_SET, subject=harvest_id, facts=facts)
    return queries.get_own_harvest(actor, harvest_id)


def stop_schedule(actor: Actor, harvest_id: str) -> Harvest:
    """Harvest a catalogue no more by itself; what came of it stays. Raises NotFound."""
    harvest = queries.get_own_harvest(actor, harvest_id)
    db.session.execute(update(Harvest).where(Harvest.id == harvest.id).values(schedule=None, next_at=None))
    audit.record(actor, Verb.HARVEST_SET, subject=harvest.id, facts={"kind": harvest.kind, "schedule": None})
    return queries.get_own_harvest(actor, harvest_id)


def begin_run(actor: Actor, harvest_id: str, *, dry_run: bool = False, is_full: bool = False) -> HarvestRun:
    """Begin a run over a catalogue of the caller's organization. Raises NotFound or HarvestRunning.

    Without ``is_full`` only what changed since the last whole run is asked for, where the form of the catalogue can.
    """
    harvest = queries.get_own_harvest(actor, harvest_id)
    whole = is_full or harvest.kind != SourceKind.CKAN or harvest.modified_since is None
    row = {
        "id": new_id("hrn"), "harvest_id": harvest.id, "state": RunState.RUNNING, "dry_run": dry_run,
        "is_full": whole, "position": 0, "cursor": {}, "created": 0, "changed": 0, "unchanged": 0, "refused": 0,
        "vanished": 0, "comparison": {}, "detail": "", "started_at": clock.now(),
    }  # fmt: skip
    # Of two that begin at once the second waits here, and is told no.
    if db.session.scalar(insert(HarvestRun).values(row).on_conflict_do_nothing().returning(HarvestRun.id)) is None:
        running = queries.find_running(harvest.id)
        raise HarvestRunning(run_id=running.id if running else None)
    audit.record(actor, Verb.HARVEST_BEGUN, subject=str(row["id"]), facts={"dry_run": dry_run, "full": whole})
    found = queries.find_run(str(row["id"]))
    if found is None:  # pragma: no cover - it was written a moment ago
        raise RunTaken
    return found


def take_due() -> list[str]:
    """Begin the runs whose time has come; returns their ids."""
    begun = []
    for harvest in queries.due(clock.now(), DUE_AT_ONCE):
        harvest.next_at = clock.now() + LEASE
        db.session.flush()
        running = queries.find_running(harvest.id)
        run = running or begin_run(on_behalf_of(harvest.organization_id), harvest.id)
        begun.append(run.id)
    return begun


def find_at(run_id: str) -> RunAt | None:
    """Return a run that has not come to its end, to go on with; None for all others."""
    run = queries.find_run(run_id)
    if run is None or run.state != RunState.RUNNING:
        return None
    harvest = db.session.scalars(select(Harvest).where(Harvest.id == run.harvest_id)).one()
    return RunAt(
        run.id, harvest.id, harvest.organization_id, SourceKind(harvest.kind), harvest.address, run.position,
        run.cursor, run.dry_run, run.is_full, None if run.is_full else harvest.modified_since, harvest.repairs,
    )  # fmt: skip


def at_position(at: RunAt, position: int) -> RunAt:
    """Return the run as it stands after so many batches."""
    return replace(at, position=position)


def hold(at: RunAt) -> HarvestRun:
    """Hold the run until the transaction ends, if it is where it was; raises RunTaken."""
    statement = select(HarvestRun).where(HarvestRun.id == at.run_id).with_for_update(key_share=True)
    run = db.session.scalars(statement.execution_options(populate_existing=True)).one()
    if (run.state, run.position) != (RunState.RUNNING, at.position):
        raise RunTaken
    return run


def finish(at: RunAt, names: set[str] | None, newest: str) -> list[str]:
    """End a run: flag what vanished, and remember how far it saw. Returns the datasets to be shown anew.

    ``names`` are all that the catalogue lists, where it was asked; a record that a whole run has not met and that is
    not listed has vanished. So many at once that it cannot be are told as a problem and flagged not at all.
    """
    run = hold(at)
    told: list[str] = []
    gone = _gone(at, names)
    known = db.session.scalar(text("SELECT count(*) FROM harvest_record WHERE harvest_id = :id"), {"id": at.harvest_id})
    if rules.is_plausible(known or 0, len(gone)):
        told = _flag(at, gone)
        run.vanished = len(gone)
    else:
        run.problem, run.detail = HarvestProblem.IMPLAUSIBLE, f"{len(gone)} of {known}"
    if names is not None and not at.dry_run:
        asked = {"harvest_id": at.harvest_id, "names": list(names)}
        told += db.session.scalars(_RETURNED, asked).all()
    run.state, run.ended_at = RunState.DONE, clock.now()
    counts = {name: getattr(run, name) for name in ("created", "changed", "unchanged", "refused", "vanished")}
    actor = on_behalf_of(at.organization_id)
    audit.record(actor, Verb.HARVEST_ENDED, subject=at.run_id, facts=counts | {"dry_run": at.dry_run})
    _next(at, 0, {} if at.dry_run else {"modified_since": _seen_until(at, newest)})
    db.session.flush()
    return told


def fail(at: RunAt, problem: HarvestProblem, detail: str) -> None:
    """End a run that cannot go on; what it has taken over stays, and the next one meets it again."""
    try:
        run = hold(at)
    except RunTaken:
        return
    run.state, run.ended_at, run.problem, run.detail = RunState.FAILED, clock.now(), problem, detail[:300]
    failures = db.session.scalars(select(Harvest.failures).where(Harvest.id == at.harvest_id)).one() + 1
    actor = on_behalf_of(at.organization_id)
    audit.record(actor, Verb.HARVEST_FAILED, subject=at.run_id, facts={"problem": problem.value, "failures": failures})
    _next(at, failures, {})
    db.session.flush()


def _gone(at: RunAt, names: set[str] | None) -> list[str]:
    if names is None and not at.is_full:
        return []
    asked: dict[str, Any] = {"harvest_id": at.harvest_id, "run_id": at.run_id}
    absent = _UNSEEN if names is None else _UNNAMED
    asked |= {} if names is None else {"names": list(names)}
    return list(db.session.scalars(text(_GONE.format(absent=absent)), asked))


def _flag(at: RunAt, gone: list[str]) -> list[str]:
    if not gone:
        return []
    asked = {"harvest_id": at.harvest_id, "gone": gone}
    db.session.execute(_VANISHED_LINES, asked | {"run_id": at.run_id})
    return [] if at.dry_run else list(db.session.scalars(_FLAG, asked | {"now": clock.now()}))


def _seen_until(at: RunAt, newest: str) -> str | None:
    # A record from the future would hide all that changes until then.
    latest = clock.text(clock.now())[: len("2026-11-30T00:00:00")]
    return max(filter(None, [at.since, min(newest, latest) if newest else None]), default=None)


def _next(at: RunAt, failures: int, values: dict[str, Any]) -> None:
    harvest = db.session.scalars(select(Harvest).where(Harvest.id == at.harvest_id)).one()
    if harvest.schedule:
        values |= {"next_at": rules.next_time(HarvestSchedule(harvest.schedule), clock.now(), failures)}
    db.session.execute(update(Harvest).where(Harvest.id == at.harvest_id).values(failures=failures, **values))
