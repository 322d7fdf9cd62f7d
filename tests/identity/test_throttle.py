"""Guessing secrets ends soon, and harms nobody else."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from sqlalchemy.orm import Session

from marketplace.identity import throttle as counts
from marketplace.identity.models import FailedAuthentication
from marketplace.identity.oauth import throttle
from marketplace.identity.service import Admission
from marketplace.identity.states import Capacity
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.identity.conftest import basic, found

GRANT = {"grant_type": "client_credentials"}


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> int:
    monkeypatch.setattr(throttle, "FAILURES_MAX", 5)
    return 5


def guess(wire: FlaskClient, client_id: str, times: int, **how: Any) -> list[int]:
    return [
        wire.post("/oauth/token", data=GRANT, headers=basic(client_id, f"mk_sk_{n}"), **how).status_code
        for n in range(times)
    ]


def test_a_hundred_wrong_secrets_within_ten_minutes_are_enough() -> None:
    assert throttle.FAILURES_MAX == 100
    assert timedelta(minutes=10) == counts.WINDOW


def test_after_too_many_wrong_secrets_even_the_right_one_waits(
    buyer: Admission, provider: Admission, wire: FlaskClient, ask: Any, few: int
) -> None:
    assert guess(wire, buyer.client.id, few + 2) == [401] * few + [429] * 2
    answer = ask(buyer)
    assert (answer.status_code, answer.json["error"]) == (429, "temporarily_unavailable")
    assert 0 < int(answer.headers["Retry-After"]) <= 600
    assert answer.headers["Cache-Control"] == "no-store"
    for path in ("/oauth/revoke", "/oauth/introspect"):
        assert ask(buyer, path, token="x").status_code == 429
    assert ask(provider).status_code == 200


def test_a_client_that_does_not_exist_is_throttled_in_the_same_way(wire: FlaskClient, app: Any, few: int) -> None:
    assert guess(wire, "cli_" + "0" * 32, few + 1) == [401] * few + [429]


def test_a_stranger_elsewhere_does_not_shut_the_owner_out(
    buyer: Admission, wire: FlaskClient, ask: Any, few: int
) -> None:
    elsewhere = {"environ_base": {"REMOTE_ADDR": "203.0.113.7"}}
    assert guess(wire, buyer.client.id, few + 1, **elsewhere)[-1] == 429
    assert ask(buyer).status_code == 200


def test_when_the_window_has_ended_guessing_starts_anew(
    buyer: Admission, wire: FlaskClient, ask: Any, few: int
) -> None:
    guess(wire, buyer.client.id, few)
    with clock.stopped(clock.now() + counts.WINDOW + timedelta(seconds=1)):
        assert ask(buyer).status_code == 200
        assert guess(wire, buyer.client.id, few + 1) == [401] * few + [429]


def test_right_secrets_are_not_counted(buyer: Admission, wire: FlaskClient, ask: Any, few: int) -> None:
    guess(wire, buyer.client.id, few - 1)
    assert [ask(buyer).status_code for _ in range(few)] == [200] * few


def test_no_network_address_is_kept_in_clear(buyer: Admission, wire: FlaskClient, session: Session) -> None:
    guess(wire, buyer.client.id, 1, environ_base={"REMOTE_ADDR": "203.0.113.7"})
    assert "203.0.113.7" not in session.scalar(select(FailedAuthentication.key))


def test_failures_at_the_same_moment_are_all_counted(own_database: Flask) -> None:
    def fail(_n: int) -> None:
        with own_database.app_context(), transaction():
            throttle.count_failure("one")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(fail, range(40)))
    assert found(Capacity.BUYER)
    with transaction():
        counted = db.session.scalar(select(FailedAuthentication.failures))
    assert counted == 40


def test_a_refused_guess_is_counted_for_good(own_database: Flask) -> None:
    buyer = found(Capacity.BUYER)
    assert guess(own_database.test_client(), buyer.client.id, 3) == [401] * 3
    assert db.session.scalar(select(FailedAuthentication.failures)) == 3


def test_other_clients_behind_the_same_address_are_not_held_up_by_one_that_guesses(
    buyer: Admission, provider: Admission, wire: FlaskClient, ask: Any, few: int
) -> None:
    assert guess(wire, buyer.client.id, few + 1)[-1] == 429
    assert guess(wire, provider.client.id, few - 1) == [401] * (few - 1)
    assert ask(provider).status_code == 200
