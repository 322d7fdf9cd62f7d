"""The desk of citations (引用・活用事例): naming what one made of data, deciding what is shown."""

from typing import Any

from flask import Response, request

from marketplace.catalog import rules
from marketplace.catalog.lineage import queries, service
from marketplace.catalog.lineage.rules import CitationDraft
from marketplace.catalog.lineage.states import CITATION_MOVES, CITATION_STATE_LABELS, CitationKind, CitationState
from marketplace.exchange import discovery, provenance
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.identity.login import sessions as login
from marketplace.identity.permissions import Permission
from marketplace.kit.errors import Conflict, Invalid, Refusal
from marketplace.kit.transaction import transaction
from marketplace.web import fields, forms
from marketplace.web.addresses import see
from marketplace.web.catalog import CURSOR_MAX
from marketplace.web.endpoint import blueprint, guarded, may, session
from marketplace.web.language import link, say
from marketplace.web.rendering import path_part, render_private

blp = blueprint("citations")
DESK = "/organization/citations"
DEEDS = {
    CitationState.SHOWN: ("表示する", "Show it"),
    CitationState.DECLINED: ("表示しない", "Decline"),
    CitationState.REMOVED: ("表示をやめる", "Take it off"),
}


@blp.get(DESK)
@guarded(Permission.DEMAND_READ_OWN)
def show() -> Response:
    """Show what waits for one's decision, what is shown of one's datasets, and what one named oneself."""
    return _desk()


@blp.get(f"{DESK}/of/<dataset_id>")
@guarded(Permission.DEMAND_READ_OWN)
def show_form(dataset_id: str) -> Response:
    """Show the form by which something is named that was made of a dataset."""
    return _form(dataset_id)


@blp.post(f"{DESK}/of/<dataset_id>")
@guarded(Permission.DEMAND_JOIN)
def cite(dataset_id: str) -> Response:
    """Name what was made of a dataset: the provider's own is shown at once, another's when the provider agrees."""
    form = forms.read("kind", "title", "url")
    try:
        if form["kind"] not in set(CitationKind):
            raise fields.wrong("kind", f"one of {', '.join(CitationKind)}")
        draft = CitationDraft(CitationKind(form["kind"]), form["title"].strip(), form["url"].strip())
        with transaction():
            state = provenance.cite(_actor(), dataset_id, draft).state
    except (Conflict, Invalid) as refusal:
        return _form(dataset_id, refusal, form)
    return see(link(f"/catalog/{path_part(dataset_id)}" if state == CitationState.SHOWN else DESK))


@blp.post(DESK)
@guarded(Permission.DATASETS_WRITE)
def decide() -> Response:
    """Show a citation of a dataset of one's own, decline it, or take it off again."""
    form = forms.read("citation_id", "state")
    try:
        if form["state"] not in set(DEEDS):
            raise fields.wrong("state", f"one of {', '.join(DEEDS)}")
        with transaction():
            service.decide(_actor(), form["citation_id"], CitationState(form["state"]))
    except (Conflict, Invalid) as refusal:
        return _desk(refusal)
    return see(link(DESK))


def _actor() -> Actor:
    return login.actor_of(session())


def _desk(refusal: Refusal | None = None) -> Response:
    actor = _actor()
    own_id, cursor = actor.organization_id, (request.args.get("cursor") or "")[:CURSOR_MAX] or None
    reads = may(actor, Permission.DATASETS_READ)
    waiting = queries.list_of_provider(own_id, waiting=True) if reads else None
    decided = queries.list_of_provider(own_id, waiting=False, cursor=cursor) if reads else None
    following = decided.next_cursor if decided else None
    return render_private(
        "citations.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(own_id),
        decides=may(actor, Permission.DATASETS_WRITE),
        trouble=fields.trouble(refusal),
        waiting=provenance.titled(waiting.items) if waiting else [],
        decided=provenance.titled(decided.items) if decided else [],
        following=link(DESK, [("cursor", following)]) if following else None,
        named=provenance.titled(queries.list_named_by(own_id).items),
        deeds={state.value: _deeds(state) for state in CitationState},
        **_words(),
    )


def _form(dataset_id: str, refusal: Refusal | None = None, form: dict[str, str] | None = None) -> Response:
    actor = _actor()
    document = discovery.read_listing(actor, dataset_id).document
    return render_private(
        "citation.html",
        status=refusal.status if refusal else 200,
        organization=identity.get_organization(actor.organization_id),
        dataset=document,
        is_own=document["publisher"]["id"] == actor.organization_id,
        may_cite=may(actor, Permission.DEMAND_JOIN),
        trouble=fields.trouble(refusal),
        said=form or {},
        title_length=rules.TITLE_LENGTH_MAX,
        **_words(),
    )


def _words() -> dict[str, Any]:
    return {
        "kinds": {kind.value: say(kind.ja, kind.en) for kind in CitationKind},
        "states": {state.value: say(*CITATION_STATE_LABELS[state]) for state in CitationState},
    }


def _deeds(state: CitationState) -> list[tuple[str, str]]:
    return [(to.value, say(*words)) for to, words in DEEDS.items() if state in CITATION_MOVES[to]]
