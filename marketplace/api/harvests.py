"""Foreign catalogues that are taken over, and what became of each of their records."""

from typing import Any
from urllib.parse import urlsplit

from marketplace.api.endpoint import actor, blueprint, created, guarded
from marketplace.api.schemas import harvests as schemas
from marketplace.api.schemas.base import PageQuery
from marketplace.catalog.cleaning import comparing
from marketplace.catalog.harvesting import queries, service
from marketplace.catalog.harvesting.rules import HarvestDraft
from marketplace.catalog.harvesting.states import (
    HARVEST_PROBLEM_LABELS,
    HarvestProblem,
    HarvestSchedule,
    Outcome,
    SourceKind,
)
from marketplace.exchange import harvesting
from marketplace.identity.permissions import Permission
from marketplace.kit.pages import Page
from marketplace.kit.transaction import transaction

blp = blueprint("harvests", "/v1/harvests", "Foreign catalogues that are taken over, record by record.")
HARVEST = ("id", "organization_id", "kind", "schedule", "repairs", "failures", "next_at", "created_at")
RUN = (
    "id", "harvest_id", "state", "dry_run", "is_full", "announced", "created", "changed", "unchanged", "refused",
    "vanished", "problem", "detail", "started_at", "ended_at",
)  # fmt: skip


@blp.route("", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.HarvestDraft)
@blp.response(201, schemas.HarvestView)
def register(draft: dict[str, Any]) -> Any:
    """Name a foreign catalogue to take over; the same address again changes how. With a schedule it begins soon."""
    schedule = HarvestSchedule(draft["schedule"]) if draft["schedule"] else None
    given = HarvestDraft(draft["url"], SourceKind(draft["kind"]), schedule, repairs=draft["repairs"])
    with transaction():
        held = harvesting.name_harvest(actor(), given)
        return created(_harvest(held), f"/v1/harvests/{held.id}")


@blp.route("")
@guarded(Permission.DATASETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.HarvestPage)
def list_harvests(query: dict[str, Any]) -> Any:
    """List one's own harvests, newest first; overseers see all."""
    caller = actor()
    page = queries.list_harvests(organization_id=None if caller.oversees else caller.organization_id, **query)
    return Page([_harvest(one) for one in page.items], page.next_cursor)


@blp.route("/<harvest_id>")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.HarvestView)
def read(harvest_id: str) -> Any:
    """Read a harvest."""
    return _harvest(queries.get_visible_harvest(actor(), harvest_id))


@blp.route("/<harvest_id>/schedule", methods=["DELETE"])
@guarded(Permission.DATASETS_WRITE)
@blp.response(200, schemas.HarvestView)
def stop(harvest_id: str) -> Any:
    """Harvest a catalogue no more by itself; what came of it stays."""
    with transaction():
        return _harvest(service.stop_schedule(actor(), harvest_id))


@blp.route("/<harvest_id>/runs", methods=["POST"])
@guarded(Permission.DATASETS_WRITE)
@blp.arguments(schemas.RunDraft)
@blp.response(202, schemas.RunView)
def begin(draft: dict[str, Any], harvest_id: str) -> Any:
    """Begin a run over a catalogue, in the background; one at a time."""
    with transaction():
        run = harvesting.begin(actor(), harvest_id, dry_run=draft["dry_run"], is_full=draft["full"])
        return _run(run), 202, {"Location": f"/v1/harvests/{harvest_id}/runs/{run.id}"}


@blp.route("/<harvest_id>/runs")
@guarded(Permission.DATASETS_READ)
@blp.arguments(PageQuery, location="query")
@blp.response(200, schemas.RunPage)
def list_runs(query: dict[str, Any], harvest_id: str) -> Any:
    """List the runs over a catalogue, newest first."""
    page = queries.list_runs(queries.get_visible_harvest(actor(), harvest_id).id, **query)
    return Page([_run(one) for one in page.items], page.next_cursor)


@blp.route("/<harvest_id>/runs/<run_id>")
@guarded(Permission.DATASETS_READ)
@blp.response(200, schemas.RunView)
def read_run(harvest_id: str, run_id: str) -> Any:
    """Read how far a run has come, what became of the records, and what is better here than there."""
    return _run(queries.get_visible_run(actor(), harvest_id, run_id))


@blp.route("/<harvest_id>/runs/<run_id>/report")
@guarded(Permission.DATASETS_READ)
@blp.arguments(schemas.LineQuery, location="query")
@blp.response(200, schemas.LinePage)
def report(query: dict[str, Any], harvest_id: str, run_id: str) -> Any:
    """List what became of each record, by its id where it comes from."""
    run = queries.get_visible_run(actor(), harvest_id, run_id)
    outcome = query.pop("outcome", None)
    return queries.list_lines(run.id, outcome=Outcome(outcome) if outcome else None, **query)


def _harvest(held: Any) -> dict[str, Any]:
    # An address may hold what only its owner should know.
    own = held.organization_id == actor().organization_id
    url = held.address if own else f"https://{urlsplit(held.address).hostname or ''}/"
    return {name: getattr(held, name) for name in HARVEST} | {"url": url}


def _run(run: Any) -> dict[str, Any]:
    label = HARVEST_PROBLEM_LABELS[HarvestProblem(run.problem)] if run.problem else None
    told = {"problem_ja": label.ja if label else None, "problem_en": label.en if label else None}
    measures = [
        {"measure": name, "label_ja": label.ja, "label_en": label.en, "of": whole, "before": before, "after": after}
        for name, label, whole, before, after in comparing.rows(run.comparison)
    ]
    return {name: getattr(run, name) for name in RUN} | told | {"comparison": measures}
