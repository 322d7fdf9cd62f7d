"""A market behind a really started server that can be killed, and a look into its database from outside."""

import hashlib
import random
import socket
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psycopg
import requests
from flask import Flask
from sqlalchemy import select, text

from marketplace.app import create_app, install
from marketplace.catalog import service as catalog
from marketplace.catalog.states import ProfileState
from marketplace.demo import buying
from marketplace.demo.party import Party
from marketplace.exchange import download, facilities, listing
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.postgres import libpq_url
from marketplace.kit.settings import Settings
from marketplace.kit.transaction import transaction
from marketplace.metering.models import Delivery, Quota
from tests.factories.catalog import profiled
from tests.faults.world import World, assert_sound, make_world
from tests.live import Exchange, wait_until

BIG = "大きな人流.bin"
BIG_BYTES = random.Random(20261122).randbytes(2**20) * 16
BIG_SHA256 = hashlib.sha256(BIG_BYTES).hexdigest()

# A server may die before it answers, or between the head of its answer and the body.
SERVER_GONE = (requests.ConnectionError, requests.exceptions.ChunkedEncodingError)


@dataclass
class Live:
    """A started exchange and the same market seen from this process."""

    exchange: Exchange
    world: World

    @property
    def app(self) -> Flask:
        return self.world.app

    @property
    def base_url(self) -> str:
        return self.exchange.base_url

    def buyer(self) -> Party:
        return self.world.party(self.world.buyer)

    def provider(self) -> Party:
        return self.world.party(self.world.provider, "provider")

    def place(self, offer: Any, key: str | None = None, token: str | None = None) -> requests.Response:
        """POST /v1/orders as the buyer, with a token of before or a new one."""
        body = {"offer_id": offer.id, "accept_terms_sha256": offer.terms_sha256}
        bearer = token or self.buyer().token()
        headers = {"Authorization": f"Bearer {bearer}", "Idempotency-Key": key or str(uuid.uuid4())}
        return requests.post(f"{self.base_url}/v1/orders", json=body, headers=headers, timeout=180)

    def grant(self, **limits: int) -> str:
        """A grant of a free offer with these limits."""
        return self.place(self.world.offer(0, **limits)).json()["grant_id"]

    def publish_big(self) -> None:
        """Add a release whose one file is too big for the kernel's buffers."""
        self.publish({BIG: BIG_BYTES})

    def publish(self, contents: Mapping[str, bytes]) -> None:
        """Add a release of these files."""
        provider = self.world.provider
        with transaction():
            release_id = catalog.open_release(provider, self.world.dataset_id, uuid.uuid4().hex[:8]).id
            for name, content in contents.items():
                stored = facilities.current().store.receive([content], len(content))
                file_id = listing.attach(provider, release_id, name, "application/octet-stream", stored).id
                profiled(file_id, None, ProfileState.OPAQUE)
            listing.publish(provider, release_id)

    def reader(self, grant_id: str, name: str = BIG, more: str = "", receive_bytes: int | None = 65536) -> "Reader":
        """A client that has asked for a file and reads as it likes."""
        token = self.buyer().token()
        target = f"/v1/grants/{grant_id}/files/{quote(name)}"
        return Reader(self.exchange.port, target, f"Authorization: Bearer {token}\r\n{more}", receive_bytes)

    def quota(self, grant_id: str) -> Quota:
        db.session.rollback()
        return db.session.get_one(Quota, grant_id)

    def open_deliveries(self) -> int:
        db.session.rollback()
        return len(db.session.scalars(select(Delivery.id).where(Delivery.state == "open")).all())

    def wait_closed(self) -> None:
        """Wait until every delivery is metered."""
        wait_until("deliveries to be metered", lambda: self.open_deliveries() == 0)

    def sweep(self) -> None:
        """Sweep as if two minutes had passed since the server died."""
        with clock.stopped(clock.now() + timedelta(minutes=2)):
            download.sweep()

    def wait_fulfilled(self, order_id: str) -> None:
        wait_until("the order", lambda: self.world.state(order_id) == "fulfilled" or db.session.rollback())

    def wait_idle(self) -> None:
        """Wait until no job is left over from a worker that died, and none waits that is due."""
        wait_until("the jobs", lambda: not self.jobs())

    def jobs(self) -> list[Any]:
        db.session.rollback()
        query = "SELECT id, task_name, status, attempts FROM procrastinate_jobs WHERE task_name NOT IN :names"
        query = query.replace(":names", "('jobs.rescue')")
        due = " AND (status = 'doing' OR (status = 'todo' AND coalesce(scheduled_at, now()) <= now()))"
        return list(db.session.execute(text(query + due)).all())

    def kill_and_restart(self) -> None:
        self.exchange.kill()
        self.exchange.restart()

    def assert_sound(self) -> None:
        wait_until("the sequencer", assert_placed)
        assert_sound()


