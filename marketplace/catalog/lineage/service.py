"""Deeds of lineage: saying what a dataset was made of, citing it, and deciding what is shown of that."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.dialects import postgresql

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.catalog.errors import DatasetWithdrawn, VersionStale
from marketplace.catalog.groups.queries import sight_of
from marketplace.catalog.lineage import queries, rules
from marketplace.catalog.lineage.errors import CitationDecided, CitationsWaiting, CitedAlready, LineageCircular
from marketplace.catalog.lineage.models import Citation, DatasetOrigin
from marketplace.catalog.lineage.rules import CitationDraft, SourceDraft
from marketplace.catalog.lineage.states import CITATION_MOVES, CitationState
from marketplace.catalog.models import Dataset
from marketplace.catalog.states import DatasetState
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.canonical import digest_of
from marketplace.kit.db import changed_rows, db
from marketplace.kit.errors import Invalid, NotFound
from marketplace.kit.ids import new_id

WAITING_MAX = 20
_LOCK = 0x6C696E65  # "line"


def declare_origins(actor: Actor, dataset_id: str, sources: Sequence[SourceDraft], expected_version: int) -> Dataset:
    """Say anew what a dataset was made of, if it still is at that version.

    Raises NotFound, DatasetWithdrawn, VersionStale, LineageCircular, or Invalid where a source is not seen.
    """
    dataset = catalog.get_own_dataset(actor, dataset_id)
    if dataset.state == DatasetState.WITHDRAWN:
        raise DatasetWithdrawn
    rules.check_sources(dataset.id, sources)
    _require_seen(actor, sources)
    # Two who each close one half of a circle stand in line here: the second sees what the first wrote.
    db.session.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    same = (Dataset.id == dataset.id, Dataset.version == expected_version, Dataset.state != DatasetState.WITHDRAWN)
    if not changed_rows(update(Dataset).where(*same).values(version=expected_version + 1, updated_at=clock.now())):
        db.session.refresh(dataset)
        raise VersionStale(version=dataset.version)
    db.session.execute(delete(DatasetOrigin).where(DatasetOrigin.dataset_id == dataset.id))
    rows = [_row(dataset.id, place, source) for place, source in enumerate(sources)]
    if rows:
        db.session.execute(insert(DatasetOrigin), rows)
    through = queries.closing_circle(actor.organization_id, sight_of(actor), dataset.id)
    if through:
        raise LineageCircular(through=through)
    db.session.refresh(dataset)
    facts = {"version": dataset.version, "sources": len(rows), "sources_sha256": digest_of(rows)}
    audit.record(actor, Verb.ORIGINS_DECLARED, subject=dataset.id, dataset=dataset.id, facts=facts)
    return dataset


def cite(actor: Actor, dataset_id: str, draft: CitationDraft) -> Citation:
    """Say what was made of a dataset: one's own is shown at once, another's when its provider agrees.

    Raises NotFound to whoever does not see the dataset, Invalid, CitedAlready or CitationsWaiting.
    """
    # All is asked of an absent dataset too: neither answer nor time tells it from one that is hidden.
    dataset, is_seen = catalog.find_dataset(dataset_id), listings.is_listed(dataset_id, sight_of(actor))
    own = dataset is not None and dataset.organization_id == actor.organization_id
    if dataset is None or not (own or is_seen):
        raise NotFound
    rules.check_citation(draft)
    # Whoever cites several at once stands in line here: none counts without the others.
    identity.lock_visible_organization(actor, actor.organization_id)
    if not own and queries.count_waiting(actor.organization_id, dataset.organization_id) >= WAITING_MAX:
        raise CitationsWaiting
    now = clock.now()
    row = {
        "id": new_id("cit"),
        "dataset_id": dataset.id,
        "organization_id": actor.organization_id,
        "kind": draft.kind,
        "state": CitationState.SHOWN if own else CitationState.WAITING,
        "title": draft.title,
        "url": draft.url,
        "created_at": now,
        "decided_at": now if own else None,
    }
    is_shown = queries.is_cited(dataset.id, draft.url)
    made = postgresql.insert(Citation).values(row).on_conflict_do_nothing()
    citation = None if is_shown else db.session.scalars(made.returning(Citation)).one_or_none()
    if citation is None:
        raise CitedAlready
    facts = {"kind": str(draft.kind), "url_sha256": digest_of(draft.url), "state": citation.state}
    counterparty = None if own else dataset.organization_id
    audit.record(
        actor, Verb.CITATION_ADDED, subject=citation.id, counterparty=counterparty, dataset=dataset.id, facts=facts
    )
    return citation


def decide(actor: Actor, citation_id: str, state: CitationState) -> Citation:
    """Show a citation of a dataset of one's own, decline it, or take it off again; of two decisions one is heard.

    Raises NotFound, CitationDecided, or CitedAlready where another one shows the same address.
    """
    citation = queries.get_citation_of_provider(actor.organization_id, citation_id)
    # Whoever shows two of one address at once stands in line here: the second sees the first.
    identity.lock_visible_organization(actor, actor.organization_id)
    if state is CitationState.SHOWN and queries.is_cited(citation.dataset_id, citation.url, but=citation.id):
        raise CitedAlready
    movable = (Citation.id == citation.id, Citation.state.in_(CITATION_MOVES[state]))
    moved = changed_rows(update(Citation).where(*movable).values(state=state, decided_at=clock.now()))
    db.session.refresh(citation)
    if not moved:
        raise CitationDecided(state=citation.state)
    facts = {"state": state.value}
    other = citation.organization_id if citation.organization_id != actor.organization_id else None
    dataset_id = citation.dataset_id
    audit.record(actor, Verb.CITATION_DECIDED, subject=citation.id, counterparty=other, dataset=dataset_id, facts=facts)
    return citation


def _require_seen(actor: Actor, sources: Sequence[SourceDraft]) -> None:
    # Whether a dataset is hidden from the caller or absent, the answer is the same.
    sight = sight_of(actor)
    unseen = [
        place
        for place, source in enumerate(sources)
        if source.dataset_id and not (listings.is_listed(source.dataset_id, sight) or _is_own(actor, source.dataset_id))
    ]
    if unseen:
        detail = "is no dataset that is listed, or one's own"
        raise Invalid(errors=[{"pointer": f"/sources/{place}/dataset_id", "detail": detail} for place in unseen])


def _is_own(actor: Actor, dataset_id: str) -> bool:
    dataset = catalog.find_dataset(dataset_id)
    return dataset is not None and dataset.organization_id == actor.organization_id


def _row(dataset_id: str, place: int, source: SourceDraft) -> dict[str, Any]:
    said = {"source_dataset_id": source.dataset_id, "url": source.url, "title": source.title, "words": source.words}
    return {"dataset_id": dataset_id, "place": place} | said
