"""Provenance: what a dataset was made of, and what was made of it, to whoever sees both ends; citations."""

from collections.abc import Sequence
from typing import Any

from marketplace.catalog import listings
from marketplace.catalog import queries as catalog
from marketplace.catalog.groups.queries import sight_of
from marketplace.catalog.lineage import queries, service
from marketplace.catalog.lineage.models import Citation
from marketplace.catalog.lineage.rules import CitationDraft
from marketplace.catalog.lineage.states import CitationState
from marketplace.exchange import discovery
from marketplace.identity import queries as identity
from marketplace.identity import roles
from marketplace.identity.actors import Actor
from marketplace.kit import mail, settings

Document = dict[str, Any]
CITATIONS_SHOWN = 50


def read(reader: Actor | None, dataset_id: str) -> Document:
    """Return sources and descendants of a dataset, of those here only what the reader sees; raises NotFound."""
    discovery.read_listing(reader, dataset_id)
    origins, derived = queries.list_origins(dataset_id), queries.list_derived(dataset_id)
    named = {*derived, *(origin.source_dataset_id for origin in origins if origin.source_dataset_id)}
    seen = listings.find_listings(named, sight_of(reader))
    return {
        "sources": [_source(origin, seen) for origin in origins if origin.url or origin.source_dataset_id in seen],
        "derived": [_named(seen[one]) for one in derived if one in seen],
    }


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


def _source(origin: Any, seen: dict[str, Document]) -> Document:
    if origin.url:
        return {"dataset_id": None, "url": origin.url, "title_ja": origin.title, "title_en": "", "words": origin.words}
    return _named(seen[origin.source_dataset_id]) | {"words": origin.words}


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
