"""Jobs: kept with their story, done by a real worker, tried again, in line behind their lock."""

import asyncio
import contextlib
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from flask import Flask
from procrastinate import PsycopgConnector
from sqlalchemy import text

from marketplace.kit import clock, jobs
from marketplace.kit.db import db
from marketplace.kit.settings import current
from marketplace.kit.transaction import transaction
from tests.live import wait_until

Start = Callable[[], jobs.Worker]
SECONDS = 120


class Notes:
    """What jobs noted, and an event for each note."""

    def __init__(self) -> None:
        self.kept: list[object] = []
        self.came = threading.Event()

    def take(self, *, what: object = None) -> None:
        """The job itself."""
        self.kept.append(what)
        self.came.set()


@pytest.fixture
def notes(monkeypatch: pytest.MonkeyPatch) -> Notes:
    """A registry of one job that takes notes."""
    made = Notes()
    monkeypatch.setattr(jobs, "_tasks", {"test.note": made.take})
    monkeypatch.setattr(jobs, "_periodic", {})
    monkeypatch.setattr(jobs, "_queues", {})
    return made


@pytest.fixture
def start(own_database: Flask) -> Iterator[Start]:
    """Start workers that end with the test."""
    started: list[jobs.Worker] = []

    def make() -> jobs.Worker:
        worker = jobs.Worker(own_database.config["SQLALCHEMY_DATABASE_URI"], own_database.app_context)
        started.append(worker)
        worker.start()
        return worker

    yield make
    for worker in started:
        worker.stop(30)
        assert not worker._thread.is_alive()


def waiting() -> int:
    with transaction():
        return db.session.execute(text("SELECT count(*) FROM procrastinate_jobs WHERE status <> 'failed'")).scalar_one()


def enqueue(name: str = "test.note", **args: object) -> None:
    with transaction():
        jobs.enqueue(name, **args)


def test_a_job_is_kept_if_and_only_if_its_story_is(app: Flask, notes: Notes) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        jobs.enqueue("test.note")
        raise ZeroDivisionError
    assert jobs.run_pending() == 0
    enqueue(what="札幌")
    assert jobs.run_pending() == 1
    assert notes.kept == ["札幌"]


def test_an_unknown_job_is_not_enqueued(app: Flask) -> None:
    with pytest.raises(LookupError, match="no job is called"), transaction():
        jobs.enqueue("test.unknown")


def test_two_jobs_do_not_share_a_name(notes: Notes) -> None:
    with pytest.raises(TypeError, match="share the name"):
        jobs.task("test.note")(notes.take)


def test_a_job_of_later_waits(app: Flask, notes: Notes) -> None:
    enqueue(scheduled_at=clock.now() + timedelta(hours=1))
    enqueue(scheduled_at=clock.now() - timedelta(hours=1))
    assert jobs.run_pending() == 1


def test_only_the_named_jobs_run(app: Flask, notes: Notes) -> None:
    jobs.task("test.other")(notes.take)
    enqueue()
    assert jobs.run_pending("test.other") == 0
    assert jobs.run_pending("test.note") == 1


def test_a_worker_does_what_waits_and_what_comes_in_an_application_context(
    own_database: Flask, notes: Notes, start: Start
) -> None:
    seen = []
    jobs.task("test.context")(lambda: (seen.append(current().database_url), notes.take()))
    enqueue("test.context")
    start()
    assert notes.came.wait(SECONDS)
    notes.came.clear()
    enqueue(what=2)
    assert notes.came.wait(SECONDS)
    wait_until("the queue to be empty", lambda: waiting() == 0)
    assert seen == [own_database.config["MUSUBI_SETTINGS"].database_url]
    assert notes.kept == [None, 2]


