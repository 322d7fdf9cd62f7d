"""The public documents with the terms of their offers, as the mappings take them."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from marketplace.catalog import browsing, listings
from marketplace.catalog.browsing import Place
from marketplace.kit.errors import NotFound
from marketplace.licensing import queries as licensing
from marketplace.licensing.terms import UsageTerms
from marketplace.protocols.catalogue.entries import Document, Entry


def entry(dataset_id: str) -> Entry:
    """Return a dataset that the public sees, or raise NotFound."""
    listed = listings.find_listing(dataset_id)
    if listed is None:
        raise NotFound
    return Entry(listed.document, listed.updated_at, _terms(listed.document))


def entry_of(document: Document, changed_at: datetime) -> Entry:
    """Return a public document that somebody has read already, with its terms."""
    return Entry(document, changed_at, _terms(document))


def entries(places: Sequence[Place]) -> Iterator[Entry]:
    """Yield the datasets at some places, in that order; who has left meanwhile is left out."""
    documents = browsing.find_documents(places)
    for place in places:
        if document := documents.get(place.dataset_id):
            yield Entry(document, place.changed_at, _terms(document))


def everything() -> Iterator[Entry]:
    """Yield all datasets, a few in memory at a time."""
    for batch in browsing.batches():
        yield from (Entry(document, changed_at, _terms(document)) for document, changed_at in batch)


def _terms(document: Document) -> dict[str, UsageTerms]:
    return {offer["terms_sha256"]: _usage_terms(offer["terms_sha256"]) for offer in document.get("offers", ())}


@lru_cache(maxsize=4096)  # named by their hash, terms never change
def _usage_terms(sha256: str) -> Any:
    return licensing.usage_terms(licensing.get_terms(sha256))