class Reader:
    """One download over a raw socket with a small receive buffer."""

    def __init__(self, port: int, target: str, headers: str, receive_bytes: int | None) -> None:
        self.socket = socket.socket()
        if receive_bytes:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_bytes)
        self.socket.settimeout(60)
        self.socket.connect(("127.0.0.1", port))
        self.socket.sendall(f"GET {target} HTTP/1.1\r\nHost: 127.0.0.1\r\n{headers}\r\n".encode())
        self.file = self.socket.makefile("rb", buffering=0)
        self.status = 0
        self.headers: dict[str, str] = {}

    def head(self) -> int:
        """Read the head of the answer and return its status."""
        raw = b""
        while not raw.endswith(b"\r\n\r\n"):
            byte = self.file.read(1)
            assert byte, f"the connection closed inside the head: {raw!r}"
            raw += byte
        status, *fields = raw.decode("latin-1").split("\r\n")[:-2]
        self.status = int(status.split()[1])
        self.headers = {name.lower(): value for name, value in (field.split(": ", 1) for field in fields)}
        return self.status

    def take(self, count: int) -> bytes:
        """Read so many bytes, or what comes before the end."""
        parts = []
        while count > 0 and (part := self._some(min(count, 2**18))):
            parts.append(part)
            count -= len(part)
        return b"".join(parts)

    def _some(self, count: int) -> bytes:
        try:
            return self.file.read(count) or b""
        except ConnectionResetError:
            return b""

    def vanish(self) -> None:
        """Go away without a word."""
        self.file.close()
        self.socket.close()


def assert_placed() -> bool:
    """Whether the running server's sequencer has placed all entries."""
    db.session.rollback()
    query = "SELECT count(*) FROM audit_entry e LEFT JOIN audit_leaf l ON l.entry_id = e.id WHERE l.entry_id IS NULL"
    return db.session.execute(text(query)).scalar() == 0


@contextmanager
def live_world(folder: Path, database_url: str, **settings: object) -> Iterator[Live]:
    """Run a market behind a real server until the block ends."""
    folder.mkdir(parents=True, exist_ok=True)
    exchange = Exchange(folder, libpq_url(database_url), settings)
    app = create_app(
        Settings(database_url=database_url, data_dir=exchange.data_dir, base_url=exchange.base_url, port=exchange.port)
    )
    with app.app_context():
        try:
            world = make_world(app)
            yield Live(exchange.start(), world)
        finally:
            exchange.close()
            db.session.remove()
            db.engine.dispose()


@contextmanager
def beside(live: Live, folder: Path, **settings: object) -> Iterator[Exchange]:
    """Run another server over the same database and files until the block ends; it does no jobs unless it is told to."""
    same = {"marketplace_data_dir": live.exchange.data_dir, "marketplace_base_url": live.base_url}
    apart = {"marketplace_run_worker": "false", "marketplace_worker_class": "events"}  # the first waits in threads
    other = Exchange(folder, live.exchange.database_url, same | apart | settings)
    try:
        yield other.start()
    finally:
        other.stop()


def use(live: Live) -> Live:
    """Make a standing exchange that of this process again: other tests may have built theirs meanwhile."""
    install(live.app)
    return live


def pay(live: Live, order: dict[str, Any]) -> None:
    """Pay an order on its page."""
    buying.pay_on_page(order["checkout_url"])


def rows(database_url: str, query: str) -> list[Any]:
    """Ask the database past all of our code."""
    with psycopg.connect(libpq_url(database_url)) as connection:
        return connection.execute(query).fetchall()
