"""One story, one transaction: all of it or nothing, and what follows only once it is kept."""

import pytest
from flask import Flask
from sqlalchemy import text

from marketplace.kit.db import db
from marketplace.kit.transaction import after_commit, transaction


def put(value: int) -> None:
    db.session.execute(text("INSERT INTO audit_node VALUES (0, :value, '')"), {"value": value})


def kept() -> list[int]:
    return list(db.session.execute(text("SELECT position FROM audit_node ORDER BY 1")).scalars())


def test_what_happens_inside_is_kept_together(own_database: Flask) -> None:
    with transaction():
        put(1)
        put(2)
    db.session.rollback()
    assert kept() == [1, 2]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, SystemExit])
def test_whatever_is_raised_undoes_all_of_it(own_database: Flask, error: type[BaseException]) -> None:
    with pytest.raises(error), transaction():
        put(1)
        raise error
    assert kept() == []
    with transaction():
        put(2)
    assert kept() == [2]


def test_a_nested_story_is_refused_and_undoes_the_outer_one(own_database: Flask) -> None:
    with pytest.raises(RuntimeError, match="not nested"), transaction():
        put(1)
        with transaction():
            put(2)
    assert kept() == []
    with transaction():
        put(3)
    assert kept() == [3]


def test_a_commit_that_fails_keeps_nothing_and_runs_nothing_after(own_database: Flask) -> None:
    ran: list[int] = []
    with pytest.raises(Exception, match="fk_audit_waiting"), transaction():
        db.session.execute(
            text("ALTER TABLE audit_waiting ALTER CONSTRAINT fk_audit_waiting_entry_id DEFERRABLE INITIALLY DEFERRED")
        )
        db.session.execute(text("INSERT INTO audit_waiting VALUES (now(), 'aud_missing')"))
        after_commit(lambda: ran.append(1))
    assert ran == []
    assert kept() == []


def test_what_follows_runs_in_order_after_the_commit_and_may_be_a_story(own_database: Flask) -> None:
    seen: list[object] = []

    def story() -> None:
        with transaction():
            put(2)
            after_commit(lambda: seen.append("inner"))

    with transaction():
        put(1)
        after_commit(lambda: seen.append(kept()))
        after_commit(story)
        after_commit(lambda: seen.append(kept()))
        assert seen == []
    assert seen == [[1], "inner", [1, 2]]


def test_what_follows_and_fails_is_logged_and_hinders_nothing(
    own_database: Flask, caplog: pytest.LogCaptureFixture
) -> None:
    ran: list[int] = []
    with transaction():
        after_commit(lambda: 1 / 0)
        after_commit(lambda: ran.append(1))
    assert ran == [1]
    assert "after-commit deed failed" in caplog.text


def test_nothing_follows_a_story_that_is_not_open(own_database: Flask) -> None:
    with pytest.raises(RuntimeError, match="needs an open transaction"):
        after_commit(lambda: None)
