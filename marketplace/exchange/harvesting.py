"""Harvesting: from a foreign catalogue, batch by batch, to datasets that everybody finds here."""

from collections.abc import Callable

from marketplace.catalog import queries as catalog
from marketplace.catalog.harvesting import forgetting, queries, rules, service, taking
from marketplace.catalog.harvesting.errors import RunTaken, SourceUnreadable
from marketplace.catalog.harvesting.models import Harvest, HarvestRun
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.harvesting.service import RunAt
from marketplace.catalog.harvesting.states import Outcome
from marketplace.catalog.repairs import duplicates
from marketplace.catalog.repairs import service as repairs
from marketplace.catalog.states import DatasetState
from marketplace.exchange import listing
from marketplace.exchange.harvest_fetching import Reach
from marketplace.exchange.harvest_walks import Seen, Step, walk
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.states import OrganizationState
from marketplace.kit import jobs
from marketplace.kit.transaction import transaction

HARVEST_JOB = "catalog.harvest"
Tell = Callable[[Step], None]
forget = forgetting.forget


@jobs.task("catalog.harvest_due", cron="*/10 * * * *")
def harvest_due() -> None:
    """Begin the runs over the catalogues whose time has come."""
    with transaction():
        for run_id in service.take_due():
            jobs.enqueue(HARVEST_JOB, lock=f"{HARVEST_JOB} {run_id}", run_id=run_id)


@jobs.task(HARVEST_JOB, foreign=True)
def harvest(run_id: str) -> None:
    """Go on with a run, from wherever it was cut off, to its end."""
    carry_on(run_id, Reach())


def name_harvest(actor: Actor, draft: HarvestDraft) -> Harvest:
    """Name a catalogue on the network to take over; raises Invalid."""
    rules.check_draft(draft)
    return service.set_harvest(actor, draft)


def begin(actor: Actor, harvest_id: str, *, dry_run: bool = False, is_full: bool = False) -> HarvestRun:
    """Begin a run in the background. Raises NotFound or HarvestRunning."""
    run = service.begin_run(actor, harvest_id, dry_run=dry_run, is_full=is_full)
    jobs.enqueue(HARVEST_JOB, lock=f"{HARVEST_JOB} {run.id}", run_id=run.id)
    return run


def carry_on(run_id: str, reach: Reach, tell: Tell | None = None) -> None:
    """Do what is left of a run, each batch in a transaction of its own; nothing where it is at its end, or others' now.

    Killed anywhere, it goes on after the last batch that was kept.
    """
    with transaction():
        at = service.find_at(run_id)
        may = at is not None and identity.get_organization(at.organization_id).state == OrganizationState.VERIFIED
    if at is None or not may:
        return
    try:
        seen = _walked(at, reach, tell)
    except SourceUnreadable as failure:
        with transaction():
            left = service.find_at(run_id)
            if left is not None:
                service.fail(left, failure.problem, failure.detail)
    except RunTaken:
        return
    else:
        _end(run_id, seen)


def _walked(at: RunAt, reach: Reach, tell: Tell | None) -> Seen:
    way, position = walk(at, reach), at.position
    try:
        step = next(way)
        while True:
            fresh, position = _kept(at, step, position)
            if tell is not None:
                tell(step)
            step = way.send(fresh)
    except StopIteration as end:
        found: Seen = end.value
        return found


def _kept(at: RunAt, step: Step, position: int) -> tuple[int, int]:
    with transaction():
        batch, position = taking.take(service.at_position(at, position), step.records, step.cursor, step.announced)
        back = [one for one in batch.takings if one.is_back]
        if not at.dry_run:
            listing.show_made([str(one.dataset_id) for one in batch.having(Outcome.CREATED)])
            show([str(one.dataset_id) for one in batch.having(Outcome.CHANGED) + back])
        return len(batch.takings), position


def _end(run_id: str, seen: Seen) -> None:
    with transaction():
        at = service.find_at(run_id)
        if at is None:
            return
        show(service.finish(at, seen.names, seen.newest))
    if not at.dry_run:
        with transaction():
            found = list(duplicates.find(at.organization_id))
            rows = [row for one in found for row in repairs.rows_told(one.dataset_id, [one.finding])]
            show(sorted(repairs.note_new(rows)))


def show(dataset_ids: list[str]) -> None:
    """Compose the documents of these datasets anew, in one order, and have the index follow."""
    for dataset_id in sorted(set(dataset_ids)):
        if catalog.get_dataset(dataset_id).state != DatasetState.WITHDRAWN:
            listing.refresh(dataset_id)


def latest_run(harvest_id: str) -> HarvestRun | None:
    """Return the newest run over a catalogue, or None."""
    return next(iter(queries.list_runs(harvest_id, size=1).items), None)
