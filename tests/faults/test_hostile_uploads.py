"""Files that keep their readers busy for as long as they may: everybody else's trade goes on."""

import threading
from collections.abc import Iterator

import pytest

from marketplace.catalog import profiling, service
from marketplace.catalog.profiling import Profile
from marketplace.catalog.states import ProfileState
from marketplace.exchange import facilities, listing
from marketplace.kit import jobs
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.faults.world import World, assert_sold_once
from tests.live import wait_until

SECONDS = 180


class Reader:
    """Reads no file before it is told to; counts those it has begun."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.may_end = threading.Event()

    def read(self, *_given: object) -> Profile:
        """Take the place of ``profile_file``."""
        self.begun.release()
        self.may_end.wait(SECONDS)
        return Profile(ProfileState.OPAQUE, {})


@pytest.fixture
def reader(open_world: World, monkeypatch: pytest.MonkeyPatch) -> Iterator[Reader]:
    """A worker in this process that has such a file in every slot for slow work, and one more to come."""
    made = Reader()
    monkeypatch.setattr(profiling, "profile_file", made.read)
    files = jobs.SLOTS[jobs.SLOW] + 1
    with transaction():
        release = service.open_release(open_world.provider, open_world.dataset_id, "hostile")
        for number in range(files):
            content = b"%d" % number
            stored = facilities.current().store.receive([content], len(content))
            listing.attach(open_world.provider, release.id, f"{number}.xlsx", "application/octet-stream", stored)
    worker = jobs.Worker(open_world.app.config["SQLALCHEMY_DATABASE_URI"], open_world.app.app_context)
    worker.start()
    assert all(made.begun.acquire(timeout=SECONDS) for _ in range(files - 1))
    yield made
    made.may_end.set()
    worker.stop(SECONDS)


def test_an_order_is_paid_and_granted_while_hostile_files_are_read(open_world: World, reader: Reader) -> None:
    order_id = open_world.order()
    open_world.pay(order_id)

    wait_until("the order", lambda: open_world.state(order_id) == "fulfilled" or db.session.rollback())

    assert_sold_once(order_id)
    assert not reader.may_end.is_set()
    assert not reader.begun.acquire(blocking=False)
