"""Downloads under strain: clients that vanish, too many at once, grants that end meanwhile, ranges that lie."""

import hashlib
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from urllib.parse import quote

import pytest
import requests
from sqlalchemy import func, select, update

from marketplace.access.models import Grant
from marketplace.demo.party import Party
from marketplace.identity.models import Organization
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering.models import Delivery, UsageEvent
from tests.factories.identity import ApiClientFactory, actor_of
from tests.faults.started import BIG, BIG_BYTES, BIG_SHA256, Live, use
from tests.faults.world import SECRET, at_once, count

PARALLEL = 64
UNITS = 5
SLOW_READERS = 20
# A client acknowledges at least every second segment (RFC 5681 section 4.2); loopback's hold up to 65,483 bytes. What
# it read beyond, a reset of its connection leaves unsaid: that is not charged.
UNACKNOWLEDGED_BYTES = 2 * 65_483
LIES = {
    "bytes=0-99999999999999999999": 206,
    "bytes={beyond}-": 416,
    "bytes={size}-": 416,
    "bytes=5-2": 200,
    "bytes=-0": 416,
    "bytes=--5": 200,
    "bytes=abc-def": 200,
    "items=0-5": 200,
    "bytes=" + "9" * 5000 + "-": 416,
}


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


def fetch(live: Live, grant_id: str, token: str, more: dict[str, str] | None = None) -> requests.Response:
    """GET a file of a grant."""
    url = f"{live.base_url}/v1/grants/{grant_id}/files/{quote(BIG)}"
    return requests.get(url, headers={"Authorization": f"Bearer {token}"} | (more or {}), timeout=120)


@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_client_that_vanishes_pays_for_what_arrived_and_resumes(live: Live, share: float) -> None:
    grant_id, size = live.grant(), len(BIG_BYTES)
    reader = live.reader(grant_id)
    assert reader.head() == 200
    got = len(reader.take(int(size * share)))
    buffered = 4 * 65536
    reader.vanish()
    live.wait_closed()
    charged = live.quota(grant_id).used_bytes
    unsaid = max(0, got - charged)
    assert unsaid <= UNACKNOWLEDGED_BYTES
    assert charged <= min(got + buffered, size)

    rest = fetch(live, grant_id, live.buyer().token(), {"Range": f"bytes={got}-", "If-Range": f'"{BIG_SHA256}"'})
    assert rest.status_code == 206
    assert hashlib.sha256(BIG_BYTES[:got] + rest.content).hexdigest() == BIG_SHA256
    live.wait_closed()
    assert live.quota(grant_id).used_bytes == size - unsaid


def test_of_64_downloads_at_once_exactly_as_many_succeed_as_there_are_units(live: Live) -> None:
    grant_id, token = live.grant(quota_downloads=UNITS), live.buyer().token()
    answers = at_once([lambda: fetch(live, grant_id, token)] * PARALLEL)
    served = [answer for answer in answers if answer.status_code == 200]
    refused = [answer for answer in answers if answer.status_code != 200]
    assert len(served) == UNITS
    assert {hashlib.sha256(answer.content).hexdigest() for answer in served} == {BIG_SHA256}
    assert {answer.json()["type"].rsplit("/", 1)[1] for answer in refused} == {"quota-exhausted"}
    live.wait_closed()
    quota = live.quota(grant_id)
    assert (quota.used_downloads, quota.reserved_bytes, quota.used_bytes) == (UNITS, 0, len(BIG_BYTES))
    assert fetch(live, grant_id, token).status_code == refused[0].status_code


def test_of_64_ranges_at_once_exactly_as_many_succeed_as_there_are_bytes(live: Live) -> None:
    piece = len(BIG_BYTES) // PARALLEL
    grant_id, token = live.grant(quota_bytes=UNITS * piece), live.buyer().token()

    def ask(number: int) -> Callable[[], int]:
        wanted = {"Range": f"bytes={number * piece}-{(number + 1) * piece - 1}"}
        return lambda: fetch(live, grant_id, token, wanted).status_code

    answers = at_once([ask(number) for number in range(PARALLEL)])
    assert answers.count(206) == UNITS
    live.wait_closed()
    assert live.quota(grant_id).used_bytes == UNITS * piece


