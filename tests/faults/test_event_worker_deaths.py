"""The event worker killed under downloads, short and long, and told to end: charged is what arrived, once."""

import signal
from collections.abc import Callable

from tests.faults.started import BIG, BIG_BYTES, Live

STREAMS = 8
SHORT = "short.csv"
SHORT_BYTES = b"2026-11-22,12345\n" * 300


def test_a_kill_and_an_end_lose_nothing_that_was_delivered_and_double_nothing(start_live: Callable[..., Live]) -> None:
    live = start_live(marketplace_worker_class="events")
    live.publish({BIG: BIG_BYTES, SHORT: SHORT_BYTES})
    grants = [live.grant(quota_bytes=len(BIG_BYTES) + len(SHORT_BYTES)) for _ in range(STREAMS)]
    for grant_id in grants:
        fetch(live, grant_id, SHORT, SHORT_BYTES)
    live.wait_closed()
    readers = [live.reader(grant_id) for grant_id in grants]
    for number, reader in enumerate(readers):
        assert reader.head() == 200
        reader.take(100_000 * number)
    live.kill_and_restart()
    live.sweep()
    assert live.open_deliveries() == 0
    assert {live.quota(grant_id).reserved_bytes for grant_id in grants} == {0}
    for reader in readers:
        reader.vanish()

    for grant_id in grants:
        fetch(live, grant_id, BIG, BIG_BYTES)
    live.wait_closed()
    assert {live.quota(grant_id).used_bytes for grant_id in grants} == {len(BIG_BYTES) + len(SHORT_BYTES)}

    reader = live.reader(live.grant())
    assert reader.head() == 200
    assert live.exchange.process is not None
    live.exchange.process.send_signal(signal.SIGTERM)
    assert reader.take(len(BIG_BYTES)) == BIG_BYTES
    reader.vanish()
    assert live.exchange.process.wait(180) == 0
    assert live.open_deliveries() == 0


def fetch(live: Live, grant_id: str, name: str, content: bytes) -> None:
    """Fetch a whole file on a connection that ends then."""
    reader = live.reader(grant_id, name, receive_bytes=None)
    assert reader.head() == 200
    assert reader.take(len(content)) == content
    reader.vanish()
