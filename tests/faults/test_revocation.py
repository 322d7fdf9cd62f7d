"""Grants that are revoked while they are fetched: the streams end, on every server, and what arrived is charged."""

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import select

from marketplace.kit.db import db
from marketplace.metering.models import Delivery
from tests.faults.started import BIG, BIG_BYTES, Live, Reader, beside, use
from tests.live import Exchange, wait_until

STREAMS = 100
RECEIVE_BYTES = 65536
IN_THE_KERNEL_BYTES = 4 * RECEIVE_BYTES


@pytest.fixture(scope="module")
def prepared(standing: Live) -> Live:
    """The standing exchange with a big file in its newest release."""
    use(standing).publish_big()
    return standing


@pytest.fixture
def live(prepared: Live) -> Iterator[Live]:
    """The prepared exchange; no delivery is open before or after."""
    yield use(prepared)
    prepared.wait_closed()


@pytest.fixture
def other(live: Live, tmp_path: Path) -> Iterator[Exchange]:
    """Another server over the same database and files."""
    with beside(live, tmp_path) as started:
        yield started


def revoke(live: Live, grant_id: str) -> None:
    live.provider().post(f"/v1/grants/{grant_id}/revoke", {"reason": "契約違反"})


def deliveries(grant_id: str) -> list[Delivery]:
    """Those of a grant."""
    db.session.rollback()
    return list(db.session.scalars(select(Delivery).where(Delivery.grant_id == grant_id)))


def wait_over(grant_id: str) -> None:
    """Wait until all of a grant's deliveries are metered."""
    wait_until("the end of the streams", lambda: all(each.state != "open" for each in deliveries(grant_id)))


def test_a_slow_reader_is_cut_off_and_pays_for_what_arrived(live: Live) -> None:
    grant_id = live.grant()
    reader = live.reader(grant_id)
    assert reader.head() == 200
    read = len(reader.take(1_000_000))
    revoke(live, grant_id)
    wait_over(grant_id)

    read += len(reader.take(len(BIG_BYTES)))
    assert read < len(BIG_BYTES)
    (delivery,) = deliveries(grant_id)
    charged = live.quota(grant_id).used_bytes
    assert delivery.state == "broken"
    assert charged == delivery.bytes_acked <= read + IN_THE_KERNEL_BYTES
    assert live.quota(grant_id).reserved_bytes == 0
    reader.vanish()


def test_a_hundred_streams_end_and_those_of_others_go_on(live: Live) -> None:
    grant_id, other_id = live.grant(), live.grant()
    readers = [live.reader(grant_id) for _ in range(STREAMS)]
    other = live.reader(other_id)
    assert {reader.head() for reader in (*readers, other)} == {200}
    revoke(live, grant_id)
    wait_over(grant_id)

    ended = deliveries(grant_id)
    assert {delivery.state for delivery in ended} == {"broken"}
    assert live.quota(grant_id).used_bytes == max(delivery.bytes_acked for delivery in ended) < len(BIG_BYTES)
    assert [delivery.state for delivery in deliveries(other_id)] == ["open"]
    assert other.take(len(BIG_BYTES)) == BIG_BYTES
    for reader in (*readers, other):
        reader.vanish()


def test_a_grant_revoked_at_one_server_ends_the_streams_of_another(live: Live, other: Exchange) -> None:
    grant_id = live.grant()
    target, token = f"/v1/grants/{grant_id}/files/{quote(BIG)}", live.buyer().token()
    reader = Reader(other.port, target, f"Authorization: Bearer {token}\r\n", RECEIVE_BYTES)
    assert reader.head() == 200
    reader.take(1000)
    revoke(live, grant_id)
    wait_over(grant_id)

    (delivery,) = deliveries(grant_id)
    assert delivery.state == "broken"
    assert live.quota(grant_id).used_bytes == delivery.bytes_acked < len(BIG_BYTES)
    reader.vanish()
