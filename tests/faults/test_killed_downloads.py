"""`kill -9` at any instruction of a metered download: what was kept stays, the rest is given back, nothing counts twice."""

import os
import random
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from types import FrameType
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select, text

from marketplace.api import streams
from marketplace.audit.verbs import Verb
from marketplace.delivery.streaming import CHUNK_BYTES
from marketplace.exchange import download
from marketplace.identity.actors import Actor
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from marketplace.metering import receipts
from marketplace.metering.models import Delivery, Quota, UsageEvent
from marketplace.server.body import FileBody
from tests.faults.deaths import run_apart
from tests.faults.started import BIG, BIG_BYTES, Live
from tests.faults.world import SECRET, World, assert_sound, at_once, count, entries, make_world
from tests.live import wait_until

KILLS = int(os.environ.get("DOWNLOAD_KILLS", "16"))
"""How many downloads are killed; 1,000 of them take about ten minutes."""
SERVER_KILLS = int(os.environ.get("SERVER_KILLS", "1"))
STREAMS = 20
SEED = int(os.environ.get("KILLS_SEED", "20261130"))
NAME = "少しずつ.bin"
PIECE_BYTES = 2 * CHUNK_BYTES + 1000
BELOW = ("psycopg", "sqlalchemy.engine")
SWEPT_LATER = timedelta(minutes=2)
Deed = Callable[[], object]


@dataclass
class Instructions:
    """The instructions of a deed, counted: each of our code's, and each line of what speaks to the database below it."""

    dies_at: int | None = None
    passed: int = 0

    @contextmanager
    def counted(self) -> Iterator[None]:
        """Count those of this thread, and die at the one that was chosen."""
        sys.settrace(self._enter)
        try:
            yield
        finally:
            sys.settrace(None)

    def _enter(self, frame: FrameType, _event: str, _argument: Any) -> Any:
        module = frame.f_globals.get("__name__", "")
        if module.startswith("marketplace."):
            frame.f_trace_opcodes, frame.f_trace_lines = True, False
        elif not module.startswith(BELOW):
            return None
        return self._pass

    def _pass(self, _frame: FrameType, event: str, _argument: Any) -> Any:
        if event in {"opcode", "line"}:
            self.passed += 1
            if self.passed == self.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
        return self._pass


@dataclass
class Desk:
    """One grant of a file in pieces, with a quota of exactly its bytes, and whoever fetches it."""

    world: World
    grant_id: str
    token: str
    chance: random.Random

    def fetch(self, piece: int) -> None:
        """Fetch one piece as a server does that iterates; progress is noted on the way."""
        app, first = self.world.app, piece * PIECE_BYTES
        client, address = app.test_client(), f"/v1/grants/{self.grant_id}/files/{NAME}"
        wanted = {"Authorization": self.token, "Range": f"bytes={first}-{first + PIECE_BYTES - 1}"}
        answer = client.get(address, headers=wanted, environ_overrides={streams.SEND_FILE: FileBody})
        assert answer.status_code == 206, answer.text
        body = iter(answer.response)
        taken = len(next(body)) + len(next(body))  # type: ignore[call-overload]
        app.extensions[streams.EXTENSION].beat()
        assert taken + sum(map(len, body)) == PIECE_BYTES
        answer.response.close()  # type: ignore[attr-defined] # WSGI's iterables may be closed

    def length_of(self, deed: Deed) -> int:
        """How many instructions a deed has, tried in a process of its own."""
        reading, writing = os.pipe()

        def measured() -> None:
            every = Instructions()
            with every.counted():
                deed()
            os.write(writing, str(every.passed).encode())

        run_apart(measured)
        os.close(writing)
        with os.fdopen(reading) as told:
            return int(told.read())

    def killed(self, deed: Deed, at: int) -> list[str]:
        """Kill a deed at one instruction, unless it is over before; returns what it had committed."""

        def dying() -> None:
            with Instructions(at).counted():
                deed()

        before = backends()
        told = run_apart(dying)[1]
        # What the dead had asked of the database, a commit perhaps, is done or taken back before anybody looks.
        wait_until("the connections of the dead to end", lambda: backends() <= before)
        return told


def backends() -> set[int]:
    """Whom the database serves."""
    asked = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'"
    found = set(db.session.execute(text(asked)).scalars())
    db.session.rollback()
    return found


