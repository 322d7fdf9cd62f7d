"""News: what changed of the catalogue, told to the webhooks of those who may see it, in the transaction that did it."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from marketplace.catalog import listings
from marketplace.exchange import hearing
from marketplace.exchange.hearing import Hearers
from marketplace.kit import settings
from marketplace.webhooks import queries as webhooks
from marketplace.webhooks import service
from marketplace.webhooks.states import EventType

RELEASES_TOLD = 5
Document = Mapping[str, Any]
# What a provider says and offers by itself; all else of a document a new release moves, and is told as that.
_SAID = frozenset({
    "title_ja", "title_en", "description_ja", "description_en", "themes", "region", "language", "keywords", "frequency",
    "licence_hint", "contact_name", "contact_url", "contact_email", "publisher", "offers", "trust_required",
    "assurance_required", "privacy_class", "audience",
})  # fmt: skip


@contextmanager
def telling(dataset_id: str) -> Iterator[None]:
    """Tell what the block does to a dataset's document: everybody, or the private group to which it is listed."""
    if not webhooks.is_anybody_listening():
        yield
        return
    before = _shown_to_any(dataset_id)
    yield
    tell(before, _shown_to_any(dataset_id))


def tell_made(documents: Sequence[Document]) -> None:
    """Tell of datasets that are listed for the first time, to everybody."""
    if webhooks.is_anybody_listening():
        for document in documents:
            tell(None, document)


def tell(before: Document | None, after: Document | None) -> None:
    """Tell what became of a dataset's document; None is one that nobody may see.

    For whoever saw it before and does not now it is withdrawn, whoever sees it only now hears of it as published, and
    who saw it all the time hears what changed: so nobody learns of a group that it is not in.
    """
    was, now = hearing.of(before), hearing.of(after)
    if before is not None and after is not None:
        _tell_changes(before, after, was.and_of(now))
    if after is not None:
        _announce(EventType.LISTING_PUBLISHED, after, now.but(was), release=_release(_newest(after)))
    if before is not None:
        _announce(EventType.LISTING_WITHDRAWN, before, was.but(now))


def search_matched(organization_id: str, search_id: str, name: str, documents: Sequence[Document]) -> int:
    """Tell an organization of new listings that match a search of its own; returns how many endpoints there are."""
    told = {"search_id": search_id, "search_name": name, "datasets": [_shown(one) for one in documents]}
    return service.announce(EventType.SEARCH_MATCHED, told, among=[organization_id])


def requests_stated(organization_id: str, requests: Sequence[Document]) -> int:
    """Tell a provider of new data requests that it could answer; returns how many endpoints there are."""
    return service.announce(EventType.REQUEST_STATED, {"requests": list(requests)}, among=[organization_id])


def _shown_to_any(dataset_id: str) -> Document | None:
    return listings.find_for_index([dataset_id]).get(dataset_id)


def _tell_changes(before: Document, after: Document, hearers: Hearers) -> None:
    known = {release["id"] for release in before.get("releases", ())}
    fresh = [release for release in after.get("releases", ()) if release["id"] not in known]
    for release in reversed(fresh[:RELEASES_TOLD]):
        _announce(EventType.RELEASE_PUBLISHED, after, hearers, release=_release(release))
    names = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    others = [name for name in names if name in _SAID or not fresh]
    if others:
        _announce(EventType.LISTING_CHANGED, after, hearers, changed=others)


def _announce(kind: EventType, document: Document, hearers: Hearers, **more: Any) -> None:
    if hearers.among is not None and not hearers.among:
        return
    service.announce(
        kind,
        _shown(document) | more,
        dataset_id=document["id"],
        publisher_id=document["publisher"]["id"],
        among=hearers.among,
        without=hearers.without,
        audience=hearers.audience,
    )


def _shown(document: Document) -> dict[str, Any]:
    base, dataset_id = settings.current().base_url, document["id"]
    return {
        "dataset_id": dataset_id,
        "title_ja": document["title_ja"],
        "title_en": document["title_en"],
        "publisher_id": document["publisher"]["id"],
        "url": f"{base}/catalog/{dataset_id}",
        "api_url": f"{base}/v1/catalog/{dataset_id}",
    }


def _newest(document: Document | None) -> Mapping[str, Any] | None:
    releases = (document or {}).get("releases") or [None]
    return releases[0]  # type: ignore[no-any-return] # decoded JSON


def _release(release: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return {name: release.get(name) for name in ("id", "label", "published_at")} if release else None
