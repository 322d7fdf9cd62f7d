"""Fetching a provider's publications: what is new becomes a release, what is hostile becomes a plain reason."""

import gzip
import socket
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from marketplace.catalog import service as catalog
from marketplace.catalog.models import File, Release
from marketplace.catalog.sources import queries, service
from marketplace.catalog.sources.models import ReleaseSource
from marketplace.catalog.sources.rules import SourceDraft, next_time
from marketplace.catalog.sources.states import Schedule
from marketplace.catalog.states import ProfileState
from marketplace.exchange import pulling
from marketplace.identity.actors import Actor
from marketplace.kit import clock, jobs, outbound
from marketplace.kit.db import db
from marketplace.kit.errors import Invalid
from marketplace.kit.transaction import transaction
from tests.factories.catalog import DatasetDraftFactory, profiled
from tests.factories.identity import OrganizationFactory, actor_of
from tests.loopback import Origin, Respond, answer, reached

CONTENT = b"day,count\n2026-11-22,123\n"
URL = "https://data.example.jp/flow.csv?year=2026"


@pytest.fixture
def origin(monkeypatch: pytest.MonkeyPatch) -> Iterator[Origin]:
    """An origin that publishes, and at which every public name is reached."""
    with reached(monkeypatch) as made:
        made.respond = answer(CONTENT)
        yield made


@pytest.fixture
def source(app: Flask) -> tuple[Actor, str]:
    """A provider and its dataset, of which releases are fetched daily and stay drafts."""
    provider = actor_of(OrganizationFactory(provider=True))
    with transaction():
        dataset_id = catalog.register_dataset(provider, DatasetDraftFactory()).id
        service.set_source(provider, dataset_id, draft())
    return provider, dataset_id


def draft(url: str = URL, schedule: Schedule = Schedule.DAILY, **more: Any) -> SourceDraft:
    return SourceDraft(url, schedule, "flow.csv", "text/csv", **more)


def stand(dataset_id: str) -> ReleaseSource:
    found = queries.find_source(dataset_id)
    assert found is not None
    return found


def releases(dataset_id: str) -> list[Release]:
    asked = select(Release).where(Release.dataset_id == dataset_id).order_by(Release.id)
    return list(db.session.scalars(asked.execution_options(populate_existing=True)))


def test_what_is_new_becomes_a_draft_with_one_file(origin: Origin, source: tuple[Actor, str]) -> None:
    _provider, dataset_id = source
    origin.respond = answer(CONTENT, ETag='"v1"', Last_Modified="Sun, 22 Nov 2026 00:00:00 GMT")
    pulling.pull(dataset_id)

    [release] = releases(dataset_id)
    file = db.session.scalars(select(File).where(File.release_id == release.id)).one()
    assert (release.state, file.name, file.media_type, file.size_bytes) == (
        "draft",
        "flow.csv",
        "text/csv",
        len(CONTENT),
    )
    found = stand(dataset_id)
    assert (found.last_result, found.etag, found.failures, found.release_id) == ("fresh", '"v1"', 0, release.id)
    assert found.next_at - clock.now() > timedelta(hours=23)
    head = origin.asked[0]
    assert head.startswith("GET /flow.csv?year=2026 HTTP/1.1\r\n")
    assert "Host: data.example.jp\r\n" in head
    assert "Accept-Encoding: identity\r\n" in head


def test_what_is_unchanged_makes_no_release_and_is_asked_for_with_its_validators(
    origin: Origin, source: tuple[Actor, str]
) -> None:
    _provider, dataset_id = source
    origin.respond = answer(CONTENT, ETag='"v1"', Last_Modified="Sun, 22 Nov 2026 00:00:00 GMT")
    pulling.pull(dataset_id)
    origin.respond = answer(b"", "304 Not Modified", Content_Length="")
    pulling.pull(dataset_id)
    assert 'If-None-Match: "v1"\r\n' in origin.asked[1]
    assert "If-Modified-Since: Sun, 22 Nov 2026 00:00:00 GMT\r\n" in origin.asked[1]
    assert (stand(dataset_id).last_result, stand(dataset_id).etag, len(releases(dataset_id))) == (
        "unchanged",
        '"v1"',
        1,
    )

    origin.respond = answer(CONTENT, ETag='"v2"')  # another tag of the same bytes
    pulling.pull(dataset_id)
    assert (stand(dataset_id).last_result, stand(dataset_id).etag, len(releases(dataset_id))) == (
        "unchanged",
        '"v2"',
        1,
    )

    origin.respond = answer(CONTENT + b"2026-11-23,456\n")
    with clock.stopped(clock.now() + timedelta(days=1)):
        pulling.pull(dataset_id)
    assert (stand(dataset_id).last_result, len(releases(dataset_id))) == ("fresh", 2)


