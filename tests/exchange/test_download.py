"""Download: what each answer opens, holds and costs."""

import hashlib
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import BinaryIO

import pytest
from flask import Flask

from marketplace.access import queries as grants
from marketplace.access import service as access
from marketplace.access.errors import GrantExpired, GrantRevoked
from marketplace.delivery.errors import BytesMissing
from marketplace.exchange import download, facilities
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.errors import NotFound
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.metering import queries as metering
from marketplace.metering.errors import QuotaExhausted
from marketplace.metering.states import DeliveryState
from tests.factories import market

SIZE = len(market.CONTENT)


@pytest.fixture
def on(app: Flask) -> market.Listed:
    """A listed dataset of one file."""
    return market.listed()


@pytest.fixture
def buyer(app: Flask) -> Actor:
    """A buyer."""
    return market.buyer()


def granted(on: market.Listed, buyer: Actor, **limits: int) -> str:
    """A grant under a free offer."""
    return market.ordered(buyer, market.offered(on, PriceKind.FREE, **limits)).grant_id


def used(grant_id: str) -> tuple[int, int, int]:
    """Bytes used, bytes held, downloads used."""
    quota = metering.get_quota(grant_id)
    return quota.used_bytes, quota.reserved_bytes, quota.used_downloads


def opened(buyer: Actor, grant_id: str, **wanted: str) -> download.Answer:
    """Open a download and leave it open."""
    with transaction():
        return download.open_delivery(buyer, market.wanted(grant_id, **wanted))


def test_what_was_made_of_a_file_is_answered_by_the_same_rules(on: market.Listed, buyer: Actor, tmp_path: Path) -> None:
    grant_id, path = granted(on, buyer), tmp_path / "made"
    path.write_bytes(b"0123456789")
    entitled = grants.authorize(buyer, grant_id, market.NAME)
    made = replace(entitled, sha256=hashlib.sha256(path.read_bytes()).hexdigest(), size_bytes=10, rows=2)

    def asked(method: str, **headers: str) -> download.Answer:
        with transaction():
            return download.answer(buyer, made, method, headers, lambda: path.open("rb"))

    part = asked("GET", Range="bytes=4-6")
    part.file.close()
    assert (part.status, part.start, part.length, used(grant_id)) == (206, 4, 3, (0, 3, 1))
    download.close_delivery(part.delivery_id, 3, 3, "complete")
    assert asked("HEAD").file is None
    assert asked("GET", **{"If-None-Match": f'"{made.sha256}"'}).status == 304
    with pytest.raises(BytesMissing), transaction():
        download.answer(buyer, made, "GET", {}, unreadable)
    assert used(grant_id) == (3, 0, 1)


def unreadable() -> BinaryIO:
    """A content that is not there any more."""
    raise BytesMissing


def test_a_whole_file_is_opened_held_and_charged_as_it_arrives(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answer = opened(buyer, grant_id)
    with answer.file:
        assert answer.file.read() == market.CONTENT
    assert (answer.status, answer.start, answer.length) == (200, 0, SIZE)
    assert used(grant_id) == (0, SIZE, 1)
    download.close_delivery(answer.delivery_id, SIZE, 10, "broken")
    assert used(grant_id) == (10, 0, 1)
    assert market.fetched(buyer, grant_id).status == 200
    assert used(grant_id) == (SIZE, 0, 1)
    market.fetched(buyer, grant_id, Range="bytes=0-9")
    assert used(grant_id)[0] == SIZE


def test_a_range_opens_its_part(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answer = market.fetched(buyer, grant_id, Range="bytes=5-9")
    assert (answer.status, answer.start, answer.length) == (206, 5, 5)
    assert used(grant_id)[:2] == (5, 0)


def test_answers_without_a_body_open_nothing_and_cost_nothing(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    etag = market.fetched(buyer, grant_id, method="HEAD").headers["ETag"]
    for status, headers in (
        (200, {"method": "HEAD"}),
        (304, {"If_None_Match": etag}),
        (412, {"If_Match": '"other"'}),
        (416, {"Range": f"bytes={SIZE}-"}),
    ):
        answer = opened(buyer, grant_id, **headers)
        assert (answer.status, answer.file, answer.delivery_id, answer.length) == (status, None, None, 0)
    assert used(grant_id) == (0, 0, 0)


def test_the_quota_refuses_before_a_file_is_sent(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer, quota_bytes=SIZE - 1)
    with pytest.raises(QuotaExhausted):
        opened(buyer, grant_id)
    assert used(grant_id) == (0, 0, 0)
    assert market.fetched(buyer, grant_id, Range="bytes=1-").status == 206


def test_bytes_that_are_not_there_are_never_charged(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    store = facilities.current().store
    with store.open(market.opened_sha256()) as file:
        path = Path(file.name)
    hidden = path.rename(path.with_suffix(".gone"))
    try:
        with pytest.raises(BytesMissing):
            opened(buyer, grant_id)
    finally:
        hidden.rename(path)
    assert used(grant_id) == (0, 0, 0)


def test_revoked_expired_and_foreign_grants_open_nothing(on: market.Listed, buyer: Actor) -> None:
    revoked, expiring = granted(on, buyer), granted(on, buyer, duration_days=1)
    with transaction():
        access.revoke(on.provider, revoked, "規約違反")
    with pytest.raises(GrantRevoked):
        opened(buyer, revoked)
    with clock.stopped(clock.now() + timedelta(days=2)), pytest.raises(GrantExpired):
        opened(buyer, expiring)
    for stranger in (market.buyer(), on.provider):
        with pytest.raises(NotFound):
            opened(stranger, expiring)
    with pytest.raises(NotFound):
        opened(buyer, expiring, name="../人流.csv")


def test_a_delivery_whose_server_died_is_charged_with_the_progress_noted_last(on: market.Listed, buyer: Actor) -> None:
    grant_id = granted(on, buyer)
    answer = opened(buyer, grant_id)
    answer.file.close()
    download.note_progress({answer.delivery_id: 20})
    download.sweep()
    assert used(grant_id) == (0, SIZE, 1)
    with clock.stopped(clock.now() + download.STALE_AFTER + timedelta(seconds=1)):
        download.sweep()
    assert used(grant_id) == (20, 0, 1)
    assert metering.get_delivery(buyer, answer.delivery_id).state == DeliveryState.SWEPT
    download.close_delivery(answer.delivery_id, SIZE, SIZE, "complete")
    assert used(grant_id) == (20, 0, 1)


def test_uploads_that_died_are_removed_after_a_day(app: Flask) -> None:
    del app
    left = facilities.current().settings.store_dir / "incoming" / "left"
    left.write_bytes(b"x")
    download.tidy()
    assert left.exists()
    with clock.stopped(clock.now() + timedelta(days=2)):
        download.tidy()
    assert not left.exists()
