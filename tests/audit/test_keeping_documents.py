"""Seven years or more: whoever may delete in the database, but is not its superuser, deletes no document too early."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from flask import Flask
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError

from marketplace.billing.documents import service
from marketplace.billing.documents.models import Document
from marketplace.exchange import holding
from marketplace.identity.actors import SYSTEM
from marketplace.kit import clock, settings
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories.documents import DraftFactory, LineFactory

ISSUED = datetime(2014, 6, 1, 3, tzinfo=UTC)
# PostgreSQL's own names of what was wrong: a trigger refused, or the role may not.
REFUSED, NOT_ALLOWED = "23001", "42501"


@pytest.fixture
def write(app: Flask) -> Callable[[datetime], Document]:
    """Issues a document at some moment; the role ``clerk`` may change and delete every one, and is no superuser."""
    db.session.execute(text("CREATE ROLE clerk NOSUPERUSER"))
    db.session.execute(text("GRANT ALL ON document TO clerk"))
    db.session.execute(text("GRANT SELECT ON legal_hold, invoice, access_grant, purchase_order, offer TO clerk"))

    def issue(moment: datetime) -> Document:
        draft = DraftFactory(transaction_on=moment.date(), number=None, lines=(LineFactory(tax_rate_basis_points=0),))
        with clock.stopped(moment), transaction():
            return service.issue(SYSTEM, draft)

    return issue


@contextmanager
def as_clerk() -> Iterator[None]:
    """Be that role; what is refused takes the role back with all else that the savepoint saw."""
    db.session.execute(text("SET LOCAL ROLE clerk"))
    yield
    db.session.execute(text("RESET ROLE"))


def documents() -> int:
    return db.session.scalar(select(func.count()).select_from(Document)) or 0


@pytest.mark.parametrize(
    ("statement", "why"),
    [
        ("DELETE FROM document", REFUSED),
        ("UPDATE document SET retain_until = '2000-01-01'", REFUSED),
        ("TRUNCATE document", REFUSED),
        ("ALTER TABLE document DISABLE TRIGGER ALL", NOT_ALLOWED),
        ("DROP TRIGGER document_unchanged ON document", NOT_ALLOWED),
        ("SET session_replication_role = replica", NOT_ALLOWED),
        ("CREATE OR REPLACE FUNCTION document_check_change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN END'", NOT_ALLOWED),
    ],
    ids=["delete", "shorten", "empty", "switch the trigger off", "drop it", "go round it", "write another"],
)  # fmt: skip
def test_before_its_time_the_database_lets_no_document_go(write, statement: str, why: str) -> None:
    write(clock.now())
    with pytest.raises(DBAPIError) as refused, db.session.begin_nested(), as_clerk():
        db.session.execute(text(statement))
    assert refused.value.orig.sqlstate == why
    assert documents() == 1


def test_after_its_time_it_may_go_unless_a_hold_stands_that_nobody_hides(write) -> None:
    old, held = write(ISSUED), write(ISSUED)
    with transaction():
        holding.place(SYSTEM, held.id, "訴訟のため")
    assert old.retain_until == date(2023, 3, 31)
    gone = text("DELETE FROM document WHERE id = :id RETURNING id")
    with as_clerk():
        assert db.session.scalars(gone, {"id": old.id}).all() == [old.id]
        db.session.execute(text("CREATE TEMPORARY TABLE legal_hold (subject text, lifted_at timestamptz)"))
    try:
        with pytest.raises(DBAPIError, match="does not change"), db.session.begin_nested(), as_clerk():
            db.session.execute(gone, {"id": held.id})
    finally:
        db.session.execute(text("DROP TABLE pg_temp.legal_hold"))
    assert documents() == 1


def test_a_city_that_keeps_longer_has_the_database_keep_longer(write) -> None:
    settings.install(replace(settings.current(), documents_years_kept=100))
    kept = write(ISSUED)
    assert kept.retain_until == date(2116, 3, 31)
    with pytest.raises(DBAPIError, match="does not change"), db.session.begin_nested(), as_clerk():
        db.session.execute(text("DELETE FROM document"))
    assert documents() == 1
