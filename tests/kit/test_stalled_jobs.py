"""Jobs of a worker that was killed: they are taken up again, and block nobody."""

import threading
from collections.abc import Iterator

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction

DONE_WITHIN_SECONDS = 180


@pytest.fixture
def noted(monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """Replace all jobs by one that notes that it was done."""
    done = threading.Event()
    monkeypatch.setattr(jobs, "_tasks", {"test.noted": done.set})
    monkeypatch.setattr(jobs, "_periodic", {})
    return done


@pytest.fixture
def worker(own_database: Flask) -> Iterator[jobs.Worker]:
    """A worker on a database of its own."""
    made = jobs.Worker(own_database.config["SQLALCHEMY_DATABASE_URI"], own_database.app_context)
    yield made
    made.stop()


def test_a_job_whose_worker_was_killed_is_done_after_all(
    own_database: Flask, noted: threading.Event, worker: jobs.Worker
) -> None:
    with transaction():
        jobs.enqueue("test.noted", lock="one at a time")
        # What kill -9 leaves: a job under way, and a worker whose heart stopped long ago.
        db.session.execute(
            text(
                "WITH dead AS (INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (now() - interval '1 hour') RETURNING id)"
                " UPDATE procrastinate_jobs SET status = 'doing', worker_id = dead.id FROM dead"
            )
        )
    worker.start()

    assert noted.wait(DONE_WITHIN_SECONDS)


def test_a_job_that_waits_behind_the_lock_of_a_dead_one_is_not_held_up(
    own_database: Flask, noted: threading.Event, worker: jobs.Worker
) -> None:
    with transaction():
        jobs.enqueue("test.noted", lock="one at a time")
        db.session.execute(text("UPDATE procrastinate_jobs SET status = 'doing'"))
        jobs.enqueue("test.noted", lock="one at a time")
    worker.start()

    assert noted.wait(DONE_WITHIN_SECONDS)


def test_a_job_of_a_living_worker_is_left_alone(
    own_database: Flask, noted: threading.Event, worker: jobs.Worker
) -> None:
    with transaction():
        jobs.enqueue("test.noted", lock="busy")
        db.session.execute(
            text(
                "WITH other AS (INSERT INTO procrastinate_workers (last_heartbeat)"
                " VALUES (now() + interval '1 hour') RETURNING id)"
                " UPDATE procrastinate_jobs SET status = 'doing', worker_id = other.id FROM other"
            )
        )
        jobs.enqueue("test.noted")
    worker.start()
    assert noted.wait(DONE_WITHIN_SECONDS)
    worker.stop()

    left = db.session.execute(text("SELECT status FROM procrastinate_jobs WHERE lock = 'busy'")).scalar()
    assert left == "doing"
