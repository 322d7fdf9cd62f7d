"""Provenance: what a dataset was made of, and what was made of it, to whoever sees both ends; citations."""

from collections.abc import Sequence
from typing import Any

from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.catalog.groups.queries import sight_of
from marketplace.catalog.lineage import chain, queries, service
from marketplace.catalog.lineage.models import Citation
from marketplace.catalog.lineage.rules import CitationDraft, SourceDraft
from marketplace.catalog.lineage.states import CitationState
from marketplace.catalog.models import Dataset
from marketplace.exchange import discovery, listing
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity.actors import Actor
from marketplace.kit import mail, settings

Document = dict[str, Any]
CITATIONS_SHOWN = 50


def read(reader: Actor | None, dataset_id: str) -> Document:
    """Return sources and descendants of a dataset, and the whole chain, as far as the reader sees; raises NotFound.

    ``chain`` has each dataset once with how far it lies, and each step between two; nothing lies behind a hidden one.
    """
    own = discovery.read_listing(reader, dataset_id).document
    walked = chain.walk(dataset_id, sight_of(reader))
    steps = [*walked.up, *walked.down]
    named = {one for edge in steps for one in (edge.source_id, edge.dataset_id) if one}
    seen = listings.find_listings(named, sight_of(reader)) | {own["id"]: own}
    steps = [edge for edge in steps if edge.dataset_id in seen and (edge.url or edge.source_id in seen)]
    return {
        "sources": [_source(edge, seen) for edge in walked.up if edge in steps and edge.depth == 1],
        "derived": [_named(seen[edge.dataset_id]) for edge in walked.down if edge in steps and edge.depth == 1],
        "chain": {
            "nodes": _nodes(own["id"], walked, seen),
            "steps": [_step(edge) for edge in steps],
            "is_cut": walked.is_cut,
        },
    }


def declare_origins(actor: Actor, dataset_id: str, sources: Sequence[SourceDraft], expected_version: int) -> Dataset:
    """Say anew what a dataset was made of, and list it anew: formats tell of it, and readers that ask again notice.

    Raises as the deed does.
    """
    listings.stand_in_line(catalog.get_own_dataset(actor, dataset_id).id)
    dataset = service.declare_origins(actor, dataset_id, sources, expected_version)
    listing.refresh(dataset.id)
    return dataset


def citations_of(reader: Actor | None, dataset_id: str) -> list[Document]:
    """Return the newest citations that are shown of a dataset; raises NotFound."""
    discovery.read_listing(reader, dataset_id)
    return [shown(one) for one in queries.list_citations(dataset_id, size=CITATIONS_SHOWN).items]


def cite(actor: Actor, dataset_id: str, draft: CitationDraft) -> Citation:
    """Cite a dataset, and tell its provider of what waits. Raises as the deed does."""
    citation = service.cite(actor, dataset_id, draft)
    if citation.state == CitationState.WAITING:
        provider_id = catalog.get_dataset(dataset_id).organization_id
        for address in identity.list_addresses(provider_id, roles.LISTING):
            mail.send(address, *_letter())
    return citation


def shown(citation: Citation) -> Document:
    """Return a citation with the name of who added it."""
    who = identity.get_organization(citation.organization_id)
    plain = ("id", "dataset_id", "kind", "state", "title", "url", "created_at", "decided_at")
    return {name: getattr(citation, name) for name in plain} | {"added_by": {"ja": who.name_ja, "en": who.name_en}}


def titled(citations: Sequence[Citation]) -> list[Document]:
    """Return citations with the titles of their datasets, as their own parties read them."""
    datasets = catalog.find_datasets({one.dataset_id for one in citations})
    titles = {one: (datasets[one].title_ja, datasets[one].title_en) for one in datasets}
    return [
        shown(one) | dict(zip(("dataset_ja", "dataset_en"), titles[one.dataset_id], strict=True)) for one in citations
    ]


def _source(edge: chain.Edge, seen: dict[str, Document]) -> Document:
    if edge.source_id is None:
        return {"dataset_id": None, "url": edge.url, "title_ja": edge.title, "title_en": "", "words": edge.words}
    return _named(seen[edge.source_id]) | {"words": edge.words}


def _nodes(own_id: str, walked: chain.Chain, seen: dict[str, Document]) -> list[Document]:
    """Return the datasets of a chain, nearest first: those it was made of lie at depths below zero."""
    depths = {own_id: 0}
    for edge in walked.up:
        if edge.source_id:
            depths.setdefault(edge.source_id, -edge.depth)
    for edge in walked.down:
        depths.setdefault(edge.dataset_id, edge.depth)
    near = sorted(depths.items(), key=lambda pair: (abs(pair[1]), pair[1]))
    return [_named(seen[one]) | {"depth": depth} for one, depth in near if one in seen]


def _step(edge: chain.Edge) -> Document:
    plain = {"source_dataset_id": edge.source_id, "dataset_id": edge.dataset_id, "url": edge.url}
    return plain | {"title": edge.title, "words": edge.words}


def _named(document: Document) -> Document:
    titles = {"title_ja": document["title_ja"], "title_en": document["title_en"]}
    return {"dataset_id": document["id"], "url": None} | titles


def _letter() -> tuple[str, str]:
    address = f"{settings.current().base_url}/organization/citations"
    subject = "データセットの活用事例が届きました / A use of your dataset waits for you"
    body = (
        f"データセットの引用・活用事例の掲載について、確認をお願いします。\n{address}\n\n"
        f"Somebody names what was made of your dataset. Please say whether it is shown.\n{address}\n"
    )
    return subject, body
