"""The public documents with the terms of their offers, as the mappings take them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from marketplace.catalog import browsing, listings
from marketplace.catalog.browsing import Change, Place
from marketplace.catalog.lineage import queries as lineage
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing import queries as licensing
from marketplace.licensing.terms import UsageTerms
from marketplace.protocols.catalogue.atom import Gone
from marketplace.protocols.catalogue.entries import Document, Entry, Source


def entry(dataset_id: str) -> Entry:
    """Return a dataset that the public sees, or raise NotFound."""
    listed = listings.find_listing(dataset_id)
    if listed is None:
        raise NotFound
    return _entries([(listed.document, listed.updated_at)])[0]


def entry_of(document: Document, changed_at: datetime) -> Entry:
    """Return a public document that somebody has read already, with its terms."""
    return Entry(document, changed_at, _terms(document))


def entries(places: Sequence[Place]) -> Iterator[Entry]:
    """Yield the datasets at some places, in that order; who has left meanwhile is left out."""
    documents = browsing.find_documents(places)
    found = [(documents[one.dataset_id], one.changed_at) for one in places if one.dataset_id in documents]
    yield from _entries(found)


def changes(found: Sequence[Change]) -> Iterator[Entry | Gone]:
    """Yield what came, changed and left, in that order; who has left meanwhile is told of with the next reading."""
    there = {one.id: one for one in entries([Place(one.dataset_id, one.changed_at) for one in found])}
    for change in found:
        if change.is_gone:
            yield Gone(change.dataset_id, change.changed_at)
        elif change.dataset_id in there:
            yield there[change.dataset_id]


def everything() -> Iterator[Entry]:
    """Yield all datasets, a few in memory at a time."""
    for batch in browsing.batches():
        with transaction():
            found = _entries(batch)
        yield from found


def _entries(found: Sequence[tuple[Document, datetime]]) -> list[Entry]:
    origins = lineage.list_public_origins(document["id"] for document, _changed_at in found)
    return [
        Entry(document, changed_at, _terms(document), tuple(map(_source, origins.get(document["id"], ()))))
        for document, changed_at in found
    ]


def _source(origin: Any) -> Source:
    return Source(origin.source_dataset_id, origin.url, origin.title)


def _terms(document: Document) -> dict[str, UsageTerms]:
    return {offer["terms_sha256"]: _usage_terms(offer["terms_sha256"]) for offer in document.get("offers", ())}


@lru_cache(maxsize=4096)  # named by their hash, terms never change
def _usage_terms(sha256: str) -> Any:
    return licensing.usage_terms(licensing.get_terms(sha256))
