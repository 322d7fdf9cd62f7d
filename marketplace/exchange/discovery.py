"""Discovery: from words to listed datasets, and to what is offered of them."""

from dataclasses import asdict
from typing import Any

from marketplace.access import queries as access
from marketplace.access.queries import GrantFilter
from marketplace.catalog import explaining, listings
from marketplace.catalog import queries as catalog
from marketplace.catalog.groups.queries import sight_of
from marketplace.catalog.listings import Listed
from marketplace.catalog.models import Dataset
from marketplace.catalog.sight import Sight
from marketplace.exchange import facilities, showcase
from marketplace.identity.actors import Actor
from marketplace.kit.errors import NotFound
from marketplace.kit.pages import SIZE_DEFAULT, SIZE_MAX, Page
from marketplace.licensing import queries as licensing
from marketplace.licensing import showing
from marketplace.licensing.models import Offer, Terms


def search(
    reader: Actor | None,
    words: str,
    filters: dict[str, list[str]],
    cursor: str | None,
    size: int,
    *,
    explain: bool = False,
) -> dict[str, Any]:
    """Return found datasets in order of relevance, facet counts, their number and the next cursor.

    They are public ones, and those that are listed to a group of the reader's. The index is derived and may lag by
    a moment: what is listed no longer, or no longer to the reader, is left out. With ``explain`` each dataset says how
    near it is to the words, by which of them, and what quality, trust and freshness add.
    """
    sight = sight_of(reader)
    found = facilities.current().index.search(words, filters, cursor=cursor, size=size, sight=sight)
    documents = listings.find_listings((hit.dataset_id for hit in found.hits), sight)
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


def read_listing(reader: Actor | None, dataset_id: str) -> Listed:
    """Return the document of a dataset that the reader sees, and since when it stands; NotFound for all others."""
    listed = listings.find_listing(dataset_id, sight_of(reader))
    if listed is None:
        raise NotFound
    return listed


def list_files(
    reader: Actor | None, dataset_id: str, release_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[dict[str, Any]]:
    """Return the files of a published release of a dataset that the reader sees; NotFound for all others."""
    if not listings.is_listed(dataset_id, sight_of(reader)):
        raise NotFound
    return showcase.list_files(dataset_id, release_id, cursor, size)


def suggest(reader: Actor | None, typed: str, size: int) -> list[dict[str, Any]]:
    """Return how what somebody types may go on: tags with their number of datasets, publishers and titles."""
    return [asdict(one) for one in facilities.current().index.suggest(typed, size, sight=sight_of(reader))]


def list_offers(
    actor: Actor | None, dataset_id: str, cursor: str | None = None, size: int = SIZE_DEFAULT
) -> Page[Offer]:
    """Return the open offers of a dataset, newest first, with those made to the caller alone.

    Raises NotFound to whoever may not know of the dataset. Who knows of it since it bought, but is in the group no
    longer to which it is listed, gets what is made to it alone.
    """
    sight = sight_of(actor)
    if not _may_know(actor, dataset_id, sight):
        raise NotFound
    return licensing.list_offers(dataset_id, reader=actor, sight=sight, cursor=cursor, size=size)


def read_offer(actor: Actor | None, offer_id: str) -> Offer:
    """Return an offer, whatever its state; raises NotFound to whoever may not know of it or of its dataset."""
    sight, offer = sight_of(actor), licensing.find_offer(offer_id)
    # Where there is no offer the same is asked as where one is hidden: neither answer nor time tells them apart.
    dataset = catalog.find_dataset(offer.dataset_id if offer else "")
    is_known = _may_know(actor, offer.dataset_id if offer else "", sight)
    if offer is None or not licensing.may_see(actor, offer):
        raise NotFound
    if not (_is_addressed(actor, offer) or (is_known and _is_sighted(actor, offer, dataset, sight))):
        raise NotFound
    return offer


def read_terms(reader: Actor | None, identifier: str) -> Terms:
    """Return terms by id or by hash; NotFound where the reader may not know of anything that is offered under them."""
    return showing.read_terms(reader, sight_of(reader), identifier)


def _is_addressed(actor: Actor | None, offer: Offer) -> bool:
    return actor is not None and offer.buyer_organization_id == actor.organization_id


def _is_sighted(actor: Actor | None, offer: Offer, dataset: Dataset | None, sight: Sight) -> bool:
    if dataset is None or dataset.audience is None or dataset.audience in sight.groups:
        return True
    if actor is None:
        return False
    bought = GrantFilter(organization_id=actor.organization_id, dataset_id=dataset.id)
    is_party = actor.oversees or actor.organization_id == offer.organization_id
    return is_party or any(
        grant.offer_id == offer.id for grant in access.list_grants(actor, bought, size=SIZE_MAX).items
    )


def _may_know(actor: Actor | None, dataset_id: str, sight: Sight) -> bool:
    if listings.is_listed(dataset_id, sight):
        return True
    dataset = catalog.find_dataset(dataset_id)
    if actor is None:
        return False
    own = GrantFilter(organization_id=actor.organization_id, dataset_id=dataset_id)
    is_party = dataset is not None and (actor.oversees or actor.organization_id == dataset.organization_id)
    # All are asked of an absent dataset too.
    is_offered = licensing.has_private_offer(actor, dataset_id)
    has_bought = bool(access.list_grants(actor, own, size=1).items)
    return is_party or is_offered or has_bought
