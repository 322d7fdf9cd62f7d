"""Downloads by passes on a real server: exact quotas, revocation under load, and servers that end or are killed."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote

import pytest
import requests
from sqlalchemy import text

from marketplace.exchange import leasing
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.metering import leases
from tests.faults.started import SERVER_GONE, Live
from tests.faults.world import CONTENT, FILE
from tests.live import wait_until

CLIENTS = 64
WAIT_SECONDS = 180
# Opened and closed by the transaction that wrote both: what a pass began.
BY_PASS = text("""
SELECT count(*) FROM audit_entry opened JOIN audit_entry closed ON closed.subject = opened.subject
 WHERE opened.verb = 'metering.delivery.opened' AND closed.verb = 'metering.delivery.closed'
   AND opened.xmin = closed.xmin AND opened.facts ->> 'grant_id' = :grant_id
""")
SUMS = text("""
SELECT (SELECT count(*) FROM delivery WHERE grant_id = :grant_id) AS deliveries,
       (SELECT count(*) FROM delivery WHERE grant_id = :grant_id AND state = 'open') AS running,
       (SELECT count(*) FROM usage_event WHERE grant_id = :grant_id) AS events,
       (SELECT sum(requests) FROM usage_event WHERE grant_id = :grant_id) AS requests,
       (SELECT sum(bytes_new) FROM usage_event WHERE grant_id = :grant_id) AS bytes,
       (SELECT coalesce(sum(deliveries_held), 0) FROM quota_lease WHERE grant_id = :grant_id) AS held, quota.*
  FROM quota WHERE grant_id = :grant_id
""")


class Fetching:
    """Clients that fetch the same file again and again, each on a connection of its own."""

    def __init__(self, live: Live, grant_id: str) -> None:
        self.url = f"{live.base_url}/v1/grants/{grant_id}/files/{quote(FILE)}"
        self.token = live.buyer().token()
        self.stopped = threading.Event()

    def until_refused(self, _number: int = 0) -> tuple[int, int]:
        """Fetch until something else comes than the file; return how often it came, and the status that came then."""
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {self.token}"
            for times in range(10_000):
                try:
                    answer = session.get(self.url, timeout=WAIT_SECONDS)
                except SERVER_GONE:
                    return times, 0
                if answer.status_code != 200 or self.stopped.is_set():
                    return times + (answer.status_code == 200), answer.status_code
                assert answer.content == CONTENT
        return 10_000, 200

    def all_at_once(self, clients: int) -> "list[Any]":
        """Start so many of them; returns what they will come to."""
        pool = ThreadPoolExecutor(clients)
        found = [pool.submit(self.until_refused, number) for number in range(clients)]
        pool.shutdown(wait=False)
        return found


@pytest.fixture
def live(start_live: Callable[..., Live]) -> Iterator[Live]:
    """A market behind a server with the event worker."""
    return start_live(marketplace_worker_class="events")


def asked(query: Any, grant_id: str) -> Any:
    db.session.rollback()
    return db.session.execute(query, {"grant_id": grant_id}).one()


def wait_hot(grant_id: str, times: int = 50) -> None:
    wait_until("downloads by passes", lambda: asked(BY_PASS, grant_id)[0] >= times)


def assert_consistent(grant_id: str) -> Any:
    """Every delivery has one event, the quota is their sum, the bytes were charged once, and nothing is held."""
    sums = asked(SUMS, grant_id)
    assert sums.running == sums.open_deliveries == sums.reserved_bytes == 0
    assert sums.deliveries == sums.events
    assert sums.used_requests == sums.requests
    assert sums.bytes == sums.used_bytes == len(CONTENT)
    assert sums.leased_deliveries == sums.held
    return sums


def test_sixty_four_clients_get_exactly_what_the_quota_holds(live: Live) -> None:
    grant_id = live.grant(quota_downloads=900)
    fetching = Fetching(live, grant_id)
    found = [one.result(WAIT_SECONDS) for one in fetching.all_at_once(CLIENTS)]
    assert asked(BY_PASS, grant_id)[0] > 0
    assert {status for _, status in found} <= {402, 403}
    wait_until("the lease to be given back", lambda: asked(SUMS, grant_id).leased_deliveries == 0)
    times, status = fetching.until_refused()
    assert status in {402, 403}
    assert sum(came for came, _ in found) + times == 900
    assert assert_consistent(grant_id).used_downloads == 900
    live.assert_sound()


def test_a_grant_that_is_revoked_under_load_sends_nothing_more(live: Live) -> None:
    grant_id = live.grant()
    fetching = Fetching(live, grant_id)
    found = fetching.all_at_once(8)
    wait_hot(grant_id)
    live.provider().post(f"/v1/grants/{grant_id}/revoke", {"reason": "契約違反"})
    came = [one.result(WAIT_SECONDS) for one in found]
    assert {status for _, status in came} == {403}
    wait_until("the lease to be given back", lambda: asked(SUMS, grant_id).leased_deliveries == 0)
    assert assert_consistent(grant_id).requests == sum(times for times, _ in came)
    live.assert_sound()


def test_a_server_that_is_told_to_end_loses_no_download(live: Live) -> None:
    grant_id = live.grant()
    fetching = Fetching(live, grant_id)
    found = fetching.all_at_once(8)
    wait_hot(grant_id)
    fetching.stopped.set()
    came = [one.result(WAIT_SECONDS) for one in found]
    live.exchange.stop()
    sums = assert_consistent(grant_id)
    assert sums.requests == sum(times for times, _ in came)
    assert sums.leased_deliveries == 0


def test_a_server_that_is_killed_charges_nothing_that_it_had_not_told(live: Live) -> None:
    grant_id = live.grant(quota_requests=100_000)
    found = Fetching(live, grant_id).all_at_once(8)
    wait_hot(grant_id)
    live.exchange.kill()
    came = sum(one.result(WAIT_SECONDS)[0] for one in found)
    with clock.stopped(clock.now() + leases.TTL * 2):
        leasing.sweep()
    live.sweep()
    sums = assert_consistent(grant_id)
    assert sums.leased_deliveries == 0
    # Whose answer was on its way when the server died may have counted it.
    assert sums.requests <= came + 8
    assert came <= sums.requests + leases.DELIVERIES_MAX
    live.exchange.restart()
    live.assert_sound()