@pytest.fixture
def desk(own_database: Flask) -> Desk:
    """A desk with one piece for each kill, and one to measure."""
    world, pieces = make_world(own_database), KILLS + 1
    content = random.Random(SEED).randbytes(PIECE_BYTES) * pieces
    live = Live(None, world)  # type: ignore[arg-type] # nothing is served here
    live.publish({NAME: content})
    offer = world.offer(0, quota_bytes=len(content))
    world.order(offer)
    client = own_database.test_client()
    # A long run outlives a token of five minutes.
    asked = {"grant_type": "client_credentials", "scope": "data:read token:hour"}
    by = (world.buyer.client_id or "", SECRET)
    token = client.post("/oauth/token", data=asked, auth=by).get_json()["access_token"]
    grant_id = db.session.scalars(select(Quota.grant_id).where(Quota.limit_bytes == len(content))).one()
    return Desk(world, grant_id, f"Bearer {token}", random.Random(SEED))


def sweep() -> None:
    """Sweep as if two minutes had passed."""
    with clock.stopped(clock.now() + SWEPT_LATER):
        download.sweep()


def quota(desk: Desk) -> Quota:
    db.session.rollback()
    return db.session.get_one(Quota, desk.grant_id, populate_existing=True)


def charged(piece: int) -> int:
    """What has been charged for one piece of the file."""
    query = select(func.sum(UsageEvent.bytes_new)).join(Delivery, Delivery.id == UsageEvent.delivery_id)
    return db.session.scalar(query.where(Delivery.start_byte == piece * PIECE_BYTES)) or 0


def test_a_download_killed_at_any_instruction_is_kept_whole_or_given_back(desk: Desk) -> None:
    length, sweeping = desk.length_of(lambda: desk.fetch(KILLS)), desk.length_of(sweep)
    kept = set()
    for piece in range(KILLS):
        told = desk.killed(lambda one=piece: desk.fetch(one), desk.chance.randrange(1, length))
        if desk.chance.random() < 0.3:
            desk.killed(sweep, desk.chance.randrange(1, sweeping))
        sweep()
        assert (quota(desk).reserved_bytes, quota(desk).open_deliveries) == (0, 0)
        closed = "committed: exchange.download.close_delivery" in told
        assert charged(piece) in ({PIECE_BYTES} if closed else {0, CHUNK_BYTES, PIECE_BYTES})
        kept.update(told)
    assert "committed: api.grants.fetch" in kept, kept
    for piece in range(KILLS):
        desk.fetch(piece)
    assert quota(desk).used_bytes == quota(desk).limit_bytes == sum(map(charged, range(KILLS + 1)))
    assert_consistent()


def assert_consistent() -> None:
    """Deliveries, usage, record and receipts tell of the same, and the record verifies."""
    db.session.rollback()
    deliveries = db.session.scalars(select(Delivery)).all()
    buyers = {one.id: Actor(one.organization_id, one.client_id) for one in deliveries}
    assert {one.state for one in deliveries} <= {"complete", "broken", "swept"}
    assert count(UsageEvent) == len(deliveries)
    for verb in (Verb.DELIVERY_OPENED, Verb.DELIVERY_CLOSED):
        assert sorted(one.subject for one in entries(verb)) == sorted(one.id for one in deliveries)
    covered = "SELECT sum(bytes_covered) FROM coverage"
    assert db.session.execute(text(covered)).scalar() == db.session.scalar(select(func.sum(UsageEvent.bytes_new)))
    assert_sound()
    for delivery_id, buyer in buyers.items():
        with transaction():
            receipts.get_receipt(buyer, delivery_id)


def test_servers_killed_under_many_downloads_charge_nothing_twice(live: Live) -> None:
    live.publish({BIG: BIG_BYTES})
    chance, grants = random.Random(SEED), [live.grant(quota_bytes=len(BIG_BYTES)) for _ in range(STREAMS)]
    for _ in range(SERVER_KILLS):
        readers = [live.reader(grant_id, receive_bytes=2**18) for grant_id in grants]
        at_once([partial(read_some, reader, chance.randrange(len(BIG_BYTES))) for reader in readers])
        live.exchange.kill()
        for reader in readers:
            reader.vanish()
        live.exchange.restart()
        live.sweep()
        assert live.open_deliveries() == 0
    for grant_id in grants:
        reader = live.reader(grant_id, receive_bytes=None)
        assert reader.head() == 200
        assert reader.take(len(BIG_BYTES)) == BIG_BYTES
        reader.vanish()
    live.wait_closed()
    assert {live.quota(grant_id).used_bytes for grant_id in grants} == {len(BIG_BYTES)}
    live.exchange.stop()
    assert_consistent()


def read_some(reader: Any, much: int) -> None:
    """Read the head and so much of the body."""
    assert reader.head() == 200
    assert BIG_BYTES.startswith(reader.take(much))
