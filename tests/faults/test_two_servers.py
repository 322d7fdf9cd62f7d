"""Two servers, and two workers, over one database behave as one: rights, quotas, tickets, jobs, and a graceful end."""

import os
import signal
import socket
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from urllib.parse import quote, urlsplit

import pytest
import requests
from sqlalchemy import select, update

from marketplace.access.models import Grant
from marketplace.billing.models import Invoice
from marketplace.exchange import dispute, facilities
from marketplace.identity import service as identity
from marketplace.identity.actors import SYSTEM
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering.models import Delivery
from marketplace.sandbox import controls
from tests.faults.started import BIG, BIG_BYTES, Live, Reader, beside, pay, use
from tests.faults.world import at_once
from tests.live import Exchange, wait_until

STREAMS = int(os.environ.get("CUT_STREAMS", "24"))
"""How many downloads run when their right ends, half of them at each server."""
CLIENTS = 64
RECEIVE_BYTES = 65536
PIECES = 5
Ends = Callable[[Live, str], None]


@pytest.fixture(scope="module")
def prepared(standing: Live) -> Live:
    """The standing exchange with a big file in its newest release."""
    use(standing).publish_big()
    return standing


@pytest.fixture(scope="module")
def second(prepared: Live, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Exchange]:
    """Another server over the same database and files."""
    with beside(prepared, tmp_path_factory.mktemp("second")) as other:
        yield other


@pytest.fixture
def live(prepared: Live) -> Iterator[Live]:
    """The first server's exchange; no delivery is open before or after."""
    yield use(prepared)
    prepared.wait_closed()


def target(grant_id: str) -> str:
    return f"/v1/grants/{grant_id}/files/{quote(BIG)}"


def stream(live: Live, server: Exchange, grant_id: str) -> Reader:
    """A download that runs at one of the servers."""
    bearer = f"Authorization: Bearer {live.buyer().token()}\r\n"
    reader = Reader(server.port, target(grant_id), bearer, RECEIVE_BYTES)
    assert reader.head() == 200
    return reader


def deliveries(grant_id: str) -> list[Delivery]:
    """The deliveries of a grant, as they began."""
    db.session.rollback()
    return list(db.session.scalars(select(Delivery).where(Delivery.grant_id == grant_id).order_by(Delivery.id)))


def bought(live: Live) -> str:
    """A grant that was paid for with a card."""
    order = live.place(live.world.offer()).json()
    pay(live, order)
    live.wait_fulfilled(order["id"])
    return db.session.scalars(select(Grant.id).where(Grant.order_id == order["id"])).one()


def order_of(grant_id: str) -> str:
    return db.session.scalars(select(Grant.order_id).where(Grant.id == grant_id)).one()


def revoked(live: Live, grant_id: str) -> None:
    live.provider().post(f"/v1/grants/{grant_id}/revoke", {"reason": "契約違反"})


def refunded(live: Live, grant_id: str) -> None:
    invoice_id = db.session.scalars(select(Invoice.id).where(Invoice.order_id == order_of(grant_id))).one()
    live.provider().post(f"/v1/invoices/{invoice_id}/refunds", {"note": "品質不良のため"})


def disputed(live: Live, grant_id: str) -> None:
    session_id = live.world.payment(order_of(grant_id)).session_id
    charge_id = facilities.current().gateway.fetch_checkout(session_id).charge_id
    dispute.learn(controls.open_dispute(charge_id)["id"], "evt_test")


def expired(live: Live, grant_id: str) -> None:
    with transaction():
        # Both instants move, since a grant must not end before it begins.
        past = {"starts_at": clock.now() - timedelta(days=31), "expires_at": clock.now() - timedelta(seconds=1)}
        db.session.execute(update(Grant).where(Grant.id == grant_id).values(**past))


@pytest.mark.parametrize("end", [revoked, refunded, disputed, expired], ids=lambda end: end.__name__)
def test_whatever_ends_a_grant_ends_its_streams_at_both_servers(live: Live, second: Exchange, end: Ends) -> None:
    grant_id, other_id = bought(live), live.grant()
    servers = [live.exchange, second]
    readers = [stream(live, servers[number % 2], grant_id) for number in range(STREAMS)]
    others = [stream(live, server, other_id) for server in servers]
    end(live, grant_id)
    wait_until("the end of the streams", lambda: all(each.state != "open" for each in deliveries(grant_id)))

    ended = deliveries(grant_id)
    assert {each.state for each in ended} == {"broken"}
    assert len(ended) == STREAMS
    assert live.quota(grant_id).used_bytes == max(each.bytes_acked for each in ended) < len(BIG_BYTES)
    for server in servers:
        refused = requests.get(server.base_url + target(grant_id), headers=bearer(live), timeout=180)
        assert refused.status_code == 403
    assert [other.take(len(BIG_BYTES)) == BIG_BYTES for other in others] == [True, True]
    for reader in (*readers, *others):
        reader.vanish()


