"""Discovery: from words to listed datasets, and to what is offered of them."""

from typing import Any

from marketplace.access import queries as access
from marketplace.access.queries import GrantFilter
from marketplace.catalog import explaining, listings
from marketplace.catalog import queries as catalog
from marketplace.exchange import facilities, showcase
from marketplace.identity.actors import Actor
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, Page
from marketplace.licensing import queries as licensing
from marketplace.licensing.models import Offer


def search(
    words: str, filters: dict[str, list[str]], cursor: str | None, size: int, *, explain: bool = False
) -> dict[str, Any]:
    """Return found datasets in order of relevance, facet counts, their number and the next cursor.

    The index is derived and may lag by a moment: what is listed no longer is left out. With ``explain`` each dataset
    says how near it is to the words, by which of them, and what quality, trust and freshness add.
    """
    found = facilities.current().index.search(words, filters, cursor=cursor, size=size)
    documents = listings.find_listings(hit.dataset_id for hit in found.hits)
    shown = [(hit, documents[hit.dataset_id]) for hit in found.hits if hit.dataset_id in documents]
    return {
        "items": [
            showcase.summary(document) | ({"explanation": explaining.explain(words, hit, document)} if explain else {})
            for hit, document in shown
        ],
        "facets": found.facets,
        "total": found.total,
        "next_cursor": found.next_cursor,
    }


def list_offers(
    actor: Actor | None, dataset_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[Offer]:
    """Return the open offers of a dataset, newest first, with those made to the caller alone.

    Raises NotFound to whoever may not know of the dataset.
    """
    if not _may_know(actor, dataset_id):
        raise NotFound
    return licensing.list_offers(dataset_id, reader=actor, cursor=cursor, size=size)


def read_offer(actor: Actor | None, offer_id: str) -> Offer:
    """Return an offer, whatever its state; raises NotFound to whoever may not know of it or of its dataset."""
    offer = licensing.get_offer(offer_id)
    if not licensing.may_see(actor, offer) or not (_is_addressed(actor, offer) or _may_know(actor, offer.dataset_id)):
        raise NotFound
    return offer


def _is_addressed(actor: Actor | None, offer: Offer) -> bool:
    return actor is not None and offer.buyer_organization_id == actor.organization_id


def _may_know(actor: Actor | None, dataset_id: str) -> bool:
    if listings.is_listed(dataset_id):
        return True
    dataset = catalog.find_dataset(dataset_id)
    if actor is None or dataset is None:
        return False
    own = GrantFilter(organization_id=actor.organization_id, dataset_id=dataset_id)
    is_party = actor.oversees or actor.organization_id == dataset.organization_id
    if is_party or licensing.has_private_offer(actor, dataset_id):
        return True
    return bool(access.list_grants(actor, own, size=1).items)
