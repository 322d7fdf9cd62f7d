"""Idempotency keys: one effect and one answer, whoever comes at once."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.audit import service as audit
from marketplace.audit.verbs import Verb
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, idempotency, jobs
from marketplace.kit.db import db
from marketplace.kit.idempotency import IdempotencyKeyMissing, IdempotencyKeyReused
from marketplace.kit.transaction import transaction

RUNNERS = 8


def deed() -> dict[str, str]:
    """Something that leaves a trace."""
    return {"id": audit.record(SYSTEM, Verb.TERMS_WRITTEN, subject="trm_1"), "名": "札幌"}


def once(key: str | None = "k", request: object = "r", client: str = "cli_1") -> tuple[dict, bool]:
    with transaction():
        return idempotency.once(client, key, request, deed)


def traces() -> int:
    return db.session.execute(text("SELECT count(*) FROM audit_entry")).scalar_one()


def test_a_second_request_gets_the_first_answer(app: Flask) -> None:
    first, replayed = once()
    assert not replayed
    assert once() == (first, True)
    assert traces() == 1


def test_keys_belong_to_their_client(app: Flask) -> None:
    once()
    assert once(client="cli_2")[1] is False
    assert traces() == 2


def test_the_same_key_with_another_request_is_refused(app: Flask) -> None:
    once()
    with pytest.raises(IdempotencyKeyReused):
        once(request="other")
    assert traces() == 1


@pytest.mark.parametrize("key", [None, "", "k" * 256])
def test_a_request_without_a_usable_key_is_refused(app: Flask, key: str | None) -> None:
    with pytest.raises(IdempotencyKeyMissing, match="1 to 255"):
        once(key)
    assert traces() == 0


def test_a_longest_key_is_taken(app: Flask) -> None:
    assert once("k" * 255)[1] is False


def test_a_deed_that_fails_leaves_its_key_free(app: Flask) -> None:
    with pytest.raises(ZeroDivisionError), transaction():
        idempotency.once("cli_1", "k", "r", lambda: deed() and 1 / 0)
    assert once()[1] is False
    assert traces() == 1


def test_of_eight_at_once_one_acts_and_all_get_its_answer(own_database: Flask) -> None:
    start = threading.Barrier(RUNNERS)

    def run(_n: int) -> tuple[dict, bool]:
        with own_database.app_context():
            start.wait()
            return once()

    with ThreadPoolExecutor(RUNNERS) as pool:
        outcomes = list(pool.map(run, range(RUNNERS)))
    assert [replayed for _answer, replayed in outcomes].count(False) == 1
    assert len({answer["id"] for answer, _replayed in outcomes}) == 1
    assert traces() == 1


def test_of_eight_at_once_the_next_acts_when_the_first_fails(own_database: Flask) -> None:
    start, failures = threading.Barrier(RUNNERS), iter([True])

    def fragile() -> dict[str, str]:
        answer = deed()
        if next(failures, False):
            raise ZeroDivisionError
        return answer

    def run(_n: int) -> bool | None:
        with own_database.app_context():
            start.wait()
            try:
                with transaction():
                    return idempotency.once("cli_1", "k", "r", fragile)[1]
            except ZeroDivisionError:
                return None

    with ThreadPoolExecutor(RUNNERS) as pool:
        outcomes = list(pool.map(run, range(RUNNERS)))
    assert sorted(map(str, outcomes)) == ["False", "None", *["True"] * 6]
    assert traces() == 1


def test_keys_are_forgotten_after_thirty_days_by_a_periodic_job(app: Flask) -> None:
    assert "idempotency.forget" in jobs._periodic
    with clock.stopped(clock.now() - timedelta(days=31)):
        once("old")
    once("new")
    idempotency.forget_old()
    assert once("old")[1] is False
    assert once("new")[1] is True
