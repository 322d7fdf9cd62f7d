"""Discovery: from words to listed datasets."""

from typing import Any

from marketplace.catalog import listings
from marketplace.exchange import facilities, showcase


def search(words: str, filters: dict[str, list[str]], cursor: str | None, size: int) -> dict[str, Any]:
    """Return found datasets in order of relevance, facet counts, their number and the next cursor.

    The index is derived and may lag by a moment: what is listed no longer is left out.
    """
    found = facilities.current().index.search(words, filters, cursor=cursor, size=size)
    documents = listings.find_listings(hit.dataset_id for hit in found.hits)
    shown = [documents[hit.dataset_id] for hit in found.hits if hit.dataset_id in documents]
    return {
        "items": [showcase.summary(document) for document in shown],
        "facets": found.facets,
        "total": found.total,
        "next_cursor": found.next_cursor,
    }