def test_a_worker_survives_a_job_that_fails_and_tries_it_again(
    own_database: Flask, notes: Notes, start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    tries = iter([1, 2])

    @jobs.task("test.fragile")
    def fragile() -> None:
        if next(tries) == 1:
            enqueue(what="after the failure")
            raise ZeroDivisionError
        notes.take(what="again")

    enqueue("test.fragile")
    start()
    wait_until("the second try", lambda: "again" in notes.kept)
    assert notes.kept == ["after the failure", "again"]
    assert "job fragile failed" in caplog.text


def test_a_periodic_job_that_fails_is_not_tried_again_since_it_comes_again(
    own_database: Flask, notes: Notes, start: Start
) -> None:
    @jobs.task("test.often", cron="* * * * * *")
    def often() -> None:
        notes.take()
        raise ZeroDivisionError

    start()
    wait_until("the third time", lambda: len(notes.kept) >= 3)
    with transaction():
        tried = db.session.execute(text("SELECT max(attempts), count(*) FROM procrastinate_jobs")).one()
    assert tried[0] <= 1
    assert tried[1] >= 2


def test_jobs_of_one_lock_run_one_after_another(own_database: Flask, notes: Notes, start: Start) -> None:
    inside = threading.Semaphore(1)

    @jobs.task("test.alone")
    def alone() -> None:
        free = inside.acquire(blocking=False)
        notes.take(what=free)
        if free:
            inside.release()

    for _ in range(6):
        enqueue("test.alone", lock="one")
    start()
    start()
    wait_until("all six", lambda: len(notes.kept) == 6)
    assert notes.kept == [True] * 6


@pytest.mark.parametrize("queued_in", [jobs.SLOW, jobs.DEFAULT], ids=["now", "before slow work had a queue"])
def test_slow_work_in_all_its_slots_holds_up_no_other(
    own_database: Flask, notes: Notes, start: Start, queued_in: str
) -> None:
    go_on, under_way = threading.Event(), threading.Semaphore(0)

    @jobs.task("test.slow", slow=True)
    def slow() -> None:
        under_way.release()
        go_on.wait(SECONDS)

    for _ in range(jobs.SLOTS[jobs.SLOW] + 1):
        enqueue("test.slow")
    with transaction():
        db.session.execute(text("UPDATE procrastinate_jobs SET queue_name = :queue"), {"queue": queued_in})
    start()
    try:
        assert all(under_way.acquire(timeout=SECONDS) for _ in range(jobs.SLOTS[jobs.SLOW]))
        enqueue(what="札幌")
        assert notes.came.wait(SECONDS)
        assert not under_way.acquire(blocking=False)
    finally:
        go_on.set()
    wait_until("the queue to be empty", lambda: waiting() == 0)
    assert under_way.acquire(blocking=False)


def test_a_job_that_kills_its_workers_is_given_up(own_database: Flask, notes: Notes, start: Start) -> None:
    enqueue(lock="one")
    with transaction():
        db.session.execute(
            text("UPDATE procrastinate_jobs SET status = 'doing', attempts = :tries"), {"tries": jobs.RETRIES_MAX}
        )
    enqueue(lock="one", what="next")
    start()
    assert notes.came.wait(SECONDS)
    assert notes.kept == ["next"]
    with transaction():
        assert (
            db.session.execute(text("SELECT status FROM procrastinate_jobs ORDER BY id")).scalars().first() == "failed"
        )


def test_what_failed_for_good_is_dropped_after_thirty_days(app: Flask, notes: Notes) -> None:
    enqueue()
    enqueue()
    db.session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
    db.session.execute(text("UPDATE procrastinate_jobs SET status = 'failed'"))
    oldest = "(SELECT min(id) FROM procrastinate_jobs)"
    db.session.execute(text(f"UPDATE procrastinate_events SET at = now() - interval '31 days' WHERE job_id = {oldest}"))
    jobs.tidy()
    assert db.session.execute(text("SELECT count(*) FROM procrastinate_jobs")).scalar_one() == 1


def test_a_worker_that_never_started_or_ended_already_is_stopped_without_a_word(own_database: Flask) -> None:
    worker = jobs.Worker(own_database.config["SQLALCHEMY_DATABASE_URI"], own_database.app_context)
    worker.stop()
    worker.start()
    worker.stop(30)
    worker.stop()


def test_a_worker_ends_even_if_its_work_misses_the_first_word_to_end(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun = threading.Event()

    async def work_and_miss_a_word(*_given: object) -> None:
        begun.set()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        await asyncio.Event().wait()

    monkeypatch.setattr(jobs, "_work_on", work_and_miss_a_word)
    monkeypatch.setattr(jobs, "AGAIN_SECONDS", 0.05)
    worker = start()
    assert begun.wait(120)
    worker.stop(120)
    assert not worker._thread.is_alive()


def test_a_worker_told_to_end_while_it_opens_its_connections_closes_them_and_ends(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, opening, closed = PsycopgConnector.open_async, threading.Event(), threading.Event()

    async def open_and_dally(self: PsycopgConnector) -> None:
        await opened(self)
        opening.set()
        await asyncio.Event().wait()

    async def close(self: PsycopgConnector) -> None:
        await self.pool.close()
        closed.set()

    monkeypatch.setattr(PsycopgConnector, "open_async", lambda self, pool=None: open_and_dally(self))
    monkeypatch.setattr(PsycopgConnector, "close_async", close)
    worker = start()
    assert opening.wait(120)
    worker.stop(120)
    assert closed.is_set()
    assert not worker._thread.is_alive()
