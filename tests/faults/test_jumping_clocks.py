"""Clocks that jump: what is charged hangs on bytes, so no jump makes it more, less, or twice."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import select, text

from marketplace.api import streams
from marketplace.delivery.streaming import CHUNK_BYTES
from marketplace.exchange import download
from marketplace.identity.oauth import access_tokens
from marketplace.identity.oauth.access_tokens import Bearer
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.licensing.states import PriceKind
from marketplace.metering import receipts
from marketplace.metering import service as metering
from marketplace.metering.models import Delivery, Quota
from marketplace.server.body import FileBody
from tests.factories import market
from tests.faults.world import assert_sound

CONTENT = bytes(3 * CHUNK_BYTES)
DAY = timedelta(days=1)


@dataclass
class Running:
    """A download that a server iterates."""

    app: Flask
    grant_id: str
    buyer: Any
    body: Any

    @property
    def delivery(self) -> Delivery:
        db.session.rollback()
        return db.session.scalars(select(Delivery).where(Delivery.grant_id == self.grant_id)).one()

    def quota(self) -> tuple[int, int, int]:
        """Bytes used and held, and deliveries that run."""
        db.session.rollback()
        quota = db.session.get_one(Quota, self.grant_id, populate_existing=True)
        return quota.used_bytes, quota.reserved_bytes, quota.open_deliveries


@pytest.fixture
def running(own_database: Flask, monkeypatch: pytest.MonkeyPatch) -> Iterator[Running]:
    """A download of which two chunks have gone out; nobody looks after it but the test."""
    reports: streams.Reports = own_database.extensions[streams.EXTENSION]
    monkeypatch.setattr(reports, "start", lambda: None)
    buyer = market.buyer()
    bought = market.bought(own_database, buyer, market.offered(market.listed(content=CONTENT), PriceKind.FREE))
    with transaction():
        token = access_tokens.issue(Bearer(str(buyer.client_id), buyer.organization_id, "data:read"))
    answer = own_database.test_client().get(
        f"/v1/grants/{bought.grant_id}/files/{market.NAME}",
        headers={"Authorization": f"Bearer {token}"},
        environ_overrides={streams.SEND_FILE: FileBody},
    )
    body = answer.response
    for _ in range(3):
        next(body)  # asked for a third: the first two went out
    yield Running(own_database, str(bought.grant_id), buyer, body)
    body.close()


def beat(running: Running) -> None:
    running.app.extensions[streams.EXTENSION].beat()


@pytest.mark.parametrize("jump", [-400 * DAY, -DAY, -timedelta(seconds=1), DAY, 400 * DAY], ids=str)
def test_a_download_that_ends_before_it_began_or_long_after_is_charged_once_for_what_arrived(
    running: Running, jump: timedelta
) -> None:
    with clock.stopped(clock.now() + jump):
        beat(running)
        assert running.quota() == (0, len(CONTENT), 1)
        assert len(list(running.body)) == 0
        running.body.close()
        beat(running)
        assert running.quota() == (len(CONTENT), 0, 0)
        with transaction():
            receipts.get_receipt(running.buyer, running.delivery.id)
    assert running.delivery.state == "complete"
    assert metering.close_delivery(running.delivery.id, 1, 1, "complete") is None
    assert_sound()


def test_a_clock_that_jumps_ahead_has_a_running_download_swept_and_not_charged_again(running: Running) -> None:
    beat(running)
    with clock.stopped(clock.now() + DAY):
        download.sweep()
    assert running.quota() == (2 * CHUNK_BYTES, 0, 0)
    running.body.close()
    beat(running)
    assert running.quota() == (2 * CHUNK_BYTES, 0, 0)
    assert running.delivery.state == "swept"
    events = db.session.execute(text("SELECT bytes_new FROM usage_event")).scalars().all()
    assert events == [2 * CHUNK_BYTES]
    assert_sound()


def test_a_clock_that_went_back_does_not_keep_a_dead_download_for_ever(running: Running) -> None:
    with clock.stopped(clock.now() + DAY):
        beat(running)
    download.sweep()
    assert running.quota() == (0, len(CONTENT), 1)
    with clock.stopped(clock.now() + DAY + download.STALE_AFTER + timedelta(seconds=1)):
        download.sweep()
    assert running.quota() == (2 * CHUNK_BYTES, 0, 0)


def test_what_is_fetched_again_while_the_clock_is_back_costs_only_what_is_new(
    running: Running,
) -> None:
    running.body.close()
    used = running.quota()[0]
    wanted = market.wanted(running.grant_id)
    for at in (clock.now() - DAY, clock.now()):
        with clock.stopped(at):
            with transaction():
                answer = download.open_delivery(running.buyer, wanted)
            assert answer.file is not None
            answer.file.close()
            download.close_delivery(str(answer.delivery_id), answer.length, answer.length, "complete")
        assert running.quota() == (len(CONTENT), 0, 0)
    assert used == 2 * CHUNK_BYTES
