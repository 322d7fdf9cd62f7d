"""Rows that a story holds are read once by it, and anew by the next one."""

import pytest
from flask import Flask
from sqlalchemy import event, text

from marketplace.identity import queries
from marketplace.kit.db import db
from marketplace.kit.transaction import transaction
from tests.factories import market


@pytest.fixture
def asked(app: Flask):
    """The statements that were sent."""
    sent: list[str] = []

    def note(*given):
        if given[2].startswith("SELECT"):
            sent.append(given[2])

    event.listen(db.engine, "before_cursor_execute", note)
    yield sent
    event.remove(db.engine, "before_cursor_execute", note)


def test_a_story_reads_what_it_keeps_once_and_the_next_story_reads_it_anew(asked: list[str]) -> None:
    organization_id = market.buyer().organization_id
    with transaction():
        asked.clear()
        names = [queries.get_organization(organization_id).name_en for _turn in range(3)]
        assert (len(asked), len(set(names))) == (1, 1)
    with transaction():
        db.session.execute(text("UPDATE organization SET name_en = 'Renamed' WHERE id = :id"), {"id": organization_id})
    with transaction():
        assert queries.get_organization(organization_id).name_en == "Renamed"
