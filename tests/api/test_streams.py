"""Reports of deliveries: kept until the database has them, and noted meanwhile."""

import io
import threading
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from marketplace import background
from marketplace.api import streams
from marketplace.delivery.streaming import CountedBody
from marketplace.exchange import download
from marketplace.kit.jobs import Worker
from tests.live import wait_until

Make = Callable[..., streams.Reports]


class Exchange:
    """What the reports tell the exchange; ``away`` plays a database that does not answer."""

    def __init__(self) -> None:
        self.closed: list[tuple] = []
        self.noted: list[dict] = []
        self.away = False

    def close_delivery(self, *report: object) -> None:
        """Keep a report, or fail."""
        if self.away:
            raise ConnectionError
        self.closed.append(report)

    def note_progress(self, acked: dict[str, int]) -> None:
        """Keep a heartbeat."""
        self.noted.append(dict(acked))


@pytest.fixture
def exchange(monkeypatch: pytest.MonkeyPatch) -> Exchange:
    """Stand between the reports and the database."""
    made = Exchange()
    monkeypatch.setattr(download, "close_delivery", made.close_delivery)
    monkeypatch.setattr(download, "note_progress", made.note_progress)
    return made


@pytest.fixture
def reports(app: Flask, exchange: Exchange) -> Iterator[Callable[..., streams.Reports]]:
    """Make reports whose background work ends with the test."""
    made: list[streams.Reports] = []

    def make(progress: dict[str, int] | None = None) -> streams.Reports:
        made.append(streams.Reports(app, lambda: progress or {}))
        return made[-1]

    yield make
    for one in made:
        one.stop()


def test_a_report_is_stored_at_once(reports: Make, exchange: Exchange) -> None:
    reports().settle("dlv_1", 10, 9, "broken")
    assert exchange.closed == [("dlv_1", 10, 9, "broken")]


def test_a_report_that_cannot_be_stored_is_kept_and_tried_again(
    reports: Make, exchange: Exchange, caplog: pytest.LogCaptureFixture
) -> None:
    kept = reports()
    exchange.away = True
    kept.settle("dlv_1", 10, 9, "broken")
    kept.beat()
    assert exchange.closed == []
    assert "could not be metered yet" in caplog.text
    exchange.away = False
    kept.beat()
    kept.beat()
    assert exchange.closed == [("dlv_1", 10, 9, "broken")]


def test_what_waits_is_stored_when_the_server_ends(reports: Make, exchange: Exchange) -> None:
    kept = reports()
    exchange.away = True
    kept.settle("dlv_1", 1, 1, "complete")
    exchange.away = False
    kept.stop()
    assert exchange.closed == [("dlv_1", 1, 1, "complete")]


def test_progress_of_both_kinds_of_server_is_noted_until_it_is_settled(
    reports: Make, exchange: Exchange, tmp_path
) -> None:
    path = tmp_path / "bytes"
    path.write_bytes(b"x" * 10)
    kept = reports({"dlv_sent": 7})
    body = CountedBody(path.open("rb"), 0, 10, lambda *report: kept.settle("dlv_iterated", *report))
    kept.follow("dlv_iterated", body)
    next(body)
    kept.beat()
    with pytest.raises(StopIteration):
        next(body)
    kept.beat()
    body.close()
    kept.beat()
    assert exchange.noted == [
        {"dlv_iterated": 0, "dlv_sent": 7},
        {"dlv_iterated": 10, "dlv_sent": 7},
        {"dlv_sent": 7},
    ]
    assert exchange.closed == [("dlv_iterated", 10, 10, "complete")]


def test_deliveries_begin_and_end_while_progress_is_noted(reports: Make, exchange: Exchange) -> None:
    kept, stop = reports(), threading.Event()

    def follow_and_settle(thread: int) -> None:
        for n in range(300):
            key = f"dlv_{thread}_{n}"
            kept.follow(key, CountedBody(io.BytesIO(), 0, 1, lambda *_report: None))
            kept.settle(key, 1, 1, "complete")

    def beat() -> None:
        while not stop.is_set():
            kept.beat()

    threads = [threading.Thread(target=follow_and_settle, args=(n,)) for n in range(4)]
    beating = threading.Thread(target=beat)
    for thread in (beating, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    stop.set()
    beating.join()
    assert {report[0] for report in exchange.closed} == {f"dlv_{t}_{n}" for t in range(4) for n in range(300)}


def test_the_background_of_a_server_starts_and_ends_with_it(
    own_database: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(background.atexit, "register", lambda *_args: None)
    before = set(threading.enumerate())

    def running() -> set[str]:
        return {thread.name for thread in set(threading.enumerate()) - before}

    background.start(own_database, with_jobs=True)
    started = own_database.extensions[background.EXTENSION]
    names = {"delivery-reports", "audit-clerk", "jobs"}
    try:
        wait_until("the threads", lambda: names <= running())
        assert any(isinstance(one, Worker) for one in started)
    finally:
        background.stop(own_database)
    # On a busy machine a job at hand may outlast the patience of a server that ends.
    wait_until("the threads to end", lambda: not names & running())
    background.stop(own_database)
