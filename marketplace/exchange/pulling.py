"""Pulling: from what a provider publishes elsewhere, by the clock, to the next release of a dataset."""

from collections.abc import Iterator
from typing import NamedTuple

from marketplace.catalog import service as catalog
from marketplace.catalog.sources import queries, service
from marketplace.catalog.sources.models import ReleaseSource
from marketplace.catalog.sources.service import Asked
from marketplace.catalog.sources.states import PullProblem
from marketplace.delivery.errors import StorageFull
from marketplace.delivery.stores import Stored
from marketplace.exchange import disposing, facilities, listing
from marketplace.identity import queries as identity
from marketplace.identity.actors import Actor, on_behalf_of
from marketplace.identity.states import OrganizationState
from marketplace.kit import clock, jobs, outbound
from marketplace.kit.errors import NotFound, Refusal, TooLarge
from marketplace.kit.outbound import (
    OutboundRefused,
    OutboundTooLarge,
    OutboundTooSlow,
    OutboundUnreachable,
    Streamed,
)
from marketplace.kit.transaction import transaction
from marketplace.privacy.errors import MyNumberFound

SECONDS_MAX = 1800
OK, NOT_MODIFIED = 200, 304
FIELD_LENGTH_MAX = 500
PROBLEMS: dict[type[Exception], PullProblem] = {
    OutboundUnreachable: PullProblem.UNREACHABLE,
    OutboundTooLarge: PullProblem.TOO_LARGE,
    OutboundTooSlow: PullProblem.TOO_SLOW,
    TooLarge: PullProblem.TOO_LARGE,
}


class _Found(NamedTuple):
    """What an address answered: the bytes where there are new ones, and what to say of them next time."""

    stored: Stored | None
    etag: str | None
    last_modified: str | None


class _OtherStatus(Exception):
    """An answer that is neither the file nor that it is unchanged."""


@jobs.task("catalog.pull_due", cron="* * * * *")
def pull_due() -> None:
    """Have the sources asked whose time has come, and publish what was fetched and looked into since."""
    with transaction():
        service.take_due()
    publish_awaiting()


@jobs.task(service.PULL_JOB, foreign=True)
def pull(dataset_id: str) -> None:
    """Ask one source; what is new becomes a release, what fails is told to the provider and tried again later."""
    with transaction():
        asked = service.find_asked(dataset_id)
        may = asked is not None and _may(asked)
    if asked is None or not may:
        return
    try:
        found = _fetched(asked)
    except _OtherStatus as other:
        _failed(asked, PullProblem.STATUS, str(other))
    except (OutboundRefused, TooLarge) as refused:
        _failed(asked, PROBLEMS.get(type(refused), PullProblem.REFUSED))
    except (StorageFull, MyNumberFound) as refusal:
        _failed(asked, PullProblem.RELEASE, refusal.slug)
    else:
        _keep(asked, found)


def ask_now(actor: Actor, dataset_id: str) -> ReleaseSource:
    """Have a source asked at once; of two that ask, one waits for the other. Raises NotFound."""
    return service.ask_now(actor, dataset_id)


def publish_awaiting() -> None:
    """Publish the releases whose provider asked for it, as soon as their files were looked into."""
    with transaction():
        awaiting = queries.list_awaiting()
    for dataset_id, organization_id, release_id in awaiting:
        try:
            with transaction():
                if service.settle_awaiting(dataset_id, release_id):
                    listing.publish(on_behalf_of(organization_id), release_id)
        except Refusal as refusal:
            with transaction():
                asked = service.find_asked(dataset_id)
                if asked is not None and service.settle_awaiting(dataset_id, release_id):
                    service.note_failure(asked, PullProblem.RELEASE, refusal.slug)


def _may(asked: Asked) -> bool:
    return identity.get_organization(asked.organization_id).state == OrganizationState.VERIFIED


def _fetched(asked: Asked) -> _Found:
    means = facilities.current()
    conditions = {"If-None-Match": asked.etag, "If-Modified-Since": asked.last_modified}
    headers = {name: value for name, value in conditions.items() if value} | {"User-Agent": "musubi"}
    limit = means.settings.upload_size_bytes_max
    with outbound.stream(asked.url, headers, limit, SECONDS_MAX) as answer:
        etag, last_modified = (_field(answer, name) for name in ("ETag", "Last-Modified"))
        if answer.status == NOT_MODIFIED and any(conditions.values()):
            return _Found(None, etag, last_modified)
        if answer.status != OK:
            raise _OtherStatus(str(answer.status))
        return _Found(disposing.receive(_pieces(answer), limit), etag, last_modified)


def _pieces(answer: Streamed) -> Iterator[bytes]:
    yield from answer.chunks


def _field(answer: Streamed, name: str) -> str | None:
    """Return a validator as it is sent back; one that no server should have made is left out."""
    value = answer.headers.get(name)
    return value if value and len(value) <= FIELD_LENGTH_MAX and value.isascii() and value.isprintable() else None


def _keep(asked: Asked, found: _Found) -> None:
    if found.stored is None or found.stored.sha256 == asked.sha256:
        with transaction():
            service.note_unchanged(asked, found.etag, found.last_modified)
        return
    try:
        with transaction():
            _release(asked, found.stored, found)
    except NotFound:
        return  # the provider has named another source meanwhile
    except Refusal as refusal:
        _failed(asked, PullProblem.RELEASE, refusal.slug)


def _release(asked: Asked, stored: Stored, found: _Found) -> None:
    actor = on_behalf_of(asked.organization_id)
    label = clock.now().astimezone(clock.JST).isoformat(timespec="seconds")
    release = catalog.open_release(actor, asked.dataset_id, label)
    listing.attach(actor, release.id, asked.file_name, asked.media_type, stored)
    service.note_fresh(asked, release.id, stored.sha256, stored.size_bytes, found.etag, found.last_modified)


def _failed(asked: Asked, problem: PullProblem, detail: str = "") -> None:
    with transaction():
        service.note_failure(asked, problem, detail)
