"""The desk of descriptions: what was found on one's own datasets, accepted or refused, catalogues taken over."""

from typing import Any

from flask import Response, request

from marketplace.catalog import queries as catalog
from marketplace.catalog.cleaning import comparing
from marketplace.catalog.cleaning.mending import Rule
from marketplace.catalog.harvesting import queries as harvests
from marketplace.catalog.harvesting.states import (
    HARVEST_PROBLEM_LABELS,
    OUTCOME_LABELS,
    SOURCE_KIND_LABELS,
    HarvestProblem,
    Outcome,
    SourceKind,
)
from marketplace.catalog.repairs import queries
from marketplace.catalog.repairs.states import REPAIR_STATE_LABELS, RULE_LABELS, RepairState
from marketplace.exchange import harvesting, repairing
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit import clock
from marketplace.kit.errors import Conflict, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import forms
from marketplace.web.addresses import see
from marketplace.web.endpoint import blueprint, guarded, may, session
from marketplace.web.language import link, say
from marketplace.web.rendering import render_private
from marketplace.web.sign_in import trouble_of

blp = blueprint("repairs_desk")
REPAIRS = "/organization/repairs"
ITEMS_SHOWN = 5


@blp.get(REPAIRS)
@guarded(Permission.DATASETS_READ)
def show() -> Response:
    """List what waits for a decision on the datasets of one's organization, and how its harvests went."""
    return _page()


@blp.post(REPAIRS)
@guarded(Permission.DATASETS_WRITE)
def decide() -> Response:
    """Accept or refuse a finding."""
    form = forms.read("dataset_id", "repair_id", "accept")
    try:
        with transaction():
            accept = form["accept"] == "yes"
            repairing.decide(_actor(), form["dataset_id"], form["repair_id"], accept=accept)
    except Conflict as refusal:
        return _page(refusal)
    return see(link(REPAIRS))


def _actor() -> Actor:
    return login.actor_of(session())


def _page(refusal: Refusal | None = None) -> Response:
    actor = _actor()
    page = queries.list_open(actor.organization_id, cursor=request.args.get("cursor"))
    named = catalog.find_datasets({one.dataset_id for one in page.items})
    return render_private(
        "repairs.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        manages=may(actor, Permission.DATASETS_WRITE),
        trouble=trouble_of(refusal),
        waiting=queries.count_open(actor.organization_id),
        findings=[_shown(one, named[one.dataset_id]) for one in page.items],
        following=link(REPAIRS, [("cursor", page.next_cursor)]) if page.next_cursor else None,
        harvests=[_harvest(one) for one in harvests.list_harvests(organization_id=actor.organization_id).items],
    )


def _shown(found: Any, dataset: Any) -> dict[str, Any]:
    return {
        "id": found.id,
        "dataset_id": dataset.id,
        "title": dataset.title_ja or dataset.title_en,
        "words": say(*RULE_LABELS[Rule(found.rule)]),
        "state": say(*REPAIR_STATE_LABELS[RepairState(found.state)]),
        "before": _words(found.before),
        "after": _words(found.after),
        "confidence": found.confidence,
        "changes": found.field is not None,
    }


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name}: {_words(one)}" for name, one in value.items())
    if isinstance(value, list):
        more = " …" if len(value) > ITEMS_SHOWN else ""
        return ", ".join(map(str, value[:ITEMS_SHOWN])) + more
    return "" if value is None else str(value)


def _harvest(held: Any) -> dict[str, Any]:
    run = harvesting.latest_run(held.id)
    shown: dict[str, Any] = {
        "address": held.address,
        "kind": say(*SOURCE_KIND_LABELS[SourceKind(held.kind)]),
        "run": None,
    }
    if run is None:
        return shown
    counts = [(say(*OUTCOME_LABELS[one]), getattr(run, one.value)) for one in Outcome]
    problem = HARVEST_PROBLEM_LABELS[HarvestProblem(run.problem)] if run.problem else None
    measures = [(say(*label), of, before, after) for _, label, of, before, after in comparing.rows(run.comparison)]
    return shown | {
        "run": {"at": clock.text(run.started_at), "counts": counts, "measures": measures, "dry_run": run.dry_run}
        | {"problem": say(*problem) if problem else ""}
    }
