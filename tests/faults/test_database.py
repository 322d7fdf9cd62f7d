"""The database: gone and back under a running exchange, locks that are not given, deadlocks."""

import os
import signal
import threading
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask import Flask
from sqlalchemy import event, text

from marketplace.app import prepare
from marketplace.billing.models import Order
from marketplace.exchange import purchase
from marketplace.kit import postgres
from marketplace.kit.db import db
from marketplace.kit.postgres import libpq_url
from marketplace.kit.settings import Settings
from tests.faults.started import BIG_BYTES, Live, live_world, pay
from tests.faults.world import World, assert_sold_once, at_once, count
from tests.live import alive, wait_until


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Live]:
    """An exchange on an embedded server of its own."""
    tmp_path.chmod(0o755)
    folder = tmp_path / "embedded"
    data_dir = folder / "data"
    try:
        url = prepare(Settings(data_dir=data_dir)).database_url or ""
        with live_world(folder, url) as started:
            started.publish_big()
            yield started
    finally:
        postgres.stop(data_dir)


def stop_database(live: Live) -> None:
    """Shut the database down under everybody."""
    postgres.stop(live.exchange.data_dir)
    pid = live.exchange.postmaster()
    if pid is not None:
        os.kill(pid, signal.SIGINT)
        wait_until("PostgreSQL to end", lambda: not alive(pid))


def start_database(live: Live) -> None:
    """Start it again on the same data."""
    postgres.database_url(live.exchange.data_dir)


def assert_unavailable(answer: requests.Response) -> None:
    assert answer.status_code == 503, answer.text
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert int(answer.headers["Retry-After"]) > 0


def test_an_exchange_whose_database_goes_away_says_so_and_recovers_by_itself(embedded: Live) -> None:
    live, offer, key = embedded, embedded.world.offer(), str(uuid.uuid4())
    token, lost, open_order = live.buyer().token(), str(uuid.uuid4()), live.place(offer, key).json()
    grant_id = live.grant()
    reader = live.reader(grant_id)
    assert reader.head() == 200
    headers = {"Authorization": f"Bearer {token}", "Idempotency-Key": lost}
    body = {"offer_id": offer.id, "accept_terms_sha256": offer.terms_sha256}
    db.session.rollback()
    stop_database(live)

    assert requests.get(f"{live.base_url}/v1/health", timeout=180).status_code == 200
    for path in ("/v1/ready", "/v1/catalog", "/v1/orders", f"/v1/grants/{grant_id}"):
        assert_unavailable(requests.get(live.base_url + path, headers=headers, timeout=180))
    assert_unavailable(requests.post(f"{live.base_url}/v1/orders", json=body, headers=headers, timeout=180))
    credentials = (live.buyer().client_id, live.buyer().client_secret)
    grant = {"grant_type": "client_credentials"}
    token_answer = requests.post(f"{live.base_url}/oauth/token", data=grant, auth=credentials, timeout=180)
    assert token_answer.status_code == 503
    # A download that had begun goes on without the database; its report waits.
    assert reader.take(len(BIG_BYTES)) == BIG_BYTES
    reader.vanish()

    start_database(live)
    wait_until("the exchange to be ready", live.exchange.ready)
    assert live.place(offer, key).json()["id"] == open_order["id"]
    placed = live.place(offer, lost).json()
    assert count(Order, Order.offer_id == offer.id) == 2
    for order in (open_order, placed):
        pay(live, order)
        live.wait_fulfilled(order["id"])
        assert_sold_once(order["id"])
    live.wait_closed()
    assert live.quota(grant_id).used_bytes == len(BIG_BYTES)
    live.assert_sound()


def test_backends_that_are_terminated_in_the_middle_cost_at_most_one_answer_each(live: Live) -> None:
    offer = live.world.offer(0)
    # A token that is asked for in the middle would be the one answer that is lost.
    token = live.buyer().token()
    orders: list[str] = []
    for _ in range(5):
        terminate_backends(live)
        key = str(uuid.uuid4())
        first = live.place(offer, key, token)
        assert first.status_code in {201, 503}, first.text
        order = wait_until("the order", lambda one=key: placed(live, offer, one, token))
        orders.append(order["id"])
    assert len(set(orders)) == count(Order, Order.offer_id == offer.id) == 5
    live.assert_sound()


def placed(live: Live, offer: Any, key: str, token: str | None = None) -> Any:
    answer = live.place(offer, key, token)
    return answer.json() if answer.status_code == 201 else None


def terminate_backends(live: Live) -> None:
    """End every connection of the exchange, as a failover does."""
    db.session.rollback()
    with psycopg.connect(libpq_url(live.app.config["SQLALCHEMY_DATABASE_URI"]), autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def post_order(world: World, offer: Any) -> Any:
    headers = {"Authorization": f"Bearer {world.party(world.buyer).token()}", "Idempotency-Key": str(uuid.uuid4())}
    body = {"offer_id": offer.id, "accept_terms_sha256": offer.terms_sha256}
    return requests.post(f"{world.base_url}/v1/orders", json=body, headers=headers, timeout=180)


def test_a_lock_that_is_not_given_in_time_is_a_503_and_changes_nothing(open_world: World) -> None:
    offer = open_world.offer(0)
    impatient(open_world.app)
    with psycopg.connect(libpq_url(open_world.app.config["SQLALCHEMY_DATABASE_URI"])) as holder:
        holder.execute("SELECT FROM offer WHERE id = %s FOR UPDATE", [offer.id])
        assert_unavailable(post_order(open_world, offer))
    assert count(Order) == 0
    assert post_order(open_world, offer).status_code == 201


def impatient(app: Flask) -> None:
    """Wait for locks for a moment only."""

    def shorten(connection: Any, *_: Any) -> None:
        connection.execute("SET lock_timeout = '100ms'")
        connection.commit()

    db.session.remove()
    db.engine.dispose()
    event.listen(db.engine, "connect", shorten)


def test_a_deadlock_is_a_503_for_one_and_a_success_for_the_other(
    open_world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer, both = open_world.offer(0), threading.Barrier(2)
    numbers, place_order = iter([(1, 2), (2, 1)]), purchase.place_order

    def crosswise(*given: Any) -> str:
        first, second = next(numbers)
        db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": first})
        both.wait(180)
        db.session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": second})
        return place_order(*given)

    with monkeypatch.context() as crossing:
        crossing.setattr(purchase, "place_order", crosswise)
        answers = at_once([lambda: post_order(open_world, offer)] * 2)
    assert sorted(answer.status_code for answer in answers) == [201, 503]
    assert count(Order) == 1