def endless(peer: socket.socket, _head: str) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n")
    while True:
        peer.sendall(b"x" * 2**16)


def trickling(peer: socket.socket, _head: str) -> None:
    peer.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
    while True:
        peer.sendall(b"x")


HOSTILE: dict[str, tuple[Respond, str]] = {
    "endless": (endless, "too_large"),
    "announced as too large and endless": (answer(b"x" * 2000, length=10**12), "too_large"),
    "shorter than announced": (answer(CONTENT, length=900), "unreachable"),
    "packed": (answer(gzip.compress(b" " * 10**6), Content_Encoding="gzip"), "refused"),
    "redirect": (answer(b"", "302 Found", Location="https://169.254.169.254/latest"), "status"),
    "not found": (answer(b"no", "404 Not Found"), "status"),
    "unchanged, though nobody asked": (answer(b"", "304 Not Modified", Content_Length=""), "status"),
    "no HTTP": (lambda peer, _head: peer.sendall(b"hello\r\n\r\n"), "unreachable"),
    "silent": (lambda _peer, _head: None, "unreachable"),
}


@pytest.mark.parametrize(("respond", "problem"), HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_answer_is_a_plain_reason_and_no_release(
    origin: Origin, source: tuple[Actor, str], small: None, respond: Respond, problem: str
) -> None:
    _provider, dataset_id = source
    origin.respond = respond
    pulling.pull(dataset_id)
    found = stand(dataset_id)
    assert (found.last_result, found.problem, found.failures) == ("failed", problem, 1)
    assert releases(dataset_id) == []
    assert len(origin.asked) == 1


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take a thousand bytes at most."""
    real = outbound.stream
    monkeypatch.setattr(outbound, "stream", lambda url, headers, _size, seconds: real(url, headers, 1000, seconds))


def test_an_answer_that_trickles_for_ever_is_given_up(
    origin: Origin, source: tuple[Actor, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _provider, dataset_id = source
    origin.respond = trickling
    monkeypatch.setattr(outbound, "HASTE_AFTER_SECONDS", 0)
    monkeypatch.setattr(outbound, "BYTES_PER_SECOND_MIN", 10**12)
    pulling.pull(dataset_id)
    assert (stand(dataset_id).problem, releases(dataset_id)) == ("too_slow", [])


def test_no_packet_goes_to_an_inside_address(origin: Origin, source: tuple[Actor, str]) -> None:
    provider, dataset_id = source
    with transaction():
        service.set_source(provider, dataset_id, draft("https://inside.example.jp/flow.csv"))
    pulling.pull(dataset_id)
    assert (stand(dataset_id).problem, origin.asked, releases(dataset_id)) == ("refused", [], [])


@pytest.mark.parametrize(
    "url", ["http://data.example.jp/a", "https://data.example.jp:8443/a", "https://u:p@data.example.jp/", "file:///etc/passwd", ""]
)  # fmt: skip
def test_an_address_that_is_none_is_refused_when_it_is_named(source: tuple[Actor, str], url: str) -> None:
    provider, dataset_id = source
    with pytest.raises(Invalid) as refusal, transaction():
        service.set_source(provider, dataset_id, draft(url))
    assert [error["pointer"] for error in refusal.value.errors] == ["/url"]
    assert stand(dataset_id).url == URL


def test_failures_are_tried_again_ever_later_and_forgotten_when_it_works(
    origin: Origin, source: tuple[Actor, str]
) -> None:
    _provider, dataset_id = source
    origin.respond = answer(b"", "500 Internal Server Error")
    waits = []
    with clock.stopped(clock.now()):
        for _ in range(3):
            pulling.pull(dataset_id)
            waits.append((stand(dataset_id).next_at - clock.now()) // timedelta(minutes=1))
    assert waits == [15, 30, 60]
    assert stand(dataset_id).detail == "500"
    origin.respond = answer(CONTENT)
    pulling.pull(dataset_id)
    assert (stand(dataset_id).problem, stand(dataset_id).failures, stand(dataset_id).detail) == (None, 0, "")


def test_the_schedule_is_kept_by_the_calendar() -> None:
    at = clock.parse("2026-12-31T09:00:00Z")
    assert next_time(Schedule.HOURLY, at, 0) == at + timedelta(hours=1)
    assert next_time(Schedule.WEEKLY, at, 0) == at + timedelta(days=7)
    assert next_time(Schedule.MONTHLY, at, 0) == clock.parse("2027-01-28T09:00:00Z")
    assert next_time(Schedule.HOURLY, at, 50) == at + timedelta(days=7)


def test_what_is_due_is_asked_once(origin: Origin, source: tuple[Actor, str]) -> None:
    _provider, dataset_id = source
    pulling.pull_due()
    pulling.pull_due()
    assert jobs.run_pending(service.PULL_JOB) == 1
    assert len(releases(dataset_id)) == 1
    with clock.stopped(clock.now() + timedelta(days=1, minutes=1)):
        pulling.pull_due()
    assert jobs.run_pending(service.PULL_JOB) == 1


def test_a_release_is_published_by_itself_where_its_provider_asked_and_its_file_was_looked_into(
    origin: Origin, source: tuple[Actor, str]
) -> None:
    provider, dataset_id = source
    with transaction():
        service.set_source(provider, dataset_id, draft(publish=True))
    pulling.pull(dataset_id)
    pulling.publish_awaiting()
    [release] = releases(dataset_id)
    assert release.state == "draft"
    file_id = db.session.scalars(select(File.id).where(File.release_id == release.id)).one()
    with transaction():
        profiled(file_id, {"format": "CSV", "rows": 1, "columns": []}, ProfileState.PROFILED)
    pulling.publish_awaiting()
    assert [one.state for one in releases(dataset_id)] == ["published"]
    assert stand(dataset_id).awaiting_release_id is None


def test_a_release_that_cannot_be_published_is_told_to_its_provider(origin: Origin, source: tuple[Actor, str]) -> None:
    provider, dataset_id = source
    with transaction():
        service.set_source(provider, dataset_id, draft(publish=True))
    pulling.pull(dataset_id)
    [release] = releases(dataset_id)
    file_id = db.session.scalars(select(File.id).where(File.release_id == release.id)).one()
    with transaction():
        profiled(file_id, None, ProfileState.OPAQUE)
        catalog.withdraw_release(provider, release.id)
    pulling.publish_awaiting()
    found = stand(dataset_id)
    assert (found.problem, found.detail, found.awaiting_release_id) == ("release", "release-sealed", None)


def test_a_fetch_of_what_was_the_source_before_writes_nothing(origin: Origin, source: tuple[Actor, str]) -> None:
    provider, dataset_id = source

    def renamed(peer: socket.socket, head: str) -> None:
        answer(CONTENT)(peer, head)

    asked = service.find_asked(dataset_id)
    assert asked is not None
    origin.respond = renamed
    found = pulling._fetched(asked)
    with transaction():
        service.set_source(provider, dataset_id, draft("https://data.example.jp/other.csv"))
    pulling._keep(asked, found)
    assert (stand(dataset_id).last_result, releases(dataset_id)) == (None, [])


def test_nobody_asks_for_the_source_of_a_withdrawn_dataset(origin: Origin, source: tuple[Actor, str]) -> None:
    provider, dataset_id = source
    with transaction():
        catalog.withdraw_dataset(provider, dataset_id)
        assert service.take_due() == 0
    pulling.pull(dataset_id)  # it was in the queue already
    assert (stand(dataset_id).problem, stand(dataset_id).detail) == ("release", "dataset-withdrawn")
    assert db.session.scalar(select(func.count()).select_from(Release)) == 0
