"""Workers that publish at once, decided by the database: each month and each year is told once."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from threading import Barrier

from flask import Flask
from sqlalchemy import text

from marketplace.disclosure import queries, service
from marketplace.disclosure.annual import publishing
from marketplace.kit import clock
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.disclosure.world import october

AFTER_YEAR = datetime(2027, 1, 12, tzinfo=UTC)
RUNNERS = 4


def race(app: Flask, deed: Callable[[], None]) -> None:
    """Do the same in several threads at once; raises what any of them raises."""
    gate = Barrier(RUNNERS, timeout=120)

    def attempt(_n: int) -> None:
        with app.app_context(), clock.stopped(AFTER_YEAR):
            gate.wait()
            deed()

    with ThreadPoolExecutor(RUNNERS) as pool:
        list(pool.map(attempt, range(RUNNERS)))


def stored(statement: str) -> list[tuple[object, ...]]:
    """The rows of a statement, read anew."""
    with transaction():
        return [tuple(row) for row in db.session.execute(text(statement))]


MONTHS = "SELECT month, sha256, document, published_at FROM register_month ORDER BY month"
LINES = "SELECT month, number, document FROM register_line ORDER BY month, number"
SAID = "SELECT subject, facts FROM audit_entry WHERE verb = 'disclosure.{}.published' ORDER BY subject"


def test_of_workers_that_publish_at_once_each_month_is_told_by_one(own_database: Flask) -> None:
    with transaction():
        october()
    race(own_database, service.publish_due)
    months, lines, said = stored(MONTHS), stored(LINES), stored(SAID.format("register"))
    assert [row[0] for row in months] == ["2026-09", "2026-10", "2026-11", "2026-12"]
    assert [row[:2] for row in lines] == [("2026-10", number) for number in (1, 2, 3, 4)]
    assert [(row[0], row[1]["sha256"]) for row in said] == [row[:2] for row in months]
    race(own_database, service.publish_due)
    assert (stored(MONTHS), stored(LINES), stored(SAID.format("register"))) == (months, lines, said)


def test_of_workers_that_count_at_once_the_year_is_told_by_one(own_database: Flask) -> None:
    with transaction():
        october()
    with clock.stopped(AFTER_YEAR):
        service.publish_due()
    race(own_database, publishing.count_years)
    with transaction():
        told = queries.get_published_report(2026)
    [(year, _facts)] = stored(SAID.format("report"))
    assert year == "2026"
    race(own_database, publishing.count_years)
    with transaction():
        assert queries.get_published_report(2026) == told
    assert len(stored(SAID.format("report"))) == 1