def bearer(live: Live) -> dict[str, str]:
    return {"Authorization": f"Bearer {live.buyer().token()}"}


def test_a_buyer_who_is_suspended_loses_all_streams_at_both_servers(live: Live, second: Exchange) -> None:
    grant_ids = [live.grant(), live.grant()]
    readers = [stream(live, *each) for each in zip((live.exchange, second), grant_ids, strict=True)]
    buyer_id = live.world.buyer.organization_id
    with transaction():
        identity.suspend_organization(SYSTEM, buyer_id, "調査のため")
    try:
        wait_until("the end of the streams", lambda: live.open_deliveries() == 0)
        assert {each.state for one in grant_ids for each in deliveries(one)} == {"broken"}
    finally:
        with transaction():
            db.session.execute(
                update(Organization).where(Organization.id == buyer_id).values(state="verified", suspended_reason=None)
            )
    for reader in readers:
        reader.vanish()


def test_of_64_clients_at_two_servers_exactly_as_many_succeed_as_there_are_bytes(live: Live, second: Exchange) -> None:
    piece, token = len(BIG_BYTES) // CLIENTS, bearer(live)
    grant_id = live.grant(quota_bytes=PIECES * piece)

    def ask(number: int) -> int:
        base_url = (live.exchange, second)[number % 2].base_url
        wanted = {"Range": f"bytes={number * piece}-{(number + 1) * piece - 1}"}
        return requests.get(base_url + target(grant_id), headers=token | wanted, timeout=180).status_code

    answers = at_once([partial(ask, number) for number in range(CLIENTS)])
    assert answers.count(206) == PIECES
    live.wait_closed()
    quota = live.quota(grant_id)
    assert (quota.used_bytes, quota.reserved_bytes) == (PIECES * piece, 0)


def test_a_quota_that_is_exhausted_meanwhile_takes_nothing_from_who_is_served(live: Live, second: Exchange) -> None:
    grant_id = live.grant(quota_bytes=len(BIG_BYTES))
    reader = stream(live, second, grant_id)
    refused = requests.get(live.base_url + target(grant_id), headers=bearer(live), timeout=180)
    assert refused.json()["type"].endswith("/quota-exhausted")
    assert reader.take(len(BIG_BYTES)) == BIG_BYTES
    reader.vanish()
    live.wait_closed()
    assert live.quota(grant_id).used_bytes == live.quota(grant_id).limit_bytes


def test_streams_are_limited_over_both_servers_together(live: Live, second: Exchange) -> None:
    grant_id = live.grant(quota_streams=2)
    readers = [stream(live, server, grant_id) for server in (live.exchange, second)]
    for server in (live.exchange, second):
        refused = requests.get(server.base_url + target(grant_id), headers=bearer(live), timeout=180)
        assert refused.json()["type"].endswith("/too-many-streams")
    readers.pop().vanish()
    wait_until("room for another", lambda: live.quota(grant_id).open_deliveries == 1)
    readers.append(stream(live, live.exchange, grant_id))
    for reader in readers:
        reader.vanish()


def test_a_ticket_of_one_server_opens_the_file_at_the_other_until_it_is_revoked(live: Live, second: Exchange) -> None:
    grant_id = live.grant()
    issued = live.buyer().post(f"/v1/grants/{grant_id}/tickets", {"file_name": BIG})
    address = second.base_url + urlsplit(issued["url"]).path
    assert requests.get(address, timeout=180).content == BIG_BYTES
    running = Reader(second.port, urlsplit(issued["url"]).path, "", RECEIVE_BYTES)
    assert running.head() == 200
    revoked(live, grant_id)
    wait_until("the end of the stream", lambda: all(each.state != "open" for each in deliveries(grant_id)))
    assert requests.get(address, timeout=180).status_code == 403
    assert [each.state for each in deliveries(grant_id)] == ["complete", "broken"]
    running.vanish()


def test_a_server_that_is_told_to_end_finishes_its_downloads_and_the_other_takes_the_new_ones(
    live: Live, tmp_path: Path
) -> None:
    grant_id = live.grant()
    with beside(live, tmp_path) as leaving:
        reader = stream(live, leaving, grant_id)
        assert leaving.process is not None
        leaving.process.send_signal(signal.SIGTERM)
        wait_until("the server to take no more", lambda: refuses(leaving))
        whole = requests.get(live.base_url + target(grant_id), headers=bearer(live), timeout=180)
        assert whole.content == BIG_BYTES
        assert reader.take(len(BIG_BYTES)) == BIG_BYTES
        reader.vanish()
        assert leaving.process.wait(180) == 0
    assert {each.state for each in deliveries(grant_id)} == {"complete"}


def refuses(server: Exchange) -> bool:
    """Whether new connections are not taken any more."""
    try:
        socket.create_connection(("127.0.0.1", server.port)).close()
    except ConnectionRefusedError:
        return True
    return False