def test_of_two_clients_at_once_one_gets_the_last_unit(live: Live) -> None:
    """Two clients of one buyer: a grant and its quota are a single organization's (buyers contend in test_purchases)."""
    tokens = [live.buyer().token(), second_client(live).token()]
    assert tokens[0] != tokens[1]
    for _ in range(5):
        grant_id = live.grant(quota_downloads=1)
        won, lost = sorted(at_once([partial(fetch, live, grant_id, token) for token in tokens]), key=status)
        assert (won.status_code, won.content) == (200, BIG_BYTES)
        assert lost.json()["type"].endswith("/quota-exhausted")
        live.wait_closed()
        assert (live.quota(grant_id).used_downloads, live.quota(grant_id).used_bytes) == (1, len(BIG_BYTES))


def second_client(live: Live) -> Party:
    """Another API client of the buyer."""
    with transaction():
        organization = db.session.get_one(Organization, live.world.buyer.organization_id)
        return live.world.party(actor_of(organization, ApiClientFactory(organization=organization, secret=SECRET)))


def status(answer: requests.Response) -> int:
    return answer.status_code


def test_a_unit_of_a_download_that_broke_pays_for_its_repetition(live: Live) -> None:
    grant_id, token = live.grant(quota_downloads=1), live.buyer().token()
    reader = live.reader(grant_id)
    assert reader.head() == 200
    reader.take(1000)
    assert fetch(live, grant_id, token).status_code != 200
    reader.vanish()
    live.wait_closed()
    assert fetch(live, grant_id, token).status_code == 200
    live.wait_closed()
    assert fetch(live, grant_id, token).status_code != 200


def test_a_grant_revoked_during_a_download_refuses_the_next_request_at_once(live: Live) -> None:
    grant_id, token = live.grant(), live.buyer().token()
    reader = live.reader(grant_id)
    assert reader.head() == 200
    reader.take(1000)
    live.provider().post(f"/v1/grants/{grant_id}/revoke", {"reason": "契約違反"})
    refused = fetch(live, grant_id, token)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("/grant-revoked")
    reader.vanish()
    live.wait_closed()


def test_a_grant_that_expires_during_a_download_refuses_the_next_request(live: Live) -> None:
    grant_id, token = live.grant(duration_days=30), live.buyer().token()
    reader = live.reader(grant_id)
    assert reader.head() == 200
    with transaction():
        # Both instants move, since a grant must not end before it begins.
        past = {"starts_at": clock.now() - timedelta(days=31), "expires_at": clock.now() - timedelta(seconds=1)}
        db.session.execute(update(Grant).where(Grant.id == grant_id).values(**past))
    refused = fetch(live, grant_id, token)
    assert refused.status_code == 403
    assert refused.json()["type"].endswith("/grant-expired")
    reader.vanish()
    live.wait_closed()


def test_ranges_that_lie_are_answered_by_the_book_and_cost_nothing_more(live: Live) -> None:
    grant_id, token, size = live.grant(), live.buyer().token(), len(BIG_BYTES)
    for field, status in LIES.items():
        answer = fetch(live, grant_id, token, {"Range": field.format(size=size, beyond=size + 5)})
        assert answer.status_code == status, field[:30]
        assert len(answer.content) == (0 if status == 416 else size)
        if status == 416:
            assert answer.headers["Content-Range"] == f"bytes */{size}"
    live.wait_closed()
    charged = db.session.scalar(select(func.sum(UsageEvent.bytes_new)).where(UsageEvent.grant_id == grant_id))
    assert live.quota(grant_id).used_bytes == charged == size


def test_twenty_slow_readers_leave_the_api_answering(live: Live) -> None:
    grant_id, token = live.grant(), live.buyer().token()
    readers = [live.reader(grant_id) for _ in range(SLOW_READERS)]
    assert {reader.head() for reader in readers} == {200}
    assert count(Delivery, Delivery.grant_id == grant_id, Delivery.state == "open") == SLOW_READERS
    health = at_once([lambda: requests.get(f"{live.base_url}/v1/ready", timeout=180).status_code] * 16)
    assert health == [200] * 16
    assert live.place(live.world.offer(0)).status_code == 201
    assert fetch(live, live.grant(), token).status_code == 200
    for reader in readers:
        reader.vanish()
    live.wait_closed()
    assert live.quota(grant_id).used_bytes <= len(BIG_BYTES)
    live.assert_sound()
